-- Timeouts: for each message, and for a whole conversation.
-- Event: {"pause": 5, "patience": 0.3, "conversation": 1}, in seconds.
-- Answer: what came of the slow talker and of the quick one.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function talk(lines, pause, quit)
  repeat
    lines:push "blah"
  until awsync.select { { "pop", quit }, timeout = pause } == 1
end

-- Gives up when a message takes too long.
local function patient(lines, seconds)
  local heard = 0
  while true do
    local which = awsync.select { { "pop", lines }, timeout = seconds }
    if which == "timeout" then return "too slow", heard end
    heard = heard + 1
  end
end

-- Listens for so long, however quick they come.
local function listen(lines, seconds, remaining)
  local ends, heard = remaining() - seconds, 0
  while true do
    local which = awsync.select { { "pop", lines }, timeout = math.max(0, remaining() - ends) }
    if which == "timeout" then return "you talk too much", heard end
    heard = heard + 1
  end
end

function main(event, context)
  local slow <close> = Channel()
  local quick <close> = Channel()
  local quit <close> = Channel()
  invoke(talk, slow, event.pause or 5, quit)
  invoke(talk, quick, 0.02, quit)
  local message, heard = patient(slow, event.patience or 0.3)
  local last, number = listen(quick, event.conversation or 1, context.remaining)
  quit:close()
  return { slow = message, heard = heard, quick = last, many = number > 1 }
end
