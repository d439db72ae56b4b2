-- Rob Pike's "Go Concurrency Patterns", timeouts by select: one for each message, one for a whole conversation.
-- Event: {"pause": 5, "patience": 0.3, "conversation": 1}, in seconds. Answer: what came of the slow talker and of the
-- quick one: {"slow":{"end":"too slow","heard":1},"quick":{"end":"you talk too much","heard":45,"seconds":1.001}}
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function talk(lines, pause, quit)
  repeat
    lines:push "blah"
  until awsync.select { { "pop", quit }, timeout = pause } == 1
end

-- Gives up when a message takes too long; the first one may, as a lambda has to start for it.
local function patient(lines, seconds)
  lines:pop()
  local heard = 1
  while awsync.select { { "pop", lines }, timeout = seconds } == 1 do heard = heard + 1 end
  return { ["end"] = "too slow", heard = heard }
end

-- Listens for so long, however quick they come. remaining: the seconds that this lambda has left.
local function listen(lines, seconds, remaining)
  lines:pop()
  local began, heard, took = remaining(), 1, 0
  while took < seconds do
    if awsync.select { { "pop", lines }, timeout = seconds - took } == 1 then heard = heard + 1 end
    took = began - remaining()
  end
  return { ["end"] = "you talk too much", heard = heard, seconds = took }
end

function main(event, context)
  local slow <close> = Channel()
  local quick <close> = Channel()
  local quit <close> = Channel()
  invoke(talk, slow, event.pause or 5, quit)
  invoke(talk, quick, 0.02, quit)
  local answer = {
    slow = patient(slow, event.patience or 0.3),
    quick = listen(quick, event.conversation or 1, context.remaining),
  }
  quit:close()
  return answer
end
