-- Rob Pike's "Go Concurrency Patterns", daisy chain: each lambda adds 1 to what its right neighbour whispers, all of
-- them alive at once.
-- Event: {"n": 100}. Answer: 101, n + 1.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function whisper(left, right)
  left:push(1 + right:pop())
end

function main(event)
  local leftmost = Channel()
  local left = leftmost
  for _ = 1, event.n or 100 do
    local right = Channel()
    invoke(whisper, left, right)
    left = right
  end
  left:push(1)
  return leftmost:pop() -- the queues are deleted when main has answered
end
