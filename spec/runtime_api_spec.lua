-- The runtime's side of the Runtime API: every header, every answer, the end of the API.
local fake = require "spec.support.runtime_api"
local cjson = require "cjson"

local program = [[
local awsync = require "awsync"
local count = 0
function main(event, context)
  count = count + 1
  if event == "boom" then error "boom" end
  if event == "context" then
    local seen = {}
    for k, v in pairs(context) do
      if type(v) ~= "function" then seen[k] = v end
    end
    seen.remaining = context.remaining()
    if seen.remaining == math.huge then seen.remaining = "inf" end
    seen.trace_from_env = os.getenv "_X_AMZN_TRACE_ID"
    return awsync.raw(seen)
  end
  return awsync.raw(count)
end
]]

local function start(options)
  options = options or {}
  options.files = options.files or { ["main.lua"] = program }
  local lambda = fake.start(options)
  finally(function() lambda:clean() end)
  return lambda
end

describe("the runtime and its headers", function()
  local names = {
    "Lambda-Runtime-Deadline-Ms", "Lambda-Runtime-Invoked-Function-Arn", "Lambda-Runtime-Trace-Id",
    "Lambda-Runtime-Client-Context", "Lambda-Runtime-Cognito-Identity", "Lambda-Runtime-Aws-Tenant-Id",
    "Lambda-Runtime-Invocation-Id",
  }
  local deadline = (os.time() + 100) * 1000
  local values = {
    ["Lambda-Runtime-Deadline-Ms"] = ("%d"):format(deadline),
    ["Lambda-Runtime-Invoked-Function-Arn"] = "arn:aws:lambda:us-east-1:123456789012:function:f",
    ["Lambda-Runtime-Trace-Id"] = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
    ["Lambda-Runtime-Client-Context"] = '{"custom":{"n":9007199254740993}}',
    ["Lambda-Runtime-Cognito-Identity"] = '{"cognitoIdentityId":"c1"}',
    ["Lambda-Runtime-Aws-Tenant-Id"] = "tenant-7",
    ["Lambda-Runtime-Invocation-Id"] = "inv-1",
  }
  local fields = {
    ["Lambda-Runtime-Deadline-Ms"] = "deadline", ["Lambda-Runtime-Invoked-Function-Arn"] = "invoked_function_arn",
    ["Lambda-Runtime-Trace-Id"] = "trace_id", ["Lambda-Runtime-Client-Context"] = "client_context",
    ["Lambda-Runtime-Cognito-Identity"] = "identity", ["Lambda-Runtime-Aws-Tenant-Id"] = "tenant_id",
  }

  it("puts all of them into the context", function()
    local lambda = start {
      env = {
        AWS_LAMBDA_FUNCTION_NAME = "f", AWS_LAMBDA_FUNCTION_VERSION = "7", AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "256",
        AWS_LAMBDA_LOG_GROUP_NAME = "/aws/lambda/f", AWS_LAMBDA_LOG_STREAM_NAME = "2026/stream",
      },
    }
    local headers = { id = "req-1" }
    for name, value in pairs(values) do headers[name] = value end
    local post = lambda:invoke('"context"', headers)
    assert.equal("response", post.kind)
    local seen = cjson.decode(post.body)
    assert.equal("req-1", seen.request_id)
    assert.equal("f", seen.function_name)
    assert.equal("7", seen.function_version)
    assert.equal(256, seen.memory_limit)
    assert.equal("/aws/lambda/f", seen.log_group)
    assert.equal("2026/stream", seen.log_stream)
    assert.equal(values["Lambda-Runtime-Invoked-Function-Arn"], seen.invoked_function_arn)
    assert.equal(values["Lambda-Runtime-Trace-Id"], seen.trace_id)
    assert.equal(values["Lambda-Runtime-Trace-Id"], seen.trace_from_env)
    assert.equal("tenant-7", seen.tenant_id)
    assert.same({ cognitoIdentityId = "c1" }, seen.identity)
    assert.truthy(post.body:find('"n":9007199254740993', 1, true))
    assert.equal(deadline / 1000, seen.deadline)
    assert.is_true(seen.remaining > 70 and seen.remaining <= 101)
    assert.equal("inv-1", post.headers["lambda-runtime-invocation-id"])
    assert.equal("application/json", post.headers["content-type"])
    assert.is_nil(post.headers["expect"])
    lambda:stop()
  end)

  it("does without any of them", function()
    local lambda = start()
    for _, missing in ipairs(names) do
      local headers = {}
      for name, value in pairs(values) do headers[name] = name ~= missing and value or nil end
      local post = lambda:invoke('"context"', headers)
      assert.equal("response", post.kind, missing)
      local seen = cjson.decode(post.body)
      if fields[missing] then assert.is_nil(seen[fields[missing]]) end
      if missing == "Lambda-Runtime-Deadline-Ms" then assert.equal("inf", seen.remaining) end
      if missing == "Lambda-Runtime-Trace-Id" then assert.is_nil(seen.trace_from_env) end
      assert.equal(missing ~= "Lambda-Runtime-Invocation-Id" and "inv-1" or nil,
        post.headers["lambda-runtime-invocation-id"])
    end
    local post = lambda:invoke('"context"')
    assert.equal("response", post.kind)
    lambda:stop()
  end)

  it("reads names in any case and values with blanks around", function()
    local lambda = start()
    local get = lambda:request()
    local headers = { ["LAMBDA-runtime-aws-REQUEST-id"] = "  shouted  ", ["lambda-runtime-deadline-ms"] = "nonsense" }
    lambda:reply(get, 200, headers, '"context"')
    local post = lambda:request()
    lambda:reply(post, 202)
    assert.equal("/2018-06-01/runtime/invocation/shouted/response", post.path)
    assert.equal("inf", cjson.decode(post.body).remaining)
    lambda:stop()
  end)

  it("escapes a request id in the path of the answer", function()
    local lambda = start()
    local post = lambda:invoke("1", { id = "a/../b c" })
    assert.equal("/2018-06-01/runtime/invocation/a%2F..%2Fb%20c/response", post.path)
    lambda:stop()
  end)

  it("cannot answer an invocation without a request id, says so and asks for the next", function()
    local lambda = start()
    lambda:reply(lambda:request(), 200, {}, "1")
    local post = lambda:invoke("1")
    assert.equal("1", post.body)
    assert.truthy(lambda:err():find("without a request id", 1, true))
    lambda:stop()
  end)

  it("gives an identity or client context that is no JSON as it came", function()
    local lambda = start()
    local post = lambda:invoke('"context"', { ["Lambda-Runtime-Client-Context"] = "{oops" })
    assert.equal("{oops", cjson.decode(post.body).client_context)
    lambda:stop()
  end)
end)

describe("the runtime and the answers to its answers", function()
  for _, status in ipairs { 400, 403, 410, 413 } do
    it("logs " .. status .. " for a response, answers once and goes on", function()
      local lambda = start()
      local post = lambda:invoke("1", { id = "first" }, status, '{"errorMessage":"no","errorType":"Some.Type"}')
      assert.equal("response", post.kind)
      local after = lambda:invoke("2", { id = "second" })
      assert.equal("second", after.id)
      assert.equal("2", after.body)
      local err = lambda:err()
      assert.truthy(err:find("status " .. status, 1, true))
      assert.truthy(err:find("Some.Type", 1, true))
      lambda:stop()
    end)
  end

  it("logs a refused error answer and goes on", function()
    local lambda = start()
    assert.equal("error", lambda:invoke('"boom"', nil, 403).kind)
    assert.equal("2", lambda:invoke("1").body)
    lambda:stop()
  end)

  it("ends, non-zero, when a response is answered by 500", function()
    local lambda = start()
    lambda:invoke("1", nil, 500)
    assert.equal(1, lambda:wait())
    assert.truthy(lambda:err():find("status 500", 1, true))
  end)

  it("ends, non-zero, when an error is answered by 500", function()
    local lambda = start()
    lambda:invoke('"boom"', nil, 500)
    assert.equal(1, lambda:wait())
  end)

  it("ends at once, non-zero, when next is answered by 500", function()
    local lambda = start()
    lambda:reply(lambda:request(), 500)
    assert.equal(1, lambda:wait())
    assert.truthy(lambda:err():find("next: the Runtime API answered with status 500", 1, true))
  end)

  it("asks again a few times when next is refused, then ends with a message", function()
    local lambda = start()
    local asked = 0
    for request in function() return lambda:request() end do
      asked = asked + 1
      lambda:reply(request, 403, {}, '{"errorType":"Nope"}')
    end
    assert.equal(5, asked)
    assert.equal(1, lambda:wait())
    assert.truthy(lambda:err():find("Nope", 1, true))
  end)

  it("asks again when the answer to next breaks off", function()
    local lambda = start()
    local get = lambda:request()
    get.connection:send "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: lost\r\nContent-Length: 100\r\n\r\n[1,"
    get.connection:close()
    lambda.connections[get.connection] = nil
    assert.equal("1", lambda:invoke("[]").body)
    lambda:stop()
  end)

  it("never sends an answer again whose fate it cannot know", function()
    local lambda = start()
    lambda:reply(lambda:request(), 200, { ["Lambda-Runtime-Aws-Request-Id"] = "once" }, "1")
    local post = lambda:request()
    assert.equal("/2018-06-01/runtime/invocation/once/response", post.path)
    post.connection:send "HTTP/1.1 2"
    post.connection:close()
    lambda.connections[post.connection] = nil
    local get = lambda:request()
    assert.equal("GET", get.method)
    lambda:reply(get, 500)
    lambda:wait()
  end)

  it("ends, non-zero and with a message, when the Runtime API has gone", function()
    local lambda = start()
    lambda:invoke("1")
    lambda:request()
    for c in pairs(lambda.connections) do c:close() end
    lambda.connections = {}
    lambda.listener:close()
    lambda.listener = nil
    assert.equal(1, lambda:wait())
    assert.truthy(lambda:err():find("no answer from the Runtime API", 1, true))
  end)

  it("waits for the next invocation as long as it takes", function()
    local lambda = start()
    local get = lambda:request()
    require "socket".sleep(1.2)
    lambda:reply(get, 200, { ["Lambda-Runtime-Aws-Request-Id"] = "late" }, "1")
    local post = lambda:request()
    assert.equal("/2018-06-01/runtime/invocation/late/response", post.path)
    lambda:reply(post, 202)
    lambda:stop()
  end)
end)

describe("the program bootstrap", function()
  it("prints its version", function()
    local pipe = io.popen((os.getenv "AWSYNC_BUILD" or "build") .. "/bootstrap --version")
    assert.truthy(pipe:read "a":find "^awsync bootstrap %d+%.%d+%.%d+\n$")
    assert.is_true(pipe:close())
  end)

  it("says what it is where there is no Lambda, and exits with 2", function()
    local lambda = start { env = { AWS_LAMBDA_RUNTIME_API = false } }
    assert.equal(2, lambda:wait())
    assert.truthy(lambda:err():find("AWS_LAMBDA_RUNTIME_API is not set", 1, true))
  end)

  it("refuses options that it does not know", function()
    local lambda = start { arguments = "--fast" }
    assert.equal(2, lambda:wait())
    assert.truthy(lambda:err():find("usage:", 1, true))
  end)

  it("takes the handler from its argument where _HANDLER is not set", function()
    local lambda = start { env = { _HANDLER = false }, arguments = "main.main" }
    assert.equal("1", lambda:invoke("1").body)
    lambda:stop()
  end)
end)
