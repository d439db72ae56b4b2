-- N lambdas, each of which pushes one value. Event: {"n": N}.
local awsync = require "awsync"

local function one(c, i)
  c:push(i)
end

function main(event)
  local n, sum = event.n, 0
  local c <close> = awsync.Channel()
  for i = 1, n do awsync.invoke(one, c, i) end
  for _ = 1, n do sum = sum + c:pop() end
  return sum
end
