-- Rob Pike's "Go Concurrency Patterns", generator and fan-in: a function starts a talker in another lambda and returns
-- the channel on which it talks; two of them are merged by a select, so that whoever is ready speaks.
-- Event: {"lines": 5}, of each. Answer: the lines as they came: "Joe 1", "Ann 1", "Ann 2", ...
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function talk(name, lines, count)
  for i = 1, count do
    lines:push(("%s %d"):format(name, i)) -- waits until it is heard
    awsync.sleep(math.random() / 20)
  end
  lines:close()
end

local function talker(name, count)
  local lines = Channel { capacity = 0 } -- the queue is deleted when main has answered
  invoke(talk, name, lines:sender(), count)
  return lines:receiver()
end

function main(event)
  local count = event.lines or 5
  local joe, ann = talker("Joe", count), talker("Ann", count)
  local list = {}
  while joe or ann do
    local which, line = awsync.select { { "pop", joe }, { "pop", ann } }
    if line then
      list[#list + 1] = line
    elseif which == 1 then -- closed: a nil channel is never ready
      joe = nil
    else
      ann = nil
    end
  end
  return list
end
