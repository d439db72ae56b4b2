--- Go-style concurrency on AWS: channels over SQS, functions in other lambdas.
-- Every operation on a channel exists as a method and as a function: `c:push(v)` and `push(c, v)`.
-- What each takes and returns: library/awsync.lua; what it raises: docs/reference.md.

local core = require "awsync.core"

local awsync = { _VERSION = core._VERSION, null = core.null }

for _, name in ipairs {
  "Channel", "push", "pop", "range", "lease", "select", "close", "len", "cap", "sender", "receiver", "delete",
  "invoke", "on_error", "raw",
} do
  awsync[name] = core[name]
end

-- The rest is loaded when it is used first: a program that does not use it starts sooner.
local homes = {
  async = "future", as_completed = "future", wait = "future", sleep = "future", detach = "future",
  group = "group",
  map = "map", starmap = "map", map_reduce = "map",
}

return setmetatable(awsync, {
  __index = function(_, name)
    local home = homes[name]
    -- Not kept here: in another process the function is found by the name of its own module.
    return home and require("awsync." .. home)[name]
  end,
})
