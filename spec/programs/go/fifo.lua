-- test/chan/fifo.go, buffered: values come out in the order in which they went in, here and in another lambda.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function filled()
  local c = Channel { capacity = 10 } -- the queues are deleted when main has answered
  for i = 0, 9 do c:push(i) end
  c:close()
  return c
end

local function drain(c)
  local got = {}
  for v in c:range() do got[#got + 1] = v end
  return got
end

local function elsewhere(c, out)
  out:push(drain(c))
end

function main()
  local out <close> = Channel()
  invoke(elsewhere, filled(), out)
  return { here = drain(filled()), there = out:pop() }
end
