-- Calls of the engine's SQS without a wire: `local sqs = require "support.sqs_calls".new()`, then sqs.SendMessage{...}.
local cjson = require "cjson"
local probe = require "probe.engine_sqs"

local calls = {}

-- An error as a spec looks at it: "code status", the query code, and the text.
local function failure(status, body, header)
  local e = cjson.decode(body)
  local namespace, code = e.__type:match "^(.*)#(.*)$"
  return nil, { code = code, namespace = namespace, status = status, query = header, text = e.message }
end

function calls.new(lenient)
  local self = { raw = probe.service(lenient) }

  -- nil: not answered yet.
  function self.take(id)
    local status, body, header, content_type = self.raw:take(id)
    if not status then return nil end
    assert(content_type == "application/x-amz-json-1.0")
    if status ~= 200 then return failure(status, body, header) end
    if body == "" then return "" end
    return cjson.decode(body)
  end

  -- Starts a call that may wait; answers by take.
  function self.begin(operation, input, ...)
    local body = type(input) == "string" and input or cjson.encode(input)
    return self.raw:call("AmazonSQS." .. operation, body, ...)
  end

  function self.call(operation, input, ...)
    local id = self.begin(operation, input, ...)
    local out, err = self.take(id)
    assert(out ~= nil or err, operation .. " was not answered")
    return out, err
  end

  function self.create(name, attributes)
    local input = { QueueName = name, Attributes = attributes }
    if name:find "%.fifo$" then
      input.Attributes = attributes or {}
      input.Attributes.FifoQueue = "true"
    end
    local out, err = self.call("CreateQueue", input)
    return out and out.QueueUrl, err
  end

  function self.arn(name) return "arn:aws:sqs:us-east-1:123456789012:" .. name end

  return setmetatable(self, {
    __index = function(_, operation)
      return function(input) return self.call(operation, input) end
    end,
  })
end

-- Creates a queue and returns what can be done with it.
function calls.queue(sqs, name, attributes)
  local url, err = sqs.create(name, attributes)
  assert(url, err and err.text)
  local q = { url = url, fifo = name:find "%.fifo$" ~= nil }
  local function with(operation)
    return function(input)
      input = input or {}
      input.QueueUrl = url
      return sqs.call(operation, input)
    end
  end
  for short, operation in pairs { delete_queue = "DeleteQueue", send = "SendMessage", send_batch = "SendMessageBatch",
    receive = "ReceiveMessage", delete = "DeleteMessage", delete_batch = "DeleteMessageBatch",
    change = "ChangeMessageVisibility", change_batch = "ChangeMessageVisibilityBatch", get = "GetQueueAttributes",
    set = "SetQueueAttributes", purge = "PurgeQueue", tag = "TagQueue", untag = "UntagQueue", tags = "ListQueueTags",
    sources = "ListDeadLetterSourceQueues" } do
    q[short] = with(operation)
  end
  local n = 0
  function q.put(body, group)
    n = n + 1
    local out, err2 = q.send { MessageBody = body, MessageGroupId = q.fifo and (group or "g") or nil,
      MessageDeduplicationId = q.fifo and "d" .. n or nil }
    return assert(out, err2 and err2.text)
  end
  function q.bodies(input)
    input = input or {}
    input.MaxNumberOfMessages = input.MaxNumberOfMessages or 10
    local out = {}
    for i, m in ipairs(q.receive(input).Messages or {}) do out[i] = m.Body end
    return table.concat(out, " ")
  end
  function q.one(input) return q.receive(input).Messages[1] end
  -- A receive that waits; take gives the bodies, or nil while it waits.
  function q.wait(input)
    input = input or {}
    input.QueueUrl, input.WaitTimeSeconds = url, input.WaitTimeSeconds or 20
    local id = sqs.begin("ReceiveMessage", input)
    return { id = id, take = function()
      local out, err2 = sqs.take(id)
      if not out then return err2 and err2.code end
      local bodies = {}
      for i, m in ipairs(out.Messages or {}) do bodies[i] = m.Body end
      return table.concat(bodies, " ")
    end }
  end
  function q.attributes(...) return q.get { AttributeNames = { ... } }.Attributes end
  return q
end

-- Asserts that a call has failed with this code, and returns the failure.
function calls.fails(code, out, err)
  assert(out == nil, "should have failed with " .. code)
  assert(err.code == code, ("failed with %s (%s) instead of %s"):format(err.code, err.text, code))
  return err
end

return calls
