local awsync = require "awsync"
local Channel, invoke, push, pop = awsync.Channel, awsync.invoke, awsync.push, awsync.pop

-- runs in another lambda
local function square(c, i)
  push(c, i * i)
end

-- entry point of the main lambda; the event is {"n": 5}, say
function main(event)
  local n, total = event.n or 5, 0
  local c <close> = Channel() -- a new queue; deleted at the end of the scope
  for i = 0, n - 1 do invoke(square, c, i) end
  for _ = 1, n do total = total + pop(c) end
  return total
end
