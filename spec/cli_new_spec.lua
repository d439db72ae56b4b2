-- `awsync new` and `awsync test`: from nothing to a green spec.
local shell = require "spec.support.shell"

local function in_folder(folder, words, environment)
  return shell.run(("cd %s && env -u LUA_PATH -u LUA_CPATH %s %s %s"):format(shell.quote(folder), environment or "",
    shell.quote(shell.awsync), words))
end

-- Under sanitizers the Lua modules are for an interpreter of their own, which busted does not start.
local plain = (os.getenv "SANITIZE" or "") == ""

describe("awsync new", function()
  local folder, remove
  before_each(function() folder, remove = shell.folder() end)
  after_each(function() remove() end)

  it("makes a program that runs, with a spec, a README and settings", function()
    local out, err, status = in_folder(folder, "new my-squares")
    assert.equal(0, status, err)
    assert.equal("", out)
    for _, name in ipairs { "my-squares.lua", "spec/my-squares_spec.lua", "README.md", ".gitignore", ".busted",
      ".luacheckrc" } do
      local text = shell.read(folder .. "/my-squares/" .. name)
      assert.falsy(text:find("@NAME@", 1, true), name)
    end
    assert.truthy(shell.read(folder .. "/my-squares/.gitignore"):find("\nawsync.key\n", 1, true))
    assert.equal("lua5.4", dofile(folder .. "/my-squares/.busted").default.lua)
    out, err, status = in_folder(folder, "run --quiet my-squares/my-squares.lua --event '{\"n\": 4}'")
    assert.equal(0, status, err)
    assert.equal('{"statusCode":200,"body":"14"}\n', out)
  end)

  if plain then
    it("makes specs that are green by `awsync test`, and a luacheck that has nothing to say", function()
      in_folder(folder, "new squares")
      local out, err, status = in_folder(folder .. "/squares", "test -o TAP")
      assert.equal(0, status, out .. err)
      assert.equal(3, select(2, out:gsub("\nok ", "\nok ")) + (out:find "^ok " and 1 or 0), out)
      out, err, status = shell.run(("cd %s/squares && luacheck -q ."):format(folder))
      assert.equal(0, status, out .. err)
    end)
  end

  it("touches nothing that is there", function()
    os.execute("mkdir " .. folder .. "/squares")
    local _, err, status = in_folder(folder, "new squares")
    assert.equal(1, status)
    assert.truthy(err:find("squares: File exists", 1, true), err)
    assert.equal("", (shell.run("ls -A " .. folder .. "/squares")))
    _, err, status = in_folder(folder, "new nowhere/squares")
    assert.equal(1, status)
    assert.truthy(err:find("nowhere/squares: No such file", 1, true), err)
  end)

  it("refuses names that Lambda would refuse, and wrong usage", function()
    for words, reason in pairs {
      ["'my squares'"] = "is no name of a Lambda function",
      ["squares/"] = "is no name of a Lambda function",
      [("x"):rep(65)] = "is no name of a Lambda function",
      [""] = "new takes one NAME",
      ["a b"] = "new takes one NAME",
      ["--here a"] = "new has no option --here",
    } do
      local _, err, status = in_folder(folder, "new " .. words)
      assert.equal(2, status, words)
      assert.truthy(err:find(reason, 1, true), err)
    end
    assert.equal("", (shell.run("ls -A " .. folder)))
  end)
end)

describe("awsync test", function()
  local folder, remove
  before_each(function()
    folder, remove = shell.folder()
    os.execute("mkdir " .. folder .. "/spec")
  end)
  after_each(function() remove() end)

  if plain then
    it("finds awsync's modules and those of the present folder, runs Lua 5.4, and passes words on", function()
      shell.write(folder .. "/helper.lua", "return 42")
      shell.write(folder .. "/spec/a_spec.lua", [[
        it("requires", function()
          assert.equal(42, require "helper")
          assert.equal("table", type(require "awsync"))
          assert.equal("table", type(require "awsync.testing"))
          assert.equal("Lua 5.4", _VERSION)
        end)
        it("is left out", function() error "not left out" end)]])
      local out, err, status = in_folder(folder, "test --filter requires -o TAP")
      assert.equal(0, status, out .. err)
      assert.truthy(out:find("ok 1", 1, true), out)
    end)

    it("keeps the user's own paths", function()
      os.execute("mkdir " .. folder .. "/elsewhere")
      shell.write(folder .. "/elsewhere/far.lua", "return 7")
      shell.write(folder .. "/spec/a_spec.lua", [[it("requires", function() assert.equal(7, require "far") end)]])
      for _, name in ipairs { "LUA_PATH", "LUA_PATH_5_4" } do
        local out, err, status = shell.run(("cd %s && env -u LUA_PATH %s='%s/elsewhere/?.lua;;' %s test"):format(
          folder, name, folder, shell.awsync))
        assert.equal(0, status, name .. out .. err)
      end
    end)

    it("runs where the machine's lua is another one, for which the user's paths are not", function()
      os.execute("mkdir " .. folder .. "/bin")
      shell.write(folder .. "/bin/lua", [[#!/bin/sh
[ -z "$LUA_PATH$LUA_CPATH" ] || { echo "these are Lua 5.4's" >&2; exit 3; }
exec lua5.4 "$@"
]])
      os.execute("chmod +x " .. folder .. "/bin/lua")
      shell.write(folder .. "/spec/a_spec.lua", [[it("runs", function() end)]])
      local paths = "LUA_PATH='/opt/5.4/?.lua;;' LUA_CPATH='/opt/5.4/?.so;;'"
      local out, err, status = shell.run(("cd %s && %s PATH=%s/bin:$PATH %s test"):format(folder, paths, folder,
        shell.awsync))
      assert.equal(0, status, out .. err)
    end)

    it("fails as busted fails", function()
      shell.write(folder .. "/spec/a_spec.lua", [[it("is wrong", function() error "red" end)]])
      local out, _, status = in_folder(folder, "test")
      assert.equal(1, status)
      assert.truthy(out:find("red", 1, true), out)
    end)
  end

  it("says what is missing when there is no busted", function()
    local _, err, status = in_folder(folder, "test", "PATH=/nonexistent")
    assert.equal(1, status)
    assert.truthy(err:find("busted cannot be run", 1, true), err)
    assert.truthy(err:find("lua-busted", 1, true), err)
  end)
end)
