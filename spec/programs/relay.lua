-- Values go through workers and come back: each worker receives and sends. If a worker ran twice for one call, its two
-- runs would send different values under the same deduplication ids, and some would be missing here.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function work(jobs, results)
  for n in jobs:range() do results:push(-n) end
end

local function produce(jobs, n)
  for i = 1, n do jobs:push(i) end
  jobs:close()
end

function main(event)
  local jobs <close> = Channel { ordered = false }
  local results <close> = Channel()
  for _ = 1, event.workers do invoke(work, jobs, results) end
  invoke(produce, jobs, event.n)
  local seen = {}
  for count = 1, event.n do
    local v, why = results:pop(60)
    if not v then error(("%s after %d of %d values"):format(why, count - 1, event.n)) end
    if seen[v] then error(v .. " came twice") end
    if not (v <= -1 and v >= -event.n) then error(tostring(v) .. " was never sent") end
    seen[v] = true
  end
  local more = results:pop(0)
  if more then error(tostring(more) .. " is one too many") end
  return event.n
end
