-- Sends its event back, untouched.
local awsync = require "awsync"

function main(event)
  return awsync.raw(event)
end
