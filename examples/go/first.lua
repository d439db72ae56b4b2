-- Three replicas do the same work; the first answer counts, the others are cancelled.
-- Event: {"seconds": [20, 0.1, 20]}. Answer: what the first one found.
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
