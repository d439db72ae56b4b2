-- "Go Concurrency Patterns: Pipelines and cancellation", explicit cancellation: a reader that leaves after one value
-- closes `done`, and every stage upstream learns of it in its select and ends.
-- Event: {"numbers": [2, 3]}. Answer: one of the squares, 4 or 9.
local awsync = require "awsync"
local Channel, select = awsync.Channel, awsync.select

local function gen(numbers, out, done)
  for _, n in ipairs(numbers) do
    if select { { "push", out, n }, { "pop", done } } == 2 then break end
  end
  out:close()
end

local function sq(source, out, done)
  for n in source:range() do
    if select { { "push", out, n * n }, { "pop", done } } == 2 then break end
  end
end

function main(event)
  local numbers <close> = Channel { capacity = 0 }
  local squares <close> = Channel { capacity = 0 }
  local done <close> = Channel()
  local stages <close> = awsync.group() -- its scope ends when they have, before their channels go
  stages:invoke(gen, event.numbers or { 2, 3 }, numbers, done)
  for _ = 1, 2 do stages:invoke(sq, numbers, squares, done) end

  local first = squares:pop()
  done:close()
  return first
end
