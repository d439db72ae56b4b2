local aws = require "support.aws"
local patience = require "spec.support.patience"
local http_server = require "support.http_server"
local shell = require "support.shell"
local socket = require "socket"
local tls_server = require "spec.support.tls_server"

describe("a request", function()
  local servers, clients = {}, {}

  local function serve(handler)
    local server = http_server.start(handler)
    servers[#servers + 1] = server
    return server
  end

  local function connect(options)
    local client = aws.client(options)
    clients[#clients + 1] = client
    return client
  end

  --- A client of a new server with this handler.
  local function with(handler, options)
    local server = serve(handler)
    options = options or {}
    options.endpoint = options.endpoint or server.url
    return connect(options), server
  end

  setup(function() aws.environment() end)
  teardown(aws.restore)
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    for _, server in ipairs(servers) do server:close() end
    servers, clients = {}, {}
    aws.environment()
  end)

  it("is signed and carries what it was given, and the answer comes whole", function()
    local client, server = with(function()
      return { status = 201, body = "grüße", headers = { ["X-Test"] = " v " } }
    end, { session_token = "TOKEN" })
    client.raw:trace("Root=1-abc")
    local answer = client:request { method = "PUT", target = "/a%20b?x=1", body = "data",
      headers = { { "Content-Type", "text/plain" }, { "X-Amz-Custom", "c" }, { "X-Empty", "" } } }
    assert.is_nil(answer.error)
    assert.same({ 201, "grüße", "v" }, { answer.status, answer.body, answer.x_test })
    local request = server:log().requests[1]
    assert.same({ "PUT", "/a%20b?x=1", "data" }, { request.method, request.target, request.body })
    local h = request.headers
    assert.equal("127.0.0.1:" .. server.port, h.host)
    assert.equal("TOKEN", h["x-amz-security-token"])
    assert.equal("", h["x-empty"])
    assert.equal("Root=1-abc", h["x-amzn-trace-id"])
    assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", h["amz-sdk-invocation-id"])
    assert.matches("^awsync%-lua/", h["user-agent"])
    assert.matches("SignedHeaders=content-type;host;x-amz-custom;x-amz-date;x-amz-security-token,", h.authorization,
      1, true)
    assert.is_nil(h.expect)
    assert.is_nil(h.accept)
    client.raw:trace(nil)
    client:request { method = "GET", target = "/" }
    request = server:log().requests[2]
    assert.is_nil(request.headers["x-amzn-trace-id"])
    assert.is_nil(request.headers["content-type"])
    assert.equal("GET", request.method)
  end)

  it("goes below the endpoint's path", function()
    local server = serve(function() return {} end)
    local client = connect { endpoint = server.url .. "/pre/fix/" }
    assert.is_nil(client:request { target = "/x" }.error)
    assert.equal("/pre/fix/x", server:log().requests[1].target)
  end)

  it("uses one connection for many", function()
    local client, server = with(function() return {} end)
    for _ = 1, 20 do
      assert.is_nil(client:request {}.error)
    end
    assert.equal(1, server:log().connections)
  end)

  it("does not show that a kept-alive connection was closed", function()
    local client, server = with(function(request)
      if request.number % 2 == 0 and request.connection % 2 == 1 then
        return { action = request.number % 4 == 0 and "reset" or "close" }
      end
      return request.number > 4 and { action = "answer_close" } or {}
    end)
    for _ = 1, 8 do
      assert.is_nil(client:request {}.error)
    end
    assert.is_true(server:log().connections > 3)
  end)

  it("is sent up to three times after faults, and says so", function()
    local client, server = with(function(request) return { status = 500 + request.number % 2 * 2, body = "" } end)
    local answer = client:request {}
    assert.equal("HTTP502", answer.error.code)
    assert.equal(3, answer.error.attempts)
    assert.is_true(answer.error.may_have_run)
    assert.equal(3, #server:log().requests)
    assert.same({ 3, 2, 0 }, { client.raw:counters() })
  end)

  it("is sent as often as was configured", function()
    local client, server = with(function() return { status = 503 } end, { max_attempts = 1 })
    assert.equal(1, client:request {}.error.attempts)
    assert.equal(1, #server:log().requests)
  end)

  it("is not sent again after an error that is final, and redirects are not followed", function()
    local client, server = with(function(request)
      return { status = ({ 400, 403, 404, 301 })[request.number], headers = { Location = "/elsewhere" },
        body = [[{"__type":"ns#Nope","message":"m"}]] }
    end)
    for _, status in ipairs { 400, 403, 404, 301 } do
      local error = client:request {}.error
      assert.same({ "Nope", "m", status, 1, false },
        { error.code, error.message, error.status, error.attempts, error.may_have_run })
    end
    assert.equal(4, #server:log().requests)
  end)

  it("waits out throttles, also the 403 of SQS", function()
    local client = with(function(request)
      if request.number == 1 then
        return { status = 403, body = [[{"__type":"com.amazonaws.sqs#RequestThrottled"}]] }
      end
    end)
    assert.is_nil(client:request {}.error)
    assert.same({ 2, 1, 1 }, { client.raw:counters() })
  end)

  it("waits as long as the server wishes", function()
    local client, server = with(function(request)
      return request.number == 1 and { status = 500, headers = { ["x-amz-retry-after"] = "400" } } or {}
    end)
    assert.is_nil(client:request {}.error)
    local requests = server:log().requests
    assert.is_true(requests[2].at - requests[1].at >= 0.39)
  end)

  it("runs out of tokens when everything fails", function()
    local client, server = with(function() return { status = 500 } end, { max_attempts = 100 })
    local tags = {}
    for i = 1, 10 do
      tags[i] = client:begin { timeout_ms = 5000, long_poll = i == 10 }
    end
    for _, tag in ipairs(tags) do
      assert.equal("HTTP500", client:take(tag, 30).error.code)
    end
    -- 10 first attempts and as many retries as 500 tokens pay at 14 each.
    assert.equal(10 + 500 // 14, #server:log().requests)
  end)

  it("sets its clock right by the server's and keeps it so", function()
    local client, server = with(function(request)
      if request.headers["x-amz-date"] < "20300101" then
        return { status = 403, headers = { Date = "Wed, 02 Jan 2030 03:04:05 GMT" },
          body = [[{"__type":"InvalidSignatureException","message":"Signature expired"}]] }
      end
      return { headers = { Date = "Wed, 02 Jan 2030 03:04:05 GMT" } }
    end, { max_attempts = 1 })
    assert.is_nil(client:request {}.error)
    assert.is_nil(client:request {}.error)
    local requests = server:log().requests
    assert.equal(3, #requests)
    assert.matches("^20300102T03040", requests[2].headers["x-amz-date"])
    assert.matches("^20300102T0304", requests[3].headers["x-amz-date"])
  end)

  it("does not trust the clock of a cached answer, nor repeat for a right one", function()
    local client, server = with(function(request)
      return { status = 403, body = [[{"__type":"InvalidSignatureException"}]],
        headers = request.number == 1 and { Date = "Wed, 02 Jan 2030 03:04:05 GMT", Age = "9" } or
          { Date = os.date("!%a, %d %b %Y %H:%M:%S GMT") } }
    end)
    assert.equal("InvalidSignatureException", client:request {}.error.code)
    assert.equal("InvalidSignatureException", client:request {}.error.code)
    assert.equal(2, #server:log().requests)
  end)

  it("fails when nobody listens, having sent nothing", function()
    local client = connect { endpoint = "http://127.0.0.1:" .. http_server.dead_port() }
    local error = client:request {}.error
    assert.same({ "ConnectionFailure", 0, 3, false },
      { error.code, error.status, error.attempts, error.may_have_run })
    assert.matches("127.0.0.1", error.message, 1, true)
  end)

  it("is sent again when its connection breaks in the middle of the answer", function()
    local client, server = with(function(request)
      return request.number < 3 and { action = "partial", body = ("x"):rep(1000) } or { body = "whole" }
    end)
    assert.equal("whole", client:request {}.body)
    assert.equal(3, #server:log().requests)
  end)

  it("ends at its time limit", function()
    local client = with(function() return { action = "hang" } end, { max_attempts = 2 })
    local began = socket.gettime()
    local error = client:request { timeout_ms = 200 }.error
    assert.same({ "RequestTimeout", 2, true }, { error.code, error.attempts, error.may_have_run })
    assert.is_true(socket.gettime() - began < 5 * patience)
  end)

  it("refuses an answer without end", function()
    local client, server = with(function() return { body = ("x"):rep((8 << 20) + 1) } end)
    local error = client:request {}.error
    assert.equal("MalformedAnswer", error.code)
    assert.equal("the answer is longer than 8388608 bytes", error.message)
    assert.equal(1, #server:log().requests)
  end)

  it("refuses what cannot be sent", function()
    local client, server = with(function() return {} end)
    for _, request in ipairs { { target = "x" }, { target = "/a b" }, { target = "/\r\nX: y" },
      { headers = { { "A", "b\r\nC: d" } } }, { headers = { { "A\n", "b" } } } } do
      assert.equal("BadConfiguration", client:request(request).error.code)
    end
    assert.equal(0, #server:log().requests)
  end)

  it("names what is wrong with the configuration", function()
    local error = connect { region = false, endpoint = "http://127.0.0.1:1" }:request {}.error
    assert.equal("BadConfiguration", error.code)
    assert.matches("no region: set AWS_REGION", error.message, 1, true)
    error = connect { endpoint = "gopher://x" }:request {}.error
    assert.equal("BadConfiguration", error.code)
    assert.is_nil(connect { region = false }.raw:region())
    assert.equal("eu-west-1", connect {}.raw:region())
  end)

  it("goes through the proxy of the environment, unless that is for others", function()
    local proxy = serve(function() return { body = "proxy" } end)
    local server = serve(function() return { body = "direct" } end)
    aws.environment { http_proxy = proxy.url }
    assert.equal("proxy", connect { endpoint = "http://sqs.example.invalid" }:request({ target = "/x" }).body)
    local request = proxy:log().requests[1]
    assert.equal("http://sqs.example.invalid/x", request.target)
    assert.equal("sqs.example.invalid", request.headers.host)
    -- 0.0.0.0 reaches this machine, too, and is no address of the loopback.
    local other = server.url:gsub("127%.0%.0%.1", "0.0.0.0")
    assert.equal("proxy", connect { endpoint = other }:request({}).body)
    aws.environment { http_proxy = proxy.url, no_proxy = "0.0.0.0" }
    assert.equal("direct", connect { endpoint = other }:request({}).body)
    aws.environment { http_proxy = proxy.url, all_proxy = proxy.url }
    for _, host in ipairs { "127.0.0.1", "localhost", "LOCALHOST" } do
      local near = server.url:gsub("127%.0%.0%.1", host)
      assert.equal("direct", connect { endpoint = near }:request({}).body, host)
    end
    for _, host in ipairs { "localhost.example.invalid", "127.example.invalid" } do
      local far = server.url:gsub("127%.0%.0%.1", host)
      assert.equal("proxy", connect { endpoint = far }:request({}).body, host)
    end
  end)

  it("goes by TLS only to a server whose certificate is good", function()
    local tls = tls_server.start("-www", 3)
    local unknown = connect { endpoint = tls.url }:request { method = "GET" }
    local known = connect { endpoint = tls.url, ca_bundle = tls.cert }:request { method = "GET" }
    local other = connect { endpoint = "https://127.0.0.1:" .. tls.port, ca_bundle = tls.cert }
      :request { method = "GET" }
    tls:close()
    assert.same({ "ConnectionFailure", 1, false },
      { unknown.error.code, unknown.error.attempts, unknown.error.may_have_run })
    assert.equal(200, known.status)
    assert.equal("ConnectionFailure", other.error.code)
    assert.equal(1, other.error.attempts)
  end)

  it("leaves its connections to this process alone", function()
    local client, server = with(function() return { body = "hi" } end)
    assert.equal("hi", client:request {}.body)
    local connections = {}
    for line in io.lines "/proc/self/net/tcp" do
      local port, inode = line:match "^ *%d+: %x+:%x+ %x+:(%x+) 01 %S+ %S+ %S+ +%d+ +%d+ (%d+) "
      if port and tonumber(port, 16) == server.port then connections["socket:[" .. inode .. "]"] = true end
    end
    local function held(process)
      local count = 0
      for name in shell.run(("ls -l /proc/%s/fd"):format(process)):gmatch "socket:%[%d+%]" do
        if connections[name] then count = count + 1 end
      end
      return count
    end
    assert.equal(1, held(io.open("/proc/self/stat"):read("n")))
    assert.equal(0, held "self")
  end)

  it("can be called and waited for", function()
    local client = with(function(request)
      return request.number == 1 and { body = "hi" } or { status = 404, body = "" }
    end)
    assert.same({ true, 200, "hi", "" }, { client.raw:call {} })
    assert.same({ false, 404, "", "HTTP404" }, { client.raw:call {} })
  end)

  it("runs beside two hundred others", function()
    local client, server = with(function(request) return { delay = 0.2, body = request.target } end)
    local tags, began = {}, socket.gettime()
    for i = 1, 200 do
      tags[i] = client:begin { target = "/" .. i, body = ("b"):rep(1000) }
    end
    for i, tag in ipairs(tags) do
      assert.equal("/" .. i, client:take(tag).body)
    end
    assert.is_true(socket.gettime() - began < 10 * patience)
    assert.is_true(server:log().most > 100)
  end)

  it("can be cancelled: on its way, waiting for a retry, or never sent", function()
    local client, server = with(function(request)
      return request.target == "/hang" and { action = "hang" } or
        { status = 500, headers = { ["x-amz-retry-after"] = "60000" } }
    end)
    local tag, id = client:begin { target = "/hang" }
    local second, second_id = client:begin { target = "/again" }
    while #server:log().requests < 2 do
      socket.sleep(0.01)
    end
    socket.sleep(0.05)
    local third, third_id = client:begin { target = "/hang" }
    for _, one in ipairs { id, second_id, third_id, id } do
      client.raw:cancel(one)
    end
    local answer = client:take(tag)
    assert.same({ "Cancelled", true }, { answer.error.code, answer.error.may_have_run })
    assert.equal("Cancelled", client:take(second).error.code)
    assert.equal("Cancelled", client:take(third).error.code)
    client.raw:cancel(id)
    client.raw:cancel(12345678901234)
    assert.is_nil(client:take(tag, 0.05))
  end)

  it("is cancelled at once when the client is freed", function()
    local client, server = with(function() return { action = "hang" } end)
    for _ = 1, 20 do
      client:begin {}
    end
    while #server:log().requests < 20 do
      socket.sleep(0.01)
    end
    client:begin {}
    client.raw:post(7)
    local began = socket.gettime()
    assert.equal(22, client:close()) -- 21 answers and the task
    assert.is_true(socket.gettime() - began < 2 * patience)
    table.remove(clients)
  end)

  it("needs no thread before it is made", function()
    assert.equal(0, connect {}:close())
    table.remove(clients)
  end)

  describe("to Lambda", function()
    it("invokes, with the function's error and log as they came", function()
      local client, server = with(function()
        return { body = [[{"errorType":"E"}]], headers = { ["X-Amz-Function-Error"] = "Unhandled",
          ["X-Amz-Log-Result"] = "U1RBUlQK", ["x-amzn-RequestId"] = "rid" } }
      end)
      local answer = client:lambda { fn = "arn:aws:lambda:eu-west-1:1:function:f", qualifier = "$LATEST", log = true,
        context = "{}", payload = [[{"n":1}]] }
      assert.same({ status = 200, payload = [[{"errorType":"E"}]], function_error = "Unhandled",
        log_result = "START\n", request_id = "rid" }, answer)
      local request = server:log().requests[1]
      assert.equal("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/invocations" ..
        "?Qualifier=%24LATEST", request.target)
      assert.equal([[{"n":1}]], request.body)
      assert.equal("RequestResponse", request.headers["x-amz-invocation-type"])
      assert.equal("Tail", request.headers["x-amz-log-type"])
      assert.equal("e30=", request.headers["x-amz-client-context"])
      assert.matches("/lambda/aws4_request", request.headers.authorization, 1, true)
      assert.is_nil(request.headers.expect)
    end)

    it("has 202 for an event and 204 for a dry run", function()
      local client, server = with(function(request)
        return { status = request.number == 1 and 202 or 204, body = "" }
      end)
      assert.equal(202, client:lambda { fn = "f", type = "Event", payload = "{}" }.status)
      assert.equal(204, client:lambda { fn = "f", type = "DryRun" }.status)
      assert.equal("Event", server:log().requests[1].headers["x-amz-invocation-type"])
    end)

    it("is not sent again when its answer was lost", function()
      for _, action in ipairs { "reset", "close", "partial" } do
        for _, payload in ipairs { "{}", "", ("x"):rep(200000) } do
          local client, server = with(function(request)
            return request.target:find("/warm/", 1, true) and { status = 202 } or
              { action = request.target:match("f%-(%w+)") }
          end)
          -- On a kept-alive connection libcurl would send it again by itself.
          assert.equal(202, client:lambda { fn = "warm", type = "Event", payload = "{}" }.status)
          local error = client:lambda { fn = "f-" .. action, type = "Event", payload = payload }.error
          assert.same({ "ConnectionFailure", 1, true }, { error.code, error.attempts, error.may_have_run })
          assert.equal(2, #server:log().requests)
        end
      end
    end)

    it("is not sent again after a time limit or a fault of the service", function()
      local client, server = with(function(request)
        return ({ { action = "hang" }, { status = 500 }, { status = 502 }, { status = 503 } })[request.number]
      end)
      local error = client:lambda { fn = "f", payload = "{}", timeout_ms = 200 }.error
      assert.same({ "RequestTimeout", 1, true }, { error.code, error.attempts, error.may_have_run })
      for _ = 1, 3 do
        error = client:lambda { fn = "f", payload = "{}" }.error
        assert.same({ 1, true }, { error.attempts, error.may_have_run })
      end
      assert.equal(4, #server:log().requests)
    end)

    it("is sent again where it cannot have run", function()
      local client, server = with(function(request)
        return ({ { status = 429, body = [[{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}]],
          headers = { ["x-amzn-ErrorType"] = "TooManyRequestsException" } },
          { status = 502, headers = { ["x-amzn-ErrorType"] = "EC2ThrottledException" } },
          { status = 202 } })[request.number]
      end)
      assert.equal(202, client:lambda { fn = "f", type = "Event", payload = "{}" }.status)
      assert.equal(3, #server:log().requests)
      local error = connect { endpoint = "http://127.0.0.1:" .. http_server.dead_port() }
        :lambda({ fn = "f", payload = "{}" }).error
      assert.same({ "ConnectionFailure", 3, false }, { error.code, error.attempts, error.may_have_run })
    end)

    it("keeps to its number at once, and the others wait in order", function()
      local client, server = with(function(request)
        return { delay = 0.05, body = request.body }
      end, { max_lambda = 4 })
      local tags, ids = {}, {}
      for i = 1, 24 do
        tags[i], ids[i] = client:begin_lambda { fn = "f", payload = tostring(i) }
      end
      client.raw:cancel(ids[23])
      client.raw:cancel(ids[24])
      for i = 1, 22 do
        assert.equal(tostring(i), client:take(tags[i]).payload)
      end
      assert.equal("Cancelled", client:take(tags[23]).error.code)
      assert.equal("Cancelled", client:take(tags[24]).error.code)
      local log = server:log()
      assert.equal(4, log.most)
      assert.equal(22, #log.requests)
      for i, request in ipairs(log.requests) do
        assert.is_true(math.abs(tonumber(request.body) - i) < 4)
      end
    end)

    it("refuses names that are none", function()
      local client = with(function() return {} end)
      assert.equal("ValidationException", client:lambda({ fn = "" }).error.code)
      assert.equal("ValidationException", client:lambda({ fn = ("f"):rep(257) }).error.code)
      assert.equal("ValidationException", client:lambda({ fn = "f", context = ("x"):rep(2688) }).error.code)
    end)
  end)

  describe("is not needed for", function()
    it("tasks, which run in their order", function()
      local client = connect {}
      for i = 1, 100 do
        client.raw:post(i)
      end
      for i = 1, 100 do
        assert.equal(i, (client.raw:take()))
      end
    end)

    it("timers, which run by their time and not when cancelled", function()
      local client = connect {}
      local id, ticket = client.raw:timer(9, 40)
      client.raw:timer(3, 90)
      client.raw:timer(1, 0)
      client.raw:timer(2, 60)
      client.raw:timer_cancel(id, ticket)
      local began = socket.gettime()
      for i = 1, 3 do
        assert.equal(i, (client.raw:take()))
      end
      assert.is_true(socket.gettime() - began >= 0.085)
      assert.is_nil(client.raw:take(0.02))
    end)
  end)
end)
