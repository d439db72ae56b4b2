-- What a parent learns of its calls: event.how says which way they end.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local ways = {}

local function work(c, i)
  c:push(i)
end

local function fail(what)
  error(what)
end

local function fail_after(c, what)
  c:pop()
  error(what, 0)
end

local function about(err)
  return {
    type = type(err), message = err.message, traceback = err.traceback, fn = err.fn, args = err.args, kind = err.kind,
    request_id = err.request_id, text = tostring(err), others = err.others and #err.others,
  }
end

-- The error of the present pop, uncaught.
function ways.raise()
  local c <close> = Channel()
  invoke(fail, "on purpose")
  return c:pop()
end

function ways.catch(event)
  local c <close> = Channel()
  invoke(fail, event.value)
  local ok, err = pcall(c.pop, c)
  invoke(work, c, 7)
  return { ok = ok, err = about(err), after = c:pop() }
end

-- Twenty at once: they wait for a value each, so that all have begun before the first one ends.
function ways.many()
  local gate <close> = Channel { ordered = false }
  local c <close> = Channel()
  for i = 1, 20 do invoke(fail_after, gate, "number " .. i) end
  for _ = 1, 20 do gate:push(true) end
  local failed, first = 0, nil
  while failed < 20 do
    local ok, err = pcall(c.pop, c)
    assert(not ok)
    first = first or err
    failed = failed + 1 + (err.others and #err.others or 0)
  end
  return { failed = failed, message = first.message }
end

function ways.handler()
  local seen = {}
  awsync.on_error(function(err) seen[#seen + 1] = err.message end)
  local c <close> = Channel()
  invoke(fail, "one")
  invoke(fail, "two")
  while #seen < 2 do c:pop(0.2) end
  table.sort(seen)
  return seen
end

-- Twenty at once, and a function for their errors that raises each time.
function ways.raising_handler()
  local gate <close> = Channel { ordered = false }
  local c <close> = Channel()
  local seen, raised, tries = 0, 0, 0
  awsync.on_error(function(err)
    seen = seen + 1
    error("seen " .. err.message, 0)
  end)
  for i = 1, 20 do invoke(fail_after, gate, "number " .. i) end
  for _ = 1, 20 do gate:push(true) end
  while seen < 20 and tries < 100 do
    local ok, err = pcall(c.pop, c, 0.2)
    if not ok and tostring(err):find("^seen number %d+$") then raised = raised + 1 end
    tries = tries + 1
  end
  return { seen = seen, raised = raised }
end

-- What the arguments of a call are in messages: many, and tables.
function ways.arguments()
  local c <close> = Channel()
  invoke(fail, {}, { 1 }, { a = 1 }, { {} })
  local _, tables = pcall(c.pop, c)
  local shown = {}
  for length = 12, 16 do
    local long = ("x"):rep(50)
    invoke(fail, long, long, long, long, long, ("y"):rep(length), "z")
    local _, err = pcall(c.pop, c)
    shown[#shown + 1] = err.args
  end
  return { tables = tables.args, shown = shown }
end

local function middle(c, value)
  invoke(fail, value)
  c:pop()
end

function ways.through()
  local c <close> = Channel()
  invoke(middle, c, "deep")
  local _, err = pcall(c.pop, c)
  return about(err)
end

-- main has gone on and ends; its child fails in time for main's end.
function ways.at_the_end()
  invoke(fail, "late")
  awsync.sleep(1)
  return "never"
end

function ways.deadlock(event)
  local c <close> = Channel()
  for i = 1, event.n do invoke(work, c, i) end
  for _ = 1, event.n do c:pop() end
  return c:pop()
end

local function spawner(c)
  invoke(function(d) awsync.sleep(0.5) d:push("from a grandchild") end, c)
end

-- The child ends long before the grandchild, whose value still comes; then nobody is left.
function ways.grandchildren()
  local c <close> = Channel()
  invoke(spawner, c)
  local got = c:pop()
  local _, err = pcall(c.pop, c)
  return { got = got, err = about(err) }
end

function ways.ranged()
  local kinds = {}
  local function kind_of(...)
    local ok, err, more = pcall(...)
    kinds[#kinds + 1] = not ok and err.kind or more or err
  end
  local c <close> = Channel()
  invoke(work, c, 1)
  local sum = 0
  kind_of(function() for v in c:range() do sum = sum + v end end)
  kind_of(awsync.select, { { "pop", c }, { "pop", nil } })
  kind_of(c.pop, c, 1)
  -- A channel that came from elsewhere carries ours away.
  local elsewhere <close> = Channel()
  invoke(function(to) local own = Channel() to:push(own) own:pop(3) end, elsewhere)
  elsewhere:pop():push(c)
  kind_of(c.pop, c, 1)
  return { sum = sum, kinds = kinds }
end

-- A detach that fails has told nobody of anything.
function ways.after_a_failed_detach()
  local c <close> = Channel()
  local inner <close> = Channel()
  assert(not pcall(awsync.detach, work, coroutine.create(print)))
  c:push(inner)
  c:pop()
  invoke(work, c, 1)
  c:pop()
  local _, err = pcall(c.pop, c)
  return about(err)
end

function ways.at_the_very_end()
  invoke(fail, "late")
  local stop = os.clock() + 0.6
  while os.clock() < stop do end -- luacheck: ignore
  return "never"
end

function ways.outlive()
  invoke(function() awsync.sleep(0.5) print("outlived") end)
  return "went on"
end

function ways.outlive_and_fail()
  invoke(function() awsync.sleep(0.3) fail("too late") end)
  return "went on"
end

-- Its first call ends at once, its second one so late that a record of the first that is not deleted would come again.
function ways.wait_long()
  local function after(seconds, word) awsync.sleep(seconds) return word end
  local early, late = awsync.async(after, 0, "early"), awsync.async(after, 12, "late")
  return early:await() .. " " .. late:await()
end

local function hang()
  while true do end -- luacheck: ignore
end

local function stubborn()
  while true do pcall(hang) end
end

local function find_for_ever()
  return (("a"):rep(40) .. "b"):find(("a-"):rep(40) .. "c")
end

local function exit() os.exit(3) end
local function eat() local t = {} for i = 1, math.huge do t[i] = ("x"):rep(1 << 20) .. i end return t end
local function die() os.execute("kill -9 $PPID") awsync.sleep(60) end

local deaths = { hang = hang, stubborn = stubborn, exit = exit, eat = eat, find = find_for_ever, die = die }

function ways.death(event)
  local c <close> = Channel()
  invoke(deaths[event.of], event.of)
  local ok, err = pcall(c.pop, c)
  return { ok = ok, err = about(err) }
end

-- A reader that leaves early: its writers end quietly.
function ways.leave()
  local c <close> = Channel { ordered = false }
  for _ = 1, 3 do invoke(function(d) for i = 1, math.huge do d:push(i) end end, c) end
  local first = c:pop()
  return type(first)
end

function main(event)
  return ways[event.how](event)
end
