-- N values through a channel, by a plain Lua interpreter. Usage: lua5.4 push_pop.lua N [unordered]; prints the
-- milliseconds for pushing and popping them, without those for making and deleting the channel.
local awsync = require "awsync"
local now = require("socket").gettime

local count = tonumber(arg[1])
local c <close> = awsync.Channel { ordered = arg[2] ~= "unordered" }
c:push(0)
assert(c:pop() == 0) -- the queue is there
local began, total = now(), 0
for i = 1, count do c:push(i) end
for _ = 1, count do total = total + c:pop() end
local elapsed = now() - began
assert(total == count * (count + 1) // 2)
print(elapsed * 1000)
