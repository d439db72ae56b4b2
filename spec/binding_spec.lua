-- The module `awsync` in a plain interpreter: its surface, and its operations in a program against a small SQS.
local fake = require "spec.support.runtime_api"
local small_sqs = require "spec.support.small_sqs"
local awsync = require "awsync"

local function message_of(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  return (tostring(message):gsub("awsync%.core%.", "awsync.")) -- Lua finds the function under either name
end

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

local function absolute(path)
  return path:find "^/" and path or path:find "/" and os.getenv "PWD" .. "/" .. path or path
end

-- Runs a program by the interpreter that runs the specs; returns what it wrote, its exit status and the SQS.
local function run(program, options)
  options = options or {}
  local sqs = small_sqs()
  local env = options.env or {}
  env.LUA_PATH, env.LUA_CPATH = os.getenv "LUA_PATH", os.getenv "LUA_CPATH"
  local child = fake.start {
    files = { ["main.lua"] = 'local awsync = require "awsync"\n' .. program },
    program = absolute(os.getenv "SPEC_LUA" or "lua5.4"), arguments = "main.lua", env = env,
    aws = options.aws or sqs.serve,
  }
  finally(function() child:clean() end)
  local status = child:wait()
  local out, err = child:out(), child:err()
  child:stop()
  return out, err, status, sqs
end

local function succeeds(program, options)
  local out, err, status, sqs = run(program, options)
  assert.equal("", err)
  assert.equal(0, status)
  return out, sqs
end

describe("the module awsync", function()
  it("has every operation as a function, and null is cjson's", function()
    for _, name in ipairs { "Channel", "invoke", "push", "pop", "delete", "raw" } do
      assert.equal("function", type(awsync[name]), name)
    end
    assert.equal(require "cjson".null, awsync.null)
    assert.truthy(awsync._VERSION:find "^awsync %d+%.%d+%.%d+$")
  end)

  it("can be loaded again in the same state", function()
    local first = package.loaded["awsync.core"]
    package.loaded["awsync.core"] = nil
    local second = require "awsync.core"
    package.loaded["awsync.core"] = first
    assert.not_equal(first, second)
    assert.equal(getmetatable(first.raw(1)), getmetatable(second.raw(1)))
  end)

  it("gives error objects a metamethod that takes nothing else", function()
    local core = require "awsync.core"
    for _, bad in ipairs { 5, "x", true } do
      has(message_of(core.Error.__tostring, bad), "table expected, got " .. type(bad))
    end
  end)

  it("survives os.exit while values are on their way", function()
    -- The leak checker cannot look at a process whose threads are at work.
    local env = { ASAN_OPTIONS = "detect_leaks=0:exitcode=99" }
    succeeds([[
      assert(require "probe.base".linger_at_exit(500))
      local c = awsync.Channel { ordered = false }
      for i = 1, 500 do c:push(i) end
      os.exit(0)]], { env = env })
  end)

  it("refuses options that it does not know, by name, and values of the wrong type", function()
    has(message_of(awsync.Channel, { colour = "red" }),
      "unknown option 'colour' (there are: capacity, max_receives, ordered, stream, visibility)")
    has(message_of(awsync.Channel, { "ordered" }), "unknown option '1'")
    has(message_of(awsync.Channel, { ordered = 1 }), "option 'ordered' is a number, not a boolean")
    for _, bad in ipairs { 0, 43201, 1.5, "30", true } do
      has(message_of(awsync.Channel, { visibility = bad }), "'visibility' should be whole seconds from 1 to 43200")
    end
    has(message_of(awsync.Channel, "x"), "(table expected, got string)")
  end)

  it("says which argument is wrong and what it is", function()
    for _, name in ipairs { "push", "pop", "delete" } do
      has(message_of(awsync[name], 42, 1),
        "bad argument #1 to 'awsync." .. name .. "' (awsync.Channel expected, got number)")
      has(message_of(awsync[name]), "awsync.Channel expected, got no value")
    end
    has(message_of(awsync.invoke, 42), "bad argument #1 to 'awsync.invoke' (function expected, got number)")
    has(message_of(awsync.invoke, print), "a C function cannot be called in another lambda")
    has(message_of(awsync.raw), "bad argument #1 to 'awsync.raw' (value expected)")
  end)
end)

describe("a channel", function()
  it("carries values and gives nil alone for a pushed nil", function()
    local out, sqs = succeeds [[
      local c <close> = awsync.Channel()
      c:push(1) c:push("two") awsync.push(c, { three = 3 }) c:push(nil) c:push(false) c:push(0.5)
      print(c:pop(), awsync.pop(c), c:pop(5).three)
      print(select("#", c:pop()), c:pop(), c:pop())]]
    assert.equal("1\ttwo\t3\n1\tfalse\t0.5\n", out)
    assert.equal(1, sqs.counts.CreateQueue)
    assert.same({}, sqs.queues)
  end)

  it("waits as long as it is told: fractions, a poll, wrong timeouts", function()
    local out = succeeds [[
      local c <close> = awsync.Channel()
      print(c:pop(0)) print(c:pop(0.2))
      for _, bad in ipairs { -1, 0/0, "soon", {} } do print(select(2, pcall(c.pop, c, bad))) end
      print(select(2, pcall(function() c:push() end)))]]
    assert.equal([[
nil	timeout
nil	timeout
bad argument #2 to 'awsync.pop' (timeout should be 0 or more seconds)
bad argument #2 to 'awsync.pop' (timeout should be 0 or more seconds)
bad argument #2 to 'awsync.pop' (number expected, got string)
bad argument #2 to 'awsync.pop' (number expected, got table)
main.lua:5: bad argument #1 to 'push' (value expected)
]], (out:gsub("awsync%.core%.", "awsync.")))
  end)

  it("shows its queue's name, keeps its metatable to itself and has methods only", function()
    local out = succeeds [[
      local c <close> = awsync.Channel()
      c:push(1) c:pop()
      print(c, getmetatable(c), c.__gc, c.nothing) print(pcall(setmetatable, c, {}))]]
    assert.truthy(out:find "^channel %(awsync%-%w+%-%w+%.fifo%)\tlocked\tnil\tnil\nfalse")
  end)

  it("is gone after delete, which may come twice; everything else says so", function()
    local out, sqs = succeeds [[
      local c = awsync.Channel()
      c:push("lost") c:delete() c:delete() awsync.delete(c)
      print((tostring(c):gsub("%-%w+%-%w+%.fifo", "-Q")))
      for _, op in ipairs { "push", "pop" } do
        print((select(2, pcall(function() c[op](c, 1) end)):gsub("%(awsync.*%)", "(Q)")))
      end
      local other <close> = awsync.Channel()
      print((select(2, pcall(other.push, other, { c })):gsub("%(awsync.*%)", "(Q)")))]]
    has(out, "channel (awsync-Q, deleted)\n")
    local _, count = out:gsub("attempt to use a deleted channel", "")
    assert.equal(3, count)
    assert.same({}, sqs.queues)
  end)

  it("that was received is the same object, and the end of its scope deletes nothing", function()
    local out, sqs = succeeds [[
      local c <close> = awsync.Channel()
      local d = awsync.Channel { visibility = 60 }
      c:push(d) c:push(c)
      local e = c:pop()
      print(rawequal(d, e), d == e, c:pop() == c, d == c)
      e:push(7) print(d:pop())
      c:push(d) d, e = nil, nil collectgarbage() collectgarbage()
      do local again <close> = c:pop() again:push(8) print(again:pop()) end]]
    assert.equal("true\ttrue\ttrue\tfalse\n7\n8\n", out)
    assert.equal(2, sqs.counts.CreateQueue)
    assert.equal(2, sqs.counts.DeleteQueue) -- d's by the end of the program
    assert.same({}, sqs.queues)
  end)

  it("that is forgotten takes its queue along, unless somebody else may know it", function()
    local _, sqs = succeeds [[
      for i = 1, 3 do awsync.Channel():push(i) end
      collectgarbage() collectgarbage()
      local c <close> = awsync.Channel()
      c:push(1) c:pop()]]
    assert.equal(4, sqs.counts.CreateQueue)
    assert.same({}, sqs.queues)
  end)

  it("is tagged, named after the run, and made by its options", function()
    local kept
    local sqs = small_sqs()
    run([[
      local c <close> = awsync.Channel { ordered = false, visibility = 77 }
      c:push(1) c:pop()]], {
      env = { AWSYNC_RUN = "my-RUN_7" },
      aws = function(request)
        if request.headers["x-amz-target"]:find "CreateQueue" then kept = require "cjson".decode(request.body) end
        return sqs.serve(request)
      end,
    })
    assert.truthy(kept.QueueName:find "^awsync%-my7%-%w+%.fifo$")
    assert.equal("77", kept.Attributes.VisibilityTimeout)
    assert.equal("my7", kept.tags["awsync:run"])
  end)

  it("blocks in a coroutine as anywhere", function()
    assert.equal("1\t2\n", succeeds [[
      local c <close> = awsync.Channel()
      local pops = coroutine.wrap(function() while true do coroutine.yield(c:pop()) end end)
      c:push(1) c:push(2)
      print(pops(), pops())]])
  end)

  it("raises what AWS refuses, with code, message and request id", function()
    local out, _, _, _ = run([[
      local c = awsync.Channel()
      local ok, message = pcall(function() c:push(1) return c:pop(5) end)
      print(ok, message)]], {
      aws = function()
        return 403, '{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not yours"}',
          { ["x-amzn-RequestId"] = "aws-req-2" }
      end,
    })
    has(out, "false\t")
    for _, part in ipairs { "AccessDenied", "not yours", "aws-req-2" } do has(out, part) end
  end)

  it("raises when a message is not a value, and goes on with the next", function()
    local sqs = small_sqs()
    local out = run([[
      local c <close> = awsync.Channel()
      c:push("bad") c:push("good")
      print(pcall(c.pop, c)) print(c:pop())]], {
      aws = function(request)
        request.body = request.body:gsub('\\"bad\\"', "{oops")
        return sqs.serve(request)
      end,
    })
    has(out, "false\tpop: ")
    has(out, "\ngood\n")
  end)

  it("lets a debug hook end its wait, as Ctrl-C does", function()
    local out = run [[
      local c <close> = awsync.Channel()
      local waiting
      debug.sethook(function()
        local f = debug.getinfo(2, "f").func
        if f == c.pop then waiting = true elseif waiting then debug.sethook() error("interrupted!", 0) end
      end, "c")
      print(pcall(c.pop, c))]]
    has(out, "false\tinterrupted!")
  end)
end)

describe("invoke in a plain interpreter", function()
  local key = ("0123456789abcdef"):rep(4)

  it("says what is missing", function()
    local program = "local function f() end print(pcall(awsync.invoke, f))"
    has(run(program, { env = { AWSYNC_KEY = key } }), "set AWS_LAMBDA_FUNCTION_NAME")
    has(run(program, { env = { AWS_LAMBDA_FUNCTION_NAME = "f" } }), "set AWSYNC_KEY to 32 random bytes in hex")
    local short = run(program, { env = { AWS_LAMBDA_FUNCTION_NAME = "f", AWSYNC_KEY = "beef" } })
    has(short, "AWSYNC_KEY")
    assert.is_nil(short:find("beef", 1, true))
  end)

  it("raises a refused call in the operation that waits", function()
    local sqs = small_sqs()
    local out = run([[
      local function work() end
      local c <close> = awsync.Channel()
      awsync.invoke(work)
      print(pcall(c.pop, c))
      print(c:pop(0))]], {
      env = { AWSYNC_KEY = key, AWS_LAMBDA_FUNCTION_NAME = "squares" },
      aws = function(request)
        if request.path:find "^/2015" then
          return 404, '{"Message":"Function not found"}', { ["x-amzn-ErrorType"] = "ResourceNotFoundException" }
        end
        return sqs.serve(request)
      end,
    })
    has(out, "was refused: ResourceNotFoundException: Function not found")
    has(out, "\nnil\ttimeout\n")
  end)

  it("waits at the end of the program until its calls are accepted, and warns of a refused one", function()
    local accepted, sqs = 0, small_sqs()
    local program = "warn '@on' local function f() end for _ = 1, 100 do awsync.invoke(f) end"
    local env = { AWSYNC_KEY = key, AWS_LAMBDA_FUNCTION_NAME = "squares" }
    local _, err, status = run(program, {
      env = env,
      aws = function(request)
        if not request.path:find "/invocations" then return sqs.serve(request) end
        accepted = accepted + 1
        return 202, "", {}
      end,
    })
    assert.equal(100, accepted)
    assert.equal("", err)
    assert.equal(0, status)
    _, err = run(program, { env = env, aws = function() return 400, '{"Message":"no"}', {} end })
    has(err, "was refused")
  end)
end)
