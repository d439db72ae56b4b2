-- Jobs of a second each for a few workers. Answer: the jobs done, and how many seconds all of them took together.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function work(jobs, done)
  for job in jobs:range() do
    awsync.sleep(1)
    done:push(job)
  end
end

function main(event, context)
  local jobs <close> = Channel { ordered = event.ordered }
  local done <close> = Channel()
  for _ = 1, event.workers do invoke(work, jobs, done) end
  local begun = context.remaining()
  for job = 1, event.jobs do jobs:push(job) end
  jobs:close()
  local list = {}
  for i = 1, event.jobs do list[i] = done:pop() end
  local took = begun - context.remaining()
  table.sort(list)
  return { done = list, seconds = took }
end
