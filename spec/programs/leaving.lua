-- Leaves queues behind in every way there is: by an error, by forgetting, in a child.
local awsync = require "awsync"

local function child(c)
  local own = awsync.Channel()
  own:push("never read")
  c:push(true)
end

function main(event)
  local c = awsync.Channel()
  local unread = awsync.Channel()
  unread:push(1)
  awsync.invoke(child, c)
  c:pop()
  if event.fail then error("after the channels were made") end
  return "left"
end
