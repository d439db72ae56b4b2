-- golang.org/x/sync/errgroup, WithContext and SetLimit: at most so many calls run at once, the first error is the
-- group's and cancels the others.
-- Event: {"tasks": 9, "limit": 3, "fails": 5}; without `fails` nobody fails. Answer: how many ran at the same time, and
-- the results or the error:
-- {"most":3,"results":[1,4,9,16,25,36,49,64,81]} or {"error":"task 5 failed","kind":"error","most":3}
local awsync = require "awsync"

-- The tasks behind the one that fails would take an hour; it fails as soon as they are at work.
local function task(i, fails, limit, log, at_work)
  log:push(1)
  if i == fails then
    for _ = 2, limit do at_work:pop() end
    error(("task %d failed"):format(i), 0)
  elseif fails and i > fails then
    at_work:push(i)
    awsync.sleep(3600)
  else
    awsync.sleep(0.1)
  end
  log:push(-1)
  return i * i
end

function main(event)
  local log <close> = awsync.Channel()
  local at_work <close> = awsync.Channel()
  local limit = event.limit or 3
  local ok, result = pcall(function()
    local group <close> = awsync.group { limit = limit }
    for i = 1, event.tasks or 9 do group:invoke(task, i, event.fails, limit, log, at_work) end
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
