-- test/chan/select.go: each operand is evaluated once for a select, also that of a nil channel.
local awsync = require "awsync"

local counter, shift = 0, 0

local function value()
  counter = counter + 1
  return 1 << shift
end

local function send(a, b)
  local sent = 0
  while true do
    local which = awsync.select { { "push", a, value() }, { "push", b, value() }, default = true }
    if which == "default" then return sent end
    if which == 1 then a = nil else b = nil end
    sent = sent + 1
    shift = shift + 1
  end
end

function main()
  local a <close> = awsync.Channel { capacity = 1 }
  local b <close> = awsync.Channel { capacity = 1 }
  local both = send(a, b)
  local or_ed = a:pop() | b:pop()
  return { both, or_ed, send(a, nil), counter }
end
