-- Asynchronous events as Lambda handles them: retries, age, throttling, destinations, and the API that sets them.
local E = require "spec.support.engine"
local cjson = require "cjson"
local socket = require "socket"

local ARN = "arn:aws:lambda:us-east-1:123456789012:function:fake"
local FAILED = "arn:aws:sqs:us-east-1:123456789012:failed"
local DONE = "arn:aws:sqs:us-east-1:123456789012:done"
local CONFIG = { date = "2019-09-25", path = "/event-invoke-config" }
local CONCURRENCY = { date = "2017-10-31", path = "/concurrency" }

describe("the engine's asynchronous events", function()
  local engine

  local function start(options)
    engine = assert(E.start(options))
  end
  after_each(E.stop_all)

  local function call(method, operation, body, name)
    return engine:request { service = "lambda", method = method, body = body and cjson.encode(body) or nil,
      target = ("/%s/functions/%s%s"):format(operation.date, name or "fake", operation.path) }
  end

  local function refused(answer, status, kind)
    assert.equal(status, answer.status, answer.body)
    assert.equal(kind, answer.headers["x-amzn-errortype"])
    return answer.json.message
  end

  local function configure(body)
    local answer = call("PUT", CONFIG, body)
    assert.equal(200, answer.status, answer.body)
    return answer.json
  end

  local function reserve(count)
    local answer = call("PUT", CONCURRENCY, { ReservedConcurrentExecutions = count })
    assert.equal(200, answer.status, answer.body)
    return answer.json
  end

  local function event(what)
    local answer = engine:invoke(what, { type = "Event" })
    assert.equal(202, answer.status, answer.body)
    return answer.headers["x-amzn-requestid"]
  end

  local function make_queue(name)
    return assert(engine:sqs("CreateQueue", { QueueName = name }).json.QueueUrl)
  end

  -- The one record that a queue has got by now; nil when it has none.
  local function record(url)
    local messages = engine:sqs("ReceiveMessage", { QueueUrl = url, MaxNumberOfMessages = 10 }).json.Messages or {}
    assert.is_true(#messages <= 1)
    return messages[1] and cjson.decode(messages[1].Body)
  end

  local function starts(id)
    local count = 0
    for _, line in ipairs(engine:log()) do
      if line[1]:find("START RequestId: " .. id, 1, true) then count = count + 1 end
    end
    return count
  end

  it("sends the record of an event that failed for good to its queue, in AWS's form", function()
    start { retry_wait_ms = 20 }
    local url = make_queue "failed"
    configure { MaximumRetryAttempts = 2, DestinationConfig = { OnFailure = { Destination = FAILED } } }
    local id = event { act = "error", message = "gone wrong", big = 5 }
    assert.is_true(engine:wait_idle())
    assert.equal(3, starts(id))
    local got = record(url)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", got.timestamp)
    got.timestamp = nil
    assert.same({
      version = "1.0",
      requestContext = { requestId = id, functionArn = ARN .. ":$LATEST", condition = "RetriesExhausted",
        approximateInvokeCount = 3 },
      requestPayload = { act = "error", message = "gone wrong", big = 5 },
      responseContext = { statusCode = 200, executedVersion = "$LATEST", functionError = "Unhandled" },
      responsePayload = { errorMessage = "gone wrong", errorType = "Mine" },
    }, got)
    event { act = "hang", seconds = 0 }
    assert.is_true(engine:wait_idle())
    assert.is_nil(record(url))
  end)

  it("sends the record of an event that succeeded to the other one", function()
    start()
    local failed, done = make_queue "failed", make_queue "done"
    configure { DestinationConfig = { OnFailure = { Destination = FAILED }, OnSuccess = { Destination = DONE } } }
    local id = event { n = 1.5 }
    assert.is_true(engine:wait_idle())
    local got = record(done)
    assert.same({ requestId = id, functionArn = ARN .. ":$LATEST", condition = "Success", approximateInvokeCount = 1 },
      got.requestContext)
    assert.same({ statusCode = 200, executedVersion = "$LATEST" }, got.responseContext)
    assert.same({ n = 1.5 }, got.responsePayload)
    assert.is_nil(record(failed))
  end)

  it("keeps a record of what is no JSON, and notes a queue that is not there", function()
    start { on_failure = "failed" }
    local done = make_queue "done"
    configure { DestinationConfig = { OnSuccess = { Destination = DONE }, OnFailure = { Destination = FAILED } } }
    event { act = "nothing" }
    assert.is_true(engine:wait_idle())
    assert.equal(cjson.null, record(done).responsePayload)
    local id = event { act = "error", message = "no" }
    assert.equal(id, engine:await_line("the record of event (%S+) could not be sent to " .. FAILED:gsub("%-", "%%-")))
    assert.is_true(engine:wait_idle())
  end)

  it("can be started with retries, a reserved concurrency and a queue", function()
    start { max_retries = 1, retry_wait_ms = 20, reserved = 5, on_failure = "failed" }
    local url = make_queue "failed"
    event { act = "error", message = "no" }
    assert.is_true(engine:wait_idle())
    assert.equal(2, record(url).requestContext.approximateInvokeCount)
    assert.equal(5, call("GET", { date = "2019-09-30", path = "/concurrency" }).json.ReservedConcurrentExecutions)
    assert.is_nil((E.start { reserved = -1 }))
  end)

  it("waits before a retry, and longer before the second", function()
    start { max_retries = 2, retry_wait_ms = 200 }
    local before = socket.gettime()
    event { act = "error", message = "no" }
    assert.is_true(engine:wait_idle())
    assert.is_true(socket.gettime() - before >= 0.4)
  end)

  it("gives up an event whose next attempt would come after its time", function()
    start { max_retries = 2, retry_wait_ms = 5000, event_age_ms = 1000, on_failure = "failed" }
    local url = make_queue "failed"
    local before = socket.gettime()
    event { act = "error", message = "no" }
    assert.is_true(engine:wait_idle())
    assert.is_true(socket.gettime() - before < 3)
    local got = record(url)
    assert.equal("EventAgeExceeded", got.requestContext.condition)
    assert.equal(1, got.requestContext.approximateInvokeCount)
    assert.equal("no", got.responsePayload.errorMessage)
  end)

  it("does not run an event that has waited too long for a worker", function()
    start { concurrency = 1, event_age_ms = 300, on_failure = "failed" }
    local url = make_queue "failed"
    local running = engine:begin { act = "hang", seconds = 0.8 }
    assert.is_truthy(engine:await_line "START")
    local id = event { act = "print", lines = { "late" } }
    assert.equal(200, E.receive(running).status)
    assert.is_true(engine:wait_idle())
    assert.equal(0, starts(id))
    local got = record(url)
    assert.equal("EventAgeExceeded", got.requestContext.condition)
    assert.equal(0, got.requestContext.approximateInvokeCount)
    assert.is_nil(got.responseContext)
    assert.is_truthy(engine:await_line("event " .. id:gsub("%-", "%%-") .. " is given up: EventAgeExceeded"))
    local figures = engine:figures()
    assert.same({ 2, 1, 1, 0 }, { figures.invocations, figures.failed, figures.failed_events, figures.pending })
  end)

  it("throttles calls over the reserved concurrency with a reason of their own", function()
    start()
    assert.same({ ReservedConcurrentExecutions = 1 }, reserve(1))
    local running = engine:begin { act = "hang", seconds = 0.4 }
    assert.is_truthy(engine:await_line "START")
    local answer = engine:invoke "1"
    assert.equal("Rate Exceeded.", refused(answer, 429, "TooManyRequestsException"))
    assert.equal("ReservedFunctionConcurrentInvocationLimitExceeded", answer.json.Reason)
    assert.equal(200, E.receive(running).status)
    assert.equal(200, engine:invoke("1").status)
    assert.equal(1, engine:figures().workers)
  end)

  it("sends throttled events back to the queue and runs them all, never over the limit", function()
    start { throttle_wait_ms = 20, throttle_wait_max_ms = 80 }
    reserve(2)
    for _ = 1, 12 do event { act = "hang", seconds = 0.05 } end
    assert.is_true(engine:wait_idle())
    local running, most = 0, 0
    for _, line in ipairs(engine:log()) do
      if line[1]:find "^START" then running = running + 1 end
      if line[1]:find "^END" then running = running - 1 end
      most = math.max(most, running)
    end
    assert.equal(2, most)
    assert.same({ 12, 0 }, { engine:figures().invocations, engine:figures().failed })
  end)

  it("lets the wait of a throttled event grow", function()
    start { throttle_wait_ms = 100, throttle_wait_max_ms = 10000 }
    reserve(1)
    local running = engine:begin { act = "hang", seconds = 0.35 }
    assert.is_truthy(engine:await_line "START")
    local before = socket.gettime()
    event { act = "print", lines = { "at last" } }
    assert.equal(200, E.receive(running).status)
    assert.is_truthy(engine:await_line "^(at last)$")
    -- Tried after 100 ms, after 200 more, after 400 more: the function has been free since 350 ms.
    local took = socket.gettime() - before
    assert.is_true(took >= 0.69 and took < 1.4, took)
  end)

  it("gives up a throttled event at its greatest age", function()
    start { throttle_wait_ms = 50, event_age_ms = 400, on_failure = "failed" }
    local url = make_queue "failed"
    reserve(1)
    local running = engine:begin { act = "hang", seconds = 1 }
    assert.is_truthy(engine:await_line "START")
    local before = socket.gettime()
    local id = event {}
    assert.is_truthy(engine:await_line("event " .. id:gsub("%-", "%%-") .. " is given up: EventAgeExceeded"))
    local took = socket.gettime() - before
    assert.is_true(took >= 0.4 and took < 0.9, took)
    assert.equal("EventAgeExceeded", record(url).requestContext.condition)
    assert.equal(200, E.receive(running).status)
  end)

  it("gives up every event at a reserved concurrency of 0, those that wait too", function()
    start { concurrency = 1, on_failure = "failed" }
    local url = make_queue "failed"
    local running = engine:begin { act = "hang", seconds = 0.3 }
    assert.is_truthy(engine:await_line "START")
    local id = event {}
    reserve(0)
    local got = record(url)
    assert.equal("ZeroReservedConcurrency", got.requestContext.condition)
    assert.equal(id, got.requestContext.requestId)
    assert.equal(200, E.receive(running).status)
    assert.equal("ReservedFunctionConcurrentInvocationLimitExceeded", engine:invoke("1").json.Reason)
    event {}
    assert.is_true(engine:wait_idle(0.5))
    assert.equal(204, call("DELETE", CONCURRENCY).status)
    assert.equal(200, engine:invoke("1").status)
  end)

  it("stops with events that wait for their time", function()
    start { max_retries = 1 }
    event { act = "error", message = "no" }
    reserve(1)
    event { act = "hang", seconds = 5 }
    event {}
    assert.equal(3, engine:figures().pending)
    engine:stop()
  end)

  describe("'s API", function()
    before_each(function() start() end)

    it("stores, changes and deletes the event invoke config", function()
      assert.equal(("The function %s:$LATEST doesn't have an EventInvokeConfig"):format(ARN),
        refused(call("GET", CONFIG), 404, "ResourceNotFoundException"))
      refused(call("DELETE", CONFIG), 404, "ResourceNotFoundException")
      refused(call("POST", CONFIG, { MaximumRetryAttempts = 1 }), 404, "ResourceNotFoundException")
      local first = configure { MaximumRetryAttempts = 1, DestinationConfig = { OnFailure = { Destination = FAILED } } }
      assert.is_true(math.abs(first.LastModified - socket.gettime()) < 60)
      assert.same({ LastModified = first.LastModified, FunctionArn = ARN .. ":$LATEST", MaximumRetryAttempts = 1,
        DestinationConfig = { OnFailure = { Destination = FAILED }, OnSuccess = {} } }, first)
      assert.same(first, call("GET", CONFIG).json)
      local second = call("POST", CONFIG, { MaximumEventAgeInSeconds = 60 }).json
      assert.same({ 1, 60, FAILED }, { second.MaximumRetryAttempts, second.MaximumEventAgeInSeconds,
        second.DestinationConfig.OnFailure.Destination })
      local third = configure { MaximumEventAgeInSeconds = 21600 }
      assert.is_nil(third.MaximumRetryAttempts)
      assert.is_nil(third.DestinationConfig.OnFailure.Destination)
      assert.equal(204, call("DELETE", CONFIG).status)
      refused(call("GET", CONFIG), 404, "ResourceNotFoundException")
    end)

    it("refuses settings that AWS refuses", function()
      local function message(kind, body)
        return refused(call("PUT", CONFIG, body), 400, kind)
      end
      assert.matches("at least one of error handling or destination setting",
        message("InvalidParameterValueException", nil))
      assert.equal("1 validation error detected: Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: " ..
        "Member must have value less than or equal to 2", message("ValidationException", { MaximumRetryAttempts = 3 }))
      assert.matches("greater than or equal to 0$", message("ValidationException", { MaximumRetryAttempts = -1 }))
      assert.matches("greater than or equal to 60$", message("ValidationException", { MaximumEventAgeInSeconds = 59 }))
      assert.matches("less than or equal to 21600$",
        message("ValidationException", { MaximumEventAgeInSeconds = 21601 }))
      message("SerializationException", { MaximumRetryAttempts = "1" })
      local function destination(arn)
        return { DestinationConfig = { OnFailure = { Destination = arn } } }
      end
      assert.matches("Value 'failed' at 'destinationConfig.onFailure.destination'",
        message("ValidationException", destination "failed"))
      for _, arn in ipairs { FAILED .. ".fifo", "arn:aws:sqs:eu-west-1:123456789012:failed",
        "arn:aws:sns:us-east-1:123456789012:failed", "arn:aws:sqs:us-east-1:123456789012:" } do
        assert.matches("standard SQS queues", message("InvalidParameterValueException", destination(arn)))
      end
      refused(engine:request { service = "lambda", method = "PUT", body = "{",
        target = "/2019-09-25/functions/fake/event-invoke-config" }, 400, "InvalidRequestContentException")
      refused(call("PUT", CONFIG, { MaximumRetryAttempts = 1 }, "nobody"), 404, "ResourceNotFoundException")
      refused(call("GET", CONFIG), 404, "ResourceNotFoundException")
    end)

    it("stores and deletes the reserved concurrency", function()
      local read = { date = "2019-09-30", path = "/concurrency" }
      assert.equal("{}", call("GET", read).body)
      assert.same({ ReservedConcurrentExecutions = 7 }, reserve(7))
      assert.same({ ReservedConcurrentExecutions = 7 }, call("GET", read).json)
      local whole = call("GET", { date = "2015-03-31", path = "" }).json
      assert.same({ ReservedConcurrentExecutions = 7 }, whole.Concurrency)
      assert.equal(204, call("DELETE", CONCURRENCY).status)
      assert.equal(204, call("DELETE", CONCURRENCY).status)
      assert.equal("{}", call("GET", read).body)
    end)

    it("refuses a reserved concurrency that AWS refuses", function()
      assert.matches("below its minimum value of %[100%]", refused(call("PUT", CONCURRENCY,
        { ReservedConcurrentExecutions = 901 }), 400, "InvalidParameterValueException"))
      refused(call("PUT", CONCURRENCY, { ReservedConcurrentExecutions = -1 }), 400, "ValidationException")
      refused(call("PUT", CONCURRENCY, {}), 400, "ValidationException")
      for _, method in ipairs { "PUT", "DELETE" } do
        assert.matches("Aliases and versions", refused(call(method, CONCURRENCY, { ReservedConcurrentExecutions = 1 },
          "fake%3A%24LATEST"), 400, "InvalidParameterValueException"))
      end
      refused(call("GET", CONCURRENCY), 404, "UnknownOperationException")
    end)

    it("describes its one function", function()
      local answer = call("GET", { date = "2015-03-31", path = "/configuration" })
      assert.equal(200, answer.status)
      local function described(one)
        return { one.FunctionName, one.FunctionArn, one.Handler, one.Timeout, one.MemorySize, one.State }
      end
      assert.same({ "fake", ARN, "main.main", 10, 128, "Active" }, described(answer.json))
      assert.is_nil(answer.json.Environment)
      answer = call("GET", { date = "2015-03-31", path = "" }, nil, "fake%3A%24LATEST")
      assert.same({ "fake", ARN .. ":$LATEST", "main.main", 10, 128, "Active" }, described(answer.json.Configuration))
      refused(call("GET", { date = "2015-03-31", path = "" }, nil, "nobody"), 404, "ResourceNotFoundException")
      refused(call("GET", { date = "2016-03-31", path = "" }), 404, "UnknownOperationException")
    end)
  end)
end)
