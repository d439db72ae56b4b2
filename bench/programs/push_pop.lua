-- N values through a channel, by a plain Lua interpreter. Usage: lua5.4 push_pop.lua N [unordered|stream]; prints the
-- milliseconds for pushing and popping them, without those for making and deleting the channel (the last values of a
-- channel that is deleted next are not deleted one by one).
local awsync = require "awsync"
local socket = require "socket"

local count, form = tonumber(arg[1]), arg[2]
local c <close> = awsync.Channel { ordered = form ~= "unordered", stream = form == "stream" or nil }
assert(c:len() == 0) -- the queue is there
local began, total = socket.gettime(), 0
for i = 1, count do c:push(i) end
for _ = 1, count do total = total + c:pop() end
local elapsed = socket.gettime() - began
assert(total == count * (count + 1) // 2)
print(elapsed * 1000)
