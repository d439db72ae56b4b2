-- The engine's workers: how they start, what they see, how they end.
local E = require "spec.support.engine"
local patience = require "spec.support.patience"
local socket = require "socket"

describe("the engine's workers", function()
  local engine
  after_each(E.stop_all)

  local function failure(answer, kind)
    assert.equal(200, answer.status)
    assert.equal("Unhandled", answer.headers["x-amz-function-error"])
    assert.equal(kind, answer.json.errorType)
    local id, message = answer.json.errorMessage:match "^RequestId: (%S+) Error: (.*)$"
    assert.equal(answer.headers["x-amzn-requestid"], id)
    return message
  end

  describe("in their world", function()
    before_each(function()
      engine = assert(E.start { environment = { "MINE=1", "AWS_REGION=eu-west-1", "AWS_LAMBDA_RUNTIME_API=nonsense" } })
    end)

    it("have the environment of a sandbox and nothing else", function()
      local world = engine:invoke({ act = "info" }).json
      local env = world.environment
      local here = os.getenv "PWD"
      for name, value in pairs {
        _HANDLER = "main.main", LAMBDA_TASK_ROOT = here, AWS_LAMBDA_FUNCTION_NAME = "fake",
        AWS_LAMBDA_FUNCTION_VERSION = "$LATEST", AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "128",
        AWS_LAMBDA_INITIALIZATION_TYPE = "on-demand", AWS_LAMBDA_LOG_GROUP_NAME = "/aws/lambda/fake", TZ = ":UTC",
        AWS_DEFAULT_REGION = "us-east-1", AWS_REGION = "eu-west-1", MINE = "1", AWS_ENDPOINT_URL = engine.endpoint,
        AWS_CONFIG_FILE = "/dev/null", AWS_SHARED_CREDENTIALS_FILE = "/dev/null",
        PATH = os.getenv "PATH", LD_LIBRARY_PATH = here .. "/lib:/opt/lib",
      } do
        assert.equal(value, env[name], name)
      end
      assert.matches("^127%.0%.0%.1:%d+$", env.AWS_LAMBDA_RUNTIME_API)
      assert.matches("^%d%d%d%d/%d%d/%d%d/%[%$LATEST%]%x+$", env.AWS_LAMBDA_LOG_STREAM_NAME)
      assert.is_nil(env.AWSYNC_BUILD)
      assert.equal(here, world.directory)
    end)

    it("have a process group of their own, stdin empty, and no descriptor of ours", function()
      local world = engine:invoke({ act = "info" }).json
      assert.equal(world.pid, world.group)
      assert.equal("0 -> /dev/null", world.files[1])
      assert.matches("^1 %-> pipe", world.files[2])
      assert.matches("^2 %-> pipe", world.files[3])
      -- What the worker itself has opened: its connection to us, its environment, the pipe that lists the files.
      assert.matches("socket", world.files[4])
      assert.matches("environ$", world.files[5])
      for i = 6, #world.files do
        assert.matches("pipe", world.files[i])
      end
      assert.is_true(#world.files <= 7)
    end)

    it("learn of an invocation by the Runtime API's headers", function()
      local before = socket.gettime() * 1000
      local answer = engine:invoke { act = "info" }
      local headers = answer.json.headers
      assert.equal(answer.headers["x-amzn-requestid"], headers["lambda-runtime-aws-request-id"])
      assert.equal("arn:aws:lambda:us-east-1:123456789012:function:fake",
        headers["lambda-runtime-invoked-function-arn"])
      assert.matches("^Root=1%-%x+%-%x+;Parent=%x+;Sampled=0$", headers["lambda-runtime-trace-id"])
      assert.matches("^%x+%-%x+%-4", headers["lambda-runtime-invocation-id"])
      local left = tonumber(headers["lambda-runtime-deadline-ms"]) - before
      assert.is_true(left > 9900 and left < 11000)
      assert.is_nil(headers["lambda-runtime-client-context"])
    end)
  end)

  describe("at work", function()
    before_each(function() engine = assert(E.start { timeout_s = 10 }) end)

    it("are used again", function()
      local pid = engine:invoke({ act = "info" }).json.pid
      for _ = 1, 3 do
        assert.equal(pid, engine:invoke({ act = "info" }).json.pid)
      end
      assert.equal(1, engine:figures().workers)
    end)

    it("run at the same time, one for each call", function()
      local calls = {}
      for i = 1, 8 do calls[i] = engine:begin { act = "hang", seconds = 0.5, n = i } end
      for i = 1, 8 do assert.equal(i, E.receive(calls[i]).json.n) end
      assert.equal(8, engine:figures().workers) -- one after the other it would be one
    end)

    it("answer once: what comes later is refused and changes nothing", function()
      assert.equal("first", engine:invoke({ act = "twice" }).json)
      assert.matches('^202\t403\t403\t.*"InvalidStateTransition"', engine:await_line "^(202.*)$")
      assert.equal(200, engine:invoke("1").status)
      assert.equal(1, engine:figures().workers)
    end)

    it("are told what is wrong with a request", function()
      assert.is_true(engine:invoke({ act = "strangers" }).json)
      assert.matches("^400\t403\t403\t404\t410\t400$", (engine:await_line "^(400.*)$":gsub("400\t{.-}", "400")))
    end)

    it("have each line logged with the request it belongs to, also one without an end", function()
      local answer = engine:invoke { act = "print", lines = { "a", "", ("b"):rep(70000) }, rest = "no end" }
      local first = engine:invoke({ act = "exit", code = 0 }).headers["x-amzn-requestid"]
      assert.is_truthy(engine:await_line "^no end$")
      local got = {}
      for _, line in ipairs(engine:log()) do
        if not line.platform then
          got[#got + 1] = #line[1]
          assert.equal(line[1] == "no end" and first or answer.headers["x-amzn-requestid"], line.id)
        end
      end
      assert.same({ 1, 0, 65536, 70000 - 65536, 6 }, got)
    end)

    it("are replaced when they exit", function()
      assert.equal("Runtime exited with error: exit status 3", failure(engine:invoke { act = "exit", code = 3 },
        "Runtime.ExitError"))
      assert.equal("Runtime exited without providing a reason", failure(engine:invoke { act = "exit", code = 0 },
        "Runtime.ExitError"))
      assert.equal(200, engine:invoke("1").status)
      assert.is_true(E.eventually(function() return engine:figures().workers == 1 end))
    end)

    it("are replaced when a signal ends them", function()
      assert.equal("Runtime exited with error: signal: killed",
        failure(engine:invoke { act = "kill", signal = "KILL" }, "Runtime.ExitError"))
      assert.matches("^Runtime exited with error: signal: aborted",
        failure(engine:invoke { act = "kill", signal = "ABRT" }, "Runtime.ExitError"))
      assert.matches("^Runtime exited with error: signal: segmentation fault",
        failure(engine:invoke { act = "kill", signal = "SEGV" }, "Runtime.ExitError"))
      assert.is_truthy(engine:await_line "REPORT .*\tStatus: error\tError Type: Runtime.ExitError$")
      assert.equal(200, engine:invoke("1").status)
    end)

    it("are replaced when they are killed while nobody needs them", function()
      local pid = engine:invoke({ act = "info" }).json.pid
      os.execute("kill -9 " .. math.tointeger(pid))
      assert.is_true(E.eventually(function() return engine:figures().workers == 0 end))
      assert.not_equal(pid, engine:invoke({ act = "info" }).json.pid)
    end)

    it("may end as soon as they have answered", function()
      for _, bytes in ipairs { 10, 3000000, 20000 } do
        assert.equal(bytes, #engine:invoke({ act = "last", bytes = bytes }).json)
      end
      assert.equal(0, engine:figures().failed)
    end)

    it("take their children with them", function()
      local pids = {}
      engine:invoke { act = "child" }
      pids[1] = engine:await_line "child (%d+)"
      assert.is_true(E.alive(pids[1]))
      engine:invoke { act = "child", exit = true }
      assert.is_true(E.eventually(function() return not E.alive(pids[1]) end))
    end)
  end)

  describe("with limits", function()
    it("are killed at their timeout", function()
      engine = assert(E.start { timeout_s = 1 })
      local before = socket.gettime()
      local answer = engine:invoke({ act = "hang", seconds = 30 }, { tail = true })
      assert.is_true(socket.gettime() - before < 2 * patience)
      assert.equal("Task timed out after 1.00 seconds", failure(answer, "Sandbox.Timedout"))
      local tail = E.unbase64(answer.headers["x-amz-log-result"])
      local id = answer.headers["x-amzn-requestid"]:gsub("%-", "%%-")
      assert.matches("\n%d+%-%d+%-%d+T%S+Z " .. id .. " Task timed out after 1%.00 seconds\nEND ", tail)
      local duration = tonumber(tail:match "\tDuration: (%d+%.%d+) ms")
      assert.is_true(duration >= 1000 and duration < 1000 * (1 + patience))
      assert.matches("\tStatus: timeout\tError Type: Sandbox%.Timedout\n$", tail)
      assert.is_true(E.eventually(function() return engine:figures().workers == 0 end))
      assert.equal(200, engine:invoke("1").status)
    end)

    it("are killed also when they have left their process group", function()
      local leave = "setpgrp(0, getpgrp(getppid())); exec @ARGV"
      local bootstrap = os.getenv "PWD" .. "/spec/support/fake_bootstrap.lua"
      engine = assert(E.start { timeout_s = 1, command = { "perl", "-e", leave, "lua5.4", bootstrap } })
      local info = engine:invoke({ act = "info" }).json
      assert.not_equal(info.pid, info.group)
      failure(engine:invoke { act = "hang", seconds = 30 }, "Sandbox.Timedout")
      assert.is_true(E.eventually(function() return not E.alive(info.pid) end))
    end)

    it("hear 410 for an answer that comes after the timeout", function()
      engine = assert(E.start { timeout_s = 1 })
      local late = engine:invoke({ act = "hang", seconds = 30 }).headers["x-amzn-requestid"]
      local api = engine:invoke({ act = "info" }).json.environment.AWS_LAMBDA_RUNTIME_API
      local connection = assert(socket.connect("127.0.0.1", tonumber(api:match ":(%d+)")))
      connection:send("POST /2018-06-01/runtime/invocation/" .. late ..
        "/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
      assert.equal(410, E.receive(connection).status)
      connection:close()
    end)

    it("are killed when they need more memory than they have", function()
      engine = assert(E.start { memory_mb = 64 })
      assert.equal("Runtime exited with error: signal: killed",
        failure(engine:invoke { act = "eat", mb = 100 }, "Runtime.OutOfMemory"))
      assert.equal(200, engine:invoke({ act = "eat", mb = 20, seconds = 0.1 }).status)
      assert.is_nil(engine:invoke({ act = "eat", mb = 20, seconds = 0 }).headers["x-amz-function-error"])
      local used = tonumber(engine:await_line "Max Memory Used: (%d+) MB\tInit Duration: %d+%.%d+ ms$")
      assert.is_true(used > 20 and used <= 64)
    end)

    it("have as long for their init as they should", function()
      engine = assert(E.start { environment = { "FAKE_INIT=sleep:0.4" }, timeout_s = 1, init_timeout_ms = 200 })
      -- The rest of a long init is charged to the invocation.
      local answer = engine:invoke({ act = "hang", seconds = 0.1 }, { tail = true })
      local tail = E.unbase64(answer.headers["x-amz-log-result"])
      local duration = tonumber(tail:match "\tDuration: (%d+%.%d+) ms")
      assert.is_true(duration > 250 and duration < 900)
      assert.is_nil(tail:find "Init Duration")
      engine:stop()
      engine = assert(E.start { environment = { "FAKE_INIT=sleep:30" }, timeout_s = 1, init_timeout_ms = 100 })
      assert.equal("Task timed out after 1.00 seconds", failure(engine:invoke "1", "Sandbox.Timedout"))
      assert.is_true(E.eventually(function() return engine:figures().workers == 0 end))
    end)
  end)

  describe("that cannot begin", function()
    it("give their init error to the invocation", function()
      engine = assert(E.start { environment = { "FAKE_INIT=error" } })
      local answer = engine:invoke "1"
      assert.equal("Unhandled", answer.headers["x-amz-function-error"])
      assert.same({ errorMessage = "no handler", errorType = "Runtime.NoHandler" }, answer.json)
      engine:invoke("1", { type = "Event" })
      assert.is_true(engine:wait_idle())
      assert.equal(2, engine:figures().failed)
      assert.is_true(E.eventually(function() return engine:figures().workers == 0 end))
    end)

    it("say how their init ended", function()
      engine = assert(E.start { environment = { "FAKE_INIT=exit:3" } })
      assert.equal("Runtime exited with error: exit status 3", failure(engine:invoke "1", "Runtime.ExitError"))
      assert.equal(true, engine:await_line "^last words of an init$" ~= nil)
      local calls = {}
      for i = 1, 6 do calls[i] = engine:begin "1" end
      for i = 1, 6 do failure(E.receive(calls[i]), "Runtime.ExitError") end
    end)

    it("name the command that is not there", function()
      engine = assert(E.start { command = { "/no/such/bootstrap" } })
      assert.equal("fork/exec /no/such/bootstrap: no such file or directory",
        failure(engine:invoke "1", "Runtime.InvalidEntrypoint"))
      engine:stop()
      engine = assert(E.start { task_root = "/no/such/root" })
      assert.matches("no such file or directory$", failure(engine:invoke "1", "Runtime.InvalidEntrypoint"))
      assert.equal(0, engine:figures().workers)
    end)
  end)

  it("leave nothing behind when the engine stops", function()
    engine = assert(E.start { timeout_s = 30 })
    local idle = math.tointeger(engine:invoke({ act = "info" }).json.pid)
    engine:invoke { act = "child" }
    local child = engine:await_line "child (%d+)"
    local calls = {}
    for i = 1, 4 do calls[i] = engine:begin { act = "hang", seconds = 60 } end
    for _ = 1, 10 do engine:invoke({ act = "hang", seconds = 60 }, { type = "Event" }) end
    assert.is_true(E.eventually(function() return engine:figures().workers >= 8 end))
    local before = socket.gettime()
    engine:stop()
    assert.is_true(socket.gettime() - before < 1.5 * patience)
    assert.is_false(E.alive(idle))
    assert.is_true(E.eventually(function() return not E.alive(child) end))
    local ours = io.open("/proc/self/stat"):read "n"
    local left = io.popen("pgrep -P " .. ours .. " -f [f]ake_bootstrap"):read "a"
    assert.equal("", left)
    for _, connection in ipairs(calls) do connection:close() end
  end)

  it("are as many as the events need, but no more than may be at once", function()
    engine = assert(E.start { concurrency = 5 })
    for _ = 1, 40 do engine:invoke({ act = "hang", seconds = 0.02 }, { type = "Event" }) end
    local most = 0
    while not engine:wait_idle(0.01) do
      most = math.max(most, engine:figures().workers)
    end
    assert.is_true(most <= 5)
    assert.equal(40, engine:figures().invocations)
  end)
end)
