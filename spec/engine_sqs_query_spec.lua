-- SQS's query protocol, by literal requests and answers: what clients from before the JSON protocol send and read.
local calls = require "support.sqs_calls"
local E = require "spec.support.engine"

local ID = "00000000-0000-4000-8000-000000000000"
local HEAD = '<?xml version="1.0"?>'
local NAMESPACE = 'xmlns="http://queue.amazonaws.com/doc/2012-11-05/"'
local URL = "http://127.0.0.1:4100/123456789012/q"

local sqs
before_each(function() sqs = calls.new() end)
after_each(function() sqs.raw:stop() end)

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- Posts a form to the path; returns body and status.
local function post(form, path)
  local id = sqs.raw:call(nil, form, nil, nil, path or "/")
  local status, body, _, content_type = sqs.raw:take(id)
  if status then assert.equal("text/xml", content_type) end
  return body, status, id
end

local function answers(operation, result, form, path)
  local body, status = post("Action=" .. operation .. "&Version=2012-11-05" .. form, path)
  local metadata = ("<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"):format(ID)
  assert.equal(("%s<%sResponse %s>%s%s</%sResponse>"):format(HEAD, operation, NAMESPACE, result, metadata, operation),
    body)
  assert.equal(200, status)
end

local function refuses(code, message, status, form, path)
  local body, got = post(form, path)
  assert.equal(("%s<ErrorResponse %s><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message><Detail/></Error>"
    .. "<RequestId>%s</RequestId></ErrorResponse>"):format(HEAD, NAMESPACE, code, message, ID), body)
  assert.equal(status, got)
end

local function queue(name, ...) return calls.queue(sqs, name or "q", ...) end
local AT_Q = "&QueueUrl=" .. escape(URL)

describe("the query protocol", function()
  it("creates, finds and lists queues, with attributes and tags", function()
    answers("CreateQueue", "<CreateQueueResult><QueueUrl>" .. URL .. "</QueueUrl></CreateQueueResult>",
      "&QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=7&Attribute.2.Name=DelaySeconds"
      .. "&Attribute.2.Value=1&Tag.1.Key=a%20b&Tag.1.Value=c%26d&Tag.2.Key=e&Tag.2.Value=")
    local q = queue "q"
    assert.same({ VisibilityTimeout = "7", DelaySeconds = "1" }, q.attributes("VisibilityTimeout", "DelaySeconds"))
    assert.same({ ["a b"] = "c&d", e = "" }, q.tags().Tags)
    answers("GetQueueUrl", "<GetQueueUrlResult><QueueUrl>" .. URL .. "</QueueUrl></GetQueueUrlResult>", "&QueueName=q")
    queue "r"
    answers("ListQueues", "<ListQueuesResult><QueueUrl>" .. URL .. "</QueueUrl><QueueUrl>" .. URL:gsub("q$", "r")
      .. "</QueueUrl></ListQueuesResult>", "")
    answers("ListQueues", "<ListQueuesResult/>", "&QueueNamePrefix=none")
  end)

  it("moves dead letters, and grants permissions", function()
    local arn = sqs.arn "q"
    queue()
    queue("r", { RedrivePolicy = ('{"deadLetterTargetArn":"%s","maxReceiveCount":1}'):format(arn) })
    local body = post("Action=StartMessageMoveTask&Version=2012-11-05&SourceArn=" .. escape(arn))
    assert.matches("<StartMessageMoveTaskResult><TaskHandle>[%w+/]+=*</TaskHandle></StartMessageMoveTaskResult>", body)
    body = post("Action=ListMessageMoveTasks&Version=2012-11-05&MaxResults=10&SourceArn=" .. escape(arn))
    assert.matches("<ListMessageMoveTasksResult><ListMessageMoveTasksResultEntry><Status>COMPLETED</Status>" ..
      "<SourceArn>" .. arn:gsub("%-", "%%-") .. "</SourceArn>" ..
      "<ApproximateNumberOfMessagesMoved>0</ApproximateNumberOfMessagesMoved>" ..
      "<ApproximateNumberOfMessagesToMove>0</ApproximateNumberOfMessagesToMove><StartedTimestamp>%d+" ..
      "</StartedTimestamp></ListMessageMoveTasksResultEntry></ListMessageMoveTasksResult>", body)
    answers("AddPermission", "", AT_Q .. "&Label=l&AWSAccountId.1=111122223333&ActionName.1=SendMessage")
    refuses("InvalidParameterValue", "Value l for parameter Label is invalid. Reason: Already exists.", 400,
      "Action=AddPermission&Version=2012-11-05&Label=l&AWSAccountId.1=111122223333&ActionName.1=*" .. AT_Q)
    answers("RemovePermission", "", AT_Q .. "&Label=l")
  end)

  it("reads and changes attributes and tags", function()
    local q = queue()
    answers("SetQueueAttributes", "", AT_Q .. "&Attribute.1.Name=DelaySeconds&Attribute.1.Value=3")
    answers("GetQueueAttributes", "<GetQueueAttributesResult><Attribute><Name>DelaySeconds</Name><Value>3</Value>"
      .. "</Attribute></GetQueueAttributesResult>", AT_Q .. "&AttributeName.1=DelaySeconds")
    answers("TagQueue", "", AT_Q .. "&Tag.1.Key=k&Tag.1.Value=v&Tag.2.Key=l&Tag.2.Value=w")
    answers("UntagQueue", "", AT_Q .. "&TagKey.1=l")
    answers("ListQueueTags", "<ListQueueTagsResult><Tag><Key>k</Key><Value>v</Value></Tag></ListQueueTagsResult>", AT_Q)
    assert.same({ k = "v" }, q.tags().Tags)
  end)

  it("takes attributes and names without a number, as the oldest clients write a single one", function()
    queue()
    answers("SetQueueAttributes", "", AT_Q .. "&Attribute.Name=DelaySeconds&Attribute.Value=4")
    answers("GetQueueAttributes", "<GetQueueAttributesResult><Attribute><Name>DelaySeconds</Name><Value>4</Value>"
      .. "</Attribute></GetQueueAttributesResult>", AT_Q .. "&AttributeName=DelaySeconds")
  end)

  it("sends a message with attributes, decoded as forms are", function()
    local q = queue()
    local body = post("Action=SendMessage&Version=2012-11-05" .. AT_Q .. "&MessageBody=hi+there%2B%26%C3%BC"
      .. "&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=b"
      .. "&MessageAttribute.2.Name=bin&MessageAttribute.2.Value.DataType=Binary"
      .. "&MessageAttribute.2.Value.BinaryValue=AAH%2F"
      .. "&MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String"
      .. "&MessageSystemAttribute.1.Value.StringValue=Root%3D1")
    assert.truthy(body:find("^" .. HEAD:gsub("%p", "%%%0") .. "<SendMessageResponse " .. NAMESPACE:gsub("%p", "%%%0")
      .. "><SendMessageResult><MessageId>[%x-]+</MessageId><MD5OfMessageBody>%x+</MD5OfMessageBody>"
      .. "<MD5OfMessageAttributes>%x+</MD5OfMessageAttributes><MD5OfMessageSystemAttributes>%x+"
      .. "</MD5OfMessageSystemAttributes></SendMessageResult><ResponseMetadata>"), body)
    local m = q.one { MessageAttributeNames = { "All" }, AttributeNames = { "AWSTraceHeader" } }
    assert.equal("hi there+&ü", m.Body)
    assert.same({ DataType = "String", StringValue = "b" }, m.MessageAttributes.a)
    assert.same({ DataType = "Binary", BinaryValue = "AAH/" }, m.MessageAttributes.bin)
    assert.equal("Root=1", m.Attributes.AWSTraceHeader)
  end)

  it("computes the MD5 of attributes as the JSON protocol does", function()
    queue()
    assert.truthy(post("Action=SendMessage" .. AT_Q .. "&MessageBody=hello&MessageAttribute.1.Name=a"
      .. "&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=b"):find(
      "<MD5OfMessageBody>5d41402abc4b2a76b9719d911017c592</MD5OfMessageBody>"
      .. "<MD5OfMessageAttributes>bef8bf215374a0a228d67533b1a488be</MD5OfMessageAttributes>", 1, true))
  end)

  it("receives messages, escaped as XML has to be", function()
    local q = queue()
    local attributes = { n = { DataType = "Number", StringValue = "4" } }
    q.send { MessageBody = '<a b="1">&\t\r\n\'ü', MessageAttributes = attributes }
    local body = post("Action=ReceiveMessage" .. AT_Q
      .. "&AttributeName.1=ApproximateReceiveCount&MessageAttributeName.1=All&MaxNumberOfMessages=10")
    assert.truthy(body:find("<ReceiveMessageResult><Message><MessageId>[%x-]+</MessageId><ReceiptHandle>[^<]+"
      .. "</ReceiptHandle><MD5OfBody>%x+</MD5OfBody><Body>&lt;a b=&quot;1&quot;&gt;&amp;\t&#xD;\n'ü</Body><Attribute>"
      .. "<Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute><MD5OfMessageAttributes>%x+"
      .. "</MD5OfMessageAttributes><MessageAttribute><Name>n</Name><Value><DataType>Number</DataType>"
      .. "<StringValue>4</StringValue></Value></MessageAttribute></Message></ReceiveMessageResult>"), body)
    answers("ReceiveMessage", "<ReceiveMessageResult/>", AT_Q)
  end)

  it("answers long polls, in time and with nothing", function()
    local q = queue()
    local _, status, id = post("Action=ReceiveMessage&WaitTimeSeconds=20" .. AT_Q)
    assert.is_nil(status)
    q.put "late"
    local _, body = sqs.raw:take(id)
    assert.truthy(body:find("<Body>late</Body>", 1, true), body)
    _, _, id = post("Action=ReceiveMessage&WaitTimeSeconds=2" .. AT_Q)
    sqs.raw:skip(2001)
    _, body = sqs.raw:take(id)
    assert.truthy(body:find("<ReceiveMessageResult/>", 1, true), body)
  end)

  it("deletes and changes messages", function()
    local q = queue()
    q.put "a"
    local handle = escape(q.one().ReceiptHandle)
    answers("ChangeMessageVisibility", "", AT_Q .. "&VisibilityTimeout=0&ReceiptHandle=" .. handle)
    handle = escape(q.one().ReceiptHandle)
    answers("DeleteMessage", "", AT_Q .. "&ReceiptHandle=" .. handle)
    answers("PurgeQueue", "", AT_Q)
    answers("DeleteQueue", "", AT_Q)
  end)

  it("works in batches, in the order of their numbers", function()
    local q = queue "q.fifo"
    local form = "Action=SendMessageBatch&QueueUrl=" .. escape(q.url)
    for _, i in ipairs { 10, 2, 1, 3 } do
      local entry = ("&SendMessageBatchRequestEntry.%d."):format(i)
      form = form .. entry .. "Id=e" .. i .. entry .. "MessageBody=" .. (i == 3 and "%01" or "m" .. i) .. entry
        .. "MessageGroupId=g" .. entry .. "MessageDeduplicationId=d" .. i
    end
    local body = post(form)
    local ids = {}
    for id in body:gmatch "<SendMessageBatchResultEntry><Id>(%w+)</Id><MessageId>" do ids[#ids + 1] = id end
    assert.same({ "e1", "e2", "e10" }, ids)
    assert.truthy(body:find("<BatchResultErrorEntry><Id>e3</Id><SenderFault>true</SenderFault>"
      .. "<Code>InvalidMessageContents</Code><Message>[^<]+</Message></BatchResultErrorEntry>"
      .. "</SendMessageBatchResult>"), body)
    local got = q.receive { MaxNumberOfMessages = 10 }.Messages
    assert.same({ "m1", "m2", "m10" }, { got[1].Body, got[2].Body, got[3].Body })
    for _, operation in ipairs { "ChangeMessageVisibilityBatch", "DeleteMessageBatch" } do
      local entry = "&" .. operation .. "RequestEntry."
      answers(operation, ("<%sResult><%sResultEntry><Id>x</Id></%sResultEntry></%sResult>"):format(operation, operation,
        operation, operation), "&QueueUrl=" .. escape(q.url) .. entry .. "1.Id=x" .. entry .. "1.VisibilityTimeout=9"
        .. entry .. "1.ReceiptHandle=" .. escape(got[1].ReceiptHandle))
    end
    refuses("AWS.SimpleQueueService.EmptyBatchRequest",
      "There should be at least one SendMessageBatchRequestEntry in the request.", 400,
      "Action=SendMessageBatch&QueueUrl=" .. escape(q.url))
  end)

  it("finds the queue by the path too, but the parameter wins", function()
    queue()
    queue "r"
    post("Action=SendMessage&MessageBody=path", "/123456789012/q")
    post("Action=SendMessage&MessageBody=parameter" .. AT_Q, "/123456789012/r")
    assert.equal("path parameter", queue("q").bodies())
    assert.equal("", queue("r").bodies())
  end)

  it("gives errors in XML, with the query code and the status of JSON", function()
    queue()
    refuses("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version.", 400,
      "Action=SendMessage&MessageBody=a" .. AT_Q .. "x")
    refuses("InvalidParameterValue",
      "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", 400,
      "Action=ReceiveMessage&MaxNumberOfMessages=11" .. AT_Q)
    refuses("ReceiptHandleIsInvalid", "The input receipt handle &quot;&lt;&quot; is not a valid receipt handle.", 404,
      "Action=DeleteMessage&ReceiptHandle=%3C" .. AT_Q)
    refuses("InvalidAction", "The action FooBar is not valid for this endpoint.", 400, "Action=FooBar")
    refuses("InvalidAction", "The action ListQueues is not valid for this endpoint.", 400, "Action=ListQueues",
      "/123456789012/q")
    for _, number in ipairs { "one", "", "1.5", "99999999999999999999", "+1", " 1" } do
      refuses("MalformedInput", "DelaySeconds must be an integer.", 400,
        "Action=SendMessage&MessageBody=a&DelaySeconds=" .. escape(number) .. AT_Q)
    end
    refuses("MalformedInput", "The parameters must be UTF-8.", 400, "Action=SendMessage&MessageBody=%FF" .. AT_Q)
    refuses("InvalidAction", "The action a&#xFFFD;&#xFFFD;&lt;b is not valid for this endpoint.", 400,
      "Action=a%01%EF%BF%BE%3Cb")
    local many = { "Action=ListQueues" }
    for i = 1, 9000 do many[#many + 1] = "n" .. i .. "=1" end
    refuses("MalformedInput", "The request has too many parameters.", 400, table.concat(many, "&"))
    local body, status = post ""
    assert.same({ "<UnknownOperationException/>\n", 404 }, { body, status })
  end)

  it("survives forms that are none", function()
    queue()
    for _, form in ipairs { "&&&", "=", "=&=", "Action", "Action=", "%", "Action=%4", "....=1&Action=.",
      ".Action=ListQueues", "Action.1=ListQueues", "Action=ListQueues%00",
      "MessageBody=1&Action=SendMessage&MessageBody.1.2.3=4" .. AT_Q,
      "Action=SendMessage&MessageAttribute.1=x&MessageAttribute.2.Value=y&MessageBody=a" .. AT_Q,
      "Action=SendMessageBatch&SendMessageBatchRequestEntry.1=x" .. AT_Q } do
      local body, status = post(form)
      assert.truthy(status == 200 or status == 400 or status == 404, form)
      assert.truthy(#body > 0)
    end
  end)

  it("leaves JSON to those who ask for it", function()
    local id = sqs.raw:call("AmazonSQS.ListQueues", "{}", nil, nil, "/")
    local _, body, _, content_type = sqs.raw:take(id)
    assert.same({ "{}", "application/x-amz-json-1.0" }, { body, content_type })
  end)
end)

describe("the query protocol over HTTP", function()
  local engine
  before_each(function() engine = assert(E.start { function_name = false, command = false }) end)
  after_each(E.stop_all)

  local function request(how)
    how.service = "sqs"
    how.target = how.target or "/"
    how.headers = how.body and { ["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" }
    return engine:request(how)
  end

  it("takes forms by POST and by GET, signed", function()
    local made = request { body = "Action=CreateQueue&Version=2012-11-05&QueueName=q" }
    assert.equal("text/xml", made.headers["content-type"])
    assert.truthy(made.body:find("<QueueUrl>" .. engine.endpoint .. "/123456789012/q</QueueUrl>", 1, true), made.body)
    assert.truthy(made.body:find("<RequestId>" .. made.headers["x-amzn-requestid"] .. "</RequestId>", 1, true))
    request { target = "/123456789012/q", body = "Action=SendMessage&MessageBody=hello" }
    local got = request { method = "GET", target = "/123456789012/q?Action=ReceiveMessage&Version=2012-11-05" }
    assert.truthy(got.body:find("<Body>hello</Body>", 1, true), got.body)
    assert.equal(404, request({ method = "GET", target = "/123456789012/q" }).status)
    assert.same({ 1, 1, 0, 0 }, engine.handle:usage().SendMessage)
  end)

  it("refuses wrong signatures in XML", function()
    for code, how in pairs {
      SignatureDoesNotMatch = { secret = "wrong" }, InvalidClientTokenId = { key = "AKIAUNKNOWN" },
      AccessDenied = { unsigned = true },
    } do
      how.body = "Action=ListQueues&Version=2012-11-05"
      local answer = request(how)
      assert.equal(403, answer.status)
      assert.truthy(answer.body:find("<Type>Sender</Type><Code>" .. code .. "</Code><Message>", 1, true), answer.body)
    end
  end)
end)
