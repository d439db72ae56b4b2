-- Jobs under leases, on an unordered channel that is closed; the worker that takes the job "deadly" first is killed
-- while all others have nothing left to do. Answer: the jobs that were done.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function work(jobs, done, mark)
  while true do
    local job, lease <close> = jobs:lease()
    if not lease then return end
    if job == "deadly" then
      local first = io.open(mark, "r") == nil
      io.open(mark, "w"):close()
      if first then
        awsync.sleep(1.5)
        os.execute "kill -KILL $PPID"
      end
    end
    done:push(job)
  end
end

function main(event)
  local jobs <close> = Channel { ordered = false, visibility = 2 }
  local done <close> = Channel()
  for _ = 1, event.workers do invoke(work, jobs, done, event.mark) end
  local names = { "a", "b", "deadly", "c", "d" }
  for _, job in ipairs(names) do jobs:push(job) end
  jobs:close()
  local list = {}
  for i = 1, #names do list[i] = done:pop(20) or "lost" end
  table.sort(list)
  return list
end
