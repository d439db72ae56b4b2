-- test/chancap.go: len and cap of an empty, a filled and an unbuffered channel; cap is known where the channel
-- arrives, too.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function tell(c, out)
  out:push { c:len(), c:cap() }
end

function main()
  local c <close> = Channel { capacity = 10 }
  local unbuffered <close> = Channel { capacity = 0 }
  local unbounded <close> = Channel()
  local out <close> = Channel()
  local seen = { { c:len(), c:cap() } }
  for i = 1, 3 do c:push(i) end
  seen[2] = { c:len(), c:cap() }
  seen[3] = { unbuffered:len(), unbuffered:cap() }
  invoke(tell, c, out)
  seen[4] = out:pop()
  seen[5] = { unbounded:len(), unbounded:cap() == math.huge }
  return seen
end
