-- test/chan/select6.go: a select that lost leaves nothing behind that eats a later value, nor one that it did not mean
-- to send.
local awsync = require "awsync"
local Channel, invoke, select = awsync.Channel, awsync.invoke, awsync.select

local function take(c, done)
  done:push(c:pop())
end

local function lose_pop(c1, c2, c3, done)
  local which = select { { "pop", c1 }, { "pop", c2 } }
  if which ~= 2 then error("the wrong case") end
  c3:push(true)
  done:push(c1:pop())
end

local function lose_push(c1, c2, c3)
  local which = select { { "push", c1, "lost" }, { "pop", c2 } }
  if which ~= 2 then error("the wrong case") end
  c3:push(true)
  c1:push("third")
end

function main()
  local c1 <close> = Channel { capacity = 0 }
  local c2 <close> = Channel()
  local c3 <close> = Channel()
  local done <close> = Channel()
  invoke(lose_pop, c1, c2, c3, done)
  c2:push(true)
  c3:pop()
  invoke(take, c1, done)
  c1:push("first")
  c1:push("second")
  local got = { done:pop(), done:pop() }
  table.sort(got)

  invoke(lose_push, c1, c2, c3)
  c2:push(true)
  c3:pop()
  got[3] = c1:pop()
  return got
end
