-- Injected faults, as a client without any retries of its own sees them.
local E = require "spec.support.engine"
local probe = require "probe.engine"
local socket = require "socket"

local function start(fault, options)
  options = options or { function_name = false, command = false }
  options.fault = fault
  return assert(E.start(options))
end

-- A call of SQS on a connection of its own: the answer, or nil and what the client has read before the end.
local function call(engine, operation, input)
  local good, answer = pcall(engine.sqs, engine, operation, input or {})
  if good then return answer end
  assert(tostring(answer):find "closed", answer)
  return nil
end

local function queue(engine, name)
  return engine:sqs("CreateQueue", { QueueName = name or "q" }).json.QueueUrl
end

describe("fault specifications", function()
  it("give the same fates for the same seed, and others for another", function()
    local rates = ",drop=0.1,error=0.1,throttle=0.1,cut=0.1,delay=0.1:1ms,duplicate=0.1"
    local first = probe.fates("seed=7" .. rates, 200)
    assert.same(first, probe.fates("seed=7" .. rates, 200))
    assert.not_same(first, probe.fates("seed=8" .. rates, 200))
    assert.same(probe.fates("seed=1,drop=0.5", 200), probe.fates("drop=0.5", 200))
  end)

  it("are met in their rates", function()
    local counts = { drop = 0, error = 0, throttle = 0, cut = 0, delay = 0, twice = 0, none = 0 }
    for _, fate in ipairs(probe.fates("drop=0.1,error=0.15,throttle=0.2,cut=0.05,delay=0.3:1ms,duplicate=0.4", 1000)) do
      for word in fate:gmatch "%a+" do counts[word] = counts[word] + 1 end
      if not fate:find "^%a" then counts.none = counts.none + 1 end
    end
    -- Four standard deviations of 1000 throws are 63 at most.
    local expected_counts = { drop = 100, error = 150, throttle = 200, cut = 50, delay = 300, twice = 400, none = 500 }
    for word, expected in pairs(expected_counts) do
      assert.near(expected, counts[word], 63, word)
    end
  end)

  it("are sure at rate 1 and impossible at rate 0", function()
    for _, fate in ipairs(probe.fates("drop=1,delay=1:1s,duplicate=1", 100)) do
      assert.equal("drop+delay+twice", fate)
    end
    for _, fate in ipairs(probe.fates("drop=0,delay=0:1s,duplicate=0", 100)) do assert.equal("", fate) end
    for _, fate in ipairs(probe.fates("seed=3", 100)) do assert.equal("", fate) end
  end)

  for spec, message in pairs {
    [""] = '"" is no name=value', ["drop"] = '"drop" is no name=value', ["drop=0.1,"] = '"" is no name=value',
    ["drop="] = 'drop is a rate from 0 to 1, not ""', ["drop=1.1"] = 'drop is a rate from 0 to 1, not "1.1"',
    ["drop=-1"] = 'drop is a rate from 0 to 1, not "-1"', ["error=0.1x"] = 'error is a rate from 0 to 1, not "0.1x"',
    ["cut=nan"] = 'cut is a rate from 0 to 1, not "nan"', ["throttle=0.1:1s"] = "throttle is a rate from 0 to 1",
    ["delay=0.1"] = "delay is RATE:TIME", ["delay=0.1:5"] = "delay is RATE:TIME",
    ["delay=0.1:0ms"] = "delay is RATE:TIME",
    ["delay=0.1:601s"] = "delay is RATE:TIME", ["delay=0.1:1m"] = "delay is RATE:TIME",
    ["seed=x"] = 'seed is a whole number, not "x"', ["seed=-1"] = "seed is a whole number",
    ["seed=99999999999999999999"] = "seed is a whole number", ["only="] = '"" is none',
    ["only=SendMessage+Foo"] = 'only names operations of SQS and Invoke, and "Foo" is none',
    ["drop=0.1,drop=0.1"] = "drop is there twice", ["seed=1,seed=1"] = "seed is there twice",
    ["drop=0.5,cut=0.6"] = "drop, error, throttle and cut are more than 1 together",
    ["lose=1"] = 'there is no fault "lose": it is drop, delay, error, throttle, duplicate or cut; besides seed and',
  } do
    it(("refuse %q"):format(spec), function()
      local fates, why = probe.fates(spec, 1)
      assert.is_nil(fates)
      assert.equal(1, why:find(message, 1, true) and 1, why)
    end)
  end
end)

describe("the engine with faults", function()
  after_each(E.stop_all)

  it("drops an answer after the effect", function()
    local engine = start "drop=1,only=SendMessage"
    local url = queue(engine)
    for _ = 1, 3 do assert.is_nil(call(engine, "SendMessage", { QueueUrl = url, MessageBody = "a" })) end
    assert.equal(3, #engine:sqs("ReceiveMessage", { QueueUrl = url, MaxNumberOfMessages = 10 }).json.Messages)
    assert.equal(3, engine.handle:faults().drop)
  end)

  it("drops answers that come late, too", function()
    local engine = start "drop=1,only=ReceiveMessage"
    local url = queue(engine)
    local started = socket.gettime()
    assert.is_nil(call(engine, "ReceiveMessage", { QueueUrl = url, WaitTimeSeconds = 1 }))
    assert.is_true(socket.gettime() - started > 0.8)
  end)

  it("cuts connections, before the effect and within the answer", function()
    local engine = start "seed=5,cut=1,only=SendMessage"
    local url = queue(engine)
    local partial, sent = 0, 40
    for _ = 1, sent do
      local connection = engine:send { target = "/", service = "sqs",
        body = ('{"QueueUrl":"%s","MessageBody":"a"}'):format(url), headers = {
          ["X-Amz-Target"] = "AmazonSQS.SendMessage", ["Content-Type"] = "application/x-amz-json-1.0" } }
      connection:settimeout(5)
      local all, why, text = connection:receive "*a"
      text = all or text
      assert.not_equal("timeout", why)
      if #text > 0 then
        local length, body = text:match "^HTTP/1.1 200 OK\r\nContent%-Length: (%d+)\r\n\r\n(.*)$"
        assert.is_true(#body > 0 and #body < tonumber(length), text)
        partial = partial + 1
      end
      connection:close()
    end
    assert.near(sent / 2, partial, 13)
    local name = "ApproximateNumberOfMessages"
    local count = engine:sqs("GetQueueAttributes", { QueueUrl = url, AttributeNames = { name } })
    assert.equal(tostring(partial), count.json.Attributes[name])
    assert.equal(sent, engine.handle:faults().cut)
  end)

  it("delays calls, and others not", function()
    local engine = start "delay=1:300ms,only=ListQueues"
    queue(engine)
    assert.equal(0, engine.handle:faults().delay)
    local first = engine:send { target = "/", service = "sqs", body = "{}", headers = {
      ["X-Amz-Target"] = "AmazonSQS.ListQueues" } }
    local started = socket.gettime()
    assert.equal(1, #engine:sqs("ListQueues", {}).json.QueueUrls)
    assert.is_true(socket.gettime() - started > 0.25)
    assert.equal(2, engine.handle:faults().delay)
    assert.equal(200, E.receive(first).status)
    first:close()
  end)

  it("stops while calls are held up, and lets their clients leave", function()
    local engine = start "delay=1:10s,only=ListQueues"
    local held = {}
    for i = 1, 3 do
      held[i] = engine:send { target = "/", service = "sqs", body = "{}", headers = {
        ["X-Amz-Target"] = "AmazonSQS.ListQueues" } }
    end
    held[1]:close()
    queue(engine)
    assert.equal(3, engine.handle:faults().delay)
    engine:stop()
  end)

  it("fails and throttles calls in the words of SQS, without effect", function()
    local engine = start "seed=2,error=0.5,throttle=0.5,only=SendMessage"
    local url = queue(engine)
    local seen = {}
    for _ = 1, 30 do
      local answer = call(engine, "SendMessage", { QueueUrl = url, MessageBody = "a" })
      seen[answer.status .. " " .. answer.json.__type:match "#(.*)$"] = true
    end
    assert.same({ ["500 InternalFailure"] = true, ["503 ServiceUnavailable"] = true, ["403 RequestThrottled"] = true },
      seen)
    assert.same({}, engine:sqs("ReceiveMessage", { QueueUrl = url }).json)
    local faults = engine.handle:faults()
    assert.equal(30, faults.error + faults.throttle)
    assert.is_nil(engine.handle:usage().SendMessage)
  end)

  it("fails and throttles in XML for clients of the query protocol", function()
    local engine = start "throttle=1,only=ListQueues"
    local answer = engine:request { target = "/", service = "sqs", body = "Action=ListQueues&Version=2012-11-05",
      headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } }
    assert.equal(403, answer.status)
    assert.truthy(answer.body:find("<Code>RequestThrottled</Code>", 1, true))
  end)

  it("fails and throttles in the words of Lambda, and runs nothing", function()
    local engine = start("seed=2,error=0.5,throttle=0.5", {})
    local seen = {}
    for _ = 1, 30 do
      local answer = engine:invoke "1"
      seen[answer.status .. " " .. answer.headers["x-amzn-errortype"]] = true
    end
    assert.same({ ["500 ServiceException"] = true, ["503 ServiceUnavailable"] = true,
      ["429 TooManyRequestsException"] = true }, seen)
    assert.equal(0, engine:figures().invocations)
  end)

  it("delivers messages of standard queues twice, with one message id, and those of FIFO queues once", function()
    local engine = start "duplicate=1"
    local url = queue(engine)
    local fifo = engine:sqs("CreateQueue", { QueueName = "q.fifo", Attributes = { FifoQueue = "true" } }).json.QueueUrl
    local sent = engine:sqs("SendMessageBatch", { QueueUrl = url, Entries = { { Id = "1", MessageBody = "a" },
      { Id = "2", MessageBody = "b" } } }).json.Successful
    engine:sqs("SendMessage", { QueueUrl = fifo, MessageBody = "c", MessageGroupId = "g",
      MessageDeduplicationId = "d" })
    local count = {}
    for _, m in ipairs(engine:sqs("ReceiveMessage", { QueueUrl = url, MaxNumberOfMessages = 10 }).json.Messages) do
      count[m.MessageId] = (count[m.MessageId] or 0) + 1
    end
    assert.same({ [sent[1].MessageId] = 2, [sent[2].MessageId] = 2 }, count)
    assert.equal(1, #engine:sqs("ReceiveMessage", { QueueUrl = fifo, MaxNumberOfMessages = 10 }).json.Messages)
    assert.equal(2, engine.handle:faults().duplicate)
  end)

  it("delivers asynchronous events twice, with one request id, and runs synchronous calls once", function()
    local engine = start("duplicate=1", {})
    engine:invoke "1"
    assert.equal(202, engine:invoke({ act = "print", lines = { "ran" } }, { type = "Event" }).status)
    assert.is_true(engine:wait_idle())
    local ids = {}
    for _, line in ipairs(engine:log()) do
      if line[1] == "ran" then ids[#ids + 1] = line.id end
    end
    assert.equal(2, #ids)
    assert.equal(ids[1], ids[2])
    assert.equal(3, engine:figures().invocations)
  end)

  it("spares STS, refused signatures and operations that were not named", function()
    local engine = start "throttle=1,only=SendMessage"
    assert.equal(200, engine:request({ target = "/", service = "sts",
      body = "Action=GetCallerIdentity&Version=2011-06-15" }).status)
    assert.equal("InvalidSignatureException",
      engine:sqs("SendMessage", {}, { secret = "wrong" }).json.__type:match "#(.*)$")
    assert.equal(200, engine:sqs("ListQueues", {}).status)
    assert.equal(0, engine.handle:faults().throttle)
  end)

  it("meets the same calls with the same faults each time", function()
    local function run()
      local engine = start "seed=11,drop=0.2,error=0.2,throttle=0.2,cut=0.2,only=ListQueues"
      local out = {}
      for i = 1, 40 do
        local answer = call(engine, "ListQueues")
        out[i] = answer and answer.status or 0
      end
      engine:stop()
      return out
    end
    assert.same(run(), run())
  end)
end)
