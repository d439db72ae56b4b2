-- "Go Concurrency Patterns: Pipelines and cancellation", the first pipeline: gen sends numbers, sq squares them, main
-- receives. Each stage is a lambda and closes what it sends on when it is done.
-- Event: {"numbers": [2, 3]}. Answer: [4, 9].
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function gen(numbers, out)
  for _, n in ipairs(numbers) do out:push(n) end
  out:close()
end

local function sq(source, out)
  for n in source:range() do out:push(n * n) end
  out:close()
end

function main(event)
  local numbers <close> = Channel()
  local squares <close> = Channel()
  invoke(gen, event.numbers or { 2, 3 }, numbers:sender())
  invoke(sq, numbers:receiver(), squares:sender())

  local list = {}
  for n in squares:range() do list[#list + 1] = n end
  return list
end
