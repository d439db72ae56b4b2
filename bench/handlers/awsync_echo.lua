-- The same as a program of ours: it can spawn and push, and answers with the event itself.
local awsync = require "awsync"

function main(event)
  return awsync.raw(event)
end
