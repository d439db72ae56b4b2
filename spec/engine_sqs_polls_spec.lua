local calls = require "support.sqs_calls"

local sqs
before_each(function() sqs = calls.new() end)
after_each(function() sqs.raw:stop() end)

local function queue(...) return calls.queue(sqs, ...) end

describe("long polls", function()
  it("end empty when their time is over, by the timer", function()
    local q = queue "q"
    local w = q.wait { WaitTimeSeconds = 1 }
    sqs.raw:skip(900)
    assert.is_nil(w.take())
    sqs.raw:run(300)
    assert.equal("", w.take())
  end)

  it("end each in its own time, whoever came first", function()
    local q = queue "q"
    local long, short = q.wait(), q.wait { WaitTimeSeconds = 1 }
    sqs.raw:run(1100)
    assert.equal("", short.take())
    assert.is_nil(long.take())
  end)

  it("are woken by a send", function()
    local q = queue "q"
    local w = q.wait { MaxNumberOfMessages = 10 }
    assert.is_nil(w.take())
    q.put "a"
    assert.equal("a", w.take())
  end)

  it("are woken by a batch, by a message from inside the engine, and once only", function()
    local q = queue "q"
    local a, b, c = q.wait { MaxNumberOfMessages = 10 }, q.wait(), q.wait()
    q.send_batch { Entries = { { Id = "1", MessageBody = "1" }, { Id = "2", MessageBody = "2" } } }
    assert.equal("1 2", a.take())
    assert.is_nil(b.take())
    assert.is_true(sqs.raw:deliver(sqs.arn "q", "3"))
    assert.equal("3", b.take())
    assert.is_nil(c.take())
  end)

  it("are woken by the end of a visibility timeout and of a delay, by the timer", function()
    local q = queue "q"
    q.put "a"
    q.receive { VisibilityTimeout = 2 }
    q.send { MessageBody = "b", DelaySeconds = 4 }
    local w, x = q.wait(), q.wait()
    sqs.raw:skip(1950)
    assert.is_nil(w.take())
    sqs.raw:run(100)
    assert.equal("a", w.take())
    sqs.raw:skip(2000)
    assert.equal("b", x.take())
  end)

  it("are woken when a group is unlocked by a deletion", function()
    local q = queue "q.fifo"
    q.put "a"
    local handle = q.one().ReceiptHandle
    local w = q.wait()
    q.put "b"
    assert.is_nil(w.take())
    q.delete { ReceiptHandle = handle }
    assert.equal("b", w.take())
  end)

  it("are woken by a change of visibility", function()
    local q = queue "q"
    q.put "a"
    local handle = q.one().ReceiptHandle
    local w = q.wait()
    q.change { ReceiptHandle = handle, VisibilityTimeout = 20 }
    q.change { ReceiptHandle = handle, VisibilityTimeout = 1 }
    assert.is_nil(w.take())
    sqs.raw:skip(1000)
    assert.equal("a", w.take())
    sqs.raw:skip(30000)
    handle = q.one().ReceiptHandle
    w = q.wait()
    q.change { ReceiptHandle = handle, VisibilityTimeout = 0 }
    assert.equal("a", w.take())
  end)

  it("are woken by a move to their dead-letter queue", function()
    local dlq = queue "dlq"
    local q = queue("q",
      { RedrivePolicy = ('{"deadLetterTargetArn":"%s","maxReceiveCount":1}'):format(sqs.arn "dlq") })
    q.put "a"
    q.receive { VisibilityTimeout = 1 }
    local w, x = dlq.wait(), q.wait()
    sqs.raw:skip(1000)
    assert.equal("a", w.take())
    assert.is_nil(x.take())
  end)

  it("are served first come first served, also before one that comes when something falls due", function()
    local q = queue "q"
    local w = {}
    for i = 1, 5 do w[i] = q.wait() end
    for i = 1, 4 do q.put(tostring(i)) end
    for i = 1, 4 do assert.equal(tostring(i), w[i].take()) end
    assert.is_nil(w[5].take())
    q.send { MessageBody = "late", DelaySeconds = 1 }
    sqs.raw:pass(1000)
    assert.equal("", q.bodies())
    assert.equal("late", w[5].take())
  end)

  it("take nothing for clients that have gone", function()
    local q = queue "q"
    local a, b, c = q.wait(), q.wait(), q.wait()
    sqs.raw:gone(a.id)
    sqs.raw:gone(c.id)
    assert.equal("", a.take())
    q.put "1"
    assert.equal("1", b.take())
    q.put "2"
    assert.equal("2", q.bodies())
  end)

  it("learn that their queue was deleted", function()
    local q = queue "q"
    local w = q.wait()
    q.delete_queue()
    assert.equal("QueueDoesNotExist", w.take())
  end)

  it("are answered when the service ends", function()
    local w = queue("q").wait()
    sqs.raw:stop()
    assert.equal("", w.take())
  end)

  it("show what was asked for", function()
    local q = queue "q"
    local id = sqs.begin("ReceiveMessage", { QueueUrl = q.url, WaitTimeSeconds = 5, MessageAttributeNames = { "a" },
      AttributeNames = { "SentTimestamp" }, VisibilityTimeout = 3 })
    q.send { MessageBody = "x", MessageAttributes = { a = { DataType = "String", StringValue = "b" } } }
    local m = sqs.take(id).Messages[1]
    assert.equal("b", m.MessageAttributes.a.StringValue)
    assert.is_truthy(m.Attributes.SentTimestamp)
    sqs.raw:skip(3000)
    assert.equal("x", q.bodies())
  end)
end)
