-- The engine's HTTP server, byte for byte. That a body has arrived as it was sent is shown by its signature.
local E = require "spec.support.engine"
local patience = require "spec.support.patience"
local probe = require "probe.engine"
local shell = require "spec.support.shell"
local socket = require "socket"

local crlf = "\r\n"
local asked = "Action=GetCallerIdentity&Version=2011-06-15"

describe("the engine's HTTP", function()
  local engine
  before_each(function() engine = assert(E.start { function_name = false }) end)
  after_each(E.stop_all)

  local function connect()
    local connection = assert(socket.connect("127.0.0.1", engine.port))
    connection:setoption("tcp-nodelay", true)
    return connection
  end

  -- The head of a signed request for STS, without its empty line, and with more fields.
  local function head(body, fields, version, method)
    local date, authorization = probe.sign {
      method = method or "POST", target = "/", body = body, headers = { { "Host", "h" } }, key = engine.key,
      secret = engine.secret, region = engine.region, service = "sts", wall_ms = math.floor(socket.gettime() * 1000),
    }
    return table.concat({ (method or "POST") .. " / HTTP/" .. (version or "1.1"), "Host: h", "X-Amz-Date: " .. date,
      "Authorization: " .. authorization, table.unpack(fields or {}) }, crlf) .. crlf
  end

  local function whole(body, fields, version, method)
    fields = table.move(fields or {}, 1, #(fields or {}), 1, {})
    fields[#fields + 1] = "Content-Length: " .. #body
    return head(body, fields, version, method) .. crlf .. body
  end

  -- Everything that comes until the server closes the connection.
  local function rest(connection)
    connection:settimeout(10 * patience)
    local text, problem, part = connection:receive "*a"
    assert.is_true(problem == nil or problem == "closed", problem)
    return text or part
  end

  local function exchange(...)
    local connection = connect()
    for _, text in ipairs { ... } do assert(connection:send(text)) end
    return rest(connection)
  end

  -- Sends, and expects one answer and an open connection behind it.
  local function answered(connection, text)
    assert(connection:send(text))
    return E.receive(connection)
  end

  local function chunked(body, sizes, extension)
    local pieces, at, turn = {}, 1, 0
    while at <= #body do
      turn = turn % #sizes + 1
      local piece = body:sub(at, at + sizes[turn] - 1)
      pieces[#pieces + 1] = ("%X%s\r\n%s\r\n"):format(#piece, extension or "", piece)
      at = at + #piece
    end
    return table.concat(pieces) .. "0\r\n"
  end

  it("reads a request that comes byte by byte", function()
    local connection = connect()
    for byte in whole(asked):gmatch "." do
      assert(connection:send(byte))
    end
    assert.equal(200, E.receive(connection).status)
    assert.equal(200, answered(connection, whole(asked)).status)
    connection:close()
  end)

  it("reads bodies of any size, cut anywhere", function()
    local connection = connect()
    for _, size in ipairs { 0, 1, 7000, 15800, 16000, 16383, 16384, 16385, 40000, 65536, 300000, 5000000 } do
      local body = asked .. "&x=" .. ("y"):rep(size)
      assert.equal(200, answered(connection, whole(body)).status, size)
    end
    local body = asked .. "&x=" .. ("y"):rep(30000)
    local request = whole(body)
    for _, cut in ipairs { 1, 50, #request - 30045, #request - 30044, 16384, 16385, #request - 1 } do
      assert(connection:send(request:sub(1, cut)))
      socket.sleep(0.01)
      assert.equal(200, answered(connection, request:sub(cut + 1)).status, cut)
    end
    connection:close()
  end)

  it("answers requests that come together in their order, though their ends are cut", function()
    local connection = connect()
    local requests = {}
    for i = 1, 60 do requests[i] = whole(asked .. "&x=" .. ("y"):rep(i * 37)) end
    requests[30] = whole(asked, nil, nil, "GET"):gsub("^GET", "PUT")
    local text = table.concat(requests)
    for at = 1, #text, 1009 do assert(connection:send(text:sub(at, at + 1008))) end
    for i = 1, 60 do
      assert.equal(i == 30 and 403 or 200, E.receive(connection).status, i)
    end
    connection:close()
  end)

  it("keeps what comes behind a long poll, however much it is", function()
    local url = engine:sqs("CreateQueue", { QueueName = "q" }).json.QueueUrl
    local connection = engine:send { service = "sqs", target = "/",
      headers = { ["X-Amz-Target"] = "AmazonSQS.ReceiveMessage", ["Content-Type"] = "application/x-amz-json-1.0" },
      body = '{"QueueUrl":"' .. url .. '","WaitTimeSeconds":20}' }
    socket.sleep(0.05)
    for _ = 1, 20 do assert(connection:send(whole(asked .. "&x=" .. ("y"):rep(5000)))) end
    assert.equal(200, engine:sqs("SendMessage", { QueueUrl = url, MessageBody = "hello" }).status)
    assert.equal("hello", E.receive(connection).json.Messages[1].Body)
    for _ = 1, 20 do assert.matches("GetCallerIdentity", E.receive(connection).body) end
    connection:close()
  end)

  it("reads chunked bodies, with extensions and trailers", function()
    local connection = connect()
    for _, size in ipairs { 0, 100, 20000, 200000 } do
      local body = asked .. "&x=" .. ("y"):rep(size)
      for _, sizes in ipairs { { 1, 17 }, { 4096 }, { 1000000 } } do
        local begun = head(body, { "Transfer-Encoding: Chunked" }) .. crlf
        assert.equal(200, answered(connection, begun .. chunked(body, sizes) .. crlf).status)
        assert.equal(200, answered(connection, begun .. chunked(body, sizes, ";a=b") .. "X: y\r\nZ: \r\n\r\n").status)
      end
    end
    local text = head(asked, { "Transfer-Encoding: chunked" }) .. crlf .. chunked(asked, { 5, 11 }) .. crlf
    for byte in (text .. whole(asked)):gmatch "." do assert(connection:send(byte)) end
    assert.equal(200, E.receive(connection).status)
    assert.equal(200, E.receive(connection).status)
    connection:close()
  end)

  it("refuses chunks that are none", function()
    for _, body in ipairs { "\r\n", "g\r\n", "-1\r\n", "0x1\r\na\r\n", "1\na\r\n", "1\r\nab\r\n", "1\r\na\n",
      "1\r\na\rb", ";\r\n", "0\r\n\n", "0\r\n\rx", "1;a\nb", ("0"):rep(70000) .. "1\r\n",
      "0\r\n" .. ("a"):rep(70000) } do
      local answer = exchange(head(asked, { "Transfer-Encoding: chunked" }) .. crlf .. body)
      assert.matches("^HTTP/1.1 400 Bad Request\r\n", answer)
    end
    assert.matches("^HTTP/1.1 413 ",
      exchange(head(asked, { "Transfer-Encoding: chunked" }) .. crlf .. "ffffffffffffffffffffffff\r\n"))
  end)

  it("refuses what is too large before it has come, and lets the client read why", function()
    for _, length in ipairs { "70167212", "999999999999999999" } do
      local answer = exchange(head(asked, { "Content-Length: " .. length }) .. crlf)
      assert.matches("^HTTP/1.1 413 Request Entity Too Large\r\n", answer)
      assert.matches("\r\nConnection: close\r\n", answer)
    end
    local connection = connect()
    assert(connection:send(head(asked, { "Content-Length: 70167212" }) .. crlf))
    connection:send(("x"):rep(4000000))
    assert.matches("^HTTP/1.1 413 ", rest(connection))
    assert.matches("^HTTP/1.1 431 ", exchange("GET / HTTP/1.1\r\nX: " .. ("x"):rep(70000) .. "\r\n\r\n"))
    assert.matches("^HTTP/1.1 431 ", exchange("GET / HTTP/1.1\r\nX: ", ("x"):rep(100000)))
    assert.matches("^HTTP/1.1 431 ", exchange("GET /" .. ("x"):rep(200000)))
  end)

  it("refuses heads that can be read in two ways, or not at all", function()
    for status, texts in pairs {
      [400] = {
        "GET\r\n\r\n", "GET /\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET / x HTTP/1.1\r\n\r\n", " / HTTP/1.1\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nX\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n", "GET / HTTP/1.1\r\nX : x\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", "GET /\1 HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
        "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\na",
        "POST / HTTP/1.1\r\nContent-Length: 1234567890123456789\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      },
      [501] = { "BREW / HTTP/1.1\r\n\r\n", "get / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" },
      [505] = { "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.2\r\n\r\n", "GET / HTTP/1.1x\r\n\r\n" },
    } do
      for _, text in ipairs(texts) do
        local answer = exchange(text)
        assert.matches("^HTTP/1.1 " .. status .. " ", answer, ("%q: %q"):format(text, answer))
        assert.matches("\r\nContent%-Length: 0\r\nConnection: close\r\n\r\n$", answer)
      end
    end
    assert.equal(200, engine:sqs("ListQueues", {}).status)
  end)

  it("takes what others wrap or pad", function()
    local connection = connect()
    local request = whole(asked)
    assert.equal(200, answered(connection, "\r\n\r\n" .. request).status)
    assert.equal(200, answered(connection, (request:gsub("Host: h", "Host:\t h \t"))).status)
    assert.equal(200, answered(connection, (request:gsub("Host: h", "Host:\r\n  h"))).status)
    assert.equal(200, answered(connection, (request:gsub(", ", ",\r\n\t"))).status)
    assert.equal(200, answered(connection, (request:gsub("\r\n", "\n"))).status)
    assert.equal(200, answered(connection, (request:gsub("Content%-Length", "cOnTeNt-lEnGtH"))).status)
    assert.equal(200, answered(connection, whole(asked, { "Content-Length: " .. #asked })).status)
    local many = {}
    for i = 1, 900 do many[i] = "X-" .. i .. ": " .. i end
    assert.equal(200, answered(connection, whole(asked, many)).status)
    connection:close()
  end)

  it("keeps a connection as long as its client wishes", function()
    local closed = exchange(whole(asked, { "Connection: Close" }))
    assert.matches("^HTTP/1.1 200 OK\r\n", closed)
    assert.matches("\r\nConnection: close\r\n", closed)
    closed = exchange(whole(asked, nil, "1.0"))
    assert.matches("^HTTP/1.1 200 OK\r\n", closed)
    assert.matches("\r\nConnection: close\r\n", closed)
    local connection = connect()
    for _ = 1, 2 do
      local answer = answered(connection, whole(asked, { "Connection: foo, keep-alive" }, "1.0"))
      assert.equal(200, answer.status)
      assert.equal("keep-alive", answer.headers.connection)
    end
    assert(connection:send(whole(asked, { "Connection: close" }) .. whole(asked)))
    assert.equal(200, E.receive(connection).status)
    assert.equal("", rest(connection))
  end)

  it("invites a client that waits to be", function()
    for _, framing in ipairs { "Content-Length: " .. #asked, "Transfer-Encoding: chunked" } do
      local connection = connect()
      connection:settimeout(10 * patience)
      assert(connection:send(head(asked, { "Expect: 100-Continue", framing }) .. crlf))
      assert.equal("HTTP/1.1 100 Continue", connection:receive "*l")
      assert.equal("", connection:receive "*l")
      local body = framing:match "chunked" and chunked(asked, { 9 }) .. crlf or asked
      assert.equal(200, answered(connection, body).status)
      connection:close()
    end
    local connection = connect() -- who does not wait needs no invitation
    assert.equal(200, answered(connection, whole(asked, { "Expect: 100-continue" })).status)
    connection:close()
    local much = head(asked, { "Expect: 100-continue", "Content-Length: 99999999" })
    assert.matches("^HTTP/1.1 413 ", exchange(much .. crlf))
  end)

  it("answers HEAD with a length and no body", function()
    local text = exchange(whole(asked, { "Connection: close" }, nil, "HEAD"))
    assert.matches("^HTTP/1.1 200 OK\r\n", text)
    assert.matches("\r\nContent%-Length: [1-9]%d*\r\n", text)
    assert.matches("\r\n\r\n$", text)
  end)

  it("answers a client that has said its last word", function()
    local connection = connect()
    assert(connection:send(whole(asked) .. whole(asked)))
    connection:shutdown "send"
    assert.equal(200, E.receive(connection).status)
    assert.equal(200, E.receive(connection).status)
    assert.equal("", rest(connection))
  end)

  it("closes behind the last whole request of a client that sends no more", function()
    local lambda = assert(E.start {})
    local much = ("&x=y"):rep(50000)
    for _, beginning in ipairs { "POST / HTTP", head(asked, { "Content-Length: 999" }) .. crlf .. asked,
      head(asked, { "Content-Length: 999999" }) .. crlf .. asked .. much,
      head(asked, { "Transfer-Encoding: chunked" }) .. crlf .. "5\r\nab" } do
      local connection = lambda:begin { act = "hang", seconds = 0.3 }
      assert(connection:send(beginning))
      connection:shutdown "send"
      assert.equal(200, E.receive(connection).status)
      assert.equal("", rest(connection))
    end
  end)

  it("dates its answers", function()
    local first = engine:sqs("ListQueues", {})
    local form = "^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$"
    assert.matches(form, first.headers.date)
    assert.is_true(E.eventually(function()
      return engine:sqs("ListQueues", {}).headers.date ~= first.headers.date
    end, 10 * patience))
  end)

  it("writes on when a slow reader makes room, and serves others meanwhile", function()
    local url = engine:sqs("CreateQueue", { QueueName = "q" }).json.QueueUrl
    local entries = {}
    for i = 1, 10 do entries[i] = { Id = tostring(i), MessageBody = ("\\"):rep(100000) } end
    for _ = 1, 6 do
      assert.equal(10, #engine:sqs("SendMessageBatch", { QueueUrl = url, Entries = entries }).json.Successful)
    end
    local slow = connect()
    for _ = 1, 6 do
      engine:send { connection = slow, service = "sqs", target = "/", body = '{"QueueUrl":"' .. url ..
        '","MaxNumberOfMessages":10}', headers = { ["X-Amz-Target"] = "AmazonSQS.ReceiveMessage" } }
    end
    assert.equal(200, engine:sqs("ListQueues", {}).status)
    for _ = 1, 6 do
      local messages = E.receive(slow).json.Messages
      assert.equal(10, #messages)
      assert.equal(("\\"):rep(100000), messages[10].Body)
    end
    slow:close()
  end)

  it("survives clients that leave at any moment", function()
    local url = engine:sqs("CreateQueue", { QueueName = "q" }).json.QueueUrl
    local entries = {}
    for i = 1, 10 do entries[i] = { Id = tostring(i), MessageBody = ("x"):rep(100000) } end
    engine:sqs("SendMessageBatch", { QueueUrl = url, Entries = entries })
    local receive = { service = "sqs", target = "/", headers = { ["X-Amz-Target"] = "AmazonSQS.ReceiveMessage" },
      body = '{"QueueUrl":"' .. url .. '","MaxNumberOfMessages":10,"VisibilityTimeout":0}' }
    for i = 1, 20 do
      local request = whole(asked .. ("&x=y"):rep(i * 1000))
      local connection = connect()
      assert(connection:send(request:sub(1, #request * i // 20)))
      connection:setoption("linger", { on = i % 2 == 0, timeout = 0 }) -- a reset, every other time
      connection:close()
      connection = engine:send(receive) -- ten messages that do not fit the socket's buffers
      connection:setoption("linger", { on = i % 2 == 0, timeout = 0 })
      connection:close()
    end
    assert.equal(200, engine:sqs("ListQueues", {}).status)
  end)

  it("lets clients wait while there are no descriptors left", function()
    local out = os.tmpname()
    local pipe = assert(io.popen(("sh -c %s"):format(shell.quote(
      ("ulimit -n 48; exec %s serve examples/squares.lua --quiet >%s 2>&1 & echo $!"):format(shell.awsync, out)))))
    local pid = pipe:read "l"
    pipe:close()
    finally(function()
      os.execute(("kill %s; while kill -0 %s 2>/dev/null; do sleep 0.02; done"):format(pid, pid))
      os.remove(out)
    end)
    local port
    assert.is_true(E.eventually(function()
      port = shell.read(out):match "127%.0%.0%.1:(%d+).*AWS_SESSION_TOKEN"
      return port
    end, 10 * patience), shell.read(out))
    local crowd = {}
    for i = 1, 80 do
      crowd[i] = assert(socket.connect("127.0.0.1", tonumber(port)))
      crowd[i]:send "GET /2015-03-31/functions HTTP/1.1\r\n\r\n"
      crowd[i]:settimeout(0.2)
    end
    assert.is_nil(crowd[80]:receive "*l") -- it is in the kernel's queue
    for i = 1, 79 do crowd[i]:close() end
    crowd[80]:settimeout(10 * patience)
    assert.matches("^HTTP/1.1 403 ", crowd[80]:receive "*l")
    crowd[80]:close()
  end)
end)
