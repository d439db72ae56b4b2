-- Futures: the results of calls in other lambdas, for later; and the ways of waiting for several.

local check = require "awsync.check"
local core = require "awsync.core"

local future = {}

local Future = {}
local Future_mt = { __name = "awsync.Future", __index = Future }

-- A future's state is what the binding fills when the call's exit record has come: `done`, then `values` (packed) or
-- `failure` (an error object).

-- Makes a call whose end goes to a new future. namesake: the function whose name messages show.
function future.spawn(operation, namesake, f, ...)
  local self = setmetatable({ state = {}, scope = core.scope() }, Future_mt)
  core.spawn(operation, self.state, self.scope, namesake, f, ...)
  return self
end

-- Calls f in another lambda and returns a future of its results.
function future.async(f, ...)
  check.func(f, "async", 1)
  return future.spawn("async", f, f, ...)
end

local function is_future(value)
  return getmetatable(value) == Future_mt
end

local function check_future(self, operation)
  check.argument(is_future(self), operation, 1, "awsync.Future expected, got " .. type(self))
end

-- Waits for the call's end: its results, or raises its error; nil and "timeout" when it has not ended after so many
-- seconds.
function Future:await(timeout)
  check_future(self, "await")
  check.seconds(timeout, "await", 2)
  local state = self.state
  local deadline = timeout and core.now() + timeout
  while not state.done do
    local left = deadline and math.max(deadline - core.now(), 0)
    core.wait(left, "await")
    if left == 0 and not state.done then return nil, "timeout" end
  end
  if state.failure then error(state.failure, 0) end
  return table.unpack(state.values, 1, state.values.n)
end

-- Whether the call has ended, as far as is known here; waits for nothing.
function Future:done()
  check_future(self, "done")
  if not self.state.done then core.wait(0, "done") end
  return self.state.done == true
end

-- Cancels the call: it stops at its next operation, a few seconds later at most, and cancels its own. Awaiting it
-- raises an error of kind "cancelled". False when it had ended.
function Future:cancel()
  check_future(self, "cancel")
  local state = self.state
  if state.done then return false end
  state.failure = core.failed("cancelled", "this call was cancelled by the one that made it")
  state.done = true
  core.cancel(self.scope)
  return true
end

local function check_list(futures, operation)
  check.type(futures, "table", operation, 1)
  for i, one in ipairs(futures) do
    check.argument(is_future(one), operation, 1,
      ("a list of futures expected, item %d is a %s"):format(i, type(one)))
  end
end

-- `for i, v in awsync.as_completed(futures) do`: each future's index and first result, in the order in which they end.
-- Raises the error of one that failed.
function future.as_completed(futures)
  check_list(futures, "as_completed")
  local waiting = {}
  for i = 1, #futures do waiting[i] = i end
  return function()
    while #waiting > 0 do
      for at, i in ipairs(waiting) do
        local state = futures[i].state
        if state.done then
          table.remove(waiting, at)
          if state.failure then error(state.failure, 0) end
          return i, state.values[1]
        end
      end
      core.wait(nil, "as_completed")
    end
  end
end

local wait_options = { count = "whole", timeout = "seconds" }

-- Waits until count (all) of the futures have ended, or timeout seconds. Raises no error of theirs.
function future.wait(futures, options)
  check_list(futures, "wait")
  options = check.options(options, wait_options, "wait", 2)
  local count = math.min(options.count or #futures, #futures)
  local deadline = options.timeout and core.now() + options.timeout
  while true do
    local done, rest = {}, {}
    for _, one in ipairs(futures) do
      local list = one.state.done and done or rest
      list[#list + 1] = one
    end
    local left = deadline and math.max(deadline - core.now(), 0)
    if #done >= count or left == 0 then return done, rest end
    core.wait(left, "wait")
  end
end

-- Waits so many seconds; as every waiting operation it raises errors of spawned calls.
function future.sleep(seconds)
  check.argument(seconds ~= nil, "sleep", 1, "0 or more seconds expected, got no value")
  check.seconds(seconds, "sleep", 1)
  local deadline = core.now() + seconds
  repeat
    local left = math.max(deadline - core.now(), 0)
    core.wait(left, "sleep")
  until left == 0
end

-- Calls f in another lambda and forgets it: it belongs to nobody, outlives its parent, and its error is its own
-- invocation's.
function future.detach(f, ...)
  check.func(f, "detach", 1)
  core.spawn("detach", nil, 0, f, f, ...)
end

return future
