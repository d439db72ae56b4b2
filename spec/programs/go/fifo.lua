-- Values come out in the order in which they went in.
local awsync = require "awsync"

function main()
  local c <close> = awsync.Channel { capacity = 10 }
  for i = 0, 9 do c:push(i) end
  c:close()
  local got = {}
  for v in c:range() do got[#got + 1] = v end
  return got
end
