-- A reader that leaves early: it closes `done`, and everything upstream ends.
-- Event: {"numbers": [2, 3]}. Answer: one of the squares.
local awsync = require "awsync"
local Channel, invoke, select = awsync.Channel, awsync.invoke, awsync.select

local function generate(numbers, out, done)
  for _, n in ipairs(numbers) do
    if select { { "push", out, n }, { "pop", done } } == 2 then break end
  end
  out:close()
end

local function square(source, out, done)
  for n in source:range() do
    if select { { "push", out, n * n }, { "pop", done } } == 2 then break end
  end
end

function main(event)
  local source = Channel { capacity = 0 } -- the queues are deleted when main has answered
  local squares, done = Channel { capacity = 0 }, Channel()
  invoke(generate, event.numbers or { 2, 3 }, source, done)
  for _ = 1, 2 do invoke(square, source, squares, done) end
  local first = squares:pop()
  done:close()
  return first
end
