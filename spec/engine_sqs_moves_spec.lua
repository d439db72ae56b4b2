-- Message move tasks of the engine's SQS.
local calls = require "support.sqs_calls"
local fails = calls.fails

local sqs
before_each(function() sqs = calls.new() end)
after_each(function() sqs.raw:stop() end)

local function queue(...) return calls.queue(sqs, ...) end

describe("a message move task", function()
  local function policy(name) return ('{"deadLetterTargetArn":"%s","maxReceiveCount":1}'):format(sqs.arn(name)) end

  -- A queue, its dead-letter queue, and so many dead letters there: 1, 2, 3 and so on.
  local function dead_letters(count, suffix, attributes)
    suffix, attributes = suffix or "", attributes or {}
    local dlq = queue("dlq" .. suffix)
    attributes.RedrivePolicy = policy("dlq" .. suffix)
    local q = queue("q" .. suffix, attributes)
    for i = 1, count do q.put(tostring(i)) end
    for _ = 1, 2 * math.ceil(count / 10) do q.bodies { VisibilityTimeout = 0 } end
    assert.equal(tostring(count), dlq.attributes("All").ApproximateNumberOfMessages)
    return dlq, q
  end

  local function start(input)
    input = input or {}
    input.SourceArn = input.SourceArn or sqs.arn "dlq"
    return sqs.StartMessageMoveTask(input)
  end

  local function tasks(most, name)
    return sqs.ListMessageMoveTasks { SourceArn = sqs.arn(name or "dlq"), MaxResults = most }.Results
  end

  it("brings dead letters back to where they were dead, as new messages", function()
    for _, suffix in ipairs { "", ".fifo" } do
      local dlq, q = dead_letters(3, suffix)
      local before = dlq.one { VisibilityTimeout = 0, MessageSystemAttributeNames = { "SentTimestamp" } }
      sqs.raw:skip(7000)
      local handle = assert(start { SourceArn = sqs.arn("dlq" .. suffix) }).TaskHandle
      assert.matches("^[%w+/]+=*$", handle)
      assert.equal("", dlq.bodies())
      local m = q.one { MessageSystemAttributeNames = { "All" } }
      assert.same({ "1", "1" }, { m.Body, m.Attributes.ApproximateReceiveCount })
      assert.not_equal(before.MessageId, m.MessageId)
      assert.is_nil(m.Attributes.DeadLetterQueueSourceArn)
      assert.is_true(m.Attributes.SentTimestamp - before.Attributes.SentTimestamp >= 7000)
      assert.equal(suffix == ".fifo" and "g" or nil, m.Attributes.MessageGroupId)
      local task = tasks(1, "dlq" .. suffix)[1]
      assert.is_true(task.StartedTimestamp > 1e12)
      task.StartedTimestamp = nil
      assert.same({ Status = "COMPLETED", SourceArn = sqs.arn("dlq" .. suffix), ApproximateNumberOfMessagesMoved = 3,
        ApproximateNumberOfMessagesToMove = 3 }, task)
    end
  end)

  it("moves to another queue, which waiting receives learn of, under that queue's delay", function()
    dead_letters(2)
    local other, slow = queue "other", queue("slow", { DelaySeconds = "5" })
    local waiting = other.wait { MaxNumberOfMessages = 10 }
    assert(start { DestinationArn = sqs.arn "other" })
    assert.equal("1 2", waiting.take())
    assert.equal(sqs.arn "other", tasks()[1].DestinationArn)
    queue("q2", { RedrivePolicy = policy "other" })
    sqs.raw:skip(31000)
    assert(start { SourceArn = sqs.arn "other", DestinationArn = sqs.arn "slow" })
    assert.equal("", slow.bodies())
    sqs.raw:skip(5000)
    assert.equal("1 2", slow.bodies())
  end)

  it("moves no faster than it may, and can be cancelled", function()
    local dlq, q = dead_letters(40)
    local handle = start { MaxNumberOfMessagesPerSecond = 1 }.TaskHandle
    local function moved() return tasks()[1].ApproximateNumberOfMessagesMoved end
    local function count(of) return tonumber(of.attributes("All").ApproximateNumberOfMessages) end
    local first = moved() -- one at once, and one for each second that has really passed
    assert.is_true(first >= 1 and first < 10, first)
    sqs.raw:skip(10000)
    local second = moved()
    assert.is_true(second >= first + 10 and second < 20, second)
    local task = tasks()[1]
    assert.same({ "RUNNING", 1, handle, 40 }, { task.Status, task.MaxNumberOfMessagesPerSecond, task.TaskHandle,
      task.ApproximateNumberOfMessagesToMove })
    fails("InvalidParameterValueException", start())
    local last = sqs.CancelMessageMoveTask { TaskHandle = handle }.ApproximateNumberOfMessagesMoved
    assert.is_true(last >= second and last < 20, last)
    sqs.raw:skip(60000)
    assert.same({ "CANCELLED", last, nil }, { tasks()[1].Status, moved(), tasks()[1].TaskHandle })
    fails("UnsupportedOperation", sqs.CancelMessageMoveTask { TaskHandle = handle })
    assert.same({ last, 40 - last }, { count(q), count(dlq) })
    assert.matches("^1 2 3 ", q.bodies())
  end)

  it("gives others their turn when there is much to move", function()
    local dlq = queue "dlq"
    queue("q", { RedrivePolicy = policy "dlq" })
    local other = queue "other"
    for i = 1, 250 do dlq.put(tostring(i)) end
    start { DestinationArn = sqs.arn "other" }
    assert.equal("100", other.attributes("All").ApproximateNumberOfMessages)
    for _ = 1, 3 do sqs.raw:skip(1) end
    assert.equal("250", other.attributes("All").ApproximateNumberOfMessages)
    assert.equal("COMPLETED", tasks()[1].Status)
  end)

  it("leaves alone what is in flight, and what comes later", function()
    local dlq = dead_letters(2)
    assert.equal("1", dlq.bodies { MaxNumberOfMessages = 1, VisibilityTimeout = 10 })
    start()
    assert.same({ "COMPLETED", 1 }, { tasks()[1].Status, tasks()[1].ApproximateNumberOfMessagesMoved })
    sqs.raw:skip(10000)
    assert.equal("1", dlq.bodies())
  end)

  it("fails with a letter that knows no queue, or one that is gone, which stays", function()
    local dlq, q = dead_letters(1)
    q.delete_queue()
    queue("q2", { RedrivePolicy = policy "dlq" })
    start()
    local task = tasks()[1]
    assert.same({ "FAILED", "AWS.SimpleQueueService.NonExistentQueue" }, { task.Status, task.FailureReason })
    assert.equal("1", dlq.bodies())
    sqs.raw:skip(61000)
    dlq.purge()
    dlq.put "stranger"
    start()
    task = tasks()[1]
    assert.same({ "FAILED", "CouldNotDetermineMessageSource" }, { task.Status, task.FailureReason })
    assert.equal("stranger", dlq.bodies())
  end)

  it("is listed with the last nine of its queue, the newest first, and goes with the queue", function()
    local dlq = dead_letters(1)
    for _ = 1, 12 do
      assert(start { DestinationArn = sqs.arn "q" })
      sqs.raw:skip(1)
    end
    local all = tasks(10)
    assert.equal(10, #all)
    for i = 2, 10 do assert.is_true(all[i - 1].StartedTimestamp > all[i].StartedTimestamp) end
    assert.equal(1, #tasks())
    assert.same({}, sqs.ListMessageMoveTasks { SourceArn = sqs.arn "q" })
    dlq.delete_queue()
    fails("ResourceNotFoundException", sqs.ListMessageMoveTasks { SourceArn = sqs.arn "dlq" })
  end)

  it("is refused where it makes no sense", function()
    dead_letters(1)
    queue "other.fifo"
    local function says(code, text, out, err)
      fails(code, out, err)
      assert.matches(text, err.text)
    end
    says("MissingRequiredParameterException", "SourceArn", sqs.StartMessageMoveTask {})
    says("ResourceNotFoundException", "SourceArn", start { SourceArn = sqs.arn "nobody" })
    says("ResourceNotFoundException", "DestinationArn", start { DestinationArn = sqs.arn "nobody" })
    says("InvalidParameterValueException", "must be configured as a Dead Letter Queue",
      start { SourceArn = sqs.arn "q" })
    says("InvalidParameterValueException", "the same%.$", start { DestinationArn = sqs.arn "dlq" })
    says("InvalidParameterValueException", "same type", start { DestinationArn = sqs.arn "other.fifo" })
    for _, rate in ipairs { 0, 501 } do
      says("InvalidParameterValueException", "between 1 and 500", start { MaxNumberOfMessagesPerSecond = rate })
    end
    says("InvalidParameterValueException", "between 1 and 10",
      sqs.ListMessageMoveTasks { SourceArn = sqs.arn "dlq", MaxResults = 11 })
    says("MissingRequiredParameterException", "TaskHandle", sqs.CancelMessageMoveTask {})
    for _, handle in ipairs { "?", "e30=", "eA==" } do
      says("InvalidParameterValueException", "TaskHandle", sqs.CancelMessageMoveTask { TaskHandle = handle })
    end
    says("ResourceNotFoundException", "Task does not exist",
      sqs.CancelMessageMoveTask { TaskHandle = "eyJ0YXNrSWQiOiJ4In0=" })
  end)
end)
