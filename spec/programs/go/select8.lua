-- test/chan/select8.go: leaving a select early goes on after it, whatever its other cases still had.
local awsync = require "awsync"
local Channel = awsync.Channel

function main()
  local a <close> = Channel()
  local b <close> = Channel()
  local seen = {}
  a:push("a")
  for _ = 1, 2 do
    repeat
      local which, v = awsync.select { { "pop", a }, { "pop", b }, default = true }
      seen[#seen + 1] = which == 1 and v or which
      if which == 1 then break end
      seen[#seen + 1] = "rest"
    until true
    seen[#seen + 1] = "after"
  end
  return seen
end
