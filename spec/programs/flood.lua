-- One quick sender in another lambda, one quick receiver here. Answer: how many values came in order.
local awsync = require "awsync"

local function send(c, n)
  for i = 1, n do c:push(i) end
  c:close()
end

function main(event)
  local c <close> = awsync.Channel { stream = event.stream }
  awsync.invoke(send, c, event.n)
  local n = 0
  for v in c:range() do
    if v ~= n + 1 then error(("%s came after %d"):format(v, n)) end
    n = v
  end
  return n
end
