-- Futures, groups, map and their kin over real processes; their arguments.
local cjson = require "cjson"
local program = require "spec.support.program"
local awsync = require "awsync"

local function answer(how, more, words)
  local event = more or {}
  event.how = how
  return program.answer("spec/programs/futures.lua", { event = event, errors = true, words = words })
end

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

describe("a future", function()
  it("gives the results, waits as long as it is told, and raises the error", function()
    local got = answer "async"
    assert.same({ sum = 55, late = "late", ok = false, kind = "error", message = "no", fn = "fail" }, got)
  end)

  it("gives any values back; those that cannot travel are its error", function()
    local got = answer "values"
    assert.equal(49, got[1])
    has(got[2], "is a coroutine, which cannot leave its process")
    has(got[3], "2,097,1")
    has(got[3], "over SQS's limit of 1,0")
  end)

  it("is one of several to wait for", function()
    assert.equal("122a1b3c", answer "completed")
  end)
end)

describe("a group", function()
  it("gives its first results in the order of the invokes, with a limit", function()
    assert.same({ 1, 4, 9, 16, 25, 36, 49 }, answer("group").got)
  end)

  it("raises its first error, or after all have ended", function()
    for _, errors in ipairs { "first", "all" } do
      local got = answer("group", { errors = errors })
      assert.is_false(got.ok)
      assert.equal(3, got.message)
    end
  end)

  it("waits for its members at the end of its scope", function()
    assert.equal("waited for", answer "scope")
  end)
end)

describe("map", function()
  it("gives results in order, with a limit and in chunks", function()
    assert.equal(20, answer("map", { n = 20 }))
    assert.equal(20, answer("map", { n = 20, options = { limit = 2, chunk = 3 } }))
  end)

  it("takes 10,001 items to no more than a thousand lambdas", function()
    assert.equal(10001, answer("map", { n = 10001 }, { "--concurrency", "16", "--memory", "512" }))
  end)

  it("gives results as they come", function()
    assert.same({ sum = 30, seen = 4 }, answer "unordered")
  end)

  it("has kin with several arguments and with a reduction", function()
    assert.same({ "a1", "b2", 5, 115, "initial", 0 }, answer "star")
  end)

  it("tries again after a backoff, and gives up on a call that takes too long", function()
    local got = answer "retries"
    assert.equal("worked at 3", got.got)
    assert.is_false(got.ok)
    assert.equal("timeout", got.kind)
    has(got.message, "a call has not ended after 0.5 seconds")
    assert.is_true(got.quick)
  end)

  it("names the function and the item that has failed, and waits in a line of the program's", function()
    local got = answer("places", nil, { "--timeout", 8, "--env", "AWSYNC_MAX_SPAWNS=12" })
    for i, place in ipairs { "odd_fails(7)", "odd_fails(7)", 'odd_fails(3, "three")', "odd_fails(5)" } do
      has(got[i], "[in another lambda: " .. place .. ", request id ")
    end
    assert.matches("^futures%.lua:%d+: await: the time of this invocation is almost over, and 1 spawned call ", got[5])
    assert.matches("^futures%.lua:%d+: map: the time of this invocation is almost over, and 2 spawned calls ", got[6])
    assert.matches("^futures%.lua:%d+: map: this invocation has made 12 calls, as many as AWSYNC_MAX_SPAWNS ", got[7])
  end)

  it("splits a chunk that is larger than an event may be", function()
    assert.same({ 300000, 300000, 300000, 300000, 300000, 300000 }, answer "large")
  end)
end)

describe("detach", function()
  it("makes a call that belongs to nobody", function()
    assert.equal("outlived", answer "detach")
  end)
end)

describe("cancellation", function()
  it("reaches what sleeps, what computes, members of a group and calls of calls, within seconds", function()
    local got, stderr = answer "cancel"
    assert.is_false(got.ok)
    has(got.err, "left")
    assert.equal("cancelled", got.kind)
    for _, name in ipairs { "sleeping", "computing", "member", "inner" } do
      has(stderr, ("END\t%s\tfalse\tcancelled"):format(name))
    end
    assert.falsy(stderr:find("[ERROR]", 1, true), stderr)
  end)
end)

describe("arguments", function()
  local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    return message
  end

  it("that are wrong are named with function, position and type", function()
    local f = function() end
    has(message_of(awsync.async), "bad argument #1 to 'async' (function expected, got no value)")
    has(message_of(awsync.async, print), "a C function cannot be called in another lambda")
    has(message_of(awsync.detach, {}), "bad argument #1 to 'detach' (function expected, got table)")
    has(message_of(awsync.map, f, "list"), "bad argument #2 to 'map' (table expected, got string)")
    has(message_of(awsync.starmap, f, { {}, 2 }),
      "bad argument #2 to 'starmap' (a list of lists expected, item 2 is a number)")
    has(message_of(awsync.map_reduce, f, {}, 1), "bad argument #3 to 'map_reduce' (function expected, got number)")
    has(message_of(awsync.sleep), "bad argument #1 to 'sleep' (0 or more seconds expected, got no value)")
    has(message_of(awsync.sleep, -1), "0 or more seconds expected, got -1")
    has(message_of(awsync.wait, { 1 }), "bad argument #1 to 'wait' (a list of futures expected, item 1 is a number)")
    has(message_of(awsync.as_completed, 7), "bad argument #1 to 'as_completed' (table expected, got number)")
    has(message_of(awsync.group().invoke, 1), "bad argument #1 to 'invoke' (awsync.Group expected, got number)")
    has(message_of(awsync.on_error, 1), "function or nil expected, got number")
  end)

  it("options are known ones, of the right kind", function()
    local f = function() end
    has(message_of(awsync.map, f, {}, { colour = 1 }), "bad argument #3 to 'map' (unknown option 'colour' "
      .. "(there are: backoff, chunk, limit, ordered, retries, timeout))")
    has(message_of(awsync.map, f, {}, { limit = 0 }), "option 'limit' should be a whole number of 1 or more, not 0")
    has(message_of(awsync.map, f, {}, { ordered = "no" }), 'option \'ordered\' should be a boolean, not "no"')
    has(message_of(awsync.group, { errors = "none" }), 'option \'errors\' should be "first" or "all", not "none"')
    has(message_of(awsync.wait, {}, { timeout = -1 }), "option 'timeout' should be 0 or more seconds, not -1")
  end)
end)

-- Each call stands on a line of its own: the message names it, and no line of awsync's.
describe("the place of a wrong argument", function()
  local function f() end
  local group = awsync.group()
  local calls = {
    async = function() awsync.async(print) end,
    detach = function() awsync.detach(1) end,
    sleep = function() awsync.sleep(-1) end,
    ["sleep without"] = function() awsync.sleep() end,
    wait = function() awsync.wait(1) end,
    ["wait, items"] = function() awsync.wait({ 1 }) end,
    ["wait, options"] = function() awsync.wait({}, 1) end,
    ["wait, an option"] = function() awsync.wait({}, { count = 0 }) end,
    ["wait, no option"] = function() awsync.wait({}, { counts = 1 }) end,
    as_completed = function() awsync.as_completed("futures") end,
    ["as_completed, items"] = function() awsync.as_completed({ f }) end,
    group = function() awsync.group(1) end,
    ["group, an option"] = function() awsync.group({ limit = 0 }) end,
    ["group:invoke"] = function() group:invoke(print) end,
    ["group.wait"] = function() group.wait(1) end,
    map = function() awsync.map(f, 1) end,
    ["map, function"] = function() awsync.map(print, {}) end,
    ["map, options"] = function() awsync.map(f, {}, 1) end,
    ["map, an option"] = function() awsync.map(f, {}, { limit = "x" }) end,
    ["map, no option"] = function() awsync.map(f, {}, { limits = 1 }) end,
    starmap = function() awsync.starmap(f, { 1 }) end,
    ["starmap, an option"] = function() awsync.starmap(f, {}, { chunk = 0 }) end,
    map_reduce = function() awsync.map_reduce(f, {}, 1) end,
    ["map_reduce, an option"] = function() awsync.map_reduce(f, {}, f, 0, { chunk = 0 }) end,
  }
  for name, call in pairs(calls) do
    it("is the caller's line: " .. name, function()
      local ok, message = pcall(call)
      local info = debug.getinfo(call, "S")
      assert.is_false(ok)
      local place = ("%s:%d: bad argument #"):format(info.short_src, info.linedefined)
      assert.equal(place, tostring(message):sub(1, #place))
    end)
  end

  it("is the line of a pcall whose function is awsync's own", function()
    local _, message = pcall(awsync.group, 1)
    has(message, ":" .. debug.getinfo(1, "l").currentline - 1 .. ": bad argument #1 to 'group'")
  end)
end)

describe("the module awsync", function()
  it("loads what is rarely used when it is used first, and has no other names", function()
    assert.is_nil(rawget(awsync, "map"))
    assert.equal("function", type(awsync.map))
    assert.is_nil(awsync.nonsense)
    assert.equal(cjson.null, awsync.null)
  end)
end)
