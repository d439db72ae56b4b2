-- Many senders and many receivers on one channel. Each receiver checks that what comes from one sender comes in its
-- order, and reports what it got; here it is counted that each value came once.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function send(c, id, n)
  for i = 1, n do c:push { id, i } end
end

local function receive(c, ordered, reports)
  local got, last = {}, {}
  for v in c:range() do
    local id, i = v[1], v[2]
    if ordered and i <= (last[id] or 0) then error(("%d of sender %d came after %d"):format(i, id, last[id])) end
    last[id] = i
    got[#got + 1] = id * 1000000 + i
  end
  reports:push(got)
end

function main(event)
  local c <close> = Channel { ordered = event.ordered }
  local reports <close> = Channel()
  local n = event.values // event.senders
  for _ = 1, event.receivers do invoke(receive, c, event.ordered, reports) end
  local senders = awsync.group()
  for id = 1, event.senders do senders:invoke(send, c, id, n) end
  senders:wait() -- a call has ended when what it pushed has arrived
  c:close()

  local seen, count, busy = {}, 0, 0
  for _ = 1, event.receivers do
    local got = reports:pop()
    if #got > 0 then busy = busy + 1 end
    for _, v in ipairs(got) do
      if seen[v] then error(v .. " came twice") end
      seen[v] = true
      count = count + 1
    end
  end
  return { count = count, busy = busy }
end
