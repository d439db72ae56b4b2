-- The engine's face: life, port, authentication, routing, STS.
local E = require "spec.support.engine"
local patience = require "spec.support.patience"
local probe = require "probe.engine"
local socket = require "socket"

describe("the engine's front", function()
  local engine
  after_each(E.stop_all)

  local function sts(how)
    how = how or {}
    how.service, how.target = how.service or "sts", "/"
    how.body = how.body or "Action=GetCallerIdentity&Version=2011-06-15"
    how.headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
    return engine:request(how)
  end

  describe("as a server", function()
    it("names a port that is in use", function()
      engine = assert(E.start { function_name = false })
      local second, message = E.start { function_name = false, port = engine.port }
      assert.is_nil(second)
      assert.equal("port " .. engine.port .. " is in use", message)
    end)

    it("takes the port that it is given, again and again", function()
      engine = assert(E.start {})
      local port = engine.port
      for _ = 1, 3 do
        assert.equal(200, engine:invoke({ 1 }).status)
        engine:stop()
        engine = assert(E.start { port = port })
        assert.equal("http://127.0.0.1:" .. port, engine.endpoint)
      end
    end)

    it("listens on loopback only", function()
      engine = assert(E.start { function_name = false })
      local wanted = (":%04X"):format(engine.port)
      local addresses = {}
      for _, name in ipairs { "tcp", "tcp6" } do
        for line in io.lines("/proc/self/net/" .. name) do
          local address, port, state = line:match "^%s*%d+: (%x+)(:%x+) %x+:%x+ (%x+)"
          if port == wanted and state == "0A" then
            addresses[#addresses + 1] = address
          end
        end
      end
      assert.same({ "0100007F" }, addresses)
    end)

    it("refuses options that make no sense", function()
      for message, options in pairs {
        ["the function has no command"] = { command = {} },
        ["retries must be 0 to 2"] = { max_retries = 3 },
        ["the port must be 0 to 65535"] = { port = 65536 },
        ["access key id and secret belong together"] = { access_key_id = "AKIDEXAMPLE" },
      } do
        local none, got = E.start(options)
        assert.is_nil(none)
        assert.equal(message, got)
      end
    end)

    it("can be stopped at once, many times over", function()
      for _ = 1, 20 do
        engine = assert(E.start {})
        engine:stop()
      end
    end)

    it("makes identities that differ, and takes one that it is given", function()
      local first, second = assert(E.start {}), assert(E.start {})
      assert.matches("^AKIA[A-Z0-9]+$", first.key)
      assert.not_equal(first.key, second.key)
      assert.not_equal(first.secret, second.secret)
      engine = assert(E.start { access_key_id = "AKIDEXAMPLE", secret_access_key = "s3cret", region = "eu-west-1" })
      assert.equal("AKIDEXAMPLE", engine.key)
      assert.equal(200, engine:invoke("1").status)
    end)

    it("serves many requests on one connection, also when they come before the answer", function()
      engine = assert(E.start {})
      local connection = engine:begin { act = "hang", seconds = 0.2, n = 1 }
      for n = 2, 4 do
        engine:begin({ act = "hang", seconds = 0, n = n }, { connection = connection })
      end
      for n = 1, 4 do
        assert.equal(n, E.receive(connection).json.n)
      end
      connection:close()
    end)

    it("refuses in a service's own words what is far too large", function()
      engine = assert(E.start { function_name = false })
      local url = engine:sqs("CreateQueue", { QueueName = "q" }).json.QueueUrl
      local answer = engine:sqs("SendMessage", { QueueUrl = url, MessageBody = ("x"):rep(20 * 1024 * 1024) })
      assert.equal("InvalidParameterValue;Sender", answer.headers["x-amzn-query-error"])
      assert.matches("Message must be shorter than 1048576 bytes", answer.json.message)
    end)

    it("gives every answer a request id of its own", function()
      engine = assert(E.start {})
      local first, second = engine:invoke "1", engine:sqs("ListQueues", {})
      local uuid = "^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$"
      assert.matches(uuid, first.headers["x-amzn-requestid"])
      assert.matches(uuid, second.headers["x-amzn-requestid"])
      assert.not_equal(first.headers["x-amzn-requestid"], second.headers["x-amzn-requestid"])
    end)
  end)

  describe("as a guard", function()
    before_each(function() engine = assert(E.start {}) end)

    local function both(how, sqs_status, sqs_type, lambda_status, lambda_type)
      local copy = {}
      for name, value in pairs(how) do copy[name] = value end
      local answer = engine:sqs("ListQueues", {}, copy)
      assert.equal(sqs_status, answer.status)
      assert.equal(sqs_type, answer.json.__type:match "#(.*)$")
      local sqs_message = answer.json.message
      copy = {}
      for name, value in pairs(how) do copy[name] = value end
      answer = engine:invoke("1", copy)
      assert.equal(lambda_status, answer.status)
      assert.equal(lambda_type, answer.headers["x-amzn-errortype"])
      assert.equal("User", answer.json.Type)
      return sqs_message, answer.json.message
    end

    it("lets in who has signed well", function()
      assert.equal(200, engine:sqs("ListQueues", {}).status)
      assert.equal(200, engine:invoke("1").status)
      assert.equal(200, sts().status)
    end)

    it("refuses a wrong secret", function()
      local sqs, lambda = both({ secret = "wrong" }, 403, "InvalidSignatureException", 403, "InvalidSignatureException")
      assert.matches("does not match the signature you provided", sqs)
      assert.equal(sqs, lambda)
    end)

    it("refuses a key that it does not know", function()
      local sqs, lambda = both({ key = "AKIDUNKNOWN" }, 403, "UnrecognizedClientException", 403,
        "UnrecognizedClientException")
      assert.equal("The security token included in the request is invalid.", sqs)
      assert.equal(sqs, lambda)
    end)

    it("refuses who has not signed", function()
      local _, lambda = both({ unsigned = true }, 403, "AccessDeniedException", 403,
        "MissingAuthenticationTokenException")
      assert.equal("Missing Authentication Token", lambda)
    end)

    it("refuses an Authorization that is none", function()
      both({ authorization = "AWS4-HMAC-SHA256 nonsense" }, 400, "IncompleteSignatureException", 400,
        "IncompleteSignatureException")
    end)

    it("refuses another region and another service", function()
      local sqs = both({ region = "mars-north-1" }, 403, "InvalidSignatureException", 403, "InvalidSignatureException")
      assert.equal("Credential should be scoped to a valid region, not 'mars-north-1'.", sqs)
      local answer = engine:sqs("ListQueues", {}, { service = "lambda" })
      assert.equal("Credential should be scoped to correct service: 'sqs'.", answer.json.message)
    end)

    it("allows a clock five minutes off for Lambda and fifteen for SQS", function()
      for _, age in ipairs { 4 * 60, -4 * 60 } do
        assert.equal(200, engine:invoke("1", { age = age }).status)
      end
      for _, age in ipairs { 14 * 60, -14 * 60 } do
        assert.equal(200, engine:sqs("ListQueues", {}, { age = age }).status)
        assert.equal(403, engine:invoke("1", { age = age }).status)
      end
      local sqs, lambda = both({ age = 16 * 60 }, 403, "InvalidSignatureException", 403, "InvalidSignatureException")
      local date = "%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ"
      local form = "^Signature expired: " .. date .. " is now earlier than " .. date .. " %(" .. date .. " %- "
      assert.matches(form .. "15 min%.%)$", sqs)
      assert.matches(form .. "5 min%.%)$", lambda)
      sqs = both({ age = -16 * 60 }, 403, "InvalidSignatureException", 403, "InvalidSignatureException")
      assert.matches("^Signature not yet current: .* is still later than .* %+ 15 min%.%)$", sqs)
    end)

    it("knows the workers by their temporary credentials, but only with the token", function()
      local world = engine:invoke({ act = "info" }).json.environment
      local key, secret, token = world.AWS_ACCESS_KEY_ID, world.AWS_SECRET_ACCESS_KEY, world.AWS_SESSION_TOKEN
      assert.matches("^ASIA", key)
      assert.equal(200, engine:invoke("1", { key = key, secret = secret, token = token }).status)
      for _, wrong in ipairs { token .. "x", false } do
        local answer = engine:invoke("1", { key = key, secret = secret, token = wrong or nil })
        assert.equal(403, answer.status)
        assert.equal("UnrecognizedClientException", answer.headers["x-amzn-errortype"])
      end
      local answer = sts { key = key, secret = secret, token = token }
      assert.equal("arn:aws:sts::123456789012:assumed-role/fake-role/fake", answer.body:match "<Arn>(.-)</Arn>")
    end)

    it("survives requests that are none", function()
      for _, text in ipairs { "\r\n\r\n", "GET\r\n\r\n", ("x"):rep(200000),
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET // HTTP/1.1\r\n\r\n",
        "GET /%zz?%zz=%zz HTTP/1.1\r\nAuthorization: \r\n\r\n",
        "POST /2015-03-31/functions//invocations HTTP/1.1\r\nContent-Length: 0\r\n\r\n" } do
        local connection = assert(socket.connect("127.0.0.1", engine.port))
        connection:settimeout(0.2)
        connection:send(text)
        connection:receive "*a"
        connection:close()
      end
      assert.equal(200, engine:invoke("1").status)
    end)
  end)

  describe("as STS", function()
    before_each(function() engine = assert(E.start { account = "999988887777" }) end)

    it("says who calls", function()
      local answer = sts()
      assert.equal(200, answer.status)
      assert.equal("text/xml", answer.headers["content-type"])
      assert.equal("999988887777", answer.body:match "<Account>(.-)</Account>")
      assert.equal("arn:aws:iam::999988887777:user/awsync", answer.body:match "<Arn>(.-)</Arn>")
      assert.equal(engine.key, answer.body:match "<UserId>(.-)</UserId>")
      assert.equal(answer.headers["x-amzn-requestid"], answer.body:match "<RequestId>(.-)</RequestId>")
    end)

    it("has errors of its own", function()
      local function code(how)
        local answer = sts(how)
        return answer.body:match "<Code>(.-)</Code>", answer.status
      end
      assert.same({ "SignatureDoesNotMatch", 403 }, { code { secret = "wrong" } })
      assert.same({ "InvalidClientTokenId", 403 }, { code { key = "AKIDUNKNOWN" } })
      assert.same({ "MissingAuthenticationToken", 403 }, { code { unsigned = true } })
      assert.same({ "InvalidAction", 400 }, { code { body = "Action=No%3CSuch&Version=2011-06-15" } })
      assert.same({ "MissingAction", 400 }, { code { body = "Version=2011-06-15" } })
      assert.matches("No&lt;Such", sts({ body = "Action=No%3CSuch&Version=2011-06-15" }).body)
    end)
  end)

  local receive = { ["X-Amz-Target"] = "AmazonSQS.ReceiveMessage", ["Content-Type"] = "application/x-amz-json-1.0" }

  it("notices a client that leaves during a long poll", function()
    engine = assert(E.start { function_name = false })
    local url = engine:sqs("CreateQueue", { QueueName = "q" }).json.QueueUrl
    local target = { service = "sqs", target = "/",
      body = '{"QueueUrl":"' .. url .. '","WaitTimeSeconds":20,"VisibilityTimeout":600}',
      headers = receive }
    local gone = engine:send(target)
    socket.sleep(0.1)
    gone:close()
    socket.sleep(0.1)
    -- The message must be there for the next receiver, not lost on the dead one.
    engine:sqs("SendMessage", { QueueUrl = url, MessageBody = "hello" })
    local answer = engine:sqs("ReceiveMessage", { QueueUrl = url })
    assert.equal("hello", answer.json.Messages[1].Body)
    assert.equal(1, engine:figures().queues)
  end)

  it("stops with long polls pending", function()
    engine = assert(E.start { function_name = false })
    local url = engine:sqs("CreateQueue", { QueueName = "q" }).json.QueueUrl
    local waiting = {}
    for i = 1, 10 do
      waiting[i] = engine:send { service = "sqs", target = "/",
        body = '{"QueueUrl":"' .. url .. '","WaitTimeSeconds":20}',
        headers = receive }
    end
    socket.sleep(0.1)
    local before = socket.gettime()
    engine:stop()
    assert.is_true(socket.gettime() - before < 1 * patience)
    for _, connection in ipairs(waiting) do
      connection:close()
    end
  end)

  it("reads function names in all their forms", function()
    local function name(text) return { probe.name(text) } end
    assert.same({ "f", "", "", "" }, name "f")
    assert.same({ "f", "live", "", "" }, name "f:live")
    assert.same({ "f", "$LATEST", "", "" }, name "f:$LATEST")
    assert.same({ "f", "", "", "123456789012" }, name "123456789012:function:f")
    assert.same({ "f", "3", "", "123456789012" }, name "123456789012:function:f:3")
    assert.same({ "f", "", "us-east-1", "123456789012" }, name "arn:aws:lambda:us-east-1:123456789012:function:f")
    assert.same({ "f", "v", "us-gov-west-1", "123456789012" },
      name "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:v")
    for _, text in ipairs { "", "a b", "f:", ":f", "f:a:b", "arn:aws:sqs:us-east-1:123456789012:function:f", "f:$OTHER",
      ("x"):rep(65), "f:" .. ("x"):rep(129), ("a:"):rep(200) } do
      assert.same({}, name(text), text)
    end
  end)
end)
