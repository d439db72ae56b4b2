local calls = require "support.sqs_calls"
local fails = calls.fails

local MIB = 1048576
local sqs
before_each(function() sqs = calls.new() end)
after_each(function() sqs.raw:stop() end)

local function queue(...) return calls.queue(sqs, ...) end

describe("the wire", function()
  it("answers operations without output with an empty body", function()
    local q = queue "q"
    q.put "a"
    local handle = q.one().ReceiptHandle
    assert.equal("", q.change { ReceiptHandle = handle, VisibilityTimeout = 5 })
    assert.equal("", q.delete { ReceiptHandle = handle })
    assert.equal("", q.set { Attributes = { DelaySeconds = "1" } })
    assert.equal("", q.tag { Tags = { a = "b" } })
    assert.equal("", q.untag { TagKeys = { "a" } })
    assert.equal("", q.purge())
    assert.equal("", q.delete_queue())
  end)

  it("leaves members without content out", function()
    local q = queue "q"
    assert.same({}, q.receive())
    assert.same({}, q.tags())
    assert.same({}, q.get())
    assert.same({}, q.sources())
    q.delete_queue()
    assert.same({}, sqs.ListQueues {})
  end)

  it("accepts an empty body, members that it does not know, and null", function()
    assert.same({}, (sqs.call("ListQueues", "")))
    assert.is_truthy((sqs.call("CreateQueue", '{"QueueName":"q","Colour":{"x":[1]},"Attributes":null}')).QueueUrl)
  end)

  it("refuses what is no such operation", function()
    local err = fails("UnknownOperationException", sqs.FooBar {})
    assert.same({ 400, "InvalidAction;Sender", "com.amazon.coral.service" }, { err.status, err.query, err.namespace })
    for _, target in ipairs { "AmazonSQS", "AmazonSQS.", "AmazonSNS.ListQueues", "" } do
      fails("UnknownOperationException", sqs.take(sqs.raw:call(target, "{}")))
    end
    fails("UnknownOperationException", sqs.take(sqs.raw:call(nil, "{}")))
  end)

  for _, body in ipairs {
    "x", "[]", '"a"', "null", '{"QueueName":', '{"QueueName":1}', '{"QueueName":["q"]}',
      '{"QueueName":"q","tags":{"a":1}}',
    '{"QueueName":"q","Attributes":{"DelaySeconds":1}}', '{"QueueName":"q","Attributes":[]}', '{"QueueName":"\255"}',
  } do
    it("gives SerializationException for " .. body:gsub("\255", "?"), function()
      local err = fails("SerializationException", sqs.call("CreateQueue", body))
      assert.same({ 400, "MalformedInput;Sender" }, { err.status, err.query })
    end)
  end

  it("checks the types of what lies deeper", function()
    local q = queue "q"
    for _, rest in ipairs {
      '"MessageBody":1', '"MessageBody":"a","DelaySeconds":"1"', '"MessageBody":"a","DelaySeconds":1.5',
      '"MessageBody":"a","MessageAttributes":{"a":"b"}', '"MessageBody":"a","MessageAttributes":{"a":{"DataType":1}}',
      '"MessageBody":"a","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"!"}}',
    } do
      fails("SerializationException", sqs.call("SendMessage", ('{"QueueUrl":"%s",%s}'):format(q.url, rest)))
    end
    for _, entries in ipairs { "1", "{}", "[1]", '[{"Id":1}]', '[{"Id":"a","MessageBody":[]}]' } do
      fails("SerializationException", sqs.call("SendMessageBatch", ('{"QueueUrl":"%s","Entries":%s}'):format(q.url,
        entries)))
    end
  end)

  it("gives the front's errors their code, query code and status", function()
    for code, want in pairs {
      InvalidSignatureException = { 403, "SignatureDoesNotMatch;Sender", "com.amazon.coral.service" },
      UnrecognizedClientException = { 403, "InvalidClientTokenId;Sender", "com.amazon.coral.service" },
      IncompleteSignatureException = { 400, "IncompleteSignature;Sender", "com.amazon.coral.service" },
      AccessDeniedException = { 403, "AccessDenied;Sender", "com.amazon.coral.service" },
      ExpiredTokenException = { 403, "ExpiredToken;Sender", "com.amazon.coral.service" },
      InternalFailure = { 500, "InternalFailure;Receiver", "com.amazon.coral.service" },
      OverLimit = { 403, "OverLimit;Sender", "com.amazonaws.sqs" },
      InvalidAddress = { 404, "InvalidAddress;Sender", "com.amazonaws.sqs" },
    } do
      local err = fails(code, sqs.take(sqs.raw:error(code, 'no "x"')))
      assert.same(want, { err.status, err.query, err.namespace })
      assert.equal('no "x"', err.text)
    end
  end)
end)

describe("CreateQueue", function()
  it("makes a URL of the Host header and finds the queue under any host", function()
    local out = sqs.call("CreateQueue", { QueueName = "q" }, "engine.local:81")
    assert.equal("http://engine.local:81/123456789012/q", out.QueueUrl)
    for _, url in ipairs { "https://sqs.us-east-1.amazonaws.com/123456789012/q", "/123456789012/q",
      "http://a/b/123456789012/q" } do
      assert.is_truthy(sqs.SendMessage { QueueUrl = url, MessageBody = "x" })
    end
    for _, url in ipairs { "q", "/q", "http://h/999999999999/q", "http://h/123456789012/p",
      "http://h/123456789012/q/", "",
      "23456789012/q", "http://h/0123456789012/q" } do
      local err = fails("QueueDoesNotExist", sqs.SendMessage { QueueUrl = url, MessageBody = "x" })
      assert.same({ 400, "AWS.SimpleQueueService.NonExistentQueue;Sender", "The specified queue does not exist.",
        "com.amazonaws.sqs" }, { err.status, err.query, err.text, err.namespace })
    end
    fails("QueueDoesNotExist", sqs.SendMessage { MessageBody = "x" })
  end)

  it("is idempotent as long as what is given equals what is there", function()
    local attributes = { DelaySeconds = "3", VisibilityTimeout = "60" }
    assert.is_truthy(sqs.create("q", attributes))
    assert.is_truthy(sqs.create "q")
    assert.is_truthy(sqs.create("q", { DelaySeconds = "3" }))
    assert.is_truthy(sqs.create("q", { ReceiveMessageWaitTimeSeconds = "0" }))
    local err = fails("QueueNameExists", sqs.create("q", { DelaySeconds = "4" }))
    assert.same({ 400, "QueueAlreadyExists;Sender" }, { err.status, err.query })
    assert.is_truthy(err.text:find("DelaySeconds", 1, true))
    assert.equal(1, sqs.raw:count())
  end)

  it("refuses bad names", function()
    for _, name in ipairs { "", "a b", "a/b", "ä", "a.fif", ("x"):rep(81), ".fifo", "a\0b" } do
      local err = fails("InvalidParameterValueException", sqs.CreateQueue { QueueName = name })
      assert.same({ 400, "InvalidParameterValue;Sender" }, { err.status, err.query })
    end
    assert.is_truthy(sqs.create(("x"):rep(80)))
    assert.is_truthy(sqs.create(("x"):rep(75) .. ".fifo"))
    fails("InvalidParameterValueException", sqs.create(("x"):rep(76) .. ".fifo"))
    fails("MissingRequiredParameterException", sqs.CreateQueue {})
  end)

  it("wants .fifo and FifoQueue together", function()
    fails("InvalidParameterValueException", sqs.CreateQueue { QueueName = "a.fifo" })
    fails("InvalidParameterValueException", sqs.CreateQueue { QueueName = "a.fifo",
      Attributes = { FifoQueue = "false" } })
    fails("InvalidParameterValueException", sqs.CreateQueue { QueueName = "a", Attributes = { FifoQueue = "true" } })
    local err = fails("InvalidAttributeName", sqs.CreateQueue { QueueName = "a",
      Attributes = { FifoQueue = "false" } })
    assert.equal("Unknown Attribute FifoQueue.", err.text)
  end)

  it("refuses a name within a minute of its deletion, unless lenient", function()
    queue("q").delete_queue()
    local err = fails("QueueDeletedRecently", sqs.create "q")
    assert.same({ 400, "AWS.SimpleQueueService.QueueDeletedRecently;Sender" }, { err.status, err.query })
    sqs.raw:skip(59900)
    fails("QueueDeletedRecently", sqs.create "q")
    sqs.raw:skip(200)
    assert.is_truthy(sqs.create "q")
    local lenient = calls.new(true)
    local url = lenient.create "q"
    lenient.DeleteQueue { QueueUrl = url }
    assert.is_truthy(lenient.create "q")
    lenient.raw:stop()
  end)

  it("takes tags", function()
    local out = sqs.CreateQueue { QueueName = "q", tags = { a = "1", ["ä"] = "" } }
    assert.same({ a = "1", ["ä"] = "" }, sqs.ListQueueTags { QueueUrl = out.QueueUrl }.Tags)
  end)
end)

describe("attributes of queues", function()
  local function names(t)
    local out = {}
    for k in pairs(t) do out[#out + 1] = k end
    table.sort(out)
    return out
  end

  it("are twelve on a fresh standard queue, sixteen on a FIFO queue", function()
    local q, f = queue "q", queue "f.fifo"
    local all = q.attributes "All"
    assert.same({ "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed",
      "ApproximateNumberOfMessagesNotVisible",
      "CreatedTimestamp", "DelaySeconds", "LastModifiedTimestamp", "MaximumMessageSize", "MessageRetentionPeriod",
        "QueueArn",
      "ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled", "VisibilityTimeout" }, names(all))
    assert.same({ "0", "1048576", "345600", "0", "30", "true" }, { all.DelaySeconds, all.MaximumMessageSize,
      all.MessageRetentionPeriod, all.ReceiveMessageWaitTimeSeconds, all.VisibilityTimeout,
        all.SqsManagedSseEnabled })
    assert.equal(sqs.arn "q", all.QueueArn)
    assert.is_true(math.abs(tonumber(all.CreatedTimestamp) - os.time()) < 5)
    all = f.attributes "All"
    assert.equal(16, #names(all))
    assert.same({ "true", "false", "queue", "perQueue" }, { all.FifoQueue, all.ContentBasedDeduplication,
      all.DeduplicationScope, all.FifoThroughputLimit })
  end)

  it("are given by name, and those that are not set are left out", function()
    local q = queue("q", { DelaySeconds = "7" })
    assert.same({ DelaySeconds = "7" }, q.attributes("DelaySeconds", "Policy", "FifoQueue", "KmsMasterKeyId"))
    fails("InvalidAttributeName", q.get { AttributeNames = { "Foo" } })
    assert.same({}, q.get { AttributeNames = { "Policy" } })
  end)

  it("count what is visible, in flight and delayed", function()
    local q = queue "q"
    for i = 1, 4 do q.put(tostring(i)) end
    q.send { MessageBody = "later", DelaySeconds = 5 }
    q.receive()
    assert.same({ ApproximateNumberOfMessages = "3", ApproximateNumberOfMessagesNotVisible = "1",
      ApproximateNumberOfMessagesDelayed = "1" }, q.attributes("ApproximateNumberOfMessages",
      "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"))
  end)

  for name, range in pairs { DelaySeconds = { 0, 900 }, MaximumMessageSize = { 1024, MIB }, VisibilityTimeout = { 0,
    43200 },
    MessageRetentionPeriod = { 60, 1209600 }, ReceiveMessageWaitTimeSeconds = { 0, 20 },
    KmsDataKeyReusePeriodSeconds = { 60, 86400 } } do
    it(("check the range of %s"):format(name), function()
      local q = queue("q", { KmsMasterKeyId = "alias/x" })
      for _, good in ipairs(range) do
        assert.equal("", q.set { Attributes = { [name] = tostring(good) } })
        assert.equal(tostring(good), q.attributes(name)[name])
      end
      for _, bad in ipairs { tostring(range[1] - 1), tostring(range[2] + 1), "", "x", "1.5", "70 ",
        "99999999999999999999" } do
        local err = fails("InvalidAttributeValue", q.set { Attributes = { [name] = bad } })
        assert.equal(400, err.status)
        assert.is_truthy(err.text:find(name, 1, true))
        fails("InvalidAttributeValue", sqs.create("other", { [name] = bad }))
      end
    end)
  end

  it("refuse unknown names, read-only ones and those of FIFO queues on standard ones", function()
    local q = queue "q"
    for name, value in pairs { Foo = "1", QueueArn = "x", CreatedTimestamp = "1", ApproximateNumberOfMessages = "0",
      FifoQueue = "true", ContentBasedDeduplication = "true", DeduplicationScope = "queue",
        FifoThroughputLimit = "perQueue" } do
      fails("InvalidAttributeName", q.set { Attributes = { [name] = value } })
    end
    fails("MissingRequiredParameterException", q.set())
  end)

  it("of a FIFO queue: the type cannot change, the throughput limit needs the scope", function()
    local q = queue "q.fifo"
    local err = fails("InvalidAttributeValue", q.set { Attributes = { FifoQueue = "false" } })
    assert.equal("Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
      err.text)
    assert.equal("", q.set { Attributes = { FifoQueue = "true" } })
    fails("InvalidAttributeValue", q.set { Attributes = { DeduplicationScope = "group" } })
    fails("InvalidAttributeValue", q.set { Attributes = { FifoThroughputLimit = "perMessageGroupId" } })
    assert.equal("", q.set { Attributes = { FifoThroughputLimit = "perMessageGroupId",
      DeduplicationScope = "messageGroup" } })
    assert.equal("messageGroup", q.attributes("All").DeduplicationScope)
  end)

  it("are set all or none", function()
    local q = queue "q"
    fails("InvalidAttributeValue", q.set { Attributes = { DelaySeconds = "5", VisibilityTimeout = "x" } })
    assert.equal("0", q.attributes("DelaySeconds").DelaySeconds)
  end)

  it("keep a policy as it is and drop it by an empty one", function()
    local q = queue("q", { Policy = '{"Version": "2012-10-17"}' })
    assert.equal('{"Version": "2012-10-17"}', q.attributes("All").Policy)
    fails("InvalidAttributeValue", q.set { Attributes = { Policy = "x" } })
    q.set { Attributes = { Policy = "" } }
    assert.is_nil(q.attributes("All").Policy)
  end)

  it("work on the queue: delay, visibility, retention, wait", function()
    local q = queue("q", { DelaySeconds = "5", VisibilityTimeout = "2", MessageRetentionPeriod = "60" })
    q.put "a"
    assert.equal("", q.bodies())
    sqs.raw:skip(5000)
    assert.equal("a", q.bodies())
    assert.equal("", q.bodies())
    sqs.raw:skip(2000)
    assert.equal("a", q.bodies())
    q.set { Attributes = { ReceiveMessageWaitTimeSeconds = "20" } }
    local w = { id = sqs.begin("ReceiveMessage", { QueueUrl = q.url }) }
    assert.is_nil(sqs.take(w.id))
    assert.same({}, (q.receive { WaitTimeSeconds = 0 }))
    sqs.raw:skip(20000)
    assert.equal("a", sqs.take(w.id).Messages[1].Body)
    sqs.raw:skip(40000)
    assert.equal("", q.bodies { WaitTimeSeconds = 0 })
  end)
end)

describe("the other operations", function()
  it("GetQueueUrl finds by name and owner", function()
    local q = queue "q"
    assert.equal(q.url, sqs.GetQueueUrl({ QueueName = "q" }).QueueUrl)
    assert.equal(q.url, sqs.GetQueueUrl({ QueueName = "q", QueueOwnerAWSAccountId = "123456789012" }).QueueUrl)
    fails("QueueDoesNotExist", sqs.GetQueueUrl { QueueName = "q", QueueOwnerAWSAccountId = "999999999999" })
    fails("QueueDoesNotExist", sqs.GetQueueUrl { QueueName = "nobody" })
    fails("InvalidParameterValueException", sqs.GetQueueUrl {})
  end)

  it("DeleteQueue drops it with its messages", function()
    local q = queue "q"
    q.put "a"
    q.delete_queue()
    fails("QueueDoesNotExist", q.delete_queue())
    fails("QueueDoesNotExist", q.receive())
    assert.equal(0, sqs.raw:count())
  end)

  it("PurgeQueue empties, once a minute", function()
    local q = queue "q"
    q.put "a"
    q.put "b"
    q.receive()
    q.purge()
    assert.equal("0", q.attributes("All").ApproximateNumberOfMessagesNotVisible)
    local err = fails("PurgeQueueInProgress", q.purge())
    assert.same({ 403, "AWS.SimpleQueueService.PurgeQueueInProgress;Sender",
      "Only one PurgeQueue operation on q is allowed every 60 seconds." }, { err.status, err.query, err.text })
    sqs.raw:skip(60000)
    assert.equal("", q.purge())
    local lenient = calls.new(true)
    local url = lenient.create "q"
    lenient.PurgeQueue { QueueUrl = url }
    assert.equal("", lenient.PurgeQueue { QueueUrl = url })
    lenient.raw:stop()
  end)

  it("ListQueues lists by prefix, in pages", function()
    for i = 1, 7 do queue("a" .. i) end
    queue "b"
    assert.equal(8, #sqs.ListQueues({}).QueueUrls)
    assert.equal(7, #sqs.ListQueues({ QueueNamePrefix = "a" }).QueueUrls)
    assert.is_nil(sqs.ListQueues({ QueueNamePrefix = "a" }).NextToken)
    local seen, token, pages = {}, nil, 0
    repeat
      local page = sqs.ListQueues { QueueNamePrefix = "a", MaxResults = 3, NextToken = token }
      for _, url in ipairs(page.QueueUrls) do seen[#seen + 1] = url:match "a%d$" end
      token, pages = page.NextToken, pages + 1
    until not token
    assert.same({ "a1 a2 a3 a4 a5 a6 a7", 3 }, { table.concat(seen, " "), pages })
    for _, max in ipairs { 0, 1001 } do fails("InvalidParameterValueException",
      sqs.ListQueues { MaxResults = max }) end
    for _, bad in ipairs { "x", "", "bm9uZQ==" } do
      fails("InvalidParameterValueException", sqs.ListQueues { MaxResults = 1, NextToken = bad })
    end
    fails("InvalidParameterValueException", sqs.ListQueues { NextToken = "YWZ0ZXI6YTE=" })
  end)

  it("tags are added, overwritten, listed and removed", function()
    local q = queue "q"
    q.tag { Tags = { a = "1", B = "2", b = "3" } }
    q.tag { Tags = { a = "4" } }
    q.untag { TagKeys = { "B", "none" } }
    assert.same({ a = "4", b = "3" }, q.tags().Tags)
    local many = {}
    for i = 1, 49 do many["t" .. i] = "" end
    fails("InvalidParameterValueException", q.tag { Tags = many })
    many.t49 = nil
    assert.equal("", q.tag { Tags = many })
    fails("InvalidParameterValueException", q.tag { Tags = { [("k"):rep(129)] = "" } })
    fails("InvalidParameterValueException", q.tag { Tags = { a = ("ä"):rep(257) } })
    fails("MissingRequiredParameterException", q.tag())
    fails("MissingRequiredParameterException", q.untag())
  end)

  it("messages from inside the engine go to standard queues that exist", function()
    queue "q.fifo"
    local q = queue "q"
    assert.is_true(sqs.raw:deliver(sqs.arn "q", "hello"))
    assert.equal("5d41402abc4b2a76b9719d911017c592", q.one().MD5OfBody)
    for _, arn in ipairs { sqs.arn "q.fifo", sqs.arn "nobody", "q", "arn:aws:sqs:eu-west-1:123456789012:q" } do
      assert.is_false(sqs.raw:deliver(arn, "x"))
    end
    assert.is_false(sqs.raw:deliver(sqs.arn "q", "\255"))
  end)

  it("another account sees nothing of ours", function()
    local q = queue "q"
    fails("QueueDoesNotExist", sqs.call("ReceiveMessage", { QueueUrl = q.url }, nil, "210987654321"))
  end)
end)
