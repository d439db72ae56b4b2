-- A package for arm64, run under qemu's emulation of a process. Run by `make test-arm64`.
local shell = require "spec.support.shell"

-- A folder with `awsync`, its Lua modules, a program's package unpacked, and a `bootstrap` that runs the package's own
-- under emulation.
local function emulated(program)
  local place, remove = shell.folder()
  finally(remove)
  local _, err, status = shell.run(([[
    cp -R %s/awsync %s/lua %s/ && cd %s &&
    %s package %s --arch arm64 --output function.zip && unzip -q function.zip -d task]]):format(
    shell.build, shell.build, place, place, shell.awsync, program))
  assert.equal(0, status, err)
  shell.write(place .. "/bootstrap",
    ("#!/bin/sh\nexec qemu-aarch64-static -L /usr/aarch64-linux-gnu %s/task/bootstrap\n"):format(place))
  os.execute("chmod +x " .. place .. "/bootstrap")
  return place
end

local root = shell.run("pwd"):match("^(.-)\n")
local squares = root .. "/examples/squares.lua"

describe("a package for arm64", function()
  it("has a bootstrap and a lua-cjson for arm64 that need nothing newer than Lambda has", function()
    local place = emulated(squares)
    local _, err, status = shell.run(("packaging/check-static %s/task/bootstrap aarch64-linux-gnu"):format(place))
    assert.equal(0, status, err)
    for _, file in ipairs { "bootstrap", "lib/cjson.so" } do
      local head = shell.run(("readelf -h %s/task/%s"):format(place, file))
      assert.truthy(head:find("AArch64", 1, true), head)
    end
  end)

  it("runs the program of the README: five lambdas, a channel, signed calls", function()
    local place = emulated(squares)
    local out, log = shell.run(place .. "/awsync run --quiet " .. squares)
    assert.equal('{"statusCode":200,"body":"30"}\n', out, log)
  end)

  it("answers an event exactly", function()
    local place = emulated(root .. "/spec/programs/echo.lua")
    local out, log = shell.run(place .. "/awsync run --quiet spec/programs/echo.lua --event " ..
      shell.quote '{"n": 9007199254740993, "f": 0.1}')
    -- The order of a table's keys is Lua's own, another one in each process.
    local answers = { ['{"f":0.1,"n":9007199254740993}\n'] = true, ['{"n":9007199254740993,"f":0.1}\n'] = true }
    assert.truthy(answers[out], out .. log)
  end)

  it("is refused with a bootstrap for x86_64", function()
    local place = emulated(squares)
    local _, err, status = shell.run(("cd %s && %s package %s --arch x86_64 --bootstrap task/bootstrap"):format(
      place, shell.awsync, squares))
    assert.equal(1, status)
    assert.truthy(err:find("is for arm64, not for x86_64", 1, true), err)
  end)
end)
