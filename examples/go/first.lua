-- Rob Pike's "Go Concurrency Patterns", replicated search: three replicas do the same work, the first answer counts.
-- Go lets the others run on; here they are cancelled, since each second of them would be billed.
-- Event: {"seconds": [20, 0.1, 20]}. Answer: "result of replica 2".
local awsync = require "awsync"

local function search(replica, seconds)
  awsync.sleep(seconds) -- one is lucky
  return "result of replica " .. replica
end

function main(event)
  local replicas = {}
  for i, seconds in ipairs(event.seconds or { 20, 0.1, 20 }) do
    replicas[i] = awsync.async(search, i, seconds)
  end
  local done, rest = awsync.wait(replicas, { count = 1 })
  for _, replica in ipairs(rest) do replica:cancel() end
  return done[1]:await()
end
