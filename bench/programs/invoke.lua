-- N calls of a function that does nothing. Event: {"n": N}. The invocation ends when all of them are accepted.
local awsync = require "awsync"

local function nothing() end

function main(event)
  for _ = 1, event.n or 0 do awsync.detach(nothing) end
end
