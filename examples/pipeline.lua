-- Three stages over two channels: numbers are made, squared and added up, each stage in a lambda of its own.
-- Event: {"n": 10}. Answer: the sum of the squares of 1..n.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function generate(out, n)
  for i = 1, n do out:push(i) end
  out:close()
end

local function square(source, out)
  for i in source:range() do out:push(i * i) end
  out:close()
end

function main(event)
  local numbers <close> = Channel()
  local squares <close> = Channel()
  invoke(generate, numbers, event.n or 10)
  invoke(square, numbers, squares)

  local sum = 0
  for s in squares:range() do sum = sum + s end
  return sum
end
