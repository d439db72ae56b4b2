-- Groups: calls that end together.

local check = require "awsync.check"
local core = require "awsync.core"
local future = require "awsync.future"

local group = {}

local Group = {}
local Group_mt = { __name = "awsync.Group", __index = Group }

local options_known = { limit = "whole", errors = "errors" }

-- Makes a group: `local g <close> = awsync.group{ limit = 10 }`. limit: most of its calls at once. errors: "first" (the
-- default) raises the first error and cancels the rest; "all" lets every call end and attaches the other errors.
-- The end of the scope waits for the calls; the end by an error cancels them.
function group.group(options)
  options = check.options(options, options_known, "group", 1)
  return setmetatable({
    limit = options.limit or math.huge, errors = options.errors or "first", members = {}, active = {}, failures = {},
  }, Group_mt)
end

local function check_group(self, operation)
  check.argument(getmetatable(self) == Group_mt, operation, 1, "awsync.Group expected, got " .. type(self))
end

local function cancel_all(self)
  for _, one in ipairs(self.active) do one:cancel() end
  self.active = {}
end

-- Takes out of the active ones what has ended.
local function settle(self)
  local active = {}
  for _, one in ipairs(self.active) do
    local state = one.state
    if not state.done then
      active[#active + 1] = one
    elseif state.failure then
      table.insert(self.failures, state.failure)
    end
  end
  self.active = active
  if self.errors == "first" and self.failures[1] then
    local first = self.failures[1]
    self.failures = {}
    cancel_all(self)
    error(first, 0)
  end
end

-- Calls f in another lambda as a member; waits while the group has as many running as its limit says.
function Group:invoke(f, ...)
  check_group(self, "invoke")
  check.func(f, "invoke", 2)
  if self.over then error("invoke: this group has ended", 2) end
  settle(self)
  while #self.active >= self.limit do
    core.wait(nil, "invoke")
    settle(self)
  end
  local one = future.spawn("invoke", f, f, ...)
  table.insert(self.members, one)
  table.insert(self.active, one)
  return one
end

-- Waits for all members: the list of their first results, in the order of the invokes. Raises as the group's errors
-- say.
function Group:wait()
  check_group(self, "wait")
  settle(self)
  while #self.active > 0 do
    core.wait(nil, "wait")
    settle(self)
  end
  local first = table.remove(self.failures, 1)
  if first then
    if #self.failures > 0 then first.others = self.failures end
    self.failures = {}
    error(first, 0)
  end
  local results = {}
  for i, one in ipairs(self.members) do
    if one.state.values then results[i] = one.state.values[1] end
  end
  return results
end

-- Cancels all members that have not ended.
function Group:cancel()
  check_group(self, "cancel")
  cancel_all(self)
end

function Group_mt:__close(err)
  if self.over then return end
  self.over = true
  if err ~= nil then cancel_all(self) else self:wait() end
end

return group
