-- One quick sender in another lambda, one quick receiver here, which pops as many as it knows there are, or until the
-- channel is closed. Answer: how many values came in order.
local awsync = require "awsync"

local function send(c, n, close)
  for i = 1, n do c:push(i) end
  if close then c:close() end
end

function main(event)
  local c <close> = awsync.Channel { stream = event.stream, ordered = event.ordered }
  awsync.invoke(send, c, event.n, event.close)
  local n = 0
  while event.close or n < event.n do
    local v = c:pop()
    if v == nil then break end
    if event.ordered ~= false and v ~= n + 1 then error(("%s came after %d"):format(v, n)) end
    n = n + 1
  end
  return n
end
