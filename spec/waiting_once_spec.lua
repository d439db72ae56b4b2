-- A spawned call runs once: claims, and calls that are sent again because their answer was lost.
local cjson = require "cjson"
local fake = require "spec.support.runtime_api"
local shell = require "spec.support.shell"
local small_sqs = require "spec.support.small_sqs"

local key = ("0123456789abcdef"):rep(4)

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

-- Runs a program on a local AWS with faults; returns its answer's body, the log, and what its calls have noted.
local function run(source, words)
  local folder, remove = shell.folder()
  finally(remove)
  shell.write(folder .. "/notes", "")
  shell.write(folder .. "/main.lua", ([[
    local awsync = require "awsync"
    local notes = %q
    local function note(text)
      local file <close> = assert(io.open(notes, "a"))
      file:write(text, "\n")
    end
  ]]):format(folder .. "/notes") .. source)
  local command = ("%s run --timeout 60 --stats %s %s/main.lua"):format(shell.awsync, words, folder)
  local out, err, status = shell.run(command, 90)
  return out, err, status, shell.read(folder .. "/notes")
end

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  table.sort(list)
  return list
end

describe("a call whose event comes to two processes", function()
  it("runs in one of them: no value that it takes from a channel is lost, and none comes twice", function()
    local out, err, status, notes = run([[
      local function worker(c, out)
        note "worker"
        for v in c:range() do out:push(v * 2) end
      end
      function main()
        local c <close> = awsync.Channel { ordered = false }
        local out <close> = awsync.Channel()
        for _ = 1, 6 do awsync.invoke(worker, c, out) end
        for i = 1, 300 do c:push(i) end
        c:close()
        local seen, count = {}, 0
        while count < 300 do
          local v = out:pop(20)
          assert(v, "values are lost")
          assert(not seen[v], "a value has come twice")
          seen[v] = true
          count = count + 1
        end
        return { count = count, more = out:pop(0.5) }
      end]], "--fault duplicate=1,only=Invoke")
    assert.equal(0, status, err)
    assert.equal('{"statusCode":200,"body":"{\\"count\\":300}"}\n', out)
    has(err, "duplicate 6")
    assert.equal(6, #lines(notes))
    assert.equal(6, select(2, err:gsub("delivered twice; it is not run again", "")))
  end)

  it("runs once in a family of calls of calls, futures and detached ones", function()
    local _, err, status, notes = run([[
      local function leaf(name) note(name) return name end
      local function branch(name)
        note(name)
        awsync.detach(leaf, name .. ".d")
        local a, b = awsync.async(leaf, name .. ".a"), awsync.async(leaf, name .. ".b")
        return a:await() .. b:await()
      end
      function main()
        return awsync.map(branch, { "x", "y" })
      end]], "--fault duplicate=1,only=Invoke")
    assert.equal(0, status, err)
    assert.same({ "x", "x.a", "x.b", "x.d", "y", "y.a", "y.b", "y.d" }, lines(notes))
  end)
end)

describe("a call whose acceptance is not heard of", function()
  for fault, rates in pairs {
    ["an answer that is lost"] = "drop=0.7", ["a connection that is cut"] = "cut=0.7",
    ["status 500 and 503"] = "error=0.7", ["throttling"] = "throttle=0.3",
    ["all of them"] = "drop=0.2,cut=0.2,error=0.2,throttle=0.1,duplicate=0.5",
  } do
    it("is sent again and runs once, after " .. fault, function()
      local out, err, status, notes = run([[
        local function f(i) note(i) return i end
        local function g(c, i) note(i) c:push(i) end
        function main()
          local sum, c = 0, awsync.Channel()
          for i = 1, 10 do awsync.invoke(g, c, i) end
          for _, v in ipairs(awsync.map(f, { 11, 12, 13, 14, 15 })) do sum = sum + v end
          for _ = 1, 10 do sum = sum + c:pop() end
          return sum
        end]], "--fault seed=5,only=Invoke," .. rates)
      assert.equal(0, status, err)
      assert.equal('{"statusCode":200,"body":"120"}\n', out)
      assert.equal(15, #lines(notes), notes)
      assert.is_nil(err:find("Injected faults  drop 0  delay 0  error 0  throttle 0  duplicate 0  cut 0", 1, true), err)
    end)
  end

  it("is given up after fifteen seconds of nothing but faults, and says so", function()
    local out, err = run([[
      local function f() end
      function main()
        awsync.async(f):await()
      end]], "--fault error=1,only=Invoke")
    has(out, "invoke: the call of 'f' was refused: ")
    assert.falsy(err:find("left behind", 1, true), err)
  end)
end)

-- A process that is given calls by the spec. claims(entries) says how the queue of claims answers: the sequence numbers
-- of the three messages, or status and body.
local function worker(claims, source)
  local sqs, envelope, seen = small_sqs(), nil, {}
  local function aws(request)
    if request.path:find "/invocations" then
      envelope = request.body
      return 202, "", {}
    end
    local input, action = cjson.decode(request.body), request.headers["x-amz-target"]:match "%.(%a+)$"
    local name = input.QueueName or input.QueueUrl or ""
    if envelope and (name:find("awsync-claims-f.fifo", 1, true)) then
      seen[#seen + 1] = { action = action, input = input, url = input.QueueUrl }
      local answer, body, headers = claims(action, input, #seen)
      if type(answer) == "number" then return answer, body, headers or {} end
      if answer and input.Entries then -- its making may be on its way still
        local done = {}
        for i, number in ipairs(answer) do done[i] = { Id = input.Entries[i].Id, SequenceNumber = number } end
        return 200, cjson.encode { Successful = done }, {}
      end
    end
    return sqs.serve(request)
  end
  local child = fake.start {
    files = { ["main.lua"] = 'local awsync = require "awsync"\n' .. (source or [[
      local function work() print "ran" end
      function main() awsync.invoke(work) end]]) },
    aws = aws, env = { AWSYNC_KEY = key, AWS_LAMBDA_FUNCTION_NAME = "f" },
  }
  finally(function() child:clean() end)
  child:invoke "null"
  seen = {}
  -- The inbox of main, which has ended: it is there in this spec.
  for name in cjson.decode(cjson.decode(envelope).body).inbox:gmatch "([^@%s]+)%S*" do
    local url = name:find "^http" and name or ("http://127.0.0.1:%d/123456789012/%s"):format(child.port, name)
    sqs.queues[url] = { messages = {} }
  end
  local function records()
    local list = {}
    for url, queue in pairs(sqs.queues) do
      if url:find("-in-", 1, true) then
        for _, message in ipairs(queue.messages) do
          list[#list + 1] = cjson.decode(message.Body:match "^awsync/1 exit %x+ ([^\n]+)\n")
        end
      end
    end
    return list
  end
  local arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
  local function call(headers)
    headers = headers or {}
    headers["Lambda-Runtime-Invoked-Function-Arn"] = headers["Lambda-Runtime-Invoked-Function-Arn"] or arn
    return child:invoke(envelope, headers)
  end
  return call, child, records, function() return seen end, sqs
end

local function times_run(child)
  return select(2, child:out():gsub("ran", ""))
end

describe("a claim", function()
  it("is a reference twice and the call's id, in the group of the call, before anything else", function()
    local call, child, records, seen = worker(function() return { "100", "100", "101" } end)
    assert.equal("response", call().kind)
    assert.equal(1, times_run(child))
    local id = records()[1].call
    assert.equal(1, #seen())
    local claim = seen()[1]
    assert.equal(("http://127.0.0.1:%d/123456789012/awsync-claims-f.fifo"):format(child.port), claim.url)
    assert.same({ id, id, id }, { claim.input.Entries[1].MessageGroupId, claim.input.Entries[2].MessageGroupId,
      claim.input.Entries[3].MessageGroupId })
    assert.equal(claim.input.Entries[1].MessageDeduplicationId, claim.input.Entries[2].MessageDeduplicationId)
    assert.not_equal(id, claim.input.Entries[1].MessageDeduplicationId)
    assert.equal(id, claim.input.Entries[3].MessageDeduplicationId)
    child:stop()
  end)

  it("that lies below its reference is another process's: nothing runs, nobody is told", function()
    local call, child, records = worker(function() return { "18870000000000000100", "18870000000000000100", "9" } end)
    assert.equal("null", call().body)
    assert.equal(0, times_run(child))
    assert.same({}, records())
    has(child:err(), "delivered twice; it is not run again")
    child:stop()
  end)

  for what, numbers in pairs {
    ["where numbers do not tell duplicates"] = { "500", "700", "3" },
    ["where no numbers come"] = false,
    ["when its number is longer"] = { "9", "9", "10" },
    ["when its number is longer but for zeros"] = { "0009", "0009", "10" },
  } do
    it("holds " .. what, function()
      local call, child, records = worker(function() return numbers end)
      assert.equal("response", call().kind)
      assert.equal(1, times_run(child))
      assert.equal(1, #records())
      child:stop()
    end)
  end

  it("is sent again after faults and throttling, with the same ids", function()
    local call, child, _, seen = worker(function(_, _, n)
      if n == 1 then return 500, "{}" end
      if n == 2 then return 400, '{"__type":"com.amazon.coral.service#ThrottlingException","message":"slow"}' end
      if n == 3 then
        return 200, cjson.encode { Failed = { { Id = "0", Code = "InternalError", SenderFault = false },
          { Id = "1", Code = "InternalError", SenderFault = false },
          { Id = "2", Code = "InternalError", SenderFault = false } } }
      end
      return { "7", "7", "8" }
    end)
    assert.equal("response", call().kind)
    assert.equal(1, times_run(child))
    assert.equal(4, #seen())
    for i = 2, 4 do assert.same(seen()[1].input.Entries, seen()[i].input.Entries) end
    child:stop()
  end)

  it("makes its queue where there is none", function()
    local call, child, _, seen, sqs = worker(function(action, _, n)
      if action == "SendMessageBatch" and n > 3 then return { "1", "1", "2" } end
    end)
    for url in pairs(sqs.queues) do
      if url:find("awsync-claims-f.fifo", 1, true) then sqs.queues[url] = nil end
    end
    assert.equal("response", call().kind)
    assert.equal(1, times_run(child))
    local actions = {}
    for i, one in ipairs(seen()) do actions[i] = one.action end
    assert.same({ "SendMessageBatch", "CreateQueue", "SendMessageBatch" }, actions)
    local made = seen()[2].input
    assert.same({ FifoQueue = "true", DeduplicationScope = "messageGroup", FifoThroughputLimit = "perMessageGroupId",
      MessageRetentionPeriod = "600" }, made.Attributes)
    assert.equal("claims", made.tags["awsync:kind"])
    assert.equal("f", made.tags["awsync:function"])
    child:stop()
  end)

  it("learns the account from its queue where the invocation does not say it", function()
    local call, child, records, seen = worker(function(action)
      return action == "SendMessageBatch" and { "1", "1", "2" } or nil
    end)
    assert.equal("response", call({ ["Lambda-Runtime-Invoked-Function-Arn"] = "" }).kind)
    assert.equal(1, times_run(child))
    assert.equal(1, #records())
    assert.truthy(#seen() <= 2)
    child:stop()
  end)

  it("holds for a moment after somebody has deleted its queue", function()
    local call, child = worker(function(action)
      if action == "SendMessageBatch" then
        return 400, '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}'
      end
      return 400, '{"__type":"com.amazonaws.sqs#QueueDeletedRecently","message":"wait 60 seconds"}'
    end)
    assert.equal("response", call().kind)
    assert.equal(1, times_run(child))
    child:stop()
  end)

  it("that cannot be had is an error of its own kind, and nothing runs", function()
    local call, child, records = worker(function()
      return 403, '{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not for you"}'
    end)
    assert.equal("null", call().body) -- its parent knows
    assert.equal(0, times_run(child))
    assert.equal("unclaimed", records()[1].kind)
    has(child:err(), "the call could not be claimed, and has not been run: AccessDeniedException: not for you")
    child:stop()
  end)

  it("gives up after fifteen seconds of faults, or at its deadline", function()
    local call, child, records = worker(function() return 500, "{}" end)
    local answer = call { ["Lambda-Runtime-Deadline-Ms"] = tostring((os.time() + 4) * 1000) }
    assert.equal("null", answer.body)
    assert.equal("unclaimed", records()[1].kind)
    assert.equal(0, times_run(child))
    child:stop()
  end)

  it("of a call that failed with nobody to hear of it fails again when the platform tries again", function()
    local call, child, records, seen, sqs = worker(function() return { "1", "1", "2" } end, [[
      local function work() print "ran" error "broken" end
      function main() awsync.invoke(work) end]])
    for url in pairs(sqs.queues) do
      if url:find("-in-", 1, true) then sqs.queues[url] = nil end
    end
    assert.equal("error", call({ id = "one" }).kind)
    local again = call { id = "one" }
    assert.equal("error", again.kind)
    has(again.body, "this call has failed before, and it is not run again")
    assert.equal(1, times_run(child))
    assert.equal(1, #seen())
    assert.same({}, records())
    child:stop()
  end)
end)
