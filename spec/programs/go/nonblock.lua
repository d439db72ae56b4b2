-- test/chan/nonblock.go: without waiting, a receive on empty takes `default`; a send takes its case only when somebody
-- receives or there is room.
local awsync = require "awsync"
local Channel, invoke, select = awsync.Channel, awsync.invoke, awsync.select

local function receive(c, back)
  back:push("ready")
  back:push((c:pop()))
end

local function send(c, v)
  c:push(v)
end

-- Polls until the case is taken: the other side is on its way.
local function insist(case)
  while true do
    local which, v = select { case, default = true }
    if which == 1 then return v end
    select { timeout = 0.01 }
  end
end

local function try(capacity)
  local c <close> = Channel { capacity = capacity }
  local back <close> = Channel()
  local seen = {}

  seen.empty = select { { "pop", c }, default = true }
  if capacity == 0 then
    seen.nobody = select { { "push", c, 1 }, default = true }
  end

  seen.received, seen.sent = {}, {}
  for i, v in ipairs { 123, 234, "hello" } do
    -- The value that a lambda sends.
    invoke(send, c, v)
    seen.received[i] = insist { "pop", c }
    -- The value that a lambda receives.
    invoke(receive, c, back)
    back:pop()
    insist { "push", c, v }
    seen.sent[i] = back:pop()
  end

  if capacity > 0 then
    for _ = 1, capacity do c:push("fills it") end
    seen.full = select { { "push", c, 1 }, default = true }
    for _ = 1, capacity do c:pop() end
  end
  seen.rest = select { { "pop", c }, default = true }
  return seen
end

function main()
  return { unbuffered = try(0), buffered = try(1) }
end
