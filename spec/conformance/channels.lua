-- What channels promise, tried by one process on whatever SQS answers at AWS_ENDPOINT_URL_SQS.
-- Usage: lua5.4 channels.lua NAME. Each check prints a line; the last line is `N passed, N failed`.
local awsync = require "awsync"
local Channel = awsync.Channel

local server = ...

-- More than a long poll's 20 s: one of moto's that begins while a message of the group is in flight misses the group's
-- next ones, also what is given back. Where a value is sure to come, a check waits that long for it.
local PATIENCE = 25

local checks = {}

local function check(name)
  return function(f) checks[#checks + 1] = { name = name, f = f } end
end

local function same(expected, got, what)
  if expected ~= got then
    error(("%s: %s instead of %s"):format(what or "result", tostring(got), tostring(expected)), 2)
  end
end

local function drain(c)
  local got = {}
  for v in c:range() do got[#got + 1] = v end
  return got
end

local function is_sequence(got, n)
  same(n, #got, "number of values")
  for i = 1, n do same(i, got[i], "value " .. i) end
end

check "values come in order, then the end" (function()
  local c <close> = Channel()
  for i = 1, 105 do c:push(i) end
  c:close()
  is_sequence(drain(c), 105)
  same("closed", select(2, c:pop(PATIENCE)))
end)

check "an unordered channel gives every value once, then the end" (function()
  local c <close> = Channel { ordered = false }
  for i = 1, 105 do c:push(i) end
  c:close()
  local got = drain(c)
  table.sort(got)
  is_sequence(got, 105)
end)

check "any bytes, numbers and tables arrive as they left" (function()
  local c <close> = Channel()
  local values = { "grüße", "\0\xff\x01\u{FFFE}", "", 1 << 62, 0.1, -0.0, "<&>\"'\r\n\t", ("x"):rep(100000) }
  for _, v in ipairs(values) do c:push { v } end
  for i, v in ipairs(values) do
    local got = c:pop(PATIENCE)[1]
    same(v, got, "value " .. i)
    same(math.type(v), math.type(got), "type of value " .. i)
  end
end)

check "a message of 1,048,576 bytes" (function()
  local c <close> = Channel()
  local v = ("y"):rep(1048576 - 2) -- with its quotes
  c:push(v)
  same(true, v == c:pop(PATIENCE))
end)

check "a pop waits as long as it is told" (function()
  local c <close> = Channel()
  same("timeout", select(2, c:pop(0)))
  same("timeout", select(2, c:pop(0.3)))
  c:push(1)
  same(1, c:pop(PATIENCE))
end)

check "len counts what waits" (function()
  local c <close> = Channel()
  for i = 1, 7 do c:push(i) end
  same(7, c:len())
  c:pop(PATIENCE)
  same(6, c:len())
end)

check "select takes what is ready, its default or its timeout" (function()
  local a <close> = Channel()
  local b <close> = Channel()
  same("default", (awsync.select { { "pop", a }, { "pop", b }, default = true }))
  b:push "b"
  local which, v = awsync.select { { "pop", a }, { "pop", b }, timeout = PATIENCE }
  same(2, which)
  same("b", v)
  same("timeout", (awsync.select { { "pop", a }, { "pop", nil }, timeout = 0.2 }))
end)

check "a channel travels through a channel" (function()
  local channels <close> = Channel()
  local c <close> = Channel { capacity = 5 }
  channels:push(c:sender())
  channels:pop(PATIENCE):push(2)
  same(2, c:pop(PATIENCE))
end)

check "a capacity bounds a push, and a pop makes room" (function()
  local c <close> = Channel { capacity = 2 }
  same(true, c:push(1, PATIENCE))
  same(true, c:push(2, PATIENCE))
  same("timeout", select(2, c:push(3, 0.3)))
  same(1, c:pop(PATIENCE))
  same(true, c:push(3, PATIENCE))
  same(2, c:pop(PATIENCE))
  same(3, c:pop(PATIENCE))
end)

check "a push on an unbuffered channel waits for a receiver" (function()
  local c <close> = Channel { capacity = 0 }
  same("timeout", select(2, c:push(1, 0.3)))
  same("timeout", select(2, c:pop(0.3)))
end)

check "a stream packs its values" (function()
  local c <close> = Channel { stream = true }
  for i = 1, 1000 do c:push(i) end
  c:close()
  is_sequence(drain(c), 1000)
end)

check "a lease holds a value beyond its visibility timeout, and gives it back" (function()
  local c <close> = Channel { ordered = false, visibility = 2 }
  c:push "job"
  do
    local job, lease = c:lease(PATIENCE)
    same("job", job)
    same("timeout", select(2, c:pop(3)))
    lease:give_back()
  end
  do
    local job, lease <close> = c:lease(PATIENCE)
    same("job", job)
    same("lease (held)", tostring(lease))
  end
  same("timeout", select(2, c:pop(2.5)))
end)

check "what fails too often goes to the dead letters" (function()
  local c <close> = Channel { max_receives = 2, visibility = 2 }
  c:push "poison"
  c:push "good"
  for _ = 1, 2 do
    local job, lease = c:lease(PATIENCE)
    same("poison", job)
    lease:give_back()
  end
  same("good", c:pop(PATIENCE))
end)

check "a deleted channel says so" (function()
  local c = Channel()
  c:push(1)
  c:delete()
  local ok, message = pcall(c.pop, c, 1)
  same(false, ok)
  same(true, message:find("deleted channel", 1, true) ~= nil)
end)

local passed = 0
for _, one in ipairs(checks) do
  local ok, message = pcall(one.f)
  print(("%s %s: %s%s"):format(ok and "ok    " or "FAILED", server, one.name, ok and "" or ": " .. tostring(message)))
  if ok then passed = passed + 1 end
end
print(("%d passed, %d failed"):format(passed, #checks - passed))
os.exit(passed == #checks, true)
