-- `awsync doctor`: what keeps a program from running on AWS.
local fake = require "spec.support.fake_aws"
local shell = require "spec.support.shell"

describe("awsync doctor", function()
  local folder, remove, server

  before_each(function()
    folder, remove = shell.folder()
    shell.write(folder .. "/app.lua", "function main() return 1 end\n")
  end)
  after_each(function()
    if server then server:close() end
    server = nil
    remove()
  end)

  -- Lines by their topic: { "ok" | "problem", text, advice }.
  local function parse(out)
    local lines, before = {}, nil
    for line in out:gmatch "[^\n]+" do
      local state, topic, text = line:match "^(%l+) +([%l ]+): (.*)$"
      if state then
        lines[topic] = { state, text }
        before = topic
      else
        lines[before][3] = line:match "^ +%-> (.+)$" or error("a strange line: " .. line)
      end
    end
    return lines
  end

  local function offline(words, environment)
    local out, err, status = shell.run(("cd %s && env -u AWSYNC_KEY %s %s doctor --offline %s"):format(folder,
      environment or "", shell.awsync, words or "app.lua"))
    return parse(out), status, err, out
  end

  it("says that a program's handler loads, and that there will be a key", function()
    local lines, _, err = offline()
    assert.same({ "ok", "app.main loads" }, lines.handler, err)
    assert.equal("ok", lines.key[1])
    assert.truthy(lines.key[2]:find("none yet", 1, true))
    assert.truthy(lines.runtime)
    assert.is_nil(lines.region)
    assert.falsy(os.rename(folder .. "/awsync.key", folder .. "/awsync.key"), "a key was made")
  end)

  it("says why a handler does not load", function()
    for reason, source in pairs {
      ["attempt to call a nil value (global 'nosuch')"] = "nosuch()",
      ["syntax error near 'main'"] = "main main",
      ["defines no function \"main\""] = "function other() end",
      ["module 'nothere' not found"] = "require 'nothere'",
      ["its process ended (status 7)"] = "os.exit(7)",
    } do
      shell.write(folder .. "/app.lua", source)
      local lines, status = offline()
      assert.equal(1, status)
      assert.equal("problem", lines.handler[1])
      assert.truthy(lines.handler[2]:find(reason, 1, true), lines.handler[2])
      assert.falsy(lines.handler[2]:find ":$", lines.handler[2])
      assert.truthy(lines.handler[3])
    end
  end)

  it("keeps what a program prints off its own lines, and leaves no process behind", function()
    shell.write(folder .. "/app.lua", "print 'ok hello: there' function main() end")
    local mark = ("DOCTOR_MARK=%d"):format(math.random(1 << 40))
    local _, _, err, out = offline("app.lua", mark)
    assert.falsy(out:find("hello", 1, true))
    assert.truthy(err:find("hello", 1, true))
    assert.equal(0, shell.count_processes(mark))
  end)

  it("finds keys that are none and keys that others can read, without showing them", function()
    local key = ("5e"):rep(32)
    shell.write(folder .. "/awsync.key", key .. "\n")
    os.execute("chmod 644 " .. folder .. "/awsync.key")
    local lines, status, _, out = offline()
    assert.equal(1, status)
    assert.equal("problem", lines.key[1])
    assert.truthy(lines.key[3]:find("chmod 600", 1, true))
    os.execute("chmod 600 " .. folder .. "/awsync.key")
    assert.same({ "ok", folder .. "/awsync.key" }, (offline()).key)
    assert.same({ "ok", "AWSYNC_KEY" }, (offline("app.lua", "AWSYNC_KEY=" .. key)).key)
    assert.falsy(out:find(key, 1, true))
    lines = offline("app.lua", "AWSYNC_KEY=password")
    assert.truthy(lines.key[2]:find("AWSYNC_KEY is no key", 1, true))
    assert.falsy(lines.key[2]:find("password", 1, true))
  end)

  it("tells a runtime that Lambda cannot start from one that it can", function()
    local lines, status = offline()
    -- The build's own runtime is linked to the machine's libcurl, unless a static one lies beside it.
    local static = io.open(shell.build .. "/static/bootstrap", "rb")
    if static then
      static:close()
      assert.equal("ok", lines.runtime[1])
      assert.equal(0, status)
    else
      assert.equal("problem", lines.runtime[1])
      assert.truthy(lines.runtime[2]:find("which provided.al2023 has not", 1, true), lines.runtime[2])
      assert.truthy(lines.runtime[3]:find("make bootstrap-static", 1, true))
      assert.equal(1, status)
    end
  end)

  -- An AWS whose clock is `state.slow` seconds behind, and that denies what the test says.
  local function answer(request, state)
    local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() - (state.slow or 0))
    local headers = { Date = date }
    if request.body:find "Action=GetCallerIdentity" then
      return { headers = headers, body = "<GetCallerIdentityResponse><Arn>arn:aws:sts::123456789012:assumed-role/"
        .. "dev/me</Arn></GetCallerIdentityResponse>" }
    elseif request.body:find "Action=SimulatePrincipalPolicy" then
      local decision = state.deny or "allowed"
      return { headers = headers, body = "<R><member><EvalActionName>lambda:CreateFunction</EvalActionName>"
        .. "<EvalDecision>" .. decision .. "</EvalDecision></member><member><EvalActionName>iam:PassRole"
        .. "</EvalActionName><EvalDecision>allowed</EvalDecision></member></R>" }
    elseif request.headers["x-amz-target"] == "AmazonSQS.GetQueueUrl" then
      return { status = 400, headers = headers, body = state.deny and
        [[{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no queues for you"}]] or
        [[{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}]] }
    elseif state.deny then
      return { status = 403, headers = { ["x-amzn-ErrorType"] = "AccessDeniedException" },
        body = [[{"Message":"no calls for you"}]] }
    end
    return { status = 204, body = "", headers = headers }
  end

  local function online(prelude, words, environment)
    local run
    server, run = fake.start(assert(load(("local request, state = ... %s return load(%q, '=answer', 'b')(...)"):format(
      prelude, string.dump(answer)))), folder)
    local out, err, status = run("doctor " .. words, environment)
    assert.falsy((out .. err):find(fake.secret, 1, true))
    return parse(out), status
  end

  it("finds region, credentials, clock and rights in order, by calls that change nothing", function()
    local lines = online("", "--name app")
    assert.same({ "ok", "eu-west-1" }, lines.region)
    assert.same({ "ok", "arn:aws:sts::123456789012:assumed-role/dev/me" }, lines.credentials)
    for _, topic in ipairs { "clock", "rights to deploy", "queues", "function" } do
      assert.equal("ok", (lines[topic] or {})[1], topic)
    end
    local calls, requests = fake.calls(server)
    assert.same({ "GetCallerIdentity", "SimulatePrincipalPolicy", "GetQueueUrl",
      "POST /2015-03-31/functions/app/invocations" }, calls)
    assert.equal("DryRun", requests[4].headers["x-amz-invocation-type"])
    assert.equal("arn:aws:iam::123456789012:role/dev", fake.form(requests[2].body, "PolicySourceArn"))
  end)

  it("says which rights are missing, and what to do", function()
    local lines, status = online("state.deny = 'implicitDeny'", "--name app")
    assert.equal(1, status)
    assert.same({ "problem", "lambda:CreateFunction denied" }, { table.unpack(lines["rights to deploy"], 1, 2) })
    assert.truthy(lines.queues[2]:find("no queues for you", 1, true))
    assert.truthy(lines["function"][2]:find("no calls for you", 1, true))
    for _, topic in ipairs { "rights to deploy", "queues", "function" } do
      assert.equal("problem", lines[topic][1])
      assert.truthy(lines[topic][3], topic)
    end
  end)

  it("finds a clock that is fast or slow", function()
    for seconds, word in pairs { [200] = "fast", [-200] = "slow" } do
      local lines, status = online("state.slow = " .. seconds, "")
      assert.equal(1, status)
      assert.equal("problem", lines.clock[1])
      assert.truthy(lines.clock[2]:find("^%d+ seconds " .. word), lines.clock[2])
      server:close()
      server = nil
    end
  end)

  it("says that there is no region, and no credentials", function()
    local lines, status = online("", "", "AWS_REGION=")
    assert.equal(1, status)
    assert.equal("problem", lines.region[1])
    assert.is_nil(lines.credentials)
    server:close()
    lines, status = online("", "", "AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=")
    assert.equal(1, status)
    assert.equal("problem", lines.credentials[1])
    assert.truthy(lines.credentials[2]:find("NoCredentials", 1, true), lines.credentials[2])
    assert.is_nil(lines.queues)
  end)

  it("explains itself, and refuses wrong usage with status 2", function()
    local out, _, status = shell.run_awsync("doctor", "--help")
    assert.equal(0, status)
    assert.truthy(out:find("usage: awsync doctor", 1, true))
    for words, reason in pairs { ["a.lua b.lua"] = "doctor takes one FILE", ["--offline nothere.lua"] = "No such file",
      ["--name a/b"] = "is no name", ["--fast"] = "doctor has no option --fast" } do
      local _, err
      _, err, status = shell.run(shell.awsync .. " doctor " .. words)
      assert.equal(2, status, words)
      assert.truthy(err:find(reason, 1, true), err)
    end
  end)
end)
