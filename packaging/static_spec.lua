-- The static bootstrap: whom it trusts, where it runs. Run by `make test-static`, after the build.
local fake = require "spec.support.runtime_api"
local shell = require "spec.support.shell"

local static = shell.build .. "/static/bootstrap"
local mozilla = "/usr/share/ca-certificates/mozilla/"

-- A program that tells how a call of SQS has gone.
local program = [[
local awsync = require "awsync"
function main()
  local _, err = pcall(function()
    local c = awsync.Channel()
    c:push(1)
    c:pop(5)
  end)
  return awsync.raw(tostring(err))
end
]]

local function read_lua(name)
  return shell.read("lua/" .. name)
end

local folder, remove = shell.folder()
local server, port

setup(function()
  local _, err, status = shell.run(([[
    cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost -keyout key.pem -out ca.pem]]):format(shell.quote(folder)))
  assert(status == 0, err)
  -- The server ends with its standard input, that is with this process.
  shell.write(folder .. "/port", "")
  server = assert(io.popen(
    ("python3 packaging/https_server.py %s/ca.pem %s/key.pem >%s/port"):format(folder, folder, folder), "w"))
  port = shell.wait_for("the server's port", function() return shell.read(folder .. "/port"):match("^(%d+)\n") end)
end)

teardown(function()
  server:close()
  remove()
end)

-- What the program says when its endpoint is the HTTPS server.
local function answer(bootstrap, env)
  env.AWS_ENDPOINT_URL = "https://localhost:" .. port
  local lambda = fake.start {
    program = bootstrap, env = env,
    files = { ["main.lua"] = program, ["lua/awsync.lua"] = read_lua "awsync.lua" },
  }
  finally(function() lambda:clean() end)
  -- What cannot be reached is tried again until the invocation's time is over.
  local body = lambda:invoke("{}", { ["Lambda-Runtime-Deadline-Ms"] = ("%d"):format((os.time() + 6) * 1000) }).body
  lambda:stop()
  return body
end

describe("the static bootstrap", function()
  it("runs the program of the README beside the engine", function()
    local place, done = shell.folder()
    finally(done)
    local _, err, status = shell.run(("cp -R %s/awsync %s/lua %s %s/"):format(shell.build, shell.build, static, place))
    assert.equal(0, status, err)
    local out, log = shell.run(place .. "/awsync run --quiet examples/squares.lua")
    assert.equal('{"statusCode":200,"body":"30"}\n', out, log)
  end)

  it("has Amazon's five roots inside, and no other certificate", function()
    local bytes, count = shell.read(static), 0
    for _, name in ipairs { "Amazon_Root_CA_1", "Amazon_Root_CA_2", "Amazon_Root_CA_3", "Amazon_Root_CA_4",
      "Starfield_Services_Root_Certificate_Authority_-_G2" } do
      local pem = shell.read(mozilla .. name .. ".crt"):match("%-%-%-%-%-BEGIN.-END CERTIFICATE%-%-%-%-%-")
      assert.truthy(bytes:find(pem, 1, true), name)
    end
    for _ in bytes:gmatch("%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-\n") do count = count + 1 end
    assert.equal(5, count)
  end)

  it("trusts no stranger", function()
    local body = answer(static, {})
    assert.truthy(body:find("errorMessage", 1, true), body)
    assert.falsy(body:find("spoken over TLS", 1, true), body)
  end)

  it("respects AWS_CA_BUNDLE", function()
    local body = answer(static, { AWS_CA_BUNDLE = folder .. "/ca.pem" })
    assert.truthy(body:find("spoken over TLS", 1, true), body)
  end)

  it("trusts what was built in", function()
    local _, err, status = shell.run(("make BUILD=%s ROOTS=%s/ca.pem STATIC_OUT=%s bootstrap-static"):format(
      shell.build, folder, folder), 500)
    assert.equal(0, status, err)
    local body = answer(folder .. "/bootstrap", {})
    assert.truthy(body:find("spoken over TLS", 1, true), body)
  end)
end)

describe("awsync package", function()
  it("makes a zip of it that runs unpacked in an empty environment, with lua-cjson and a module", function()
    local place, done = shell.folder()
    finally(done)
    shell.write(place .. "/app.lua", [[
      local awsync, cjson, helper = require "awsync", require "cjson", require "helper"
      local function double(c, v) awsync.push(c, 2 * v) end
      function main(event)
        local c <close> = awsync.Channel()
        awsync.invoke(double, c, event.n)
        return cjson.decode("[" .. helper(awsync.pop(c)) .. "]")[1] // 1 | 0
      end]])
    shell.write(place .. "/helper.lua", "return function(v) return tostring(v + 1) end")
    local _, err, status = shell.run(("cd %s && %s package app.lua helper.lua --bootstrap %s"):format(place,
      shell.awsync, static))
    assert.equal(0, status, err)
    -- As Lambda unpacks it: with the modes that the zip has.
    _, err, status = shell.run(("python3 -c %s %s"):format(shell.quote([[
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/function.zip") as archive:
    for info in archive.infolist():
        os.chmod(archive.extract(info, sys.argv[1] + "/task"), info.external_attr >> 16 & 0o777)]]), place))
    assert.equal(0, status, err)
    assert.equal(0, select(3, shell.run("packaging/check-static " .. place .. "/task/bootstrap")))
    -- The engine takes the bootstrap that lies beside `awsync`.
    local run = "cp %s %s/task/ && cd / && env -i %s/task/awsync run --quiet %s/task/app.lua --event %s"
    local out, log = shell.run(run:format(shell.awsync, place, place, place, shell.quote '{"n": 20}'))
    assert.equal('{"statusCode":200,"body":"41"}\n', out, log)
  end)
end)

describe("packaging/check-static", function()
  it("refuses a program that needs shared libraries", function()
    local _, err, status = shell.run("packaging/check-static " .. shell.bootstrap)
    assert.equal(1, status)
    assert.truthy(err:find("needs libcurl", 1, true), err)
  end)

  it("refuses a program that needs a glibc newer than Lambda's", function()
    local source, file = folder .. "/new.c", folder .. "/new"
    shell.write(source, [[
      #include <stdlib.h>
      int main(void) { return (int)(arc4random() & 1); }
    ]])
    local _, err, status = shell.run(("cc -D_GNU_SOURCE %s -o %s"):format(source, file))
    assert.equal(0, status, err)
    _, err, status = shell.run("packaging/check-static " .. file)
    assert.equal(1, status)
    assert.truthy(err:find("needs GLIBC_2.36: arc4random", 1, true), err)
  end)
end)
