-- test/chan/fifo.go, synchronous: a daisy chain of lambdas, each of which waits for its left neighbour and then takes
-- one value from a channel that all share. Answer: what they have taken, from left to right.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function link(values, left, right, taken)
  left:pop()
  taken:push(values:pop())
  right:push(true)
end

function main(event)
  local values <close> = Channel()
  local taken <close> = Channel()
  local first = Channel() -- the queues between the links are deleted when main has answered
  local last = first
  for _ = 1, event.n do
    local right = Channel()
    invoke(link, values, last, right, taken)
    last = right
  end
  for i = 0, event.n - 1 do values:push(i) end
  first:push(true)
  last:pop()
  local got = {}
  for i = 1, event.n do got[i] = taken:pop() end
  return got
end
