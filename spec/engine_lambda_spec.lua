-- Lambda's Invoke: what it answers and what it refuses.
local E = require "spec.support.engine"
local socket = require "socket"
local mime = require "mime"

describe("the engine's Lambda", function()
  local engine
  before_each(function() engine = assert(E.start {}) end)
  after_each(E.stop_all)

  local function refused(answer, status, kind)
    assert.equal(status, answer.status)
    assert.equal(kind, answer.headers["x-amzn-errortype"])
    return answer.json.message
  end

  it("runs a function and returns its answer as it is", function()
    local answer = engine:invoke '{ "n": 9007199254740993 , "f":0.1}'
    assert.equal(200, answer.status)
    assert.equal("application/json", answer.headers["content-type"])
    assert.equal("$LATEST", answer.headers["x-amz-executed-version"])
    assert.is_nil(answer.headers["x-amz-function-error"])
    assert.is_nil(answer.headers["x-amz-log-result"])
    assert.equal("", engine:invoke({ act = "nothing" }).body)
  end)

  it("gives an invocation without payload an empty object", function()
    assert.equal("{}", engine:invoke("").body)
  end)

  it("finds the function by every form of its name", function()
    for _, name in ipairs { "fake", "fake%3A%24LATEST", "123456789012%3Afunction%3Afake",
      "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Afake",
      "arn:aws:lambda:us-east-1:123456789012:function:fake" } do
      assert.equal(200, engine:invoke("1", { name = name }).status)
    end
    assert.equal(200, engine:invoke("1", { query = "?Qualifier=%24LATEST" }).status)
  end)

  it("says which function it does not know", function()
    assert.equal("Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST",
      refused(engine:invoke("1", { name = "nobody" }), 404, "ResourceNotFoundException"))
    assert.equal("Function not found: arn:aws:lambda:us-east-1:123456789012:function:fake:live",
      refused(engine:invoke("1", { query = "?Qualifier=live" }), 404, "ResourceNotFoundException"))
    refused(engine:invoke("1", { name = "fake%3Aa", query = "?Qualifier=b" }), 400, "InvalidParameterValueException")
    refused(engine:invoke("1", { name = "a%20b" }), 400, "ValidationException")
    refused(engine:invoke("1", { query = "?Qualifier=a%20b" }), 400, "ValidationException")
    refused(engine:invoke("1", { name = "210987654321%3Afunction%3Afake" }), 403, "AccessDeniedException")
    refused(engine:invoke("1", { name = "arn:aws:lambda:eu-west-1:123456789012:function:fake" }), 404,
      "ResourceNotFoundException")
    refused(engine:invoke("1", { target = "/2015-03-31/functions/fake" }), 404, "UnknownOperationException")
    refused(engine:invoke("", { target = "/2015-03-31/functions/fake/invocations", method = "GET" }), 404,
      "UnknownOperationException")
  end)

  it("checks a dry run and runs nothing", function()
    local answer = engine:invoke({}, { type = "DryRun" })
    assert.equal(204, answer.status)
    assert.equal("", answer.body)
    refused(engine:invoke("{", { type = "DryRun" }), 400, "InvalidRequestContentException")
    assert.equal(0, engine:figures().workers)
    assert.equal(0, engine:figures().invocations)
  end)

  it("accepts an event at once and runs it later", function()
    local before = socket.gettime()
    local answer = engine:invoke({ act = "hang", seconds = 0.5 }, { type = "Event" })
    assert.equal(202, answer.status)
    assert.equal("", answer.body)
    assert.equal(1, engine:figures().pending) -- it still runs
    assert.is_false(engine:wait_idle(0.05))
    assert.is_true(engine:wait_idle())
    assert.is_true(socket.gettime() - before > 0.45)
    local figures = engine:figures()
    assert.same({ 1, 0, 0 }, { figures.invocations, figures.failed, figures.pending })
    local id = answer.headers["x-amzn-requestid"]
    assert.equal(id, engine:await_line "START RequestId: (%S+)")
  end)

  it("refuses another type of invocation and of log", function()
    assert.matches("Value 'Later' at 'invocationType'", refused(engine:invoke("1", { type = "Later" }), 400,
      "ValidationException"))
    local headers = { ["X-Amz-Log-Type"] = "Head" }
    assert.matches("Value 'Head' at 'logType'.*%[None, Tail%]$", refused(engine:invoke("1", { headers = headers }),
      400, "ValidationException"))
    headers = { ["X-Amz-Log-Type"] = "None" }
    assert.is_nil(engine:invoke("1", { headers = headers }).headers["x-amz-log-result"])
  end)

  it("refuses a payload that is no JSON", function()
    for _, text in ipairs { "{", "nope", "1 2", '"\xff"', "[1,]" } do
      local message = refused(engine:invoke(text), 400, "InvalidRequestContentException")
      assert.matches("^Could not parse request body into json: ", message)
      refused(engine:invoke(text, { type = "Event" }), 400, "InvalidRequestContentException")
    end
    assert.equal(0, engine:figures().workers)
  end)

  it("takes 6 MiB at once and 1 MiB as an event, and not a byte more", function()
    local limit = 6 * 1024 * 1024
    local payload = '"' .. ("x"):rep(limit - 2) .. '"'
    assert.equal(payload, engine:invoke(payload).body)
    assert.matches("^6291457 byte payload is too large for the RequestResponse",
      refused(engine:invoke(payload .. " "), 413, "RequestTooLargeException"))
    assert.matches("^20971520 byte payload is too large",
      refused(engine:invoke((" "):rep(20 * 1024 * 1024)), 413, "RequestTooLargeException"))
    payload = '"' .. ("x"):rep(1024 * 1024 - 2) .. '"'
    assert.equal(202, engine:invoke(payload, { type = "Event" }).status)
    refused(engine:invoke(payload .. " ", { type = "Event" }), 413, "RequestTooLargeException")
    assert.is_true(engine:wait_idle())
  end)

  it("passes an answer of 6 MiB and replaces one that is larger", function()
    assert.equal(6 * 1024 * 1024 + 100, #engine:invoke({ act = "big", bytes = 6 * 1024 * 1024 + 100 }).body)
    assert.equal("202", engine:await_line "^(%d%d%d)$")
    local answer = engine:invoke { act = "big", bytes = 6 * 1024 * 1024 + 101 }
    assert.equal(200, answer.status)
    assert.equal("Unhandled", answer.headers["x-amz-function-error"])
    assert.equal("Function.ResponseSizeTooLarge", answer.json.errorType)
    assert.equal("413", engine:await_line "^(413)$")
    assert.equal(200, engine:invoke("1").status)
    assert.equal(1, engine:figures().workers)
  end)

  it("returns the error that the runtime has posted", function()
    local answer = engine:invoke { act = "error", message = "gone wrong" }
    assert.equal(200, answer.status)
    assert.equal("Unhandled", answer.headers["x-amz-function-error"])
    assert.same({ errorMessage = "gone wrong", errorType = "Mine" }, answer.json)
    local figures = engine:figures()
    assert.same({ 1, 1, 0 }, { figures.invocations, figures.failed, figures.failed_events })
    assert.equal(1, figures.workers)
  end)

  it("returns the log tail when asked: START, what was written, END, REPORT", function()
    local answer = engine:invoke({ act = "print", lines = { "one", "two" }, rest = "no end" }, { tail = true })
    local id = answer.headers["x-amzn-requestid"]
    local tail = E.unbase64(answer.headers["x-amz-log-result"])
    local name = id:gsub("%-", "%%-")
    assert.matches("^START RequestId: " .. name .. " Version: %$LATEST\none\ntwo\n.*END RequestId: ", tail)
    assert.matches("\nREPORT RequestId: " .. name .. "\tDuration: %d+%.%d%d ms\tBilled Duration: %d+ ms\t" ..
      "Memory Size: 128 MB\tMax Memory Used: %d+ MB\tInit Duration: %d+%.%d%d ms\n$", tail)
    -- A warm worker has no init.
    tail = E.unbase64(engine:invoke("1", { tail = true }).headers["x-amz-log-result"])
    assert.is_nil(tail:find("Init Duration", 1, true))
  end)

  it("keeps the last 4 KB of a long log", function()
    local lines = {}
    for i = 1, 500 do lines[i] = ("line %d of a long log"):format(i) end
    local answer = engine:invoke({ act = "print", lines = lines }, { tail = true })
    local tail = E.unbase64(answer.headers["x-amz-log-result"])
    assert.equal(4096, #tail)
    assert.matches("line 499 of a long log\nline 500 of a long log\nEND RequestId: .*\nREPORT [^\n]*\n$", tail)
  end)

  it("hands client context, tenant and trace to the function", function()
    local answer = engine:invoke({ act = "info" }, { headers = {
      ["X-Amz-Client-Context"] = mime.b64 '{"custom":\n{"a":"b"}}', ["X-Amz-Tenant-Id"] = "tenant one",
      ["X-Amzn-Trace-Id"] = "Root=1-2-3;Sampled=1" } })
    local headers = answer.json.headers
    assert.equal('{"custom": {"a":"b"}}', headers["lambda-runtime-client-context"])
    assert.equal("tenant one", headers["lambda-runtime-aws-tenant-id"])
    assert.equal("Root=1-2-3;Sampled=1", headers["lambda-runtime-trace-id"])
    for _, text in ipairs { "%%%", (mime.b64 "{"), (mime.b64('"' .. ("x"):rep(4000) .. '"')) } do
      refused(engine:invoke("1", { headers = { ["X-Amz-Client-Context"] = text } }), 400,
        "InvalidRequestContentException")
    end
    refused(engine:invoke("1", { headers = { ["X-Amz-Tenant-Id"] = "a!b" } }), 400, "ValidationException")
  end)

  it("throttles synchronous calls over the concurrency, and lets events wait", function()
    engine:stop()
    engine = assert(E.start { concurrency = 2 })
    local first, second = engine:begin { act = "hang", seconds = 0.4 }, engine:begin { act = "hang", seconds = 0.4 }
    local events = engine:begin({ act = "hang", seconds = 0 }, { type = "Event" })
    assert.equal(202, E.receive(events).status)
    local answer = engine:invoke "1"
    assert.equal("Rate Exceeded.", refused(answer, 429, "TooManyRequestsException"))
    assert.equal("ConcurrentInvocationLimitExceeded", answer.json.Reason)
    assert.equal(200, E.receive(first).status)
    assert.equal(200, E.receive(second).status)
    assert.is_true(engine:wait_idle())
    assert.equal(3, engine:figures().invocations)
    assert.equal(2, engine:figures().workers)
    assert.equal(200, engine:invoke("1").status)
  end)

  it("runs events in the order in which they came", function()
    engine:stop()
    engine = assert(E.start { concurrency = 1 })
    for i = 1, 20 do
      engine:invoke({ act = "print", lines = { "event " .. i } }, { type = "Event" })
    end
    assert.is_true(engine:wait_idle())
    local order = {}
    for _, line in ipairs(engine:log()) do
      order[#order + 1] = tonumber(line[1]:match "^event (%d+)$")
    end
    local wanted = {}
    for i = 1, 20 do wanted[i] = i end
    assert.same(wanted, order)
    assert.equal(1, engine:figures().workers)
  end)

  it("tries an event again after an error, as often as it should", function()
    engine:stop()
    engine = assert(E.start { max_retries = 2, retry_wait_ms = 50 })
    local id = engine:invoke({ act = "error", message = "no" }, { type = "Event" }).headers["x-amzn-requestid"]
    engine:invoke({ act = "hang", seconds = 0 }, { type = "Event" })
    assert.is_true(engine:wait_idle())
    local starts = 0
    for _, line in ipairs(engine:log()) do
      if line[1]:find("START RequestId: " .. id, 1, true) then starts = starts + 1 end
    end
    assert.equal(3, starts)
    local figures = engine:figures()
    assert.same({ 2, 1, 1 }, { figures.invocations, figures.failed, figures.failed_events })
  end)

  it("does not try again when it should not", function()
    engine:invoke({ act = "error", message = "no" }, { type = "Event" })
    assert.is_true(engine:wait_idle())
    local figures = engine:figures()
    assert.same({ 1, 1, 1 }, { figures.invocations, figures.failed, figures.failed_events })
  end)

  it("finishes an invocation whose caller has left", function()
    local connection = engine:begin { act = "hang", seconds = 0.3 }
    assert.is_truthy(engine:await_line "START")
    connection:close()
    assert.is_true(engine:wait_idle())
    assert.equal(1, engine:figures().invocations)
    assert.equal(0, engine:figures().failed)
    assert.equal(200, engine:invoke("1").status)
  end)

  it("has no function when it was started without one", function()
    engine:stop()
    engine = assert(E.start { function_name = false })
    refused(engine:invoke("1"), 404, "ResourceNotFoundException")
  end)
end)
