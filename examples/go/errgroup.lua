-- A group of calls: at most so many run at once, the first error ends them all.
-- Event: {"tasks": 9, "limit": 3, "fails": 5}; without `fails` nobody fails.
-- Answer: the results or the error, and how many ran at the same time.
local awsync = require "awsync"

local function task(i, fails, log)
  log:push(1)
  awsync.sleep(0.1)
  if i == fails then error("task " .. i .. " failed", 0) end
  if fails and i > fails then awsync.sleep(30) end -- would take long: it is cancelled
  log:push(-1)
  return i * i
end

function main(event)
  local log <close> = awsync.Channel()
  local ok, result = pcall(function()
    local group <close> = awsync.group { limit = event.limit or 3 }
    for i = 1, event.tasks or 9 do group:invoke(task, i, event.fails, log) end
    return group:wait()
  end)
  log:close()

  local now, most = 0, 0
  for change in log:range() do
    now = now + change
    most = math.max(most, now)
  end
  if ok then return { results = result, most = most } end
  return { error = result.message, kind = result.kind, most = most }
end
