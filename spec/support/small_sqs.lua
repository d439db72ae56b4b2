-- A very small SQS for spec.support.runtime_api: queues of messages in order, without visibility or signatures.
local cjson = require "cjson"

local actions = {}

function actions.CreateQueue(sqs, input, request)
  local url = "http://" .. request.headers.host .. "/123456789012/" .. input.QueueName
  sqs.queues[url] = sqs.queues[url] or { messages = {}, attributes = input.Attributes, tags = input.tags }
  return { QueueUrl = url }
end

function actions.GetQueueUrl(sqs, input, request)
  local url = "http://" .. request.headers.host .. "/123456789012/" .. input.QueueName
  return sqs.queues[url] and { QueueUrl = url }
end

function actions.DeleteQueue(sqs, input) sqs.queues[input.QueueUrl] = nil end

function actions.SendMessageBatch(sqs, input)
  local done = {}
  for i, entry in ipairs(input.Entries) do
    sqs.serial = sqs.serial + 1
    table.insert(sqs.queues[input.QueueUrl].messages, { Body = entry.MessageBody, MessageId = "m" .. sqs.serial,
      ReceiptHandle = "r" .. sqs.serial })
    done[i] = { Id = entry.Id, MessageId = "m" .. sqs.serial, MD5OfMessageBody = "" }
  end
  return { Successful = done }
end

function actions.ReceiveMessage(sqs, input)
  local messages = {}
  for i = 1, input.MaxNumberOfMessages or 1 do
    messages[i] = table.remove(sqs.queues[input.QueueUrl].messages, 1)
  end
  return #messages > 0 and { Messages = messages } or {}
end

local function all_done(_, input)
  local done = {}
  for i, entry in ipairs(input.Entries) do done[i] = { Id = entry.Id } end
  return { Successful = done }
end
actions.DeleteMessageBatch = all_done
actions.ChangeMessageVisibilityBatch = all_done

-- An `aws` function for runtime_api.start, and what it keeps: queues by URL, counts of requests by action.
return function()
  local sqs = { queues = {}, counts = {}, serial = 0 }
  function sqs.serve(request)
    local action = (request.headers["x-amz-target"] or "?"):match "%.(%a+)$"
    sqs.counts[action] = (sqs.counts[action] or 0) + 1
    local input = cjson.decode(request.body)
    if input.QueueUrl and not sqs.queues[input.QueueUrl] then
      return 400, '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}',
        { ["x-amzn-query-error"] = "AWS.SimpleQueueService.NonExistentQueue;Sender" }
    end
    local answer = actions[action](sqs, input, request)
    if action == "GetQueueUrl" and not answer then
      return 400, '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}'
    end
    return 200, answer and cjson.encode(answer) or "", { ["x-amzn-RequestId"] = "small" }
  end
  return sqs
end
