-- HTTP between the runtime and the Runtime API: every way in which an answer can come, and not come.
local fake = require "spec.support.runtime_api"
local socket = require "socket"

local program = [[
local awsync = require "awsync"
function main(event)
  if event == "slow" then
    local last = os.clock() + 0.1
    while os.clock() < last do end
  end
  if type(event) == "table" and event.size then return awsync.raw(("x"):rep(event.size)) end
  return awsync.raw(event)
end
]]

local function start(env)
  local lambda = fake.start { files = { ["main.lua"] = program }, env = env }
  finally(function() lambda:clean() end)
  return lambda
end

-- Answers a request with these bytes, in so many pieces.
local function send(request, text, pieces)
  local size = math.ceil(#text / (pieces or 1))
  for from = 1, #text, size do
    assert(request.connection:send(text:sub(from, from + size - 1)))
    if pieces then socket.sleep(0.002) end
  end
end

local function close(lambda, request)
  request.connection:close()
  lambda.connections[request.connection] = nil
end

local head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\n"

-- Takes the answer to an event that has been sent, acknowledges it and ends the program.
local function expect(lambda, body)
  local post = assert(lambda:request(), "no answer came")
  assert.equal("POST", post.method)
  assert.equal("/2018-06-01/runtime/invocation/one/response", post.path)
  assert.equal(body, post.body)
  lambda:reply(post, 202)
  lambda:stop()
end

describe("the runtime's HTTP", function()
  local forms = {
    { "with a length", head .. "Content-Length: 5\r\n\r\n[1,2]" },
    { "with a length, in any case and with blanks", head .. "CONTENT-LENGTH:  5 \t\r\n\r\n[1,2]" },
    { "with bare line feeds", (head .. "Content-Length: 5\r\n\r\n[1,2]"):gsub("\r", "") },
    { "in chunks", head .. "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n4;name=value\r\n1,2]\r\n0\r\n\r\n" },
    { "in chunks with trailers",
      head .. "Transfer-Encoding: Chunked\r\n\r\n00A \r\n[1,     2]\r\n0\r\nX-Check: 7\r\n\r\n" },
    { "after interim answers", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n" ..
      "Lambda-Runtime-Aws-Request-Id: interim\r\n\r\n" .. head .. "Content-Length: 5\r\n\r\n[1,2]" },
    { "without a reason phrase", (head:gsub(" OK", "")) .. "Content-Length: 5\r\n\r\n[1,2]" },
  }
  for _, form in ipairs(forms) do
    it("reads an answer " .. form[1] .. ", whole and in pieces", function()
      for _, pieces in ipairs { 1, #form[2] } do
        local lambda = start()
        send(lambda:request(), form[2], pieces > 1 and pieces or nil)
        expect(lambda, "[1,2]")
      end
    end)
  end

  it("reads an answer that ends with its connection", function()
    local lambda = start()
    local get = lambda:request()
    send(get, "HTTP/1.0 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\n\r\n[1,")
    socket.sleep(0.02)
    send(get, "2]")
    close(lambda, get)
    expect(lambda, "[1,2]")
  end)

  it("reads an event larger than its buffer", function()
    local lambda = start()
    local text = '"' .. ("y"):rep(300000) .. '"'
    send(lambda:request(), head .. "Content-Length: " .. #text .. "\r\n\r\n" .. text)
    expect(lambda, text)
  end)

  it("makes one connection for all requests", function()
    local lambda = start()
    local first = assert(lambda:request())
    lambda:reply(first, 200, { ["Lambda-Runtime-Aws-Request-Id"] = "one" }, "1")
    for _ = 1, 3 do
      local post = assert(lambda:request())
      assert.equal(first.connection, post.connection)
      lambda:reply(post, 202)
      local get = assert(lambda:request())
      assert.equal(first.connection, get.connection)
      lambda:reply(get, 200, { ["Lambda-Runtime-Aws-Request-Id"] = "one" }, "1")
    end
    expect(lambda, "1")
  end)

  it("makes another one where the answer says `Connection: close`", function()
    local lambda = start()
    local get = assert(lambda:request())
    lambda:reply(get, 200, { ["Lambda-Runtime-Aws-Request-Id"] = "one", Connection = "keep-alive, Close" }, "1")
    local post = assert(lambda:request())
    assert.not_equal(get.connection, post.connection)
    lambda:reply(post, 202)
    lambda:stop()
  end)

  it("answers, once, when its connection was closed while the handler ran", function()
    local lambda = start()
    local get = assert(lambda:request())
    lambda:reply(get, 200, { ["Lambda-Runtime-Aws-Request-Id"] = "one" }, '"slow"')
    close(lambda, get)
    local post = assert(lambda:request())
    assert.equal('"slow"', post.body)
    lambda:reply(post, 202)
    local after = assert(lambda:request())
    assert.equal("GET", after.method)
    lambda:reply(after, 500)
    lambda:wait()
  end)

  it("makes another one after bytes that nobody has asked for", function()
    local lambda = start()
    local get = assert(lambda:request())
    send(get, head .. "Content-Length: 1\r\n\r\n1HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    local post = assert(lambda:request())
    assert.not_equal(get.connection, post.connection)
    lambda:reply(post, 202)
    lambda:stop()
  end)

  it("hears a refusal that comes before the answer is out", function()
    local lambda = start()
    local get = assert(lambda:request())
    lambda:reply(get, 200, { ["Lambda-Runtime-Aws-Request-Id"] = "one" }, '{"size":6000000}')
    -- The answer's head alone is read: its body stands in the buffers of both sides.
    local connection = get.connection
    assert.matches("^POST ", assert(connection:receive "*l"))
    repeat local line = assert(connection:receive "*l") until line == ""
    send(get, "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nlong")
    local after = assert(lambda:request(), "the runtime has not gone on")
    assert.equal("GET", after.method)
    assert.not_equal(connection, after.connection)
    assert.truthy(lambda:err():find("response: the Runtime API answered with status 413: long", 1, true))
    close(lambda, get)
    lambda:reply(after, 500)
    lambda:wait()
  end)

  local nonsense = {
    { "the answer is no HTTP", "SSH-2.0-OpenSSH_9.2\r\n" },
    { "the answer is no HTTP", "HTTP/2.0 200 OK\r\n\r\n" },
    { "the answer is no HTTP", "HTTP/1.1 2x0 OK\r\n\r\n" },
    { "a line of the answer is too long", "HTTP/1.1 200 OK\r\nX-Long: " .. ("x"):rep(70000) },
    { "the answer's headers are too long", "HTTP/1.1 200 OK\r\n" .. ("X-Long: " .. ("x"):rep(60000) .. "\r\n"):rep(6) },
    { "the answer's Content-Length is no number", head .. "Content-Length: 5x\r\n\r\n[1,2]" },
    { "the answer's Content-Length is no number", head .. "Content-Length: -1\r\n\r\n" },
    { "the answer's Content-Length is no number", head .. "Content-Length: 99999999999999999999999\r\n\r\n" },
    { "the answer is too large", head .. "Content-Length: 99999999\r\n\r\n" .. ("x"):rep(1000) },
    { "the answer is too large",
      head .. "Transfer-Encoding: chunked\r\n\r\n" .. ("F4240\r\n" .. ("x"):rep(1000000) .. "\r\n"):rep(68) },
    { "a chunk of the answer has no size", head .. "Transfer-Encoding: chunked\r\n\r\n\r\n[1,2]\r\n" },
    { "a chunk of the answer has no size", head .. "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n" },
    { "a chunk of the answer is longer than it says",
      head .. "Transfer-Encoding: chunked\r\n\r\n2\r\n[1,2]\r\n0\r\n\r\n" },
    { "the connection was closed", head .. "Content-Length: 50\r\n\r\n[1,2]", close = true },
    { "the connection was closed", head, close = true },
    { "the connection was closed", head .. "Transfer-Encoding: chunked\r\n\r\n5\r\n[1,", close = true },
  }
  for i, case in ipairs(nonsense) do
    it(("says what is wrong with an answer: %s (%d)"):format(case[1], i), function()
      local lambda = start()
      for get in function() return lambda:request() end do
        get.connection:send(case[2])
        if case.close then close(lambda, get) end
      end
      assert.equal(1, lambda:wait())
      assert.truthy(lambda:err():find("next: no answer from the Runtime API: " .. case[1], 1, true), lambda:err())
    end)
  end

  it("finds the Runtime API by name, and tries all of its addresses", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    listener:settimeout(20)
    local build = os.getenv "AWSYNC_BUILD" or "build"
    local pipe = assert(io.popen(("AWS_LAMBDA_RUNTIME_API=localhost:%d LAMBDA_TASK_ROOT=examples " ..
      "_HANDLER=squares.main LUA_PATH='%s/lua/?.lua' %s/bootstrap 2>&1"):format(port, build, build)))
    local connection = assert(listener:accept())
    assert.equal("GET /2018-06-01/runtime/invocation/next HTTP/1.1", (connection:receive "*l"))
    assert.equal(("Host: localhost:%d"):format(port), (connection:receive "*l"))
    connection:send "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    connection:close()
    listener:close()
    assert.truthy(pipe:read "a":find("status 500", 1, true))
    pipe:close()
  end)

  for authority, message in pairs {
    ["nonsense"] = "AWS_LAMBDA_RUNTIME_API is not host:port", [":80"] = "AWS_LAMBDA_RUNTIME_API is not host:port",
    [("h"):rep(300) .. ":80"] = "AWS_LAMBDA_RUNTIME_API is not host:port", ["[::1]:nonsense"] = "no answer",
    ["127.0.0.1:1"] = "cannot connect: Connection refused",
  } do
    it("says what is wrong with the address " .. authority:sub(1, 20), function()
      local lambda = start { AWS_LAMBDA_RUNTIME_API = authority }
      assert.equal(1, lambda:wait())
      assert.truthy(lambda:err():find(message, 1, true), lambda:err())
    end)
  end
end)
