-- AddPermission and RemovePermission of the engine's SQS.
local calls = require "support.sqs_calls"
local cjson = require "cjson"
local fails = calls.fails

local sqs, q
before_each(function()
  sqs = calls.new()
  q = calls.queue(sqs, "q")
end)
after_each(function() sqs.raw:stop() end)

local function add(label, accounts, actions)
  return sqs.AddPermission { QueueUrl = q.url, Label = label, AWSAccountIds = accounts, Actions = actions }
end

local function remove(label) return sqs.RemovePermission { QueueUrl = q.url, Label = label } end

local function policy()
  local text = q.attributes("All").Policy
  return text and cjson.decode(text)
end

describe("the permissions of a queue", function()
  it("are statements of its policy, by their labels", function()
    local arn = sqs.arn "q"
    assert.equal("", (add("one", { "111122223333" }, { "SendMessage" })))
    local first = { Sid = "one", Effect = "Allow", Principal = { AWS = "arn:aws:iam::111122223333:root" },
      Action = "SQS:SendMessage", Resource = arn }
    assert.same({ Version = "2008-10-17", Id = arn .. "/SQSDefaultPolicy", Statement = { first } }, policy())
    assert.equal("", (add("two", { "111122223333", "444455556666" }, { "ReceiveMessage", "*" })))
    local second = policy().Statement[2]
    assert.same({ "arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root" }, second.Principal.AWS)
    assert.same({ "SQS:ReceiveMessage", "SQS:*" }, second.Action)
    assert.equal("", (remove "one"))
    assert.same({ second }, policy().Statement)
    assert.equal("", (remove "two"))
    assert.is_nil(policy())
  end)

  it("stand beside what the policy has already, which stays as it is", function()
    local mine = '{"Version":"2012-10-17","Statement":{"Sid":"mine","Effect":"Deny","Condition":{"Bool":{"a":true},' ..
      '"Number":[1,2.5,null,"x"]}}}'
    q.set { Attributes = { Policy = mine } }
    add("other", { "111122223333" }, { "SendMessage" })
    local both = policy()
    assert.same({ "2012-10-17", nil, 2 }, { both.Version, both.Id, #both.Statement })
    assert.same(cjson.decode(mine).Statement, both.Statement[1])
    remove "other"
    assert.same({ cjson.decode(mine).Statement }, policy().Statement)
  end)

  it("are refused where they make no sense", function()
    local account, send = { "111122223333" }, { "SendMessage" }
    local function says(code, text, out, err)
      fails(code, out, err)
      assert.matches(text, err.text, 1, true)
    end
    add("there", account, send)
    says("InvalidParameterValueException", "Value there for parameter Label is invalid. Reason: Already exists.",
      add("there", account, send))
    says("InvalidParameterValueException", "Value gone for parameter Label is invalid. Reason: can't find label on " ..
      "existing policy.", remove "gone")
    says("InvalidParameterValueException", "parameter Label", add("a b", account, send))
    says("InvalidParameterValueException", "parameter Label", add(("x"):rep(81), account, send))
    says("MissingRequiredParameterException", "Label", add(nil, account, send))
    says("MissingRequiredParameterException", "PrincipalId", add("l", nil, send))
    says("MissingRequiredParameterException", "Actions", add("l", account, nil))
    says("InvalidParameterValueException", "Value [12] for parameter PrincipalId is invalid. Reason: Unable to verify.",
      add("l", { "12" }, send))
    for _, action in ipairs { "DeleteQueue", "AddPermission", "Fly" } do
      says("InvalidParameterValueException", "Value SQS:" .. action .. " for parameter ActionName is invalid. " ..
        "Reason: Only the queue owner is allowed to invoke this action.", add("l", account, { action }))
    end
    local eight = {}
    for i = 1, 8 do eight[i] = "SendMessage" end
    says("OverLimit", "8 Actions were found, maximum allowed is 7.", add("l", account, eight))
    for i = 2, 20 do assert.equal("", (add("l" .. i, account, send))) end
    says("OverLimit", "20 statements", add("l21", account, send))
    fails("QueueDoesNotExist", sqs.AddPermission { QueueUrl = "http://x/123456789012/nobody", Label = "l" })
    assert.equal(20, #policy().Statement)
  end)
end)
