-- Generators and fan-in: a function that starts a talker in another lambda and returns the channel on which it talks;
-- two of them are merged by a select, so that whoever is ready speaks.
-- Event: {"lines": 10}. Answer: the lines.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function talk(name, lines, quit)
  local i = 0
  while awsync.select { { "push", lines, ("%s %d"):format(name, i) }, { "pop", quit } } == 1 do
    i = i + 1
    awsync.sleep(math.random() / 20) -- pauses for a while
  end
  lines:close()
end

local function talker(name, quit)
  local lines = Channel { capacity = 0 }
  invoke(talk, name, lines:sender(), quit)
  return lines:receiver()
end

function main(event)
  local quit <close> = Channel()
  local joe, ann = talker("Joe", quit), talker("Ann", quit)
  local list = {}
  for i = 1, event.lines or 10 do
    local _, line = awsync.select { { "pop", joe }, { "pop", ann } }
    list[i] = line
  end
  quit:close() -- everybody who waits for it learns of it
  for _ in joe:range() do end
  for _ in ann:range() do end
  return list
end
