-- Exit records: who may write them, and what a parent makes of them, in a plain interpreter against a small SQS.
local cjson = require "cjson"
local fake = require "spec.support.runtime_api"
local record = require "probe.record"
local small_sqs = require "spec.support.small_sqs"

local hex = ("0123456789abcdef"):rep(4)
local key = hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

describe("a record", function()
  local text = record.seal(key, { run = "r", call = "c", value = "[1]" })

  it("opens under its key", function()
    local head, value = record.open(key, text)
    assert.equal("[1]", value)
    assert.equal("c", cjson.decode(head).call)
  end)

  it("opens under no other key, nor after any change, nor cut", function()
    assert.same({ nil, "forged" }, { record.open(key:reverse(), text) })
    assert.same({ nil, "forged" }, { record.open("", text) })
    for i = 1, #text do
      local other = text:sub(i, i) == "x" and "y" or "x"
      assert.is_nil(record.open(key, text:sub(1, i - 1) .. other .. text:sub(i + 1)), i)
      assert.is_nil(record.open(key, text:sub(1, i - 1)), i)
    end
  end)

  it("shows what is no text as question marks", function()
    local head = record.open(key, record.seal(key, { run = "r", call = "c", traceback = "a\xffb\n\1" }))
    assert.equal("a?b\n\1", cjson.decode(head).traceback)
  end)
end)

-- Runs a parent whose inbox holds what records(calls) makes of the calls' claims. Returns its output and warnings.
local function run(program, records)
  local sqs, calls, given = small_sqs(), {}, 0
  local child = fake.start {
    files = { ["main.lua"] = 'warn "@on" local awsync = require "awsync"\n' .. program },
    program = os.getenv "SPEC_LUA" and os.getenv("SPEC_LUA"):gsub("^([^/].*/)", os.getenv "PWD" .. "/%1") or "lua5.4",
    arguments = "main.lua",
    env = { AWSYNC_KEY = hex, AWS_LAMBDA_FUNCTION_NAME = "f", AWSYNC_RUN = "run1", LUA_PATH = os.getenv "LUA_PATH",
      LUA_CPATH = os.getenv "LUA_CPATH" },
    aws = function(request)
      if request.path:find "/invocations" then
        calls[#calls + 1] = cjson.decode(cjson.decode(request.body).body)
        return 202, "", {}
      end
      local target = request.headers["x-amz-target"] or ""
      local input = cjson.decode(request.body)
      if target:find "ReceiveMessage$" and input.QueueUrl:find "%-in%-" then
        local messages = {}
        for _, text in ipairs(calls[1] and records(calls) or {}) do
          if not sqs["given" .. text] then
            sqs["given" .. text] = true
            given = given + 1
            messages[#messages + 1] = { Body = text, MessageId = "m" .. given, ReceiptHandle = "r" .. given }
          end
        end
        return 200, #messages > 0 and cjson.encode { Messages = messages } or "{}", {}
      end
      return sqs.serve(request)
    end,
  }
  finally(function() child:clean() end)
  child:wait()
  local out, err = child:out(), child:err()
  child:stop()
  return out, err, calls
end

local function seal(fields)
  fields.run = fields.run or "run1"
  return record.seal(fields.key or key, fields)
end

local await = [[
  local function f() end
  local future = awsync.async(f)
  print(pcall(future.await, future, 1))]]

describe("a parent", function()
  it("gives a future what its call's record holds, once", function()
    local out, err = run(await, function(calls)
      return { seal { call = calls[1].call, value = 'awsync/1 {"$t":["n",2,1,"a",2,7]}' },
        seal { call = calls[1].call, kind = "error", value = '"late"' } }
    end)
    assert.equal("", err)
    assert.equal("true\ta\t7\n", out)
  end)

  it("ignores what strangers send, with a warning, and records of other runs", function()
    local out, err = run(await, function(calls)
      local id = calls[1].call
      return { "hello", '{"call":"' .. id .. '"}', seal { key = key:reverse(), call = id, value = '{"n":1}' },
        seal { run = "other", call = id, value = '{"n":1}' } }
    end)
    assert.equal("true\tnil\ttimeout\n", out)
    has(err, "no exit record of this deployment")
    assert.equal(3, select(2, err:gsub("no exit record", "")))
  end)

  it("waits for the calls that a call has left behind, and is told by them", function()
    local grandchild = "00000000-0000-4000-8000-000000000000"
    local asked = 0
    local out = run([[
      local function f() end
      awsync.invoke(f)
      local c = awsync.Channel()
      print(select(2, pcall(c.pop, c)).message)]], function(calls)
      asked = asked + 1
      local first = seal { call = calls[1].call, running = { grandchild } }
      if asked < 3 then return { first } end
      return { first, seal { call = grandchild, kind = "error", value = '"of a grandchild"' } }
    end)
    assert.equal("of a grandchild\n", out)
  end)

  it("asks for several at once where many come one after the other", function()
    local socket = require "socket"
    local asked, first, given = 0, nil, 0
    local out = run([[
      local function f() end
      local futures = {}
      for i = 1, 60 do futures[i] = awsync.async(f) end
      for i = 1, 60 do assert(futures[i]:await() == nil) end
      print "all"]], function(calls)
      if #calls < 60 then return {} end
      asked = asked + 1
      first = first or socket.gettime()
      local texts = {}
      if given == 60 then return texts end
      while #texts == 0 do -- as a long poll: one each 5 ms
        while given < (socket.gettime() - first) / 0.005 and given < 60 and #texts < 10 do
          given = given + 1
          texts[#texts + 1] = seal { call = calls[given].call, value = '{"n":0}' }
        end
        socket.sleep(0.001)
      end
      return texts
    end)
    assert.equal("all\n", out)
    assert.truthy(asked < 25, asked)
  end)

  it("makes the same ids for the same calls of the same event, and hands its own inbox on", function()
    local _, _, calls = run("local function f() end awsync.invoke(f) awsync.invoke(f)", function() return {} end)
    assert.equal(2, #calls)
    assert.not_equal(calls[1].call, calls[2].call)
    has(calls[1].inbox, "awsync-run1-in-")
    assert.equal(0, calls[1].scope)
  end)
end)

describe("a call that ends before its own calls", function()
  it("hands their records on that come after its last look, and no other ones", function()
    local sqs, events, order = small_sqs(), {}, {}
    local child
    local function claims_of(event) return cjson.decode(cjson.decode(event).body) end
    local function url_of(address)
      address = address:match "^[^@%s]+"
      return address:find "^http" and address or ("http://127.0.0.1:%d/123456789012/%s"):format(child.port, address)
    end
    local function aws(request)
      if request.path:find "/invocations" then
        events[#events + 1] = request.body
        return 202, "", {}
      end
      local input = cjson.decode(request.body)
      local action = request.headers["x-amz-target"]:match "%.(%a+)$"
      if #events == 2 and (input.QueueUrl or ""):find("-in-", 1, true) then
        local own = input.QueueUrl == url_of(claims_of(events[2]).inbox)
        local status, body, headers = sqs.serve(request)
        order[#order + 1] = (own and "own " or "parent's ") .. action
        if action == "SendMessageBatch" and #order > 0 and not sqs.late then -- the call's own record
          sqs.late = seal { run = claims_of(events[2]).run, call = claims_of(events[2]).call, kind = "error",
            value = '"late"' }
          table.insert(sqs.queues[url_of(claims_of(events[2]).inbox)].messages, { Body = sqs.late, MessageId = "late",
            ReceiptHandle = "late" })
        end
        return status, body, headers
      end
      return sqs.serve(request)
    end
    child = fake.start {
      files = { ["main.lua"] = [[
        local awsync = require "awsync"
        local function leaf() end
        local function branch() awsync.invoke(leaf) end
        function main() awsync.invoke(branch) end]] },
      aws = aws, env = { AWSYNC_KEY = hex, AWS_LAMBDA_FUNCTION_NAME = "f" },
    }
    finally(function() child:clean() end)
    child:invoke "null"
    local parents = url_of(claims_of(events[1]).inbox)
    sqs.queues[parents] = { messages = {} } -- of main, which goes on in this spec
    local answer = child:invoke(events[1], { ["Lambda-Runtime-Invoked-Function-Arn"] =
      "arn:aws:lambda:us-east-1:123456789012:function:f" })
    assert.equal("null", answer.body)
    assert.same({ "own ReceiveMessage", "parent's SendMessageBatch", "own ReceiveMessage", "parent's SendMessageBatch",
      "own DeleteQueue" }, order)
    local messages = sqs.queues[parents].messages
    assert.equal(2, #messages)
    has(messages[1].Body, '"running":["' .. claims_of(events[2]).call .. '"]')
    assert.equal(sqs.late, messages[2].Body)
    child:stop()
  end)
end)

describe("a record that comes twice", function()
  it("is not handed on where its first copy has been taken in", function()
    local sqs, events, child = small_sqs(), {}, nil
    local function claims_of(event) return cjson.decode(cjson.decode(event).body) end
    local function queue_of(event)
      local address = claims_of(event).inbox:match "^[^@%s]+"
      address = address:find "^http" and address or ("http://127.0.0.1:%d/123456789012/%s"):format(child.port, address)
      return sqs.queues[address], address
    end
    local function put(event, text)
      table.insert(queue_of(event).messages, { Body = text, MessageId = "m", ReceiptHandle = "r" .. #text })
    end
    local function record_of(event, message)
      return seal { run = claims_of(event).run, call = claims_of(event).call, kind = "error", value = message }
    end
    local first, late, reported
    child = fake.start {
      files = { ["main.lua"] = [[
        local awsync = require "awsync"
        local function leaf() end
        local function branch()
          awsync.invoke(leaf)
          awsync.invoke(leaf)
          print(pcall(awsync.sleep, 20))
        end
        function main() awsync.invoke(branch) end]] },
      aws = function(request)
        if request.path:find "/invocations" then
          events[#events + 1] = request.body
          return 202, "", {}
        end
        local input = cjson.decode(request.body)
        local action = request.headers["x-amz-target"]:match "%.(%a+)$"
        local own = #events == 3 and input.QueueUrl == select(2, queue_of(events[2]))
        if own and action == "ReceiveMessage" and not first then
          first = record_of(events[2], '"first"')
          put(events[2], first)
        elseif own and reported and not late then -- its last look is over: what comes now is handed on
          late = record_of(events[3], '"late"')
          put(events[2], first)
          put(events[2], late)
        end
        local status, body, headers = sqs.serve(request)
        if #events == 3 and action == "SendMessageBatch" and input.QueueUrl == select(2, queue_of(events[1])) then
          reported = true
        end
        return status, body, headers
      end,
      env = { AWSYNC_KEY = hex, AWS_LAMBDA_FUNCTION_NAME = "f" },
    }
    finally(function() child:clean() end)
    child:invoke "null"
    sqs.queues[select(2, queue_of(events[1]))] = { messages = {} } -- of main, which goes on in this spec
    child:invoke(events[1], { ["Lambda-Runtime-Invoked-Function-Arn"] =
      "arn:aws:lambda:us-east-1:123456789012:function:f" })
    has(child:out(), "false\tfirst")
    local messages = queue_of(events[1]).messages
    assert.equal(2, #messages)
    has(messages[1].Body, '"running":["' .. claims_of(events[3]).call .. '"]')
    assert.equal(late, messages[2].Body)
    child:stop()
  end)
end)

describe("a call whose parent has ended", function()
  -- How often the last call of a main asks for its inbox, which main has deleted.
  local function asked(pause)
    local sqs, events, sends = small_sqs(), {}, 0
    local child = fake.start {
      files = { ["main.lua"] = ([[
        local awsync = require "awsync"
        local function leaf() end
        function main()
          awsync.invoke(leaf)
          awsync.sleep(%g)
          awsync.invoke(leaf)
        end]]):format(pause) },
      aws = function(request)
        if request.path:find "/invocations" then
          events[#events + 1] = request.body
          return 202, "", {}
        end
        local input = cjson.decode(request.body)
        if #events == 2 and (input.QueueUrl or ""):find("-in-", 1, true) and input.Entries then sends = sends + 1 end
        return sqs.serve(request)
      end,
      env = { AWSYNC_KEY = hex, AWS_LAMBDA_FUNCTION_NAME = "f" },
    }
    finally(function() child:clean() end)
    child:invoke "null"
    has(cjson.decode(cjson.decode(events[2]).body).inbox, "@1")
    assert.equal("null", child:invoke(events[2], { ["Lambda-Runtime-Invoked-Function-Arn"] =
      "arn:aws:lambda:us-east-1:123456789012:function:f" }).body)
    child:stop()
    return sends
  end

  it("asks once for an inbox that was made seconds ago, and more often for a new one, which SQS may not know yet",
    function()
      assert.equal(1, asked(3.1))
      assert.truthy(asked(0.2) > 1)
    end)
end)
