-- `awsync invoke`: a function on AWS, here on `awsync serve`, called from the command line.
local shell = require "spec.support.shell"
local testing = require "awsync.testing"

testing.awsync = shell.awsync

describe("awsync invoke", function()
  local app

  setup(function() app = testing.start("spec/programs/echo.lua") end)
  teardown(function() app:stop() end)

  local function invoke(words)
    local assignments = {}
    for name, value in pairs(app.variables) do assignments[#assignments + 1] = name .. "=" .. shell.quote(value) end
    return shell.run(("env -i %s %s invoke %s"):format(table.concat(assignments, " "), shell.awsync, words))
  end

  it("prints the answer alone on standard output, the end of the log on standard error", function()
    local out, err, status = invoke [[echo --event '{"n": 9007199254740993}']]
    assert.equal(0, status, err)
    assert.truthy(out:find("9007199254740993", 1, true), out)
    assert.truthy(err:find("START RequestId: ", 1, true), err)
    assert.truthy(err:find("REPORT RequestId: ", 1, true), err)
  end)

  it("is silent with --quiet", function()
    local _, err, status = invoke "--quiet echo"
    assert.equal(0, status)
    assert.equal("", err)
  end)

  it("says in Lambda's words what cannot be called", function()
    local out, err, status = invoke "nobody"
    assert.equal(1, status)
    assert.equal("", out)
    assert.truthy(err:find("nobody could not be invoked: ResourceNotFoundException", 1, true), err)
  end)

  it("refuses wrong usage with status 2 and the reason", function()
    for words, reason in pairs {
      [""] = "invoke takes one NAME",
      ["a b"] = "invoke takes one NAME",
      ["a/b"] = '"a/b" is no name of a Lambda function',
      ["--memory a"] = "invoke has no option --memory",
      ["echo --event"] = "--event needs a value",
      ["echo --event {"] = "--event is no JSON",
    } do
      local out, err, status = invoke(words)
      assert.equal(2, status, words)
      assert.equal("", out)
      assert.truthy(err:find(reason, 1, true), err)
    end
  end)
end)
