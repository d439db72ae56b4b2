-- map and its kin: one function over a list, in as many lambdas as the list asks for.

local check = require "awsync.check"
local core = require "awsync.core"
local future = require "awsync.future"

local map = {}

-- A list longer than this goes out in chunks, so that there are at most as many calls.
local MOST_CALLS = 1000
local LIMIT = 1000

local options_known = {
  ordered = "boolean", limit = "whole", chunk = "whole", retries = "count", backoff = "seconds", timeout = "seconds",
}

-- What runs in the other lambda. Functions of this module travel by their names.

local function one(item) return item end

local function spread(item) return table.unpack(item, 1, item.n or #item) end

-- What an error of the call shows as its arguments: the item that is worked on, and not those of the functions below.
local Progress_mt = {
  __close = function(self, err)
    if err ~= nil then core.arguments(self.arguments(self.items[self.at])) end
  end,
}

local function progress(items, count, arguments)
  if count == 1 then core.arguments(arguments(items[1])) else core.arguments(items) end
  return setmetatable({ items = items, at = 1, arguments = arguments }, Progress_mt)
end

function map.run_chunk(f, items, count)
  local now <close> = progress(items, count, one)
  local results = {}
  for i = 1, count do
    now.at = i
    results[i] = f(items[i])
  end
  return results
end

function map.run_star(f, items, count)
  local now <close> = progress(items, count, spread)
  local results = {}
  for i = 1, count do
    now.at = i
    results[i] = f(spread(items[i]))
  end
  return results
end

function map.run_reduce(f, items, count, reduce)
  local now <close> = progress(items, count, one)
  local result = f(items[1])
  for i = 2, count do
    now.at = i
    result = reduce(result, f(items[i]))
  end
  return { result }
end

local Run = {}
local Run_mt = { __index = Run }

local function new_run(operation, runner, f, list, options, extra)
  local count = #list
  local self = setmetatable({
    operation = operation, runner = runner, f = f, list = list, extra = extra,
    limit = options.limit or LIMIT, retries = options.retries or 0, backoff = options.backoff or 1,
    timeout = options.timeout, tasks = {}, next_task = 1, active = {}, later = {}, left = 0,
  }, Run_mt)
  local chunk = options.chunk or math.max(1, (count + MOST_CALLS - 1) // MOST_CALLS)
  for first = 1, count, chunk do
    table.insert(self.tasks, { first = first, last = math.min(first + chunk - 1, count), tries = 0 })
  end
  self.left = #self.tasks
  core.announce(operation, self.left)
  return self
end

-- A chunk that is larger than an event may be becomes two.
function Run:split(task)
  local middle = (task.first + task.last) // 2
  self.left = self.left + 1
  table.insert(self.later, { first = middle + 1, last = task.last, tries = task.tries, due = 0 })
  task.last = middle
end

function Run:start(task)
  while true do
    local items = table.move(self.list, task.first, task.last, 1, {})
    local ok, result = pcall(future.spawn, self.operation, self.f, self.runner, self.f, items,
      task.last - task.first + 1, self.extra)
    if ok then
      task.future = result
      task.deadline = self.timeout and core.now() + self.timeout
      self.active[#self.active + 1] = task
      return
    end
    local too_large = type(result) == "string" and result:find("over Lambda's limit", 1, true)
    if not too_large or task.first == task.last then error(result, 0) end
    self:split(task)
  end
end

-- Starts what may start.
function Run:fill()
  local now = core.now()
  for i = #self.later, 1, -1 do
    if #self.active >= self.limit then return end
    if self.later[i].due <= now then self:start(table.remove(self.later, i)) end
  end
  while #self.active < self.limit and self.tasks[self.next_task] do
    local task = self.tasks[self.next_task]
    self.tasks[self.next_task] = false
    self.next_task = self.next_task + 1
    self:start(task)
  end
end

function Run:failed(task, failure)
  if task.tries >= self.retries or failure.kind == "cancelled" then error(failure, 0) end
  task.due = core.now() + self.backoff * 2 ^ task.tries
  task.tries = task.tries + 1
  table.insert(self.later, task)
end

-- Takes in what has ended; returns the tasks that are done.
function Run:settle()
  local done, active, now, failures = {}, {}, core.now(), {}
  for _, task in ipairs(self.active) do
    local state = task.future.state
    if not state.done and task.deadline and now >= task.deadline then
      task.future:cancel()
      state.failure = core.failed("timeout", ("%s: a call has not ended after %g seconds"):format(self.operation,
        self.timeout))
    end
    if not state.done then
      active[#active + 1] = task
    elseif state.failure then
      failures[#failures + 1] = task
    else
      done[#done + 1] = task
      self.left = self.left - 1
    end
  end
  self.active = active
  for _, task in ipairs(failures) do self:failed(task, task.future.state.failure) end
  return done
end

-- Seconds until something is due by the clock; nil: nothing is.
function Run:patience()
  local at = math.huge
  for _, task in ipairs(self.later) do at = math.min(at, task.due) end
  for _, task in ipairs(self.active) do at = math.min(at, task.deadline or at) end
  return at < math.huge and math.max(at - core.now(), 0.001) or nil
end

-- The next tasks that are done; nil at the end.
function Run:step()
  while self.left > 0 do
    self:fill()
    local done = self:settle()
    if #done > 0 then return done end
    if #self.active > 0 or #self.later > 0 then core.wait(self:patience(), self.operation) end
  end
end

function Run_mt:__close()
  for _, task in ipairs(self.active) do task.future:cancel() end
  self.active = {}
end

local function collect(run)
  local guard <close> = run -- luacheck: ignore 211
  local results = {}
  for done in function() return run:step() end do
    for _, task in ipairs(done) do
      table.move(task.future.state.values[1], 1, task.last - task.first + 1, task.first, results)
      task.future = nil
    end
  end
  return results
end

-- `for i, v in` as they come.
local function iterate(run)
  local ready, at = {}, 1
  local function next_one()
    while not ready[at] do
      ready, at = {}, 1
      local done = run:step()
      if not done then return nil end
      for _, task in ipairs(done) do
        for i = task.first, task.last do
          ready[#ready + 1] = { i, task.future.state.values[1][i - task.first + 1] }
        end
      end
    end
    at = at + 1
    return ready[at - 1][1], ready[at - 1][2]
  end
  return next_one, nil, nil, run
end

local function start(operation, runner, f, list, options)
  check.func(f, operation, 1)
  check.type(list, "table", operation, 2)
  options = check.options(options, options_known, operation, 3)
  local run = new_run(operation, runner, f, list, options)
  if options.ordered == false then return iterate(run) end
  return collect(run)
end

-- Calls f(item) for each item of the list, in other lambdas: the list of first results, in order. The first error that
-- is left after its retries cancels the rest and is raised.
function map.map(f, list, options)
  return start("map", map.run_chunk, f, list, options)
end

-- The same with lists of arguments: f(table.unpack(item)).
function map.starmap(f, list, options)
  if type(list) == "table" then
    for i, item in ipairs(list) do
      check.argument(type(item) == "table", "starmap", 2,
        ("a list of lists expected, item %d is a %s"):format(i, type(item)))
    end
  end
  return start("starmap", map.run_star, f, list, options)
end

-- reduce(...reduce(reduce(initial, f(list[1])), f(list[2]))...): f runs in other lambdas, and reduce there too for the
-- items of a chunk, so that it must not matter how the items are bracketed. Without initial the first result begins;
-- nil for an empty list.
function map.map_reduce(f, list, reduce, initial, options)
  check.func(f, "map_reduce", 1)
  check.type(list, "table", "map_reduce", 2)
  check.func(reduce, "map_reduce", 3)
  options = check.options(options, options_known, "map_reduce", 5)
  local run = new_run("map_reduce", map.run_reduce, f, list, options, reduce)
  local guard <close> = run -- luacheck: ignore 211
  local partial = {}
  for done in function() return run:step() end do
    for _, task in ipairs(done) do partial[task.first] = task.future.state.values[1] end
  end
  local result, begun = initial, initial ~= nil
  for i = 1, #list do
    local part = partial[i]
    if part then
      result, begun = not begun and part[1] or begun and reduce(result, part[1]), true
    end
  end
  return result
end

return map
