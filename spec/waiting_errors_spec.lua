-- What a parent learns of its calls, over real processes: errors, where they are raised, deadlocks, early readers.
local cjson = require "cjson"
local shell = require "spec.support.shell"

local function run(how, more, ...)
  local event = cjson.encode { how = how }
  if more then event = event:sub(1, -2) .. "," .. more .. "}" end
  return shell.run_awsync("run", "-q", "spec/programs/waiting.lua", "--event", event, ...)
end

local function answer(how, more, ...)
  local stdout, stderr, status = run(how, more, ...)
  assert.equal(0, status, stderr)
  return cjson.decode(("[%s]"):format(cjson.decode(stdout).body))[1], stderr
end

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

describe("an error in a spawned function", function()
  it("raises in the pop that waits, and fails main with its message and its own lines", function()
    local stdout, stderr, status = run "raise"
    assert.equal(1, status)
    local failure = cjson.decode(stdout)
    has(failure.errorMessage, "waiting.lua:12: on purpose (in fail(\"on purpose\"), request id ")
    assert.equal("Function.Error", failure.errorType)
    has(table.concat(failure.stackTrace, "\n"), "waiting.lua:12: in ")
    has(stderr, "[raised here]")
  end)

  it("is caught by pcall around the pop: an object that says what, where and who; the program goes on", function()
    local got = answer("catch", '"value":"oops"')
    assert.is_false(got.ok)
    assert.equal(7, got.after)
    local err = got.err
    assert.equal("table", err.type)
    assert.equal("waiting.lua:12: oops", err.message)
    assert.equal("fail", err.fn)
    assert.equal('"oops"', err.args)
    assert.equal("error", err.kind)
    assert.truthy(err.request_id:find "^%x+%-%x+%-%x+%-%x+%-%x+$")
    has(err.traceback, "stack traceback:\n\t[C]: in function 'error'\n\twaiting.lua:12: in ")
    has(err.text, "waiting.lua:12: oops\nstack traceback:\n\t")
    has(err.text, 'in another lambda: fail("oops"), request id ' .. err.request_id)
  end)

  it("that is no string arrives as it was", function()
    local err = answer("catch", '"value":{"code":7}').err
    assert.same({ code = 7 }, err.message)
    has(err.text, '{"code":7}\n')
  end)

  it("is the first of twenty, with the rest attached", function()
    assert.equal(20, answer("many").failed)
  end)

  it("goes to awsync.on_error's function where there is one", function()
    local got = answer "handler"
    assert.equal(2, #got)
    has(got[1], "one")
    has(got[2], "two")
  end)

  it("waits for the next operation when that function raises for another one", function()
    assert.same({ seen = 20, raised = 20 }, answer "raising_handler")
  end)

  it("shows the arguments in short, as many as there is room for", function()
    local got = answer "arguments"
    assert.equal("{}, {...}, {...}, {...}", got.tables)
    local long = ('"%s..."'):format(("x"):rep(40))
    local first = ("%s, %s, %s, %s, %s"):format(long, long, long, long, long)
    for i, shown in ipairs(got.shown) do
      local all = ('%s, "%s"'):format(first, ("y"):rep(11 + i))
      assert.equal((#all + 5 < 256 and all or first) .. ", ...", shown)
    end
  end)

  it("stays what it was through a call that does not catch it", function()
    local err = answer "through"
    assert.equal("fail", err.fn)
    assert.equal("waiting.lua:12: deep", err.message)
    has(err.traceback, "waiting.lua:12")
  end)

  it("raises in sleep, and at the end of main when it has arrived by then", function()
    for _, how in ipairs { "at_the_end", "at_the_very_end" } do
      local stdout, stderr, status = run(how)
      assert.equal(1, status, stderr)
      has(cjson.decode(stdout).errorMessage, "late (in fail")
      assert.falsy(stderr:find("left behind", 1, true), stderr)
    end
  end)

  it("fails the run when main has answered already, and is named", function()
    local stdout, stderr, status = run "outlive_and_fail"
    assert.equal('{"statusCode":200,"body":"\\"went on\\""}\n', stdout)
    assert.equal(1, status)
    has(stderr, "waiting.lua:12: too late (in waiting.lua:")
    has(stderr, "1 spawned call failed")
  end)
end)

describe("a record whose answer is lost on its way to the parent", function()
  it("comes again a few seconds later, and what has come is deleted before it would", function()
    local before = os.time()
    -- The first receive of all, and no other one.
    local got, stderr = answer("wait_long", nil, "--stats", "--fault", "seed=165,drop=0.2,only=ReceiveMessage")
    assert.equal("early late", got)
    assert.truthy(os.time() - before < 28, os.time() - before) -- a queue's usual visibility timeout is 30 s
    has(stderr, "drop 1 ")
    assert.equal(1, tonumber(stderr:match "DeleteMessageBatch +(%d+)"), stderr)
    assert.truthy(tonumber(stderr:match "ReceiveMessage +(%d+)") <= 4, stderr)
  end)
end)

describe("a plain invoke", function()
  it("lives on when its parent has answered", function()
    local got, stderr = answer "outlive"
    assert.equal("went on", got)
    has(stderr, "outlived")
  end)
end)

describe("a pop that nobody can serve any more", function()
  local function deadlock(text, n)
    has(text, n == 1 and "deadlock: the spawned call has ended and nothing is left to pop"
      or ("deadlock: all %d spawned calls have ended and nothing is left to pop"):format(n))
  end

  it("raises at once", function()
    local before = os.time()
    local stdout, _, status = run("deadlock", '"n":5')
    assert.equal(1, status)
    deadlock(cjson.decode(stdout).errorMessage, 5)
    assert.truthy(os.time() - before < 5)
  end)

  it("waits for calls of calls, whose parent has ended long ago", function()
    local got = answer "grandchildren"
    assert.equal("from a grandchild", got.got)
    assert.equal("deadlock", got.err.kind)
    deadlock(got.err.text, 1)
  end)

  it("raises after a detach that failed, too", function()
    assert.equal("deadlock", answer("after_a_failed_detach").kind)
  end)

  it("is none while SQS says that something is left, however late it answers", function()
    for _, fault in ipairs { "delay=1:700ms,only=ReceiveMessage", "throttle=0.7,only=ReceiveMessage" } do
      local stdout, stderr, status = shell.run_awsync("run", "-q", "spec/programs/flood.lua", "--event", '{"n":30}',
        "--fault", "seed=3," .. fault)
      assert.equal('{"statusCode":200,"body":"30"}\n', stdout, fault .. "\n" .. stderr)
      assert.equal(0, status, stderr)
    end
  end)

  it("is a range or a select just as well, and never one with a timeout or with a stranger's channel", function()
    local got = answer "ranged"
    assert.equal(1, got.sum)
    assert.same({ "deadlock", "deadlock", "timeout", "timeout" }, got.kinds)
  end)
end)

describe("a reader that leaves early", function()
  it("ends its writers quietly", function()
    local got, stderr = answer "leave"
    assert.equal("number", got)
    assert.falsy(stderr:find("[ERROR]", 1, true), stderr)
    assert.falsy(stderr:find("left behind", 1, true), stderr)
  end)
end)
