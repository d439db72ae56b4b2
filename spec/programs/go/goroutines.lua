-- test/chan/goroutines.go: one value is handed through a chain of n lambdas, from the one that was started last to the
-- first.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function hand_on(left, right)
  left:push(right:pop())
end

function main(event)
  local leftmost = Channel()
  local left = leftmost
  for _ = 1, event.n do
    local right = Channel()
    invoke(hand_on, left, right)
    left = right
  end
  left:push("the value")
  return leftmost:pop()
end
