-- `awsync run` as its user meets it: the real runtime, bindings, signing and HTTP on the embedded engine.
local cjson = require "cjson"
local shell = require "spec.support.shell"

local run = shell.run_awsync

-- The body of a successful answer, decoded.
local function answer_of(stdout, stderr, status)
  assert.equal(0, status, stderr)
  local answer = cjson.decode(stdout)
  assert.equal(200, answer.statusCode)
  return cjson.decode(("[%s]"):format(answer.body))[1]
end

describe("awsync run", function()
  it("answers the sum of squares, alone on standard output", function()
    local stdout, stderr, status = run("run", "examples/squares.lua")
    assert.equal('{"statusCode":200,"body":"30"}\n', stdout)
    assert.equal(0, status)
    local _, starts = stderr:gsub("START RequestId: ", "")
    local _, reports = stderr:gsub("REPORT RequestId: %x+%-%x+%-%x+%-%x+%-%x+\t?%s*Duration: [%d.]+ ms", "")
    assert.equal(6, starts)
    assert.equal(6, reports)
  end)

  it("is silent about the platform with --quiet", function()
    local stdout, stderr, status = run("run", "--quiet", "examples/squares.lua")
    assert.equal('{"statusCode":200,"body":"30"}\n', stdout)
    assert.equal("", stderr)
    assert.equal(0, status)
  end)

  it("adds up what 200 lambdas push", function()
    assert.equal(2646700, answer_of(run("run", "-q", "spec/programs/spawn.lua", "--event", '{"n":200}')))
  end)

  it("does so with eight workers", function()
    assert.equal(2646700, answer_of(
      run("run", "-q", "spec/programs/spawn.lua", "--event", '{"n":200}', "--concurrency", 8)))
  end)

  it("keeps order through a chain of lambdas", function()
    local got = answer_of(run("run", "-q", "spec/programs/order.lua", "--event", '{"links":4,"n":60}'))
    assert.equal(60, #got)
    for i, v in ipairs(got) do assert.equal(i, v) end
  end)

  it("spawns from spawned functions", function()
    assert.equal(136, answer_of(run("run", "-q", "spec/programs/recursive.lua", "--event", '{"n":16}')))
  end)

  it("gives exact numbers back", function()
    local event = '{"n": 9007199254740993, "f": 0.1}'
    local stdout, stderr, status = run("run", "spec/programs/echo.lua", "--event", event)
    assert.equal(0, status, stderr)
    assert.truthy(stdout:find('"n":9007199254740993', 1, true))
    assert.truthy(stdout:find('"f":0.1[,}]'))
    assert.same(cjson.decode(event), cjson.decode(stdout))
  end)

  it("reads the event from a file", function()
    local folder, remove = shell.folder()
    finally(remove)
    shell.write(folder .. "/event.json", '["from a file"]')
    local stdout = run("run", "-q", "spec/programs/echo.lua", "--event", "@" .. folder .. "/event.json")
    assert.equal('["from a file"]\n', stdout)
  end)

  it("runs a program from any folder, with modules beside it", function()
    local folder, remove = shell.folder()
    finally(remove)
    shell.write(folder .. "/helper.lua", "return { answer = function() return 42 end }")
    shell.write(folder .. "/my prog.v2.lua",
      'local helper = require "helper"\nfunction main() return helper.answer() end')
    local stdout, stderr, status = shell.run(("cd %s && %s run -q 'my prog.v2.lua'"):format(folder, shell.awsync))
    assert.equal(0, status, stderr)
    assert.equal('{"statusCode":200,"body":"42"}\n', stdout)
  end)

  describe("examples", function()
    it("pipeline", function()
      assert.equal(385, answer_of(run("run", "-q", "examples/pipeline.lua")))
    end)

    it("primes", function()
      assert.same({ 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47 },
        answer_of(run("run", "-q", "examples/primes.lua")))
    end)

    it("montecarlo", function()
      local got = answer_of(run("run", "-q", "examples/montecarlo.lua"))
      assert.equal(800000, got.darts)
      assert.near(math.pi, got.pi, 0.01)
      local again = answer_of(run("run", "-q", "examples/montecarlo.lua"))
      assert.equal(got.pi, again.pi)
    end)

    it("wordcount", function()
      local pipe <close> = assert(io.popen(
        "tr 'A-Z' 'a-z' < examples/wordcount.txt | grep -oE '[a-z]+' | sort | uniq -c | sort -k1,1nr -k2 | head -10"))
      local expected = {}
      for count, word in pipe:read("a"):gmatch("(%d+) (%a+)") do
        expected[#expected + 1] = { word = word, count = tonumber(count) }
      end
      assert.equal(10, #expected)
      assert.same(expected, answer_of(run("run", "-q", "examples/wordcount.lua")))
    end)
  end)

  describe("failures", function()
    local function fails(status, pattern, ...)
      local stdout, stderr, got = run(...)
      assert.equal(status, got, stderr)
      assert.truthy(stderr:find(pattern), stderr)
      return stdout, stderr
    end

    it("names a missing file", function()
      assert.equal("", (fails(2, "nowhere/to%.lua: No such file", "run", "nowhere/to.lua")))
    end)

    it("names a file that is no Lua program", function()
      fails(2, "README%.md: not a Lua file", "run", "README.md")
    end)

    it("names the line of a syntax error", function()
      local stdout = fails(1, "syntax%.lua:2:", "run", "spec/programs/broken/syntax.lua")
      assert.truthy(cjson.decode(stdout).errorMessage:find("syntax.lua:2:", 1, true))
    end)

    it("says that there is no main", function()
      local stdout = fails(1, "nomain%.lua.*main", "run", "spec/programs/broken/nomain.lua")
      assert.truthy(cjson.decode(stdout).errorMessage:find("nomain.lua", 1, true))
    end)

    it("reports an error while the file is loaded", function()
      fails(1, "load%.lua:1: cannot even load", "run", "spec/programs/broken/load.lua")
    end)

    it("gives an error in main as JSON on stdout, with its traceback on stderr", function()
      local stdout, stderr = fails(1, "failing%.lua:%d+: main has failed", "run", "spec/programs/failing.lua",
        "--event", '{"how":"error"}')
      local answer = cjson.decode(stdout)
      assert.truthy(answer.errorMessage:find("main has failed", 1, true))
      assert.equal("string", type(answer.errorType))
      assert.truthy(#answer.stackTrace > 0)
      assert.truthy(stderr:find("stack traceback", 1, true))
      assert.truthy(stderr:find("before the failure", 1, true))
    end)

    it("survives an error that is a table", function()
      local stdout = fails(1, "", "run", "spec/programs/failing.lua", "--event", '{"how":"table"}')
      assert.equal("string", type(cjson.decode(stdout).errorMessage))
    end)

    it("reports an error in a spawned function", function()
      local _, stderr = fails(1, "failing%.lua:%d+: the child has failed", "run", "spec/programs/failing.lua",
        "--event", '{"how":"child"}')
      assert.truthy(stderr:find("1 spawned call failed", 1, true))
      assert.truthy(stderr:find("fail_in_child", 1, true), stderr)
    end)

    it("reports a runtime that exits", function()
      local stdout = fails(1, "", "run", "spec/programs/failing.lua", "--event", '{"how":"exit"}')
      assert.equal("Runtime.ExitError", cjson.decode(stdout).errorType)
    end)

    it("ends a program at its timeout, with the platform's error", function()
      local stdout = fails(1, "timed out after 1.00 seconds", "run", "spec/programs/failing.lua", "--timeout", 1,
        "--event", '{"how":"hang"}')
      assert.equal("Sandbox.Timedout", cjson.decode(stdout).errorType)
    end)

    -- 4 s, of which a tenth is for the end: that of 1 s is over before a busy machine lets the lambda run again.
    it("ends a pop that waits in vain before the timeout, and deletes the queue", function()
      local stdout, stderr = fails(1, "pop: the time of this invocation is almost over", "run",
        "spec/programs/failing.lua", "--timeout", 4, "--event", '{"how":"wait"}')
      assert.truthy(cjson.decode(stdout).errorMessage:find("almost over", 1, true))
      assert.falsy(stderr:find("left behind", 1, true), stderr)
    end)

    it("refuses an event that is no JSON", function()
      fails(2, "%-%-event is no JSON: .*byte 5", "run", "examples/squares.lua", "--event", "{\"a\":}")
      fails(2, "%-%-event: /no/such/file: No such file", "run", "examples/squares.lua", "--event", "@/no/such/file")
    end)

    it("explains wrong usage", function()
      fails(2, "one too many", "run", "a.lua", "b.lua")
      fails(2, "no option %-%-port", "run", "--port", "1", "a.lua")
      fails(2, "no option %-%-nonsense", "run", "--nonsense", "a.lua")
      fails(2, "%-%-concurrency takes a whole number from 1 to 10000, not \"0\"", "run", "--concurrency", 0, "a.lua")
      fails(2, "%-%-timeout needs a value", "run", "a.lua", "--timeout")
      -- Of several letters behind one dash the one is named that is wrong.
      fails(2, "run has no option %-z; see", "run", "-qzh", "a.lua")
      fails(2, "run has no option %-e; see", "run", "--quiet", "-ez", "a.lua")
      fails(2, "gc has no option %-x; see", "gc", "-xy")
      fails(2, "invoke has no option %-z; see", "invoke", "-qz", "a")
      fails(2, "no command \"rum\"", "rum")
      fails(2, "no option \"%-%-verbose\"", "--verbose")
      fails(2, "usage: awsync", nil)
    end)
  end)

  it("leaves no queue behind, whatever the program forgets", function()
    for _, event in ipairs { '{}', '{"fail":true}' } do
      local _, stderr = run("run", "spec/programs/leaving.lua", "--event", event)
      assert.falsy(stderr:find("left behind", 1, true), stderr)
    end
  end)

  it("ends everything at Ctrl-C", function()
    local mark = ("AWSYNC_SPEC_MARK=%d-%d"):format(os.time(), math.random(1 << 40))
    local pid, out, err = shell.start(("env %s %s run spec/programs/failing.lua --event '{\"how\":\"wait\"}'"):format(
      mark, shell.awsync))
    finally(function() os.remove(out) os.remove(err) end)
    shell.wait_for("the program's start", function() return shell.read(err):find("before the failure", 1, true) end)
    assert.equal(2, shell.count_processes(mark))
    os.execute("kill -INT " .. pid)
    shell.wait_for("the end", function() return shell.count_processes(mark) == 0 end, 5)
    assert.truthy(shell.read(err):find("stopped by signal 2", 1, true))
    assert.equal("", shell.read(out))
  end)

  it("ends spawned calls, computing ones too, at Ctrl-C and at SIGTERM, with 128 and the signal's number", function()
    local folder, remove = shell.folder()
    finally(remove)
    shell.write(folder .. "/main.lua", [[
      local awsync = require "awsync"
      local function compute() print "computes" coroutine.wrap(function() while true do end end)() end
      local function wait(c) print "waits" c:pop() end
      function main()
        local c <close> = awsync.Channel()
        awsync.async(compute)
        awsync.invoke(wait, c)
        c:receiver():pop()
      end]])
    for name, number in pairs { INT = 2, TERM = 15 } do
      local mark = ("AWSYNC_SPEC_MARK=%d-%d"):format(os.time(), math.random(1 << 40))
      shell.write(folder .. "/start", ("%s run %s/main.lua & echo $! >%s/pid; wait $!; echo $? >%s/status"):format(
        shell.awsync, folder, folder, folder))
      local _, out, err = shell.start(("env %s bash -m %s/start"):format(mark, folder))
      shell.wait_for("both calls", function()
        local text = shell.read(err)
        return text:find("computes", 1, true) and text:find("waits", 1, true)
      end)
      os.execute(("kill -%s %s"):format(name, shell.read(folder .. "/pid")))
      shell.wait_for("the end", function() return shell.count_processes(mark) == 0 end, 10)
      assert.equal(("%d\n"):format(128 + number), shell.read(folder .. "/status"))
      assert.truthy(shell.read(err):find(("stopped by signal %d"):format(number), 1, true))
      assert.equal("", shell.read(out))
      os.remove(out)
      os.remove(err)
    end
  end)

  it("prints help and its version", function()
    for _, words in ipairs { { "--help" }, { "run", "--help" }, { "serve", "--help" } } do
      local stdout, _, status = run(table.unpack(words))
      assert.equal(0, status)
      assert.truthy(stdout:find("^usage: awsync"))
    end
    assert.truthy(run("--version"):find("^awsync %d+%.%d+%.%d+\n$"))
  end)
end)
