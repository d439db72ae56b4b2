-- Calls that die, in processes that are really killed. The parent is a plain interpreter, which has no deadline.
local cjson = require "cjson"
local shell = require "spec.support.shell"

local key = ("0123456789abcdef"):rep(4)

-- Runs Lua code against `awsync serve` with a timeout of a second; returns what it wrote and the server's log.
local function run(code, words)
  local folder, remove = shell.folder()
  finally(remove)
  shell.write(folder .. "/main.lua", "function main() end")
  shell.write(folder .. "/parent.lua", [[
    local awsync = require "awsync"
    local function about(err) return type(err) == "table" and err.kind or "?", tostring(err) end
  ]] .. code)
  local pid, out, err = shell.start(("env AWSYNC_KEY=%s %s serve --timeout 1 %s -- %s"):format(key, shell.awsync,
    words or "", folder .. "/main.lua"))
  finally(function()
    os.execute("kill -9 " .. pid .. " 2>/dev/null")
    os.remove(out)
    os.remove(err)
    remove()
  end)
  shell.wait_for("the server", function() return shell.read(out):find("SESSION_TOKEN", 1, true) end)
  local stdout, stderr, status = shell.run((". %s; export AWSYNC_KEY=%s AWS_LAMBDA_FUNCTION_NAME=main SERVER=%d; %s %s")
    :format(out, key, pid, os.getenv "SPEC_LUA" or "lua5.4", folder .. "/parent.lua"), 60)
  local log = shell.read(err)
  os.execute("kill " .. pid .. " 2>/dev/null")
  return stdout, stderr, log, status
end

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

describe("a call that reaches its deadline", function()
  it("tells its parent before, with its lines where it can be interrupted", function()
    -- ThreadSanitizer keeps a signal from a program that only computes until its next call of the C library.
    local step = os.getenv "SANITIZE" == "thread" and "os.time()" or ""
    local out = run((([[
      local function hang() while true do STEP end end
      local f = {
        computes = hang,
        stubborn = function() while true do pcall(hang) end end,
        searches = function() return (("a"):rep(40) .. "b"):find(("a-"):rep(40) .. "c") end,
        coroutine = function() coroutine.wrap(hang)() end,
        generator = function()
          local step = coroutine.wrap(function() while true do STEP coroutine.yield() end end)
          while true do step() end
        end,
        nested = function()
          local inner = coroutine.create(function() coroutine.yield() hang() end)
          coroutine.resume(inner)
          local outer = coroutine.create(function() while true do coroutine.resume(inner) end end)
          while true do coroutine.resume(outer) end
        end,
        waits = function() awsync.Channel():pop() end,
      }
      for name, g in pairs(f) do f[name] = awsync.async(g) end
      for name, future in pairs(f) do
        local ok, err = pcall(future.await, future, 20)
        print(name, ok, about(err))
      end]]):gsub("STEP", step)), "--timeout 3")
    local function text_of(name)
      return out:match("%f[%w]" .. name .. "\tfalse\ttimeout\t(.-)%[in another lambda")
    end
    for _, name in ipairs { "waits", "computes", "stubborn", "coroutine", "generator", "nested" } do
      has(text_of(name), "the time of this invocation is almost over")
      has(text_of(name), "parent.lua:")
    end
    has(text_of "searches", "the time of this invocation is over, and the function has not returned")
  end)
end)

describe("a call", function()
  it("that runs out of memory or exits is told of at once", function()
    local out, _, log = run [[
      local eater = awsync.async(function() return ("x"):rep(90 << 20) end)
      local leaver = awsync.async(function(c) c:push "before" os.exit(3) end, awsync.Channel())
      print(about(select(2, pcall(eater.await, eater))))
      print(about(select(2, pcall(leaver.await, leaver))))]]
    has(out, "memory\tnot enough memory: Lua may use 80 MB of the function's 128 MB")
    has(out, "killed\tthe process was ended by os.exit(3)")
    has(log, "the process was ended by os.exit(3)")
  end)

  it("that is killed leaves its parent to its own timeout, and other calls untouched", function()
    local out = run [[
      local killed = awsync.async(function()
        local file <close> = io.open "/proc/self/stat"
        os.execute("kill -9 " .. file:read "n")
        awsync.sleep(5)
      end)
      local other = awsync.async(function() return "alive" end)
      print(other:await())
      print(killed:await(2))
      print(select(2, pcall(awsync.map, function() os.execute "kill -9 $PPID" end, { 1 }, { timeout = 1.5 })).kind)]]
    assert.equal("alive\nnil\ttimeout\ntimeout\n", out)
  end)

  it("that is delivered twice runs once in a process, and its pushes are told to be the same in another, where SQS " ..
    "does not tell what a duplicate was", function()
    local fake = require "spec.support.runtime_api"
    local small_sqs = require "spec.support.small_sqs"
    local source = [[
      local awsync = require "awsync"
      local function work(c) print "ran" c:push(1) c:push(2) end
      function main() local c = awsync.Channel() awsync.invoke(work, c) end]]
    local sent, envelope = {}, nil
    local sqs = small_sqs()
    local function aws(request)
      if request.path:find "/invocations" then
        envelope = request.body
        return 202, "", {}
      end
      if (request.headers["x-amz-target"] or ""):find "SendMessageBatch" then
        local input = cjson.decode(request.body)
        for _, entry in ipairs(input.QueueUrl:find("claims", 1, true) and {} or input.Entries) do
          sent[#sent + 1] = entry.MessageDeduplicationId
          if entry.MessageDeduplicationId then sqs.queues[input.QueueUrl] = { messages = {} } end
        end
      end
      return sqs.serve(request)
    end
    local options = { files = { ["main.lua"] = source }, aws = aws,
      env = { AWSYNC_KEY = key, AWS_LAMBDA_FUNCTION_NAME = "f" } }
    local first = fake.start(options)
    finally(function() first:clean() end)
    first:invoke "null"
    local keep = sqs.serve
    sqs.serve = function(request) -- the channel that main made is another parent's in this spec: it is there
      local url = cjson.decode(request.body).QueueUrl
      if url and url:find "%.fifo$" then sqs.queues[url] = sqs.queues[url] or { messages = {} } end
      return keep(request)
    end
    assert.equal("response", first:invoke(envelope, { id = "same" }).kind)
    local once = table.move(sent, 1, #sent, 1, {})
    assert.equal("null", first:invoke(envelope, { id = "same" }).body)
    local _, times = first:out():gsub("ran", "")
    assert.equal(1, times)
    first:stop()
    sent = {}
    local second = fake.start(options)
    finally(function() second:clean() first:clean() end)
    assert.equal("response", second:invoke(envelope).kind)
    assert.equal(2, #sent)
    assert.same(once, sent)
    second:stop()
  end)
end)

describe("an engine that is gone", function()
  it("is an error in whoever waits, not a hang", function()
    local out = run [[
      local future = awsync.async(awsync.sleep, 0.9)
      awsync.sleep(0.4)
      os.execute("kill -9 " .. os.getenv "SERVER")
      local before = os.time()
      print(pcall(future.await, future))
      print(os.time() - before < 30)
      io.stdout:flush()
      os.exit(0)]] -- not by the end of the state, which would wait for the deletion of the queue
    has(out, "await: the exit records of spawned calls cannot be received: ConnectionFailure")
    has(out, "true\n")
  end)
end)
