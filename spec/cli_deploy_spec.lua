-- `awsync deploy`, `logs` and `delete` against a scripted AWS: the order of things, and what can go wrong.
-- tools/conformance has them do the same with moto.
local cjson = require "cjson"
local elf = require "spec.support.elf"
local fake = require "spec.support.fake_aws"
local shell = require "spec.support.shell"

local words = "deploy app.lua --bootstrap runtime --name app "

-- An AWS on which all goes well; state.there: the function is there.
local function good(request, state)
  local path = request.target
  local action = request.body:match "^Action=(%w+)"
  local arn = "arn:aws:lambda:eu-west-1:123456789012:function:app"
  local function configuration()
    return { body = ([[{"FunctionName":"app","FunctionArn":"%s","State":"Active","LastUpdateStatus":"Successful",
      "Role":"arn:aws:iam::123456789012:role/awsync-app","Environment":{"Variables":{"KEPT":"old","GONE":"x"}}}]])
      :format(arn) }
  end
  local function iam(inside)
    return { headers = { ["Content-Type"] = "text/xml" },
      body = ("<%sResponse><%sResult>%s</%sResult></%sResponse>"):format(action, action, inside, action, action) }
  end
  if action == "CreateRole" or action == "GetRole" then
    return iam("<Role><Arn>arn:aws:iam::123456789012:role/awsync-app</Arn>"
      .. "<Description>Made by awsync deploy for the function app</Description></Role>")
  elseif action then
    return iam ""
  elseif (request.headers["x-amz-target"] or ""):find "GetQueueUrl" then
    return { body = [[{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/awsync-claims-app.fifo"}]] }
  elseif request.method == "GET" and not state.there then
    return { status = 404, headers = { ["x-amzn-ErrorType"] = "ResourceNotFoundException" },
      body = [[{"Message":"Function not found: app"}]] }
  elseif request.method == "POST" and path == "/2015-03-31/functions" then
    state.there = true
    return { status = 201, body = configuration().body }
  elseif request.method == "POST" and path:find "/url$" then
    return { status = 201, body = [[{"FunctionUrl":"https://abc.lambda-url.eu-west-1.on.aws/"}]] }
  elseif request.method == "DELETE" then
    return { status = 204, body = "" }
  end
  return configuration()
end

describe("awsync deploy", function()
  local folder, remove, server

  before_each(function()
    folder, remove = shell.folder()
    shell.write(folder .. "/app.lua", "function main() return 1 end\n")
    shell.write(folder .. "/runtime", elf.make())
  end)
  after_each(function()
    if server then server:close() end
    remove()
  end)

  -- handler: answers what it has to say itself, nil for the rest. Both travel as code: a handler has no upvalues.
  local function start(handler)
    local run
    if handler then
      local source = ("local good, special = load(%q, '=good', 'b'), load(%q, '=special', 'b')\n"
        .. "return special(request, state) or good(request, state)"):format(string.dump(good), string.dump(handler))
      server, run = fake.start(assert(load("local request, state = ...\n" .. source, "=both")), folder)
    else
      server, run = fake.start(good, folder)
    end
    return run
  end

  local function no_secrets(...)
    for _, text in ipairs { ... } do
      assert.falsy(text:find(fake.key, 1, true), "the key")
      assert.falsy(text:find(fake.secret, 1, true), "the secret access key")
    end
  end

  it("creates role, function and settings in their order, and prints the ARN alone", function()
    local run = start()
    local out, err, status = run(words .. "--create-role --memory 512 --timeout 30 --env TABLE=orders=2")
    assert.equal(0, status, err)
    assert.equal("arn:aws:lambda:eu-west-1:123456789012:function:app\n", out)
    local calls, requests = fake.calls(server)
    assert.same({
      "GET /2015-03-31/functions/app/configuration", "CreateRole", "PutRolePolicy", "POST /2015-03-31/functions",
      "GET /2015-03-31/functions/app/configuration", "PUT /2019-09-25/functions/app/event-invoke-config",
      "GET /2015-03-31/functions/app/configuration",
    }, calls)
    local body = cjson.decode(requests[4].body)
    assert.equal("PK", (body.Code.ZipFile:sub(1, 3) == "UEs") and "PK" or body.Code.ZipFile:sub(1, 3))
    body.Code = nil
    assert.same({ FunctionName = "app", Runtime = "provided.al2023", Handler = "app.main", MemorySize = 512,
      Timeout = 30, Role = "arn:aws:iam::123456789012:role/awsync-app", Architectures = { "x86_64" },
      Environment = { Variables = { TABLE = "orders=2" } } }, body)
    assert.equal('{"MaximumRetryAttempts":0}', requests[6].body)
    no_secrets(out, err)
  end)

  it("gives the role the policy of packaging/policy.json, filled in, and Lambda's trust", function()
    local run = start()
    run(words .. "--create-role")
    local _, requests = fake.calls(server)
    assert.same(cjson.decode(shell.read "packaging/trust.json"),
      cjson.decode(fake.form(requests[2].body, "AssumeRolePolicyDocument")))
    assert.equal("awsync-app", fake.form(requests[2].body, "RoleName"))
    local wanted = shell.read "packaging/policy.json"
    for place, value in pairs { ["AWS::Partition"] = "aws", ["AWS::Region"] = "eu-west-1",
      ["AWS::AccountId"] = "123456789012", Function = "app" } do
      wanted = wanted:gsub("%${" .. place .. "}", value)
    end
    local policy = fake.form(requests[3].body, "PolicyDocument")
    assert.equal(wanted, policy)
    assert.falsy(policy:find("$", 1, true))
    for _, statement in ipairs(cjson.decode(policy).Statement) do
      assert.not_equal("*", statement.Resource)
      for _, action in ipairs(type(statement.Action) == "table" and statement.Action or { statement.Action }) do
        assert.falsy(action:find("*", 1, true), action)
      end
    end
  end)

  it("waits for a new role to be known, and until the function is active", function()
    local run = start(function(request, state)
      if request.method == "POST" and request.target == "/2015-03-31/functions" then
        state.tries = (state.tries or 0) + 1
        if state.tries < 3 then
          return { status = 400, headers = { ["x-amzn-ErrorType"] = "InvalidParameterValueException" },
            body = [[{"message":"The role defined for the function cannot be assumed by Lambda."}]] }
        end
      elseif request.method == "GET" and state.there then
        state.looks = (state.looks or 0) + 1
        if state.looks < 3 then return { body = [[{"State":"Pending","StateReasonCode":"Creating"}]] } end
      end
    end)
    local out, err, status = run(words .. "--create-role")
    assert.equal(0, status, err)
    assert.equal("arn:aws:lambda:eu-west-1:123456789012:function:app\n", out)
    local state = server:log().state
    assert.equal(3, state.tries)
    assert.equal(4, state.looks) -- the last for the ARN
  end)

  it("does not wait for a role that it has not made", function()
    local run = start(function(request)
      if request.method == "POST" then
        return { status = 400, headers = { ["x-amzn-ErrorType"] = "InvalidParameterValueException" },
          body = [[{"message":"The role defined for the function cannot be assumed by Lambda."}]] }
      end
    end)
    local out, err, status = run(words .. "--role arn:aws:iam::123456789012:role/mine")
    assert.equal(1, status)
    assert.equal("", out)
    assert.truthy(err:find("cannot be created: InvalidParameterValueException: The role defined", 1, true), err)
    assert.equal(2, #fake.calls(server))
  end)

  it("updates what is there, keeps its other variables, and waits while an update is under way", function()
    local run = start(function(request, state)
      state.there = true
      if request.method == "PUT" and request.target:find "/code$" then
        state.tries = (state.tries or 0) + 1
        if state.tries == 1 then
          return { status = 409, headers = { ["x-amzn-ErrorType"] = "ResourceConflictException" },
            body = [[{"Message":"The operation cannot be performed at this time. An update is in progress"}]] }
        end
      end
    end)
    local out, err, status = run(words .. "--env ADDED=1 --env GONE --env TWICE=1 --env TWICE=2")
    assert.equal(0, status, err)
    assert.equal("arn:aws:lambda:eu-west-1:123456789012:function:app\n", out)
    local settings, code
    local calls, requests = fake.calls(server)
    for i, call in ipairs(calls) do
      if call:find "PUT .*/configuration$" then settings = cjson.decode(requests[i].body) end
      if call:find "PUT .*/code$" then code = cjson.decode(requests[i].body) end
      assert.falsy(call:find "Role", call)
    end
    assert.same({ Runtime = "provided.al2023", Handler = "app.main",
      Environment = { Variables = { ADDED = "1", KEPT = "old", TWICE = "2" } } }, settings)
    assert.same({ "x86_64" }, code.Architectures)
    assert.equal(2, server:log().state.tries)
  end)

  it("says why Lambda could not make the function ready", function()
    local run = start(function(request, state)
      if request.method == "GET" and state.there then
        return { body = [[{"State":"Failed","StateReason":"no room left"}]] }
      end
    end)
    local out, err, status = run(words .. "--create-role")
    assert.equal(1, status)
    assert.equal("", out)
    assert.truthy(err:find("could not make it ready: no room left", 1, true), err)
  end)

  it("needs to be told the role of a new function, before it changes anything", function()
    local run = start()
    local _, err, status = run(words)
    assert.equal(1, status)
    assert.truthy(err:find("it needs --create-role, or --role", 1, true), err)
    assert.same({ "GET /2015-03-31/functions/app/configuration" }, (fake.calls(server)))
  end)

  it("takes a role of its own again, but none that somebody else has made", function()
    local run = start(function(request)
      if request.body:find "^Action=CreateRole" then
        return { status = 409, body = "<ErrorResponse><Error><Code>EntityAlreadyExists</Code>"
          .. "<Message>Role exists</Message></Error></ErrorResponse>" }
      end
    end)
    local _, err, status = run(words .. "--create-role")
    assert.equal(0, status, err)
    server:close()
    run = start(function(request)
      if request.body:find "^Action=CreateRole" then
        return { status = 409, body = "<ErrorResponse><Error><Code>EntityAlreadyExists</Code>"
          .. "<Message>Role exists</Message></Error></ErrorResponse>" }
      elseif request.body:find "^Action=GetRole" then
        return { body = "<GetRoleResponse><Arn>arn:aws:iam::1:role/awsync-app</Arn></GetRoleResponse>" }
      end
    end)
    _, err, status = run(words .. "--create-role")
    assert.equal(1, status)
    assert.truthy(err:find("a role awsync-app that awsync has not made", 1, true), err)
    assert.same({ "GET /2015-03-31/functions/app/configuration", "CreateRole", "GetRole" }, (fake.calls(server)))
  end)

  it("makes a function URL for callers who sign, or for everybody when it is told so", function()
    local run = start()
    local out, err, status = run(words .. "--create-role --url")
    assert.equal(0, status, err)
    assert.equal("arn:aws:lambda:eu-west-1:123456789012:function:app\nhttps://abc.lambda-url.eu-west-1.on.aws/\n", out)
    local calls, requests = fake.calls(server)
    assert.equal('{"AuthType":"AWS_IAM"}', requests[8].body)
    assert.same({ "POST /2021-10-31/functions/app/url", "DELETE /2015-03-31/functions/app/policy/awsync-url",
      "DELETE /2015-03-31/functions/app/policy/awsync-url-invoke" }, table.move(calls, 8, #calls, 1, {}))
    server:close()
    run = start()
    run(words .. "--create-role --public-url")
    calls, requests = fake.calls(server)
    assert.equal('{"AuthType":"NONE"}', requests[8].body)
    assert.equal("POST /2015-03-31/functions/app/policy", calls[9])
    assert.equal("lambda:InvokeFunctionUrl", cjson.decode(requests[9].body).Action)
    assert.truthy(cjson.decode(requests[10].body).InvokedViaFunctionUrl)
  end)

  it("says in AWS's words what is not allowed, and shows no secret", function()
    local run = start(function(request)
      if request.body:find "^Action=CreateRole" then
        return { status = 403, body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you"
          .. "</Message></Error></ErrorResponse>" }
      end
    end)
    local out, err, status = run(words .. "--create-role --env PASSWORD=hush-hush")
    assert.equal(1, status)
    assert.equal("", out)
    assert.truthy(err:find("the role cannot be created: AccessDenied: not you", 1, true), err)
    no_secrets(out, err)
    assert.falsy(err:find("hush", 1, true))
  end)

  it("does not send again a creation whose answer was lost", function()
    local run = start(function(request)
      if request.method == "POST" and request.target == "/2015-03-31/functions" then return { action = "reset" } end
    end)
    local _, err, status = run(words .. "--create-role", "AWS_MAX_ATTEMPTS=3")
    assert.equal(1, status)
    assert.truthy(err:find("the function cannot be created", 1, true), err)
    local count = 0
    for _, call in ipairs((fake.calls(server))) do
      if call == "POST /2015-03-31/functions" then count = count + 1 end
    end
    assert.equal(1, count)
  end)

  it("says what is not configured", function()
    local run = start()
    local _, err, status = run(words .. "--create-role", "AWS_REGION=")
    assert.equal(1, status)
    assert.truthy(err:find("no region is configured", 1, true), err)
    assert.same({}, (fake.calls(server)))
  end)

  it("explains itself, and refuses wrong usage with status 2", function()
    local run = start()
    local out, _, status = run "deploy --help"
    assert.equal(0, status)
    assert.truthy(out:find("usage: awsync deploy", 1, true))
    for line, reason in pairs {
      ["deploy app.lua"] = "deploy needs a --name",
      ["deploy app.lua --name a/b"] = "is no name of a Lambda function",
      [words .. "--role mine"] = "--role takes the ARN of a role",
      [words .. "--role arn:x --create-role"] = "not both",
      [words .. "--url --public-url"] = "not both",
      [words .. "--memory 64"] = "--memory takes a whole number from 128 to 10240",
      [words .. "--timeout 901"] = "--timeout takes a whole number from 1 to 900",
      [words .. "--env 1A=x"] = "--env takes NAME=VALUE",
      [words .. "--env A=x"] = "NAME of two or more",
      [words .. "--env AB=$(printf '\\377')"] = "the value of AB is not UTF-8",
    } do
      local _, err
      _, err, status = run(line)
      assert.equal(2, status, line)
      assert.truthy(err:find(reason, 1, true), err)
    end
    assert.same({}, (fake.calls(server)))
    local _, err
    _, err, status = run(words:gsub("name app", "name " .. ("n"):rep(58)) .. "--create-role")
    assert.equal(1, status)
    assert.truthy(err:find("57 characters at most", 1, true), err)
  end)
end)

describe("awsync delete", function()
  local server
  after_each(function() server:close() end)

  it("deletes function, role and, when it is told so, the log group", function()
    local run
    server, run = fake.start(load(string.dump(good)))
    local out, err, status = run "delete app"
    assert.equal(1, status)
    assert.truthy(err:find("app: ResourceNotFoundException", 1, true), err)
    assert.equal("", out)
    server:close()
    server, run = fake.start(load(("local request, state = ... state.there = true return load(%q, '=good', 'b')(...)")
      :format(string.dump(good))))
    out, err, status = run "delete app --logs"
    assert.equal(0, status, err)
    assert.equal("function app\nrole arn:aws:iam::123456789012:role/awsync-app\nqueue of claims\n" ..
      "log group /aws/lambda/app\n", out)
    assert.same({ "GET /2015-03-31/functions/app/configuration", "DELETE /2015-03-31/functions/app", "GetRole",
      "DeleteRolePolicy", "DeleteRole", "GetQueueUrl", "DeleteQueue", "DeleteLogGroup" }, (fake.calls(server)))
  end)

  it("leaves a role that it has not made, by its name and by its description", function()
    for role, description in pairs {
      ["arn:aws:iam::1:role/mine"] = "Made by awsync deploy for the function app",
      ["arn:aws:iam::1:role/awsync-app"] = "Made by hand",
    } do
      local run
      server, run = fake.start(load(([[
        local request = ...
        if request.body:find "Action=GetRole" then
          return { body = "<GetRoleResponse><Description>%s</Description></GetRoleResponse>" }
        end
        return { body = '{"Role":"%s"}' }]]):format(description, role)))
      local out, err, status = run "delete app"
      assert.equal(0, status, err)
      assert.equal("function app\n", out)
      for _, call in ipairs((fake.calls(server))) do assert.falsy(call:find("DeleteRole", 1, true), call) end
      server:close()
    end
  end)
end)

describe("awsync logs", function()
  local server
  after_each(function() server:close() end)

  it("prints all pages, each line with its time", function()
    local run
    server, run = fake.start(function(request)
      if request.body:find '"nextToken":"more"' then
        return { body = [[{"events":[{"timestamp":1768244638391,"message":"two\n","eventId":"2"}]}]] }
      end
      return { body = [[{"events":[{"timestamp":1768244638390,"message":"one\n","eventId":"1"}],"nextToken":"more"}]] }
    end)
    local out, err, status = run "logs app --since 5 --filter ERROR"
    assert.equal(0, status, err)
    assert.equal("2026-01-12T19:03:58.390Z one\n2026-01-12T19:03:58.391Z two\n", out)
    local calls, requests = fake.calls(server)
    assert.same({ "FilterLogEvents", "FilterLogEvents" }, calls)
    local first = cjson.decode(requests[1].body)
    assert.equal("/aws/lambda/app", first.logGroupName)
    assert.equal("ERROR", first.filterPattern)
    assert.truthy(math.abs(first.startTime - (os.time() - 300) * 1000) < 60000)
    assert.equal(first.startTime, cjson.decode(requests[2].body).startTime)
  end)

  it("follows, shows no line twice, and waits for a log that is not there yet", function()
    local run
    server, run = fake.start(function(_, state)
      state.count = (state.count or 0) + 1
      if state.count == 1 then
        return { status = 400, body = [[{"__type":"ResourceNotFoundException","message":"no such group"}]] }
      end
      local now = os.time() * 1000
      state.begin = state.begin or now
      return { body = ([[{"events":[{"timestamp":%d,"message":"one","eventId":"1"},
        {"timestamp":%d,"message":"look %d","eventId":"look %d"}]}]])
        :format(state.begin, now, state.count, state.count) }
    end)
    local out, err, status = run("logs app --follow", "timeout 7")
    assert.equal(124, status, err)
    local _, ones = out:gsub(" one\n", "")
    assert.equal(1, ones, out)
    assert.truthy(out:find(" look 2\n", 1, true) and out:find(" look 3\n", 1, true), out)
  end)

  it("says what cannot be read", function()
    local run
    server, run = fake.start(function()
      return { status = 400, body = [[{"__type":"ResourceNotFoundException","message":"no such group"}]] }
    end)
    local out, err, status = run "logs app"
    assert.equal(1, status)
    assert.equal("", out)
    assert.truthy(err:find("app: ResourceNotFoundException: no such group", 1, true), err)
    for line, reason in pairs { ["logs"] = "logs takes one NAME", ["logs a/b"] = "is no name of a Lambda function",
      ["logs app --since x"] = "--since takes a whole number" } do
      out, err, status = run(line)
      assert.equal(2, status)
      assert.equal("", out)
      assert.truthy(err:find(reason, 1, true), err)
    end
  end)
end)
