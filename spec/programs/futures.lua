-- Ways of waiting: event.how says which.
local awsync = require "awsync"

local ways = {}

local function square(i) return i * i, "and more" end
local function slow(seconds, v) awsync.sleep(seconds) return v end
local function fail(what) error(what, 0) end
local function spin(seconds)
  local stop = os.time() + seconds
  while os.time() < stop do end -- luacheck: ignore
end

function ways.async()
  local futures = {}
  for i = 1, 5 do futures[i] = awsync.async(square, i) end
  local sum = 0
  for _, fut in ipairs(futures) do
    local v, more = fut:await()
    assert(more == "and more" and fut:done())
    sum = sum + v
  end
  local late = awsync.async(slow, 1, "late")
  local v, reason = late:await(0.1)
  assert(v == nil and reason == "timeout" and not late:done())
  local ok, err = pcall(function() awsync.async(fail, "no"):await() end)
  return { sum = sum, late = late:await(), ok = ok, kind = err.kind, message = err.message, fn = err.fn }
end

-- Any value comes back as it is, nils and functions among them.
function ways.values()
  local a, b, c, d = awsync.async(function() return nil, { 1, 2 }, nil, square end):await()
  assert(a == nil and b[2] == 2 and c == nil)
  local _, err = pcall(function() awsync.async(function() return coroutine.create(print) end):await() end)
  local _, large = pcall(function() awsync.async(function() return ("x"):rep(2 << 20) end):await() end)
  return { d(7), err.message, large.message }
end

function ways.group(event)
  local before = os.time()
  local ok, err = pcall(function()
    local g <close> = awsync.group { limit = 3, errors = event.errors }
    for i = 1, 7 do g:invoke(i == 3 and event.errors and fail or square, i) end
    return g:wait()
  end)
  return { ok = ok, got = ok and err, message = not ok and err.message or nil, seconds = os.time() - before }
end

function ways.scope()
  local results = {}
  do
    local g <close> = awsync.group()
    results[1] = g:invoke(slow, 0.5, "waited for")
  end
  assert(results[1]:done())
  return results[1]:await()
end

function ways.map(event)
  local list = {}
  for i = 1, event.n do list[i] = i end
  local got = awsync.map(function(i) return i * 2 end, list, event.options)
  for i = 1, event.n do assert(got[i] == 2 * i, i) end
  return #got
end

function ways.unordered()
  local sum, seen = 0, {}
  for i, v in awsync.map(square, { 1, 2, 3, 4 }, { ordered = false }) do
    seen[i] = true
    sum = sum + v
  end
  return { sum = sum, seen = #seen }
end

function ways.star()
  local got = awsync.starmap(function(a, b) return a .. b end, { { "a", 1 }, { "b", 2 } })
  local longest = awsync.map_reduce(function(w) return #w end, { "one", "three", "two" }, math.max_of or
    function(a, b) return a > b and a or b end)
  local sum = awsync.map_reduce(function(x) return x end, { 1, 2, 3, 4, 5 }, function(a, b) return a + b end, 100,
    { chunk = 2 })
  local none = awsync.map_reduce(square, {}, function() end, "initial")
  return { got[1], got[2], longest, sum, none, #awsync.map(square, {}) }
end

-- Each call pushes a mark first: the third time it works.
local function odd_fails(n, word)
  if n % 2 == 1 then error(word or "odd", 0) end
  return n
end

-- Errors of items, and of a wait that has no time left.
function ways.places()
  local function text_of(f, ...)
    local _, err = pcall(f, ...)
    return tostring(err)
  end
  return {
    text_of(awsync.map, odd_fails, { 2, 4, 7 }),
    text_of(awsync.map, odd_fails, { 2, 4, 7, 8 }, { chunk = 4 }),
    text_of(awsync.starmap, odd_fails, { { 2 }, { 3, "three" } }, { chunk = 2 }),
    text_of(awsync.map_reduce, odd_fails, { 2, 5 }, odd_fails, 0, { chunk = 1 }),
    text_of(function() awsync.async(awsync.sleep, 60):await() end),
    text_of(function() awsync.map(awsync.sleep, { 60 }) end),
    text_of(function() awsync.map(awsync.sleep, { 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60 }) end),
  }
end

function ways.retries()
  local tries = awsync.Channel { ordered = false }
  local counts = awsync.Channel()
  awsync.invoke(function(from, to) for n = 1, 3 do from:pop() to:push(n) end end, tries, counts)
  local before = os.time()
  local got = awsync.map(function(v)
    tries:push(true)
    local n = counts:pop()
    if n < 3 then error("try " .. n) end
    return v .. n
  end, { "worked at " }, { retries = 2, backoff = 0.2 })
  local ok, err = pcall(awsync.map, slow, { 30 }, { timeout = 0.5 })
  return { got = got[1], ok = ok, kind = err.kind, message = err.message, quick = os.time() - before < 10 }
end

function ways.large()
  local list = {}
  for i = 1, 6 do list[i] = ("%d"):format(i):rep(300000) end
  local got = awsync.map(function(s) return #s end, list, { chunk = 6 })
  return got
end

function ways.completed()
  local futures = { awsync.async(slow, 0.6, "b"), awsync.async(slow, 0, "a"), awsync.async(slow, 1.2, "c") }
  local done, rest = awsync.wait(futures, { count = 1 })
  local text = #done .. #rest
  for i, v in awsync.as_completed(futures) do text = text .. i .. v end
  return text
end

function ways.detach()
  local c = awsync.Channel()
  awsync.detach(function(d) awsync.sleep(0.2) d:push("outlived") end, c)
  return c:pop()
end

-- Long calls under a future, a group, and a call of a call: all of them are cancelled.
function ways.cancel()
  local before = os.time()
  local function work(name, f, ...)
    local ok, err = pcall(f, ...)
    print("END", name, ok, not ok and type(err) == "table" and err.kind)
    error(err, 0)
  end
  local function nest() return awsync.async(work, "inner", awsync.sleep, 50):await() end
  local a = awsync.async(work, "sleeping", awsync.sleep, 50)
  local b = awsync.async(work, "computing", spin, 50)
  local ok, err = pcall(function()
    local g <close> = awsync.group()
    g:invoke(work, "member", awsync.sleep, 50)
    g:invoke(nest)
    awsync.sleep(0.5)
    error("left")
  end)
  assert(a:cancel() and b:cancel() and not a:cancel())
  local _, cancelled = pcall(a.await, a)
  awsync.sleep(6)
  return { ok = ok, err = err, kind = cancelled.kind, seconds = os.time() - before }
end

function main(event)
  return ways[event.how](event)
end
