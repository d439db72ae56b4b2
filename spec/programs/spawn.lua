-- Spawns event.n lambdas and adds up their squares.
local awsync = require "awsync"
local Channel, invoke, push, pop = awsync.Channel, awsync.invoke, awsync.push, awsync.pop

local function square(c, i)
  push(c, i * i)
end

function main(event)
  local total = 0
  local c <close> = Channel()
  for i = 0, event.n - 1 do invoke(square, c, i) end
  for _ = 1, event.n do total = total + pop(c) end
  return total
end
