-- `awsync run --stats` and `--fault` as their user meets them.
local shell = require "spec.support.shell"

local run = shell.run_awsync

describe("awsync run --stats", function()
  it("prints requests, invocations and an estimate after the run, on standard error", function()
    local stdout, stderr, status = run("run", "--quiet", "--stats", "examples/squares.lua")
    assert.equal(0, status)
    assert.equal('{"statusCode":200,"body":"30"}\n', stdout)
    assert.truthy(stderr:find("\n  CreateQueue +1 +1 +2 +2\n"), stderr) -- the inbox; the channel, the function's claims
    assert.truthy(stderr:find("\n  DeleteQueue +1 +1 +1 +1\n"), stderr)
    assert.truthy(stderr:find("\nLambda invocations +6, %d+ ms billed at 128 MB\n"), stderr)
    local fifo, dollars = stderr:match "\n  SQS FIFO +(%d+) x %$0%.50 per million +([%d.]+)\n"
    assert.near(tonumber(fifo) * 0.5 / 1e6, tonumber(dollars), 1e-8)
    local total = tonumber(stderr:match "\n  total, about +([%d.]+)\n")
    assert.is_true(total > tonumber(dollars) and total < 0.0001, stderr)
    assert.falsy(stderr:find("Injected faults", 1, true))
  end)

  it("is silent without the option", function()
    local _, stderr = run("run", "--quiet", "examples/squares.lua")
    assert.equal("", stderr)
  end)

  it("is printed by serve at its end", function()
    local pid, out, err = shell.start(shell.awsync .. " serve --quiet --stats examples/squares.lua")
    finally(function() os.remove(out) os.remove(err) end)
    shell.wait_for("the server", function() return shell.read(out):find("AWS_SESSION_TOKEN", 1, true) end)
    assert.equal("", shell.read(err))
    os.execute("kill -TERM " .. pid)
    shell.wait_for("the figures", function() return shell.read(err):find("\n  total, about +0%.00000000\n") end)
  end)
end)

describe("awsync run --fault", function()
  it("gives the right sum in spite of delayed, throttled, failing and cut calls", function()
    local stdout, stderr, status = run("run", "--quiet", "--stats", "--fault",
      "seed=8,delay=0.2:20ms,throttle=0.05,error=0.05,cut=0.05,only=ReceiveMessage+DeleteMessageBatch+DeleteQueue",
      "examples/squares.lua")
    assert.equal('{"statusCode":200,"body":"30"}\n', stdout)
    assert.equal(0, status, stderr)
    assert.truthy(stderr:find("\nInjected faults  drop 0  delay %d+  error %d+  throttle %d+  duplicate 0  cut %d+\n"),
      stderr)
  end)

  it("refuses a specification that it does not understand, with status 2", function()
    for spec, message in pairs {
      ["drop"] = '"drop" is no name=value', ["drop=2"] = 'drop is a rate from 0 to 1, not "2"',
      ["frop=1"] = 'there is no fault "frop"', ["only=Foo"] = '"Foo" is none',
      ["delay=0.1"] = "delay is RATE:TIME", [""] = 'no name=value',
    } do
      for _, command in ipairs { "run", "serve" } do
        local stdout, stderr, status = run(command, "--fault", spec, "examples/squares.lua")
        assert.equal(2, status)
        assert.equal("", stdout)
        assert.truthy(stderr:find("awsync: --fault: ", 1, true) == 1 and stderr:find(message, 1, true), stderr)
      end
    end
  end)
end)
