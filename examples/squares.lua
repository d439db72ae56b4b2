local awsync = require "awsync"
local Channel, invoke, push, pop = awsync.Channel, awsync.invoke, awsync.push, awsync.pop

-- runs in another lambda
local function square(c, i)
  push(c, i * i)
end

-- entry point of the main lambda
function main()
  local total = 0
  local c <close> = Channel()          -- a new queue; deleted at the end of the scope
  for i = 0, 4 do invoke(square, c, i) end
  for _ = 0, 4 do total = total + pop(c) end
  return total                         -- {"statusCode":200,"body":"30"}
end
