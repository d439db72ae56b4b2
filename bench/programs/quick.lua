-- N values from one lambda to another, both as quick as they can. Event: {"n": N, "stream": true or false}.
local awsync = require "awsync"

local function produce(c, n)
  for i = 1, n do c:push(i) end
end

function main(event)
  local c <close> = awsync.Channel { stream = event.stream or nil }
  awsync.invoke(produce, c, event.n)
  local sum = 0
  for _ = 1, event.n do sum = sum + c:pop() end
  assert(sum == event.n * (event.n + 1) // 2)
end
