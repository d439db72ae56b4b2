local probe = require "probe.engine_sqs"
local calls = require "support.sqs_calls"
local fails = calls.fails

local MIB = 1048576
local sqs
before_each(function() sqs = calls.new() end)
after_each(function() sqs.raw:stop() end)

local function queue(...) return calls.queue(sqs, ...) end

describe("SendMessage", function()
  it("answers with the MD5s of body and attributes", function()
    local q = queue "q"
    local function md5(body, attributes)
      local out = q.send { MessageBody = body, MessageAttributes = attributes }
      assert.is_truthy(out.MessageId:find "^%x+%-%x+%-4%x+%-%x+%-%x+$")
      return out.MD5OfMessageBody, out.MD5OfMessageAttributes
    end
    local function s(value) return { DataType = "String", StringValue = value } end
    assert.equal("5d41402abc4b2a76b9719d911017c592", (md5 "hello"))
    assert.equal("fee40dc24d0ad6a90c608052aa4e9e66", (md5 "grüße"))
    assert.equal("bef8bf215374a0a228d67533b1a488be", select(2, md5("x", { a = s "b" })))
    assert.equal("75a1ab19d8188d38dc01ee258bf7a67f", select(2, md5("x", { c = { DataType = "Binary",
      BinaryValue = "AAH/" },
      a = s "x", b = { DataType = "Number", StringValue = "42" } })))
    assert.equal("750ab39764677e6976a138b26d56e5e8", select(2, md5("x", { n = { DataType = "Number.int",
      StringValue = "1" } })))
    local out = q.send { MessageBody = "x", MessageSystemAttributes = { AWSTraceHeader = s "Root=1-2-3" } }
    assert.is_truthy(out.MD5OfMessageSystemAttributes:find "^%x+$")
    assert.is_nil(out.MD5OfMessageAttributes)
    assert.is_nil(out.SequenceNumber)
  end)

  it("counts the sequence of a FIFO queue in twenty digits", function()
    local q = queue "q.fifo"
    local a, b = q.put("a").SequenceNumber, q.put("b").SequenceNumber
    assert.is_truthy(a:find("^%d+$") and #a == 20 and #b == 20 and a < b)
  end)

  local long = ("x"):rep(MIB)
  local bad = { -- what, input, code, query code, text
    { "no body", {}, "MissingRequiredParameterException", "MissingParameter",
      "The request must contain the parameter MessageBody." },
    { "an empty body", { MessageBody = "" }, "MissingRequiredParameterException", "MissingParameter",
      "The request must contain the parameter MessageBody." },
    { "a body over the limit", { MessageBody = long .. "x" }, "InvalidParameterValueException",
      "InvalidParameterValue",
      "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes." },
    { "attributes that take it over the limit", { MessageBody = long:sub(8), MessageAttributes = {
      a = { DataType = "String", StringValue = "b" } } }, "InvalidParameterValueException", "InvalidParameterValue" },
    { "a NUL", { MessageBody = "a\0b" }, "InvalidMessageContents", "InvalidMessageContents" },
    { "a control character", { MessageBody = "a\27b" }, "InvalidMessageContents", "InvalidMessageContents" },
    { "U+FFFE", { MessageBody = "a\u{FFFE}" }, "InvalidMessageContents", "InvalidMessageContents" },
    { "a delay of 901", { MessageBody = "a", DelaySeconds = 901 }, "InvalidParameterValueException",
      "InvalidParameterValue" },
    { "a delay of -1", { MessageBody = "a", DelaySeconds = -1 }, "InvalidParameterValueException",
      "InvalidParameterValue" },
    { "a deduplication id", { MessageBody = "a", MessageDeduplicationId = "d" }, "InvalidParameterValueException",
      "InvalidParameterValue" },
    { "a group id with a blank", { MessageBody = "a", MessageGroupId = "a b" }, "InvalidParameterValueException",
      "InvalidParameterValue" },
    { "an empty group id", { MessageBody = "a", MessageGroupId = "" }, "InvalidParameterValueException",
      "InvalidParameterValue" },
    { "a group id of 129", { MessageBody = "a", MessageGroupId = ("g"):rep(129) }, "InvalidParameterValueException",
      "InvalidParameterValue" },
  }
  for _, row in ipairs(bad) do
    it("refuses " .. row[1], function()
      local err = fails(row[3], queue("q").send(row[2]))
      assert.same({ 400, row[4] .. ";Sender" }, { err.status, err.query })
      if row[5] then assert.equal(row[5], err.text) end
    end)
  end

  it("takes bodies of one character and of 1 MiB with all that XML allows", function()
    local q = queue "q"
    for _, body in ipairs { "a", long, "\t\n\r \127\u{D7FF}\u{E000}\u{FFFD}\u{10FFFF}" } do
      q.put(body)
      local m = q.one()
      assert.is_true(m.Body == body)
      q.delete { ReceiptHandle = m.ReceiptHandle }
    end
  end)

  it("keeps to a smaller MaximumMessageSize", function()
    local q = queue("q", { MaximumMessageSize = "1024" })
    q.put(("x"):rep(1024))
    local err = fails("InvalidParameterValueException", q.send { MessageBody = ("x"):rep(1025) })
    assert.is_truthy(err.text:find("shorter than 1024 bytes", 1, true))
  end)

  it("refuses bad attributes", function()
    local q = queue "q"
    local s = { DataType = "String", StringValue = "x" }
    local eleven = {}
    for i = 1, 11 do eleven["a" .. i] = s end
    for what, attributes in pairs {
      eleven = eleven, ["empty name"] = { [""] = s }, ["long name"] = { [("n"):rep(257)] = s },
        aws = { ["AWS.x"] = s },
      amazon = { ["amazon.x"] = s }, ["first dot"] = { [".a"] = s }, ["last dot"] = { ["a."] = s },
        dots = { ["a..b"] = s },
      blank = { ["a b"] = s }, ["no type"] = { a = { StringValue = "x" } },
        ["bad type"] = { a = { DataType = "Text", StringValue = "x" } },
      ["type like one"] = { a = { DataType = "Stringy", StringValue = "x" } },
        ["no value"] = { a = { DataType = "String" } },
      ["empty value"] = { a = { DataType = "String", StringValue = "" } },
        ["no bytes"] = { a = { DataType = "Binary", BinaryValue = "" } },
      ["no number"] = { a = { DataType = "Number", StringValue = "12x" } },
        ["39 digits"] = { a = { DataType = "Number",
        StringValue = ("9"):rep(39) } }, control = { a = { DataType = "String", StringValue = "\1" } },
    } do
      local out, err = q.send { MessageBody = "x", MessageAttributes = attributes }
      assert.is_nil(out, what)
      assert.same({ what, "InvalidParameterValueException" }, { what, err.code })
    end
    local err = fails("InvalidParameterValueException", q.send { MessageBody = "x", MessageAttributes = {
      X = { DataType = "String" } } })
    assert.equal("Message (user) attribute 'X' must contain a non-empty value of type 'String'.", err.text)
    fails("UnsupportedOperation", q.send { MessageBody = "x", MessageAttributes = { a = { DataType = "String",
      StringListValues = { "x" } } } })
    fails("InvalidParameterValueException", q.send { MessageBody = "x", MessageSystemAttributes = { Foo = s } })
    fails("InvalidParameterValueException", q.send { MessageBody = "x", MessageSystemAttributes = { AWSTraceHeader = {
      DataType = "Number", StringValue = "1" } } })
    for _, good in ipairs { "0", "-1.5", "+3", "1e10", "12E-3", ("9"):rep(38), "000" .. ("9"):rep(38) } do
      assert.is_truthy(q.send { MessageBody = "x", MessageAttributes = { a = { DataType = "Number",
        StringValue = good } } })
    end
    assert.is_truthy(q.send { MessageBody = "x", MessageAttributes = { ["ä_-.1"] = { DataType = "String.x",
      StringValue = "y" } } })
  end)

  it("on FIFO wants a group and one way to tell doubles", function()
    local q = queue "q.fifo"
    local err = fails("MissingRequiredParameterException", q.send { MessageBody = "a", MessageDeduplicationId = "d" })
    assert.equal("The request must contain the parameter MessageGroupId.", err.text)
    fails("InvalidParameterValueException", q.send { MessageBody = "a", MessageGroupId = "g" })
    err = fails("InvalidParameterValueException", q.send { MessageBody = "a", MessageGroupId = "g",
      MessageDeduplicationId = "d", DelaySeconds = 2 })
    assert.equal("Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not "
      .. "valid for this queue type.", err.text)
    fails("InvalidParameterValueException", q.send { MessageBody = "a", MessageGroupId = "g",
      MessageDeduplicationId = "é" })
    assert.is_truthy(q.send { MessageBody = "a", MessageGroupId = "g", MessageDeduplicationId = "d",
      DelaySeconds = 0 })
  end)

  it("on FIFO keeps doubles out by id, by content, by queue or by group", function()
    local q = queue "q.fifo"
    local function send(body, group, id)
      return q.send { MessageBody = body, MessageGroupId = group, MessageDeduplicationId = id }
    end
    local first = send("a", "g", "x")
    local double = send("b", "h", "x")
    assert.same({ first.MessageId, first.SequenceNumber }, { double.MessageId, double.SequenceNumber })
    assert.are_not.equal(first.MD5OfMessageBody, double.MD5OfMessageBody)
    q.delete { ReceiptHandle = q.one().ReceiptHandle }
    assert.equal(first.MessageId, send("c", "g", "x").MessageId)
    q.set { Attributes = { DeduplicationScope = "messageGroup", ContentBasedDeduplication = "true" } }
    assert.are_not.equal(send("d", "g").MessageId, send("d", "h").MessageId)
    assert.equal(send("d", "g").MessageId, send("d", "g").MessageId)
    sqs.raw:skip(300000)
    assert.are_not.equal(first.MessageId, send("c", "g", "x").MessageId)
  end)
end)

describe("ReceiveMessage", function()
  it("gives id, handle, MD5 and body alone when nothing is asked for", function()
    local q = queue "q"
    local sent = q.send { MessageBody = "hello", MessageAttributes = { a = { DataType = "String",
      StringValue = "b" } } }
    local m = q.one()
    assert.equal(sent.MessageId, m.MessageId)
    m.ReceiptHandle = nil
    assert.same({ MessageId = sent.MessageId, MD5OfBody = "5d41402abc4b2a76b9719d911017c592", Body = "hello" }, m)
  end)

  it("gives the system attributes that are asked for", function()
    local q = queue "q.fifo"
    local sent = q.send { MessageBody = "a", MessageGroupId = "g", MessageDeduplicationId = "d",
      MessageSystemAttributes = {
      AWSTraceHeader = { DataType = "String", StringValue = "Root=1" } } }
    local a = q.one({ MessageSystemAttributeNames = { "All" }, VisibilityTimeout = 0 }).Attributes
    assert.is_true(math.abs(tonumber(a.SentTimestamp) - os.time() * 1000) < 5000)
    assert.is_true(tonumber(a.ApproximateFirstReceiveTimestamp) >= tonumber(a.SentTimestamp))
    a.SentTimestamp, a.ApproximateFirstReceiveTimestamp = nil, nil
    assert.same({ SenderId = "123456789012", ApproximateReceiveCount = "1", SequenceNumber = sent.SequenceNumber,
      MessageDeduplicationId = "d", MessageGroupId = "g", AWSTraceHeader = "Root=1" }, a)
    assert.same({ ApproximateReceiveCount = "2", MessageGroupId = "g" },
      q.one { AttributeNames = { "MessageGroupId", "Policy" },
      MessageSystemAttributeNames = { "ApproximateReceiveCount" } }.Attributes)
    fails("InvalidAttributeName", q.receive { AttributeNames = { "Foo" } })
    fails("InvalidAttributeName", q.receive { MessageSystemAttributeNames = { "Policy" } })
  end)

  it("gives the group id of a standard queue's message, and no empty Attributes", function()
    local q = queue "q"
    q.send { MessageBody = "a", MessageGroupId = "tenant" }
    assert.same({ MessageGroupId = "tenant" }, q.one { AttributeNames = { "MessageGroupId" },
      VisibilityTimeout = 0 }.Attributes)
    assert.is_nil(q.one { AttributeNames = { "SequenceNumber" } }.Attributes)
  end)

  it("gives the attributes that are asked for, with an MD5 of just these", function()
    local q = queue "q"
    local a, binary = { DataType = "String", StringValue = "b" }, { DataType = "Binary", BinaryValue = "AAH/" }
    local sent = q.send { MessageBody = "x", MessageAttributes = { a = a, ["foo.1"] = binary, food = binary, foo = a,
      other = a } }
    local function get(...)
      local m = q.one { MessageAttributeNames = { ... }, VisibilityTimeout = 0 }
      return m.MessageAttributes, m.MD5OfMessageAttributes
    end
    for _, all in ipairs { "All", ".*" } do
      local attributes, md5 = get(all)
      assert.same({ a = a, ["foo.1"] = binary, food = binary, foo = a, other = a }, attributes)
      assert.equal(sent.MD5OfMessageAttributes, md5)
    end
    assert.same({ { a = a }, "bef8bf215374a0a228d67533b1a488be" }, { get("a", "nothing") })
    assert.same({ ["foo.1"] = binary, food = binary, foo = a }, (get "foo.*"))
    assert.same({}, { get "fo" })
  end)

  for _, row in ipairs {
    { "MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided." },
    { "MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided." },
    { "WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided." },
    { "WaitTimeSeconds", -1, "Must be >= 0 and <= 20, if provided." },
    { "VisibilityTimeout", 43201 }, { "VisibilityTimeout", -1 },
  } do
    it(("refuses a %s of %d"):format(row[1], row[2]), function()
      local err = fails("InvalidParameterValueException", queue("q").receive { [row[1]] = row[2] })
      assert.same({ 400, "InvalidParameterValue;Sender" }, { err.status, err.query })
      if row[3] then
        assert.equal(("Value %d for parameter %s is invalid. Reason: %s"):format(row[2], row[1], row[3]), err.text)
      end
    end)
  end

  it("gives one message when not told how many, and the same ones for an attempt id on FIFO", function()
    local q = queue "q.fifo"
    for i = 1, 3 do q.put(tostring(i)) end
    local a = q.receive { ReceiveRequestAttemptId = "t" }.Messages
    local b = q.receive { ReceiveRequestAttemptId = "t" }.Messages
    assert.equal(1, #a)
    assert.same(a, b)
    fails("InvalidParameterValueException", q.receive { ReceiveRequestAttemptId = ("t"):rep(129) })
  end)

  it("gives OverLimit, 403, with 120,000 in flight", function()
    local q = queue("q", { VisibilityTimeout = "3600" })
    local entries = {}
    for i = 1, 10 do entries[i] = { Id = tostring(i), MessageBody = "x" } end
    for _ = 1, 12001 do
      q.send_batch { Entries = entries }
      q.receive { MaxNumberOfMessages = 10 }
    end
    local err = fails("OverLimit", q.receive())
    assert.same({ 403, "OverLimit;Sender" }, { err.status, err.query })
    local w = q.wait()
    assert.is_nil(w.take())
    sqs.raw:skip(3600000)
    assert.equal("x", w.take())
  end)
end)

describe("receipt handles", function()
  it("are sealed", function() assert.is_true(probe.handles_are_sealed()) end)

  it("must be there, and ours", function()
    local q, other = queue "q", queue "other"
    local err = fails("MissingRequiredParameterException", q.delete())
    assert.same({ "The request must contain the parameter ReceiptHandle.", "MissingParameter;Sender" }, { err.text,
      err.query })
    fails("MissingRequiredParameterException", q.change { VisibilityTimeout = 1 })
    err = fails("ReceiptHandleIsInvalid", q.delete { ReceiptHandle = "garbage" })
    assert.same({ 404, "ReceiptHandleIsInvalid;Sender",
      'The input receipt handle "garbage" is not a valid receipt handle.' },
      { err.status, err.query, err.text })
    fails("ReceiptHandleIsInvalid", q.change { ReceiptHandle = ("ä"):rep(2000), VisibilityTimeout = 1 })
    other.put "a"
    local handle = other.one().ReceiptHandle
    fails("ReceiptHandleIsInvalid", q.delete { ReceiptHandle = handle })
    fails("MissingRequiredParameterException", other.change { ReceiptHandle = handle })
    for _, bad in ipairs { -1, 43201 } do
      fails("InvalidParameterValueException", other.change { ReceiptHandle = handle, VisibilityTimeout = bad })
    end
  end)

  it("of an expired FIFO message are refused with its text", function()
    local q = queue "q.fifo"
    q.put "a"
    local handle = q.one({ VisibilityTimeout = 1 }).ReceiptHandle
    sqs.raw:skip(1000)
    local err = fails("InvalidParameterValueException", q.delete { ReceiptHandle = handle })
    assert.equal("Value " .. handle
      .. " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", err.text)
    fails("InvalidParameterValueException", q.change { ReceiptHandle = handle, VisibilityTimeout = 1 })
  end)

  it("of a deleted message delete again, but do not change", function()
    local q = queue "q"
    q.put "a"
    local handle = q.one().ReceiptHandle
    q.delete { ReceiptHandle = handle }
    assert.equal("", q.delete { ReceiptHandle = handle })
    fails("InvalidParameterValueException", q.change { ReceiptHandle = handle, VisibilityTimeout = 1 })
  end)

  it("cannot hold a message for more than 12 hours", function()
    local q = queue "q"
    q.put "a"
    local handle = q.one({ VisibilityTimeout = 43200 }).ReceiptHandle
    sqs.raw:skip(5000)
    local err = fails("InvalidParameterValueException", q.change { ReceiptHandle = handle,
      VisibilityTimeout = 43200 })
    assert.is_truthy(err.text:find("Total VisibilityTimeout for the message is beyond the limit [43200 seconds]", 1,
      true))
    assert.equal("", q.change { ReceiptHandle = handle, VisibilityTimeout = 43190 })
  end)
end)

describe("batches", function()
  local function entries(n, each)
    local out = {}
    for i = 1, n do
      out[i] = each and each(i) or {}
      out[i].Id = out[i].Id or "e" .. i
      out[i].MessageBody = out[i].MessageBody or "x"
    end
    return out
  end

  for short, name in pairs { send_batch = "SendMessageBatch", delete_batch = "DeleteMessageBatch",
    change_batch = "ChangeMessageVisibilityBatch" } do
    it("of " .. name .. " check their entries first", function()
      local q = queue "q"
      local err = fails("EmptyBatchRequest", q[short] {})
      assert.is_truthy(err.text:find(name .. "RequestEntry", 1, true))
      fails("EmptyBatchRequest", sqs.call(name, ('{"QueueUrl":"%s","Entries":[]}'):format(q.url)))
      err = fails("TooManyEntriesInBatchRequest", q[short] { Entries = entries(20) })
      assert.same({ "Maximum number of entries per request are 10. You have sent 20.", 400,
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender" }, { err.text, err.status, err.query })
      err = fails("BatchEntryIdsNotDistinct", q[short] { Entries = entries(3, function() return { Id = "X" } end) })
      assert.equal("Id X repeated.", err.text)
      for _, id in ipairs { "", "a b", "ä", "a.b", ("i"):rep(81) } do
        fails("InvalidBatchEntryId", q[short] { Entries = { { Id = id } } })
      end
      fails("MissingRequiredParameterException", q[short] { Entries = { { MessageBody = "x" } } })
    end)
  end

  it("fail in part", function()
    local q = queue("q", { MaximumMessageSize = "1024" })
    local out = q.send_batch { Entries = {
      { Id = "good", MessageBody = "hello" }, { Id = "control", MessageBody = "\1" },
      { Id = "long", MessageBody = ("x"):rep(1025) }, { Id = "late", MessageBody = "x", DelaySeconds = 901 },
      { Id = "fine", MessageBody = "x", MessageAttributes = { a = { DataType = "String", StringValue = "b" } } },
    } }
    assert.same({ "good", "fine" }, { out.Successful[1].Id, out.Successful[2].Id })
    assert.equal("5d41402abc4b2a76b9719d911017c592", out.Successful[1].MD5OfMessageBody)
    assert.equal("bef8bf215374a0a228d67533b1a488be", out.Successful[2].MD5OfMessageAttributes)
    local failed = {}
    for i, f in ipairs(out.Failed) do failed[i] = { f.Id, f.Code, f.SenderFault } end
    assert.same({ { "control", "InvalidMessageContents", true }, { "long", "InvalidParameterValue", true },
      { "late", "InvalidParameterValue", true } }, failed)
    assert.equal("One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
      out.Failed[2].Message)
    assert.equal("hello x", q.bodies())
  end)

  it("hold at most 1 MiB in all, and then nothing of them is sent", function()
    local q = queue "q"
    local half = ("x"):rep(MIB // 2)
    local out = q.send_batch { Entries = { { Id = "a", MessageBody = half }, { Id = "b", MessageBody = half } } }
    assert.equal(2, #out.Successful)
    assert.is_nil(out.Failed)
    q.purge()
    local err = fails("BatchRequestTooLong", q.send_batch { Entries = { { Id = "a", MessageBody = half },
      { Id = "b", MessageBody = half .. "x" } } })
    assert.equal("Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.", err.text)
    assert.equal("", q.bodies())
  end)

  it("to FIFO keep their order, want groups as a whole and doubles' ids one by one", function()
    local q = queue "q.fifo"
    local err = fails("InvalidParameterValueException", q.send_batch { Entries = { { Id = "a",
      MessageBody = "x" } } })
    assert.equal("The request must contain the parameter MessageGroupId.", err.text)
    local out = q.send_batch { Entries = entries(3, function(i)
      return { MessageBody = tostring(i), MessageGroupId = "g", MessageDeduplicationId = i ~= 2 and "d" .. i or nil }
    end) }
    assert.same({ "e1", "e3", "e2" }, { out.Successful[1].Id, out.Successful[2].Id, out.Failed[1].Id })
    assert.is_true(out.Successful[1].SequenceNumber < out.Successful[2].SequenceNumber)
    assert.equal("1 3", q.bodies())
  end)

  it("delete and change what they can", function()
    local q = queue "q"
    for i = 1, 3 do q.put(tostring(i)) end
    local m = q.receive({ MaxNumberOfMessages = 3 }).Messages
    local out = q.change_batch { Entries = {
      { Id = "a", ReceiptHandle = m[1].ReceiptHandle, VisibilityTimeout = 0 },
      { Id = "b", ReceiptHandle = "garbage", VisibilityTimeout = 0 },
      { Id = "c", ReceiptHandle = m[2].ReceiptHandle, VisibilityTimeout = 43201 },
      { Id = "d", ReceiptHandle = m[2].ReceiptHandle },
    } }
    assert.same({ { Id = "a" } }, out.Successful)
    local codes = {}
    for i, f in ipairs(out.Failed) do codes[i] = f.Id .. f.Code end
    assert.same({ "bReceiptHandleIsInvalid", "cInvalidParameterValue", "dMissingParameter" }, codes)
    out = q.delete_batch { Entries = { { Id = "a", ReceiptHandle = m[1].ReceiptHandle }, { Id = "b",
      ReceiptHandle = "x" },
      { Id = "c", ReceiptHandle = m[2].ReceiptHandle }, { Id = "d" } } }
    assert.same({ { Id = "a" }, { Id = "c" } }, out.Successful)
    assert.same({ "b", "ReceiptHandleIsInvalid", true }, { out.Failed[1].Id, out.Failed[1].Code,
      out.Failed[1].SenderFault })
    assert.equal("MissingParameter", out.Failed[2].Code)
    sqs.raw:skip(30000)
    assert.equal("3", q.bodies())
  end)
end)

describe("a backlog of 100,000 messages", function()
  it("is sent, received and deleted", function()
    local q = queue "q.fifo"
    local sent = 0
    for batch = 1, 10000 do
      local entries = {}
      for i = 1, 10 do
        entries[i] = { Id = "i" .. i, MessageBody = "message " .. sent + i, MessageGroupId = "g" .. batch % 1000,
          MessageDeduplicationId = "d" .. sent + i }
      end
      sent = sent + #q.send_batch({ Entries = entries }).Successful
    end
    assert.equal("100000", q.attributes("All").ApproximateNumberOfMessages)
    for _ = 1, 300 do
      local out = {}
      for i, m in ipairs(q.receive({ MaxNumberOfMessages = 10 }).Messages) do
        out[i] = { Id = "i" .. i, ReceiptHandle = m.ReceiptHandle }
      end
      assert(#out == 10 and #q.delete_batch({ Entries = out }).Successful == 10)
    end
    assert.equal("97000", q.attributes("All").ApproximateNumberOfMessages)
  end)
end)
