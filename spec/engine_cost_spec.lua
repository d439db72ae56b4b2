-- What the engine counts as AWS bills it: requests by started 64 KB of payload, invocations by the millisecond.
local calls = require "support.sqs_calls"
local E = require "spec.support.engine"

local KB64 = 65536

describe("the bill of SQS", function()
  local sqs
  before_each(function() sqs = calls.new() end)
  after_each(function() sqs.raw:stop() end)

  local function queue(...)
    local q = calls.queue(sqs, ...)
    sqs.raw:bills()
    return q
  end

  local function billed(text) assert.equal(text, sqs.raw:bills()) end

  it("has one request for each started 64 KB of a message", function()
    local q = queue "q"
    for size, units in pairs { [1] = 1, [KB64] = 1, [KB64 + 1] = 2, [2 * KB64] = 2, [16 * KB64] = 16 } do
      assert(q.send { MessageBody = ("x"):rep(size) })
      billed(("SendMessage standard %d;"):format(units))
      assert(q.receive().Messages)
      billed(("ReceiveMessage standard %d;"):format(units))
    end
  end)

  it("counts bytes, not characters, and attributes by name, type and value", function()
    local q = queue "q"
    q.send { MessageBody = ("ü"):rep(KB64 / 2) }
    q.send { MessageBody = ("ü"):rep(KB64 / 2) .. "x" }
    billed "SendMessage standard 1;SendMessage standard 2;"
    local attributes = { name = { DataType = "String", StringValue = "value" } } -- 4 + 6 + 5
    for rest, units in pairs { [15] = 1, [14] = 2 } do
      q.purge()
      sqs.raw:skip(60001)
      q.send { MessageBody = ("x"):rep(KB64 - rest), MessageAttributes = attributes }
      assert.equal(1, #q.receive().Messages)
      billed(("PurgeQueue standard 1;SendMessage standard %d;ReceiveMessage standard %d;"):format(units, units))
    end
  end)

  it("has one request for a batch up to 64 KB, whatever it holds", function()
    local q = queue "q"
    local function batch(first)
      local entries = { { Id = "0", MessageBody = ("x"):rep(first) } }
      for i = 1, 9 do entries[i + 1] = { Id = tostring(i), MessageBody = ("x"):rep(6000) } end
      assert.equal(10, #q.send_batch({ Entries = entries }).Successful)
    end
    batch(KB64 - 54000)
    billed "SendMessageBatch standard 1;"
    local got = q.receive { MaxNumberOfMessages = 10 }.Messages
    billed "ReceiveMessage standard 1;"
    local handles = {}
    for i, m in ipairs(got) do
      handles[i] = { Id = tostring(i), ReceiptHandle = m.ReceiptHandle, VisibilityTimeout = 9 }
    end
    q.change_batch { Entries = handles }
    q.delete_batch { Entries = handles }
    billed "ChangeMessageVisibilityBatch standard 1;DeleteMessageBatch standard 1;"
    batch(KB64 - 54000 + 1)
    assert.equal(10, #q.receive({ MaxNumberOfMessages = 10 }).Messages)
    billed "SendMessageBatch standard 2;ReceiveMessage standard 2;"
  end)

  it("counts empty receives, short and long, once each", function()
    local q = queue "q"
    q.receive()
    billed "ReceiveMessage standard 1;"
    local poll = q.wait { WaitTimeSeconds = 5 }
    billed ""
    sqs.raw:skip(5001)
    assert.equal("", poll.take())
    billed "ReceiveMessage standard 1;"
  end)

  it("counts a long poll by what it gets, by whoever ends it", function()
    local q = queue "q"
    local poll = q.wait()
    q.put(("x"):rep(KB64 + 1))
    assert.equal(KB64 + 1, #poll.take())
    billed "SendMessage standard 2;ReceiveMessage standard 2;"
    sqs.raw:gone(q.wait().id)
    billed "ReceiveMessage standard 1;"
    q.wait()
    q.delete_queue()
    billed "ReceiveMessage standard 1;DeleteQueue standard 1;"
  end)

  it("keeps standard and FIFO queues apart", function()
    calls.queue(sqs, "a.fifo")
    billed "CreateQueue fifo 1;"
    local q = queue "q.fifo"
    q.put "a"
    q.delete { ReceiptHandle = q.one().ReceiptHandle }
    billed "SendMessage fifo 1;ReceiveMessage fifo 1;DeleteMessage fifo 1;"
    sqs.GetQueueUrl { QueueName = "q.fifo" }
    sqs.ListQueues {}
    billed "GetQueueUrl fifo 1;ListQueues standard 1;"
  end)

  it("has one request for what an operation refuses, and none for what is no operation", function()
    local q = queue "q"
    calls.fails("InvalidMessageContents", q.send { MessageBody = ("x"):rep(KB64) .. "\1" })
    calls.fails("QueueDoesNotExist", sqs.SendMessage { QueueUrl = q.url .. "x.fifo", MessageBody = "x" })
    billed "SendMessage standard 1;SendMessage fifo 1;"
    calls.fails("UnknownOperationException", sqs.FooBar {})
    billed ""
  end)
end)

describe("the engine's figures of use", function()
  after_each(E.stop_all)

  -- Billed milliseconds as the REPORT lines have them.
  local function reported(engine)
    local sum, count = 0, 0
    for _, line in ipairs(engine:log()) do
      local ms = line[1]:match "Billed Duration: (%d+) ms"
      if ms then sum, count = sum + tonumber(ms), count + 1 end
    end
    return sum, count
  end

  it("have requests as they came over the wire", function()
    local engine = assert(E.start { function_name = false, command = false })
    local url = engine:sqs("CreateQueue", { QueueName = "q.fifo", Attributes = { FifoQueue = "true" } }).json.QueueUrl
    for i = 1, 3 do
      engine:sqs("SendMessage", { QueueUrl = url, MessageBody = ("x"):rep(KB64 + 1), MessageGroupId = "g",
        MessageDeduplicationId = tostring(i) })
    end
    engine:sqs("ListQueues", {})
    engine:sqs("ListQueues", {}, { secret = "wrong" })
    local usage = engine.handle:usage()
    assert.same({ 0, 0, 1, 1 }, usage.CreateQueue)
    assert.same({ 0, 0, 3, 6 }, usage.SendMessage)
    assert.same({ 1, 1, 0, 0 }, usage.ListQueues)
    assert.is_nil(usage.ReceiveMessage)
    assert.equal(0, usage.attempts)
    assert.near((7 * 0.50 + 1 * 0.40) / 1e6, usage.dollars, 1e-15)
  end)

  it("have invocations, each attempt, and the time that REPORT bills", function()
    local engine = assert(E.start { max_retries = 1, retry_wait_ms = 10, memory_mb = 512 })
    engine:invoke "1"
    engine:invoke { act = "hang", seconds = 0.05 }
    engine:invoke({ act = "error", message = "no" }, { type = "Event" })
    assert.is_true(engine:wait_idle())
    engine:invoke({}, { type = "DryRun" })
    local usage = engine.handle:usage()
    local ms, count = reported(engine)
    assert.equal(4, count)
    assert.equal(4, usage.attempts)
    assert.equal(ms, usage.billed_ms)
    assert.is_true(ms >= 50)
    assert.equal(512, usage.memory_mb)
    assert.near(4 * 0.20 / 1e6 + ms / 1000 * 0.5 * 0.0000166667, usage.dollars, 1e-15)
  end)
end)
