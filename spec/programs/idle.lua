-- Waits event.seconds in vain.
local awsync = require "awsync"

function main(event)
  local c <close> = awsync.Channel()
  local v, why = c:pop(event.seconds)
  return { v == nil, why }
end
