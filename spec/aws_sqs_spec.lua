local aws = require "support.aws"
local http_server = require "support.http_server"
local cjson = require "cjson"

describe("a call to SQS", function()
  local server, client

  --- A client of a server with this handler; both end with the spec.
  local function with(handler)
    server = http_server.start(handler)
    client = aws.client { endpoint = server.url }
    return client
  end

  setup(function() aws.environment() end)
  teardown(aws.restore)
  after_each(function()
    client:close()
    server:close()
  end)

  local function sent(number)
    local request = server:log().requests[number or 1]
    return cjson.decode(request.body), request
  end

  it("goes to / of the endpoint with its target and the queue's URL in the body", function()
    with(function() return { body = "" } end)
    assert.same({}, client:sqs("delete_queue", { url = "http://elsewhere/1/q" }))
    local body, request = sent()
    assert.same({ QueueUrl = "http://elsewhere/1/q" }, body)
    assert.equal("POST", request.method)
    assert.equal("/", request.target)
    assert.equal("AmazonSQS.DeleteQueue", request.headers["x-amz-target"])
    assert.equal("application/x-amz-json-1.0", request.headers["content-type"])
    assert.equal("true", request.headers["x-amzn-query-mode"])
    assert.is_nil(request.headers["expect"])
    assert.matches("^AWS4%-HMAC%-SHA256 Credential=AKIDEXAMPLE/%d+/eu%-west%-1/sqs/aws4_request",
      request.headers.authorization)
  end)

  it("creates, finds, tags and lists queues", function()
    with(function(request)
      local operation = request.headers["x-amz-target"]:match("%.(.*)")
      local bodies = {
        CreateQueue = [[{"QueueUrl":"http://h/1/a.fifo","New":{"member":[1]}}]],
        GetQueueUrl = [[{"QueueUrl":"http://h/1/a.fifo"}]],
        ListQueues = request.body:find("NextToken", 1, true) and "{}" or [[{"QueueUrls":["u1","u2"],"NextToken":"t"}]],
        ListQueueTags = request.body:find("none", 1, true) and "{}" or [[{"Tags":{"a":"b","c":"d"}}]],
        GetQueueAttributes = [[{"Attributes":{"QueueArn":"arn"}}]],
      }
      return { body = bodies[operation] or "" }
    end)
    assert.equal("http://h/1/a.fifo", client:sqs("create", { name = "a.fifo", attributes = { FifoQueue = "true" },
      tags = { k = "v" } }).url)
    assert.same({ QueueName = "a.fifo", Attributes = { FifoQueue = "true" }, tags = { k = "v" } }, (sent(1)))
    assert.equal("http://h/1/a.fifo", client:sqs("url", { name = "a.fifo" }).url)
    assert.same({ urls = { "u1", "u2" }, next_token = "t" }, client:sqs("list", { name = "a" }))
    assert.same({ urls = {} }, client:sqs("list", { token = "t" }))
    assert.same({ NextToken = "t", MaxResults = 1000 }, (sent(4)))
    assert.same({ pairs = { a = "b", c = "d" } }, client:sqs("tags", { url = "u" }))
    assert.same({ pairs = {} }, client:sqs("tags", { url = "none" }))
    assert.same({ pairs = { QueueArn = "arn" } }, client:sqs("attributes", { url = "u", names = { "QueueArn" } }))
    assert.same({}, client:sqs("tag", { url = "u", tags = { a = "b" } }))
  end)

  it("sends a batch and gives the outcome of each entry in its place", function()
    with(function()
      return { body = [[{"Successful":[{"Id":"2","MessageId":"m"},{"Id":"99"},{"Id":"x"}],"Failed":[
        {"Id":"0","SenderFault":true,"Code":"InvalidMessageContents","Message":"bad"},
        {"Id":"1","SenderFault":false,"Code":"InternalError"}]}]] }
    end)
    local outcomes = client:sqs("send", { url = "u", entries = {
      { body = 'a "b"\n', group = "g", dedup = "d1" }, { body = "ü" }, { body = "c", delay = 5 },
      { body = "d" } } }).outcomes
    assert.same({ ok = false, sender_fault = true, code = "InvalidMessageContents", message = "bad" }, outcomes[1])
    assert.same({ ok = false, sender_fault = false, code = "InternalError", message = "" }, outcomes[2])
    assert.is_true(outcomes[3].ok)
    assert.same({ ok = false, sender_fault = false, code = "MalformedAnswer",
      message = "the answer does not name the entry" }, outcomes[4])
    assert.same({ QueueUrl = "u", Entries = {
      { Id = "0", MessageBody = 'a "b"\n', MessageGroupId = "g", MessageDeduplicationId = "d1" },
      { Id = "1", MessageBody = "ü" }, { Id = "2", MessageBody = "c", DelaySeconds = 5 },
      { Id = "3", MessageBody = "d" },
    } }, (sent()))
  end)

  it("sends the same body again after a fault of the service", function()
    with(function(request)
      if request.number < 3 then
        return { status = 503, body = "" }
      end
      return { body = [[{"Successful":[{"Id":"0"}]}]] }
    end)
    local answer = client:sqs("send", { url = "u", entries = { { body = "x", dedup = "d" } } })
    assert.is_true(answer.outcomes[1].ok)
    local log = server:log().requests
    assert.equal(3, #log)
    assert.equal(log[1].body, log[3].body)
    assert.equal(log[1].headers["amz-sdk-invocation-id"], log[3].headers["amz-sdk-invocation-id"])
    assert.equal("attempt=1; max=3", log[1].headers["amz-sdk-request"])
    assert.equal("attempt=3; max=3", log[3].headers["amz-sdk-request"])
  end)

  it("refuses text that is no UTF-8 without sending it", function()
    with(function() return {} end)
    local answer = client:sqs("send", { url = "u", entries = { { body = "\xff" } } })
    assert.equal("InvalidMessageContents", answer.error.code)
    assert.equal(0, #server:log().requests)
  end)

  it("receives messages with what SQS says of them", function()
    with(function()
      return { body = [[{"Messages":[{"MessageId":"m1","ReceiptHandle":"r1","MD5OfBody":
        "fee40dc24d0ad6a90c608052aa4e9e66","Body":"gr\u00fc\u00dfe","Attributes":{"ApproximateReceiveCount":"3",
        "SentTimestamp":"1767323045123","MessageGroupId":"g","MessageDeduplicationId":"d","Later":"x"}},
        {"MessageId":"m2","ReceiptHandle":"r2","MD5OfBody":"5d41402abc4b2a76b9719d911017c592","Body":"hello"}]}]] }
    end)
    local messages = client:sqs("receive", { url = "u", max = 10, wait = 20, visibility = 7, attempt = "a1" }).messages
    assert.same({ body = "grüße", receipt_handle = "r1", message_id = "m1", group_id = "g", deduplication_id = "d",
      receive_count = 3, sent_ms = 1767323045123 }, messages[1])
    assert.same({ body = "hello", receipt_handle = "r2", message_id = "m2", receive_count = 0, sent_ms = 0 },
      messages[2])
    assert.same({ QueueUrl = "u", MaxNumberOfMessages = 10, WaitTimeSeconds = 20, VisibilityTimeout = 7,
      ReceiveRequestAttemptId = "a1", MessageSystemAttributeNames = { "ApproximateReceiveCount", "SentTimestamp",
        "MessageGroupId", "MessageDeduplicationId" } }, (sent()))
  end)

  it("receives nothing from an empty object and from an empty body", function()
    with(function(request) return { body = request.number == 1 and "{}" or "" } end)
    assert.same({ messages = {} }, client:sqs("receive", { url = "u" }))
    assert.same({ messages = {} }, client:sqs("receive", { url = "u" }))
  end)

  it("fails when a body's MD5 differs or a member is missing", function()
    with(function(request)
      local bodies = {
        [[{"Messages":[{"MessageId":"m","ReceiptHandle":"r","MD5OfBody":"5d41402abc4b2a76b9719d911017c592",]] ..
          [["Body":"hellO"}]}]],
        [[{"Messages":[{"MessageId":"m","ReceiptHandle":"r","MD5OfBody":"5d41","Body":"hello"}]}]],
        [[{"Messages":[{"MessageId":"m","ReceiptHandle":"r"}]}]], [[{"Messages":[{"MessageId":"m","Body":"x"}]}]],
        [[{"Messages":[7]}]],
      }
      return { body = bodies[request.number] }
    end)
    for i = 1, 5 do
      local error = client:sqs("receive", { url = "u" }).error
      assert.equal("MalformedAnswer", error.code)
      assert.matches(i < 3 and "the body of message m has another MD5" or "a message without", error.message, 1, true)
      assert.equal(200, error.status)
    end
  end)

  it("fails on an answer that is no JSON object", function()
    with(function(request) return { body = ({ "<html>", "[]", "{\"Messages\":", "nul", "7" })[request.number] } end)
    for _ = 1, 5 do
      local error = client:sqs("receive", { url = "u" }).error
      assert.equal("MalformedAnswer", error.code)
      assert.matches("the answer of SQS is no JSON object", error.message, 1, true)
    end
  end)

  it("fails when the URL of a queue is not in the answer: the queue may be there", function()
    with(function() return { body = "{}" } end)
    local error = client:sqs("create", { name = "q" }).error
    assert.same({ "MalformedAnswer", "the answer has no QueueUrl", true },
      { error.code, error.message, error.may_have_run })
  end)

  it("takes a queue that is gone at the second attempt for deleted, at the first not", function()
    with(function(request)
      if request.number == 1 then
        return { action = "reset" }
      end
      return { status = 400, body = [[{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}]],
        headers = { ["x-amzn-query-error"] = "AWS.SimpleQueueService.NonExistentQueue;Sender" } }
    end)
    assert.same({}, client:sqs("delete_queue", { url = "u" }))
    local error = client:sqs("delete_queue", { url = "u" }).error
    assert.equal("QueueDoesNotExist", error.code)
    assert.equal("AWS.SimpleQueueService.NonExistentQueue", error.query_code)
    assert.equal(400, error.status)
    assert.is_false(error.may_have_run)
  end)

  it("carries a megabyte each way", function()
    with(function(request)
      if request.headers["x-amz-target"]:find("Send", 1, true) then
        return { body = [[{"Successful":[{"Id":"0"}]}]] }
      end
      return { body = [[{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"]] .. ("\\n"):rep(1048576) ..
        [["}]}]] }
    end)
    assert.is_true(client:sqs("send", { url = "u", entries = { { body = ("\n"):rep(1048576) } } }).outcomes[1].ok)
    assert.equal(("\\n"):rep(1048576), server:log().requests[1].body:match('"MessageBody":"([^"]*)"'))
    assert.equal(("\n"):rep(1048576), client:sqs("receive", { url = "u" }).messages[1].body)
  end)

  it("receives ten messages of a megabyte at once", function()
    with(function()
      local messages = {}
      for i = 1, 10 do
        messages[i] = ([[{"MessageId":"m%d","ReceiptHandle":"r","Body":"%s"}]]):format(i, ("x"):rep(1048576))
      end
      return { body = [[{"Messages":[]] .. table.concat(messages, ",") .. "]}" }
    end)
    local answer = client:sqs("receive", { url = "u" })
    assert.is_nil(answer.error)
    assert.equal(10, #answer.messages)
    assert.equal("m10", answer.messages[10].message_id)
    assert.equal(("x"):rep(1048576), answer.messages[10].body)
  end)

  it("changes visibility and deletes in batches", function()
    with(function() return { body = [[{"Successful":[{"Id":"0"},{"Id":"1"}]}]] } end)
    assert.equal(2, #client:sqs("visibility", { url = "u", visibility = 0, handles = { "r1", "r2" } }).outcomes)
    assert.same({ QueueUrl = "u", Entries = { { Id = "0", ReceiptHandle = "r1", VisibilityTimeout = 0 },
      { Id = "1", ReceiptHandle = "r2", VisibilityTimeout = 0 } } }, (sent(1)))
    assert.is_true(client:sqs("delete", { url = "u", handles = { "r1", "r2" } }).outcomes[2].ok)
  end)
end)
