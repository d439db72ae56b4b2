-- The kit for users' specs: require "awsync.testing".
local shell = require "spec.support.shell"
local testing = require "awsync.testing"

testing.awsync = shell.awsync

local function program(source)
  local folder, remove = shell.folder()
  finally(remove)
  shell.write(folder .. "/my program.lua", source)
  return folder .. "/my program.lua"
end

describe("awsync.testing", function()
  it("invokes a handler and gives its answer as Lambda does", function()
    local app <close> = testing.start "examples/squares.lua"
    assert.same({ statusCode = 200, body = "30" }, app:invoke {})
    assert.equal(30, app:call())
  end)

  it("sends tables and JSON text as events", function()
    local app <close> = testing.start(program [[function main(event) return event end]])
    assert.same({ n = 5, list = { 1, "two" } }, app:call { n = 5, list = { 1, "two" } })
    assert.same("a string", app:call '"a string"')
    assert.equal(("x"):rep(300000), app:call { text = ("x"):rep(300000) }.text)
  end)

  it("gives a handler's error as a value, and raises it from call", function()
    local app <close> = testing.start(program [[function main() error "out of paper" end]])
    local answer, failure = app:invoke {}
    assert.is_nil(answer)
    assert.truthy(failure.errorMessage:find("out of paper", 1, true))
    assert.truthy(tostring(failure):find(failure.errorType, 1, true))
    local ok, message = pcall(app.call, app)
    assert.falsy(ok)
    assert.truthy(message:find("out of paper", 1, true), message)
  end)

  it("keeps the handler's state between invocations, and shows its log", function()
    local app <close> = testing.start(program [[
      local count = 0
      function main() count = count + 1; print("count is " .. count); return count end]])
    assert.equal(1, app:call())
    assert.equal(2, app:call())
    shell.wait_for("the log", function() return app:log():find("count is 2\n", 1, true) end)
  end)

  it("passes limits and variables on to the lambdas", function()
    local app <close> = testing.start(program [[
      function main(_, context) return { context.memory_limit, os.getenv "GREETING", os.getenv "TZ" } end]],
      { memory = 256, env = { GREETING = "it's me", TZ = "Asia/Tokyo" } })
    assert.same({ 256, "it's me", "Asia/Tokyo" }, app:call())
    local ok, message = pcall(testing.start, "examples/squares.lua", { env = { AWS_REGION = "eu-west-1" } })
    assert.falsy(ok)
    assert.truthy(message:find("--env: AWS_REGION is reserved", 1, true), message)
  end)

  it("says why a program cannot be served", function()
    local ok, message = pcall(testing.start, "nowhere/to/be/found.lua")
    assert.falsy(ok)
    assert.truthy(message:find("found.lua: No such file or directory", 1, true), message)
    ok, message = pcall(testing.start)
    assert.falsy(ok)
    assert.truthy(message:find("path expected, got nil", 1, true), message)
  end)

  it("refuses to use what was stopped", function()
    local app = testing.start "examples/squares.lua"
    app:stop()
    app:stop()
    local ok, message = pcall(app.invoke, app)
    assert.falsy(ok)
    assert.truthy(message:find("stopped", 1, true), message)
  end)

  -- Runs a script with the kit in a process of its own; returns what it printed and how many processes it left.
  local function leftovers(script)
    local mark = ("TESTING_MARK=%d%d"):format(os.time(), math.random(1 << 30))
    local folder, remove = shell.folder()
    finally(remove)
    shell.write(folder .. "/script.lua", script)
    local interpreter = os.getenv "SPEC_LUA" or "lua5.4"
    local out = shell.run(("env %s %s %s/script.lua"):format(mark, interpreter, folder))
    local left
    pcall(shell.wait_for, "the end of all", function()
      left = shell.count_processes(mark)
      return left == 0
    end, 10)
    return out, left
  end

  for how, ending in pairs {
    ["stop"] = "app:stop()",
    ["the end of the state"] = "",
    ["os.exit"] = "os.exit(1)",
    ["SIGKILL"] = [[os.execute "kill -9 $PPID"]],
  } do
    it("leaves no process and no folder behind after " .. how, function()
      local out, left = leftovers([[
        local testing = require "awsync.testing"
        testing.awsync = os.getenv "AWSYNC_BUILD" .. "/awsync"
        local app = testing.start "examples/squares.lua"
        print(app:call(), app.dir)
        io.stdout:flush()
      ]] .. ending)
      local value, dir = out:match "^(%S+)\t(%S+)\n"
      assert.equal(30, tonumber(value), out)
      assert.equal(0, left)
      assert.falsy(os.rename(dir, dir), dir .. " is still there")
    end)
  end
end)
