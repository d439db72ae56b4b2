-- `--bootstrap`: the engine runs any program that speaks the Runtime API, here spec/support/fake_bootstrap.lua.
local cjson = require "cjson"
local shell = require "spec.support.shell"

local fake = "lua5.4 " .. os.getenv "PWD" .. "/spec/support/fake_bootstrap.lua"

describe("a bootstrap of the user's own", function()
  local folder, remove
  before_each(function()
    folder, remove = shell.folder()
    shell.write(folder .. "/orders.py", "nothing of ours reads this\n")
  end)
  after_each(function() remove() end)

  local function run(event, ...)
    local out, err, status = shell.run_awsync("run", "--bootstrap", fake, "--event", cjson.encode(event),
      folder .. "/orders.py", ...)
    return status == 2 and out or cjson.decode(out), err, status
  end

  -- The answer that fails is the same for all who died.
  local function dies(kind, message, event, ...)
    local answer, err, status = run(event, ...)
    assert.equal(1, status, err)
    assert.equal(kind, answer.errorType)
    assert.truthy(answer.errorMessage:find(message, 1, true), answer.errorMessage)
    assert.matches("REPORT RequestId: [^\n]*\tStatus: error\tError Type: " .. kind:gsub("%.", "%%."), err)
  end

  it("answers", function()
    local answer, err, status = run { n = 17 }
    assert.equal(0, status, err)
    assert.same({ n = 17 }, answer)
  end)

  it("sees the world that Lambda gives to a runtime", function()
    local world = run({ act = "info" }, "--env", "TABLE=a=b", "--env", "EMPTY=", "--memory", "256")
    local home = folder:gsub("/+$", "")
    assert.equal(home, world.directory)
    for name, value in pairs {
      _HANDLER = "orders.main", LAMBDA_TASK_ROOT = home, LAMBDA_RUNTIME_DIR = "/var/runtime",
      AWS_LAMBDA_FUNCTION_NAME = "orders", AWS_LAMBDA_FUNCTION_VERSION = "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "256", AWS_LAMBDA_INITIALIZATION_TYPE = "on-demand",
      AWS_LAMBDA_LOG_GROUP_NAME = "/aws/lambda/orders", AWS_REGION = "us-east-1", AWS_DEFAULT_REGION = "us-east-1",
      TABLE = "a=b", EMPTY = "", TZ = ":UTC",
    } do
      assert.equal(value, world.environment[name], name)
    end
    for name, pattern in pairs {
      AWS_LAMBDA_RUNTIME_API = "^127%.0%.0%.1:%d+$", AWS_ENDPOINT_URL = "^http://127%.0%.0%.1:%d+$",
      AWS_LAMBDA_LOG_STREAM_NAME = "%[%$LATEST%]%x+$", AWS_ACCESS_KEY_ID = "^ASIA%w+$",
      AWS_SECRET_ACCESS_KEY = "^%w+$", AWS_SESSION_TOKEN = "^%w+$", AWS_EXECUTION_ENV = "^AWS_Lambda_",
    } do
      assert.matches(pattern, world.environment[name], 1, false)
    end
  end)

  it("has the time of Lambda, whatever this machine's is, unless the user says otherwise", function()
    local function zone(words)
      local command = "TZ=Asia/Tokyo %s run -q --bootstrap %s --event '{\"act\":\"info\"}' %s %s/orders.py"
      local out = shell.run(command:format(shell.awsync, shell.quote(fake), words, folder))
      return cjson.decode(out).environment.TZ
    end
    assert.equal(":UTC", zone "")
    assert.equal("Europe/Berlin", zone "--env TZ=Europe/Berlin")
  end)

  it("is told another handler", function()
    assert.equal("shop.other", run({ act = "info" }, "--handler", "shop.other").environment._HANDLER)
  end)

  it("gets its words as a shell reads them, and is found from the present folder", function()
    shell.write(folder .. "/words.lua", [[
      for i = 1, #arg do io.stderr:write("<", arg[i], ">\n") end
      dofile(os.getenv "FAKE")
    ]])
    os.execute(("cd %s && mkdir 'a b' bin && ln -s $(command -v lua5.4) bin/lua"):format(shell.quote(folder)))
    local out, err, status = shell.run(([[cd %s/'a b' && %s run -q --env FAKE=%s/spec/support/fake_bootstrap.lua \
      --bootstrap '../bin/lua ../words.lua one\ word "two \"2\" $HOME \n" plain"er "'\''s'\' ../orders.py]]):format(
      shell.quote(folder), shell.awsync, os.getenv "PWD"))
    -- the program is the one that the user's folder has; its arguments are its own business
    assert.equal(1, status)
    assert.truthy(out:find("exit status 1", 1, true), out)
    assert.truthy(err:find("cannot open ../words.lua", 1, true), err)
    out, err, status = shell.run(([[cd %s/'a b' && %s run -q --env FAKE=%s/spec/support/fake_bootstrap.lua \
      --bootstrap '../bin/lua words.lua one\ word "two \"2\" $HOME \n" plain"er "s "" ' ../orders.py]]):format(
      shell.quote(folder), shell.awsync, os.getenv "PWD"))
    assert.equal(0, status, err)
    assert.equal("{}\n", out)
    assert.equal('<one word>\n<two "2" $HOME \\n>\n<plainer s>\n<>\n', err)
  end)

  it("answers with an error", function()
    local answer, err, status = run { act = "error", message = "sold out" }
    assert.equal(1, status, err)
    assert.same({ errorMessage = "sold out", errorType = "Mine" }, answer)
  end)

  it("says that its init failed", function()
    local answer, err, status = run({}, "--env", "FAKE_INIT=error")
    assert.equal(1, status, err)
    assert.same({ errorMessage = "no handler", errorType = "Runtime.NoHandler" }, answer)
  end)

  it("dies before it asks for an event", function()
    dies("Runtime.ExitError", "Runtime exited with error: exit status 3", {}, "--env", "FAKE_INIT=exit:3")
  end)

  it("dies with an event in its hands", function()
    dies("Runtime.ExitError", "Runtime exited with error: exit status 4", { act = "exit", code = 4 })
    dies("Runtime.ExitError", "Runtime exited with error: signal: killed", { act = "kill", signal = "KILL" })
  end)

  it("does not answer in time", function()
    local answer, err, status = run({ act = "hang", seconds = 60 }, "--timeout", "1")
    assert.equal(1, status, err)
    assert.equal("Sandbox.Timedout", answer.errorType)
  end)

  it("is there, but what it names as its interpreter is not", function()
    shell.write(folder .. "/runtime", "#!/no/such/interpreter\n")
    os.execute("chmod +x " .. folder .. "/runtime")
    local out, err, status = shell.run_awsync("run", "--bootstrap", folder .. "/runtime", folder .. "/orders.py")
    assert.equal(1, status, err)
    assert.equal("Runtime.InvalidEntrypoint", cjson.decode(out).errorType)
    assert.truthy(out:find(folder .. "/runtime: no such file or directory", 1, true), out)
  end)

  it("has to be a program, and the message says which is none", function()
    for command, message in pairs {
      ["no-such-program --flag"] = "--bootstrap: no-such-program is not in the PATH",
      ["/no/such/program"] = "--bootstrap: /no/such/program: No such file or directory",
      [folder .. "/orders.py"] = folder .. "/orders.py: Permission denied",
      ["/tmp"] = "--bootstrap: /tmp: Is a directory",
      ["  "] = "--bootstrap needs a program",
      ["''"] = "--bootstrap needs a program",
      ["lua5.4 'x"] = "a quote or backslash without its end: lua5.4 'x",
      ['lua5.4 "x'] = 'a quote or backslash without its end: lua5.4 "x',
      ["lua5.4 x\\"] = "a quote or backslash without its end: lua5.4 x\\",
      ["lua5.4" .. (" x"):rep(64)] = "a command has 64 words at most",
    } do
      for _, word in ipairs { "run", "serve" } do
        local out, err, status = shell.run_awsync(word, "--bootstrap", command, folder .. "/orders.py")
        assert.equal(2, status, command)
        assert.equal("", out)
        assert.truthy(err:find(message, 1, true), err)
      end
    end
  end)

  it("has a file for its function, which without it must be Lua", function()
    local _, err, status = shell.run_awsync("run", "--bootstrap", fake, folder)
    assert.equal(2, status)
    assert.truthy(err:find("Is a directory", 1, true), err)
    _, err, status = shell.run_awsync("run", "--bootstrap", fake, folder .. "/none.py")
    assert.equal(2, status)
    assert.truthy(err:find("none.py: No such file", 1, true), err)
    _, err, status = shell.run_awsync("run", folder .. "/orders.py")
    assert.equal(2, status)
    assert.truthy(err:find("not a Lua file", 1, true), err)
  end)

  it("runs again when a file like its own changes", function()
    local pid, out, err = shell.start(("%s run -q --watch --bootstrap %s %s --event '{\"n\":1}'"):format(shell.awsync,
      shell.quote(fake), shell.quote(folder .. "/orders.py")))
    finally(function()
      os.execute("kill " .. pid)
      shell.wait_for("the watcher's end", function() return not os.execute("kill -0 " .. pid .. " 2>/dev/null") end)
      os.remove(out)
      os.remove(err)
    end)
    local function runs() return select(2, shell.read(out):gsub('{"n":1}\n', "")) end
    shell.wait_for("the first run", function()
      return runs() == 1 and shell.read(err):find("waiting for a change", 1, true)
    end)
    shell.write(folder .. "/notes.txt", "no part of it\n")
    shell.write(folder .. "/stock.py", "another part of it\n")
    shell.wait_for("the second run", function() return runs() == 2 end)
  end)

  it("serves any client", function()
    local pid, out, err = shell.start(("%s serve -q --bootstrap %s %s"):format(shell.awsync, shell.quote(fake),
      shell.quote(folder .. "/orders.py")))
    finally(function()
      os.execute("kill " .. pid)
      shell.wait_for("the server's end", function() return not os.execute("kill -0 " .. pid .. " 2>/dev/null") end)
      os.remove(out)
      os.remove(err)
    end)
    shell.wait_for("the server's address", function() return shell.read(out):find("AWS_SESSION_TOKEN", 1, true) end)
    local answer, message, status = shell.run((". %s; %s invoke orders --event '{\"n\":1}'"):format(out, shell.awsync))
    assert.equal(0, status, message)
    assert.same({ n = 1 }, cjson.decode(answer))
    answer, message, status = shell.run(
      (". %s; %s invoke orders --event '{\"act\":\"error\",\"message\":\"late\"}'"):format(out, shell.awsync))
    assert.equal(1, status, message)
    assert.equal("late", cjson.decode(answer).errorMessage)
  end)
end)

describe("a variable for the workers", function()
  it("has a name that Lambda takes, and a value", function()
    for variable, message in pairs {
      ["AWS_REGION=x"] = "AWS_REGION is reserved",
      ["AWS_LAMBDA_RUNTIME_API=x"] = "AWS_LAMBDA_RUNTIME_API is reserved",
      ["A-B=x"] = "--env takes NAME=VALUE",
      ["_HANDLER=x"] = "letters, digits and _",
      ["ALONE"] = '--env takes NAME=VALUE, not "ALONE"',
      ["AB=\xff"] = "the value of AB is not UTF-8",
    } do
      local _, err, status = shell.run_awsync("run", "--env", variable, "examples/squares.lua")
      assert.equal(2, status)
      assert.truthy(err:find(message, 1, true), err)
    end
    local many = ("--env AB=1 "):rep(65)
    local _, err, status = shell.run(("%s run %s examples/squares.lua"):format(shell.awsync, many))
    assert.equal(2, status)
    assert.truthy(err:find("--env can be given 64 times at most", 1, true), err)
  end)

  it("reaches a program in Lua, also in place of what is inherited", function()
    local folder, remove = shell.folder()
    finally(remove)
    shell.write(folder .. "/env.lua", [[
      local awsync = require "awsync"
      function main() return awsync.raw { os.getenv "TABLE", os.getenv "_HANDLER" } end
      other = main
    ]])
    local out, err, status = shell.run(
      ("TABLE=inherited %s run -q --env TABLE=first --env TABLE=orders --handler env.other %s/env.lua"):format(
        shell.awsync, folder))
    assert.equal(0, status, err)
    assert.same({ "orders", "env.other" }, cjson.decode(out))
  end)
end)
