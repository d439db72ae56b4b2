-- Three stages over two channels: numbers are made, squared and added up, each stage in a lambda of its own.
-- Event: {"n": 10}. Answer: the sum of the squares of 1..n.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

-- `false` ends a stream.
local function generate(out, n)
  for i = 1, n do out:push(i) end
  out:push(false)
end

local function square(source, out)
  while true do
    local i = source:pop()
    if not i then return out:push(false) end
    out:push(i * i)
  end
end

function main(event)
  local numbers <close> = Channel()
  local squares <close> = Channel()
  invoke(generate, numbers, event.n or 10)
  invoke(square, numbers, squares)

  local sum = 0
  while true do
    local s = squares:pop()
    if not s then return sum end
    sum = sum + s
  end
end
