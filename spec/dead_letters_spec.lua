-- `awsync dead-letters`: what channels with max_receives have left, as their user meets it.
local cjson = require "cjson"
local E = require "spec.support.engine"
local command = require "spec.support.command"

describe("awsync dead-letters", function()
  local engine
  before_each(function() engine = assert(E.start { function_name = false, lenient = 1 }) end)
  after_each(E.stop_all)

  local function list(words, variables)
    return command(engine, "dead-letters", words, variables)
  end

  local function make(name, bodies)
    local answer = engine:sqs("CreateQueue", { QueueName = name, Attributes = { FifoQueue = "true" } })
    assert.equal(200, answer.status, answer.body)
    for i, body in ipairs(bodies) do
      assert.equal(200, engine:sqs("SendMessage", { QueueUrl = answer.json.QueueUrl, MessageBody = body,
        MessageGroupId = "g" .. i, MessageDeduplicationId = "d" .. i }).status)
    end
    return answer.json.QueueUrl
  end

  it("lists queues, letters, values in short; and leaves the letters where they are", function()
    local many = {}
    for i = 1, 12 do many[i] = ("%d"):format(i) end
    make("awsync-r1-one-dead.fifo", { '"poison"', '"' .. ("x"):rep(57) .. 'ü\nline"' })
    make("awsync-r2-two-dead.fifo", many)
    make("awsync-r3-empty-dead.fifo", {})
    make("awsync-r1-one.fifo", { "alive" })
    make("other-dead.fifo", { "not ours" })
    for round = 1, 2 do
      local out, err, status = list()
      assert.same({ "", 0 }, { err, status })
      assert.truthy(out:find("awsync-r1-one-dead.fifo: 2 letters\n", 1, true), out)
      assert.truthy(out:find("awsync-r2-two-dead.fifo: 12 letters\n", 1, true), out)
      assert.matches(("\n  20%%d%%d%%-%%d%%d%%-%%d%%dT%%S+Z  received %d times  \"poison\"\n"):format(round), out)
      assert.truthy(out:find('"' .. ("x"):rep(57) .. "ü...\n", 1, true), out) -- 60 bytes, whole characters
      assert.matches("\n2 queues with dead letters\n$", out)
      assert.falsy(out:find("empty", 1, true) or out:find("alive", 1, true) or out:find("ours", 1, true), out)
    end
  end)

  it("prints JSON with whole values, and those of one run", function()
    local url = make("awsync-r1-one-dead.fifo", { '{"a":"\226\130\172 \\"quoted\\""}' })
    make("awsync-r2-two-dead.fifo", { "1" })
    local out, _, status = list "--run r1 --json"
    assert.equal(0, status)
    assert.equal(1, select(2, out:gsub("\n", "")))
    local got = cjson.decode(out)
    assert.same({ "awsync-r1-one-dead.fifo", 1, 1 }, { got.queue, got.letters, #got.shown })
    assert.equal(url:match "[^/]+$", got.url:match "[^/]+$")
    assert.same({ '{"a":"\226\130\172 \\"quoted\\""}', 1 }, { got.shown[1].value, got.shown[1].receives })
    assert.matches("^20%d%d%-.*Z$", got.shown[1].since)
  end)

  it("says that there are none, and what it cannot read", function()
    assert.equal("0 queues with dead letters\n", (list()))
    make("awsync-r1-one-dead.fifo", { "1" })
    local _, err, status = list("", { AWS_SECRET_ACCESS_KEY = "wrong", AWS_MAX_ATTEMPTS = "1" })
    assert.equal(1, status)
    assert.matches("^awsync: the queues could not be listed: ", err)
  end)

  it("refuses what it does not understand, with status 2", function()
    local wrong = { ["more"] = "takes no argument", ["--run A"] = "takes the id of a run", ["--frob"] = "frob" }
    for words, message in pairs(wrong) do
      local out, err, status = list(words)
      assert.same({ "", 2 }, { out, status })
      assert.truthy(err:find(message, 1, true), err)
    end
    local out, _, status = list "--help"
    assert.equal(0, status)
    assert.matches("^usage: awsync dead%-letters", out)
  end)
end)
