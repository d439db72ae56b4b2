-- test/chan/select4.go: the destination of a case that is not chosen is never evaluated.
local awsync = require "awsync"
local Channel = awsync.Channel

local function never() error("the destination of the other case was evaluated") end

function main()
  local full <close> = Channel()
  local empty <close> = Channel()
  local x = {}
  full:push(42)
  local which, v = awsync.select { { "pop", empty }, { "pop", full } }
  if which == 1 then never().a = v else x.a = v end
  return x.a
end
