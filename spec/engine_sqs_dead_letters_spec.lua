local calls = require "support.sqs_calls"
local fails = calls.fails

local sqs
before_each(function() sqs = calls.new() end)
after_each(function() sqs.raw:stop() end)

local function queue(...) return calls.queue(sqs, ...) end

describe("dead letters", function()
  local function policy(name,
    count) return ('{"deadLetterTargetArn":"%s","maxReceiveCount":%s}'):format(sqs.arn(name), count) end

  it("move with all they are, and the count goes on", function()
    for _, suffix in ipairs { "", ".fifo" } do
      local dlq = queue("dlq" .. suffix)
      local q = queue("q" .. suffix, { RedrivePolicy = policy("dlq" .. suffix, '"2"') })
      local sent = q.put "a"
      for _ = 1, 2 do assert.equal("a", q.bodies { VisibilityTimeout = 0 }) end
      sqs.raw:skip(5000)
      assert.equal("", q.bodies())
      local m = dlq.one { MessageSystemAttributeNames = { "All" } }
      assert.same({ "a", sent.MessageId, "3", sqs.arn("q" .. suffix) }, { m.Body, m.MessageId,
        m.Attributes.ApproximateReceiveCount, m.Attributes.DeadLetterQueueSourceArn })
      local age = tonumber(m.Attributes.ApproximateFirstReceiveTimestamp) - tonumber(m.Attributes.SentTimestamp)
      assert.equal(suffix == "", age >= 0)
      assert.equal(suffix == ".fifo" and "g" or nil, m.Attributes.MessageGroupId)
    end
  end)

  it("unlock their group", function()
    queue "dlq.fifo"
    local q = queue("q.fifo", { RedrivePolicy = policy("dlq.fifo", 1) })
    q.put "a"
    q.put "b"
    assert.equal("a", q.bodies { MaxNumberOfMessages = 1, VisibilityTimeout = 1 })
    sqs.raw:skip(1000)
    assert.equal("b", q.bodies())
  end)

  it("go in circles without end only as receives drive them", function()
    local a = queue "a"
    local b = queue("b", { RedrivePolicy = policy("a", 1) })
    a.set { Attributes = { RedrivePolicy = policy("b", 1) } }
    a.put "x"
    local wa, wb = a.wait { VisibilityTimeout = 0, MaxNumberOfMessages = 10 }, b.wait { VisibilityTimeout = 0 }
    assert.equal("x", wa.take())
    assert.is_nil(wb.take())
    assert.equal("", a.bodies())
    assert.equal("x", wb.take())
  end)

  it("have a policy that is checked", function()
    local q, arn = queue "q", sqs.arn "dlq"
    queue "dlq"
    queue "dlq.fifo"
    for _, bad in ipairs { "x", "[]", '{"maxReceiveCount":1}', ('{"deadLetterTargetArn":"%s"}'):format(arn),
      policy("dlq", 0),
      policy("dlq", 1001), policy("dlq", '"x"'), policy("dlq", 1.5), policy("nobody", 1), policy("dlq.fifo", 1) } do
      fails("InvalidParameterValueException", q.set { Attributes = { RedrivePolicy = bad } })
    end
    q.set { Attributes = { RedrivePolicy = policy("dlq", '"1000"') } }
    assert.equal(policy("dlq", 1000), q.attributes("RedrivePolicy").RedrivePolicy)
    q.set { Attributes = { RedrivePolicy = "" } }
    assert.is_nil(q.attributes("All").RedrivePolicy)
  end)

  it("stay where they are when their target is gone", function()
    local dlq = queue "dlq"
    local q = queue("q", { RedrivePolicy = policy("dlq", 1) })
    q.put "a"
    dlq.delete_queue()
    for _ = 1, 3 do assert.equal("a", q.bodies { VisibilityTimeout = 0 }) end
  end)

  it("go only where RedriveAllowPolicy lets them", function()
    local dlq, q = queue "dlq", queue "q"
    local function allow(text) return dlq.set { Attributes = { RedriveAllowPolicy = text } } end
    local function try() return q.set { Attributes = { RedrivePolicy = policy("dlq", 1) } } end
    allow '{"redrivePermission":"denyAll"}'
    fails("InvalidParameterValueException", try())
    allow(('{"redrivePermission":"byQueue","sourceQueueArns":["%s"]}'):format(sqs.arn "other"))
    fails("InvalidParameterValueException", try())
    allow(('{"redrivePermission":"byQueue","sourceQueueArns":["%s","%s"]}'):format(sqs.arn "other", sqs.arn "q"))
    assert.equal("", (try()))
    allow '{"redrivePermission":"allowAll"}'
    assert.equal("", (try()))
    for _, bad in ipairs { "x", "{}", '{"redrivePermission":"some"}', '{"redrivePermission":"byQueue"}',
      '{"redrivePermission":"byQueue","sourceQueueArns":[1]}',
        '{"redrivePermission":"denyAll","sourceQueueArns":["a"]}' } do
      fails("InvalidAttributeValue", allow(bad))
    end
  end)

  it("show their sources, in pages", function()
    local dlq = queue "dlq"
    for i = 1, 3 do queue("q" .. i, { RedrivePolicy = policy("dlq", 1) }) end
    queue "free"
    assert.equal(3, #dlq.sources().queueUrls)
    local page = dlq.sources { MaxResults = 2 }
    local rest = dlq.sources { MaxResults = 2, NextToken = page.NextToken }
    assert.same({ 2, "http://127.0.0.1:4100/123456789012/q3" }, { #page.queueUrls, rest.queueUrls[1] })
    assert.is_nil(rest.NextToken)
  end)
end)
