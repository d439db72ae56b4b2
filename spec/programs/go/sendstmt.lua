-- test/chan/sendstmt.go: a channel of channels: a channel is received in another lambda, and 2 is sent on it.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function send_on_what_comes(channels)
  channels:pop():push(2)
end

function main()
  local c <close> = Channel()
  local channels <close> = Channel()
  invoke(send_on_what_comes, channels)
  channels:push(c)
  return c:pop()
end
