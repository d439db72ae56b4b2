-- `awsync serve`: a local AWS with a program in it, for any AWS client.
local shell = require "spec.support.shell"
local socket = require "socket"

-- Starts a server; returns its variables, process id and a function that stops it and gives what it has written to
-- standard error; twice is fine.
local function serve(words)
  local text
  local pid, out, err = shell.start(("%s serve %s"):format(shell.awsync, words))
  local variables = {}
  shell.wait_for("the server's address", function()
    for name, value in shell.read(out):gmatch("export ([%w_]+)=([^\n]*)\n") do variables[name] = value end
    return variables.AWS_SESSION_TOKEN
  end)
  return variables, pid, function(signal)
    if text then return text end
    os.execute(("kill -%s %d 2>/dev/null"):format(signal or "TERM", pid))
    shell.wait_for("the server's end", function()
      return not os.execute(("kill -0 %d 2>/dev/null"):format(pid))
    end, 10)
    text = shell.read(err)
    os.remove(out)
    os.remove(err)
    return text
  end
end

-- A Lua script run by a plain lua5.4 with the server's variables: awsync outside of a Lambda.
local function client(variables, source, extra)
  local folder, remove = shell.folder()
  local assignments = { extra }
  for name, value in pairs(variables) do assignments[#assignments + 1] = name .. "=" .. shell.quote(value) end
  shell.write(folder .. "/client.lua", source)
  local interpreter = os.getenv("SPEC_LUA") or "lua5.4"
  local stdout, stderr, status = shell.run(("env %s %s %s/client.lua"):format(
    table.concat(assignments, " "), interpreter, folder))
  remove()
  return stdout, stderr, status
end

describe("awsync serve", function()
  it("prints the variables by which clients find it, and listens on loopback only", function()
    local variables, _, stop = serve("examples/squares.lua")
    finally(stop)
    local port = tonumber(variables.AWS_ENDPOINT_URL:match("^http://127%.0%.0%.1:(%d+)$"))
    assert.truthy(port)
    for _, name in ipairs { "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY" } do
      assert.truthy(#variables[name] > 0, name)
    end
    -- Column 2 of /proc/net/tcp is the local address in hex; state 0A listens.
    local hex = ("%04X"):format(port)
    local addresses = {}
    for address, state in shell.read("/proc/net/tcp"):gmatch("\n%s*%d+: (%x+):" .. hex .. " %x+:%x+ (%x%x)") do
      if state == "0A" then addresses[#addresses + 1] = address end
    end
    assert.same({ "0100007F" }, addresses)
    assert.falsy(shell.read("/proc/net/tcp6"):find(":" .. hex .. " ", 1, true))
  end)

  it("gives channels to a plain Lua interpreter", function()
    local variables, _, stop = serve("examples/squares.lua --quiet")
    finally(stop)
    local stdout, stderr, status = client(variables, [[
      local awsync = require "awsync"
      local c <close> = awsync.Channel()
      for i = 1, 25 do c:push({ i = i, text = "grüße" }) end
      local sum = 0
      for _ = 1, 25 do
        local v = c:pop(10)
        assert(v.text == "grüße")
        sum = sum + v.i
      end
      print(sum, c:pop(0))
    ]])
    assert.equal(0, status, stderr)
    assert.equal("325\tnil\ttimeout\n", stdout)
  end)

  it("closes connections without a word", function()
    local variables, _, stop = serve("examples/squares.lua")
    local port = variables.AWS_ENDPOINT_URL:match("%d+$")
    for _, request in ipairs { "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n" } do
      local connection = assert(socket.connect("127.0.0.1", port))
      connection:settimeout(20)
      assert(connection:send(request))
      assert.matches("^HTTP/1", (connection:receive "*a"))
      connection:close()
    end
    assert.equal("", stop())
  end)

  it("says which port is in use", function()
    local variables, _, stop = serve("examples/squares.lua")
    finally(stop)
    local port = variables.AWS_ENDPOINT_URL:match("%d+$")
    local _, stderr, status = shell.run_awsync("serve", "examples/squares.lua", "--port", port)
    assert.equal(1, status)
    assert.truthy(stderr:find(("port %s is in use"):format(port), 1, true), stderr)
  end)

  it("ends at SIGTERM and SIGINT, with all its workers", function()
    for _, signal in ipairs { "TERM", "INT" } do
      local variables, _, stop = serve("examples/squares.lua")
      finally(stop)
      local words = {}
      for name, value in pairs(variables) do words[#words + 1] = name .. "=" .. shell.quote(value) end
      local out = shell.run(("%s %s invoke squares"):format(table.concat(words, " "), shell.awsync))
      assert.equal('{"statusCode":200,"body":"30"}\n', out)
      local worker = "AWS_ENDPOINT_URL=" .. variables.AWS_ENDPOINT_URL
      assert.is_true(shell.count_processes(worker) >= 1)
      stop(signal)
      shell.wait_for("the workers' end", function() return shell.count_processes(worker) == 0 end)
    end
  end)

  it("refuses a client with a wrong secret, in SQS's words", function()
    local variables, _, stop = serve("examples/squares.lua")
    finally(stop)
    variables.AWS_SECRET_ACCESS_KEY = "wrong"
    local stdout = client(variables, [[
      local awsync = require "awsync"
      print(pcall(function()
        local c = awsync.Channel()
        c:push(1)
        c:pop(5)
      end))
    ]])
    assert.truthy(stdout:find("^false"), stdout)
    assert.truthy(stdout:find("InvalidSignatureException", 1, true), stdout)
    assert.falsy(stdout:find("wrong", 1, true))
  end)
end)
