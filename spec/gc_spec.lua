-- `awsync gc`: deletes what runs have left behind, and nothing else.
local E = require "spec.support.engine"
local command = require "spec.support.command"

local HOUR = 3600

describe("awsync gc", function()
  local engine
  before_each(function() engine = assert(E.start { function_name = false, lenient = 1 }) end)
  after_each(E.stop_all)

  local function gc(words, variables)
    return command(engine, "gc", words, variables)
  end

  local function ago(seconds)
    return os.date("!%Y-%m-%dT%H:%M:%S.000Z", os.time() - seconds)
  end

  -- A queue with the given tags; those of a run's queue unless they say otherwise.
  local function make(name, tags, attributes)
    local all = { ["awsync:created"] = ago(2 * HOUR), ["awsync:expires"] = ago(HOUR), ["awsync:run"] = "r1",
      ["awsync:function"] = "squares" }
    for tag, value in pairs(tags or {}) do all["awsync:" .. tag] = value or nil end
    if name:find "%.fifo$" then
      attributes = attributes or {}
      attributes.FifoQueue = "true"
    end
    local answer = engine:sqs("CreateQueue", { QueueName = name, tags = next(all) and all or nil,
      Attributes = attributes })
    assert.equal(200, answer.status, answer.body)
    return answer.json.QueueUrl
  end

  local function names()
    local out = {}
    for _, url in ipairs(engine:sqs("ListQueues", {}).json.QueueUrls or {}) do out[#out + 1] = url:match "[^/]+$" end
    table.sort(out)
    return table.concat(out, " ")
  end

  local STRANGER = { created = false, expires = false, run = false, ["function"] = false }

  it("leaves the claims of a function, which are no run's", function()
    make("awsync-claims-f.fifo", { expires = false, run = false, kind = "claims" })
    for _, words in ipairs { "", "--older-than 1s" } do
      local out, err, status = gc(words)
      assert.equal(0, status, err)
      assert.equal("0 queues deleted, 1 kept, 0 not ours\n", out)
    end
    assert.equal("awsync-claims-f.fifo", names())
  end)

  it("deletes what is tagged and expired, with companions, and says so", function()
    make "awsync-r1-one.fifo"
    make "awsync-r1-one-credits.fifo"
    make "awsync-r1-in-two"
    make("awsync-r2-live.fifo", { run = "r2", expires = ago(-60) })
    make("awsync-r3-just.fifo", { run = "r3", expires = ago(60) })
    make("awsync-r4-ever.fifo", { run = "r4", expires = false })
    local out, err, status = gc()
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("awsync-r2-live.fifo awsync-r3-just.fifo awsync-r4-ever.fifo", names())
    assert.matches("deleted awsync%-r1%-one%.fifo run=r1 function=squares created=%S+Z expires=%S+Z\n", out)
    assert.matches("deleted awsync%-r1%-one%-credits%.fifo ", out)
    assert.matches("deleted awsync%-r1%-in%-two ", out)
    assert.matches("\n3 queues deleted, 3 kept, 0 not ours\n$", out)
  end)

  it("never touches another program's queue, however it is named", function()
    make("awsync-orders.fifo", STRANGER)
    make("awsync-r1-abc.fifo", STRANGER)
    make("awsync-r1-odd.fifo", { created = "yesterday" })
    make "other-awsync"
    local out, _, status = gc "--older-than 0s"
    assert.equal(0, status)
    assert.equal("0 queues deleted, 0 kept, 3 not ours\n", out)
    out = gc "--run r1"
    assert.equal("0 queues deleted, 0 kept, 2 not ours\n", out)
    assert.equal("awsync-orders.fifo awsync-r1-abc.fifo awsync-r1-odd.fifo other-awsync", names())
  end)

  it("deletes nothing in a dry run", function()
    make "awsync-r1-one.fifo"
    local out, _, status = gc "--dry-run"
    assert.equal(0, status)
    assert.matches("^would delete awsync%-r1%-one%.fifo .*\n1 queue would be deleted, 0 kept, 0 not ours\n$", out)
    assert.equal("awsync-r1-one.fifo", names())
  end)

  it("deletes the queues of one run, expired or not", function()
    make("awsync-r1-one.fifo", { expires = ago(-HOUR) })
    make("awsync-r12-two.fifo", { run = "r12" })
    make("awsync-r1-three.fifo", { run = "other" })
    local out = gc "--run r1"
    assert.matches("\n1 queue deleted, 1 kept, 0 not ours\n$", out)
    assert.equal("awsync-r1-three.fifo awsync-r12-two.fifo", names())
  end)

  it("deletes what is older than a time, expired or not", function()
    make("awsync-a.fifo", { created = ago(40), expires = ago(-HOUR) })
    make("awsync-b.fifo", { created = ago(20), expires = ago(-HOUR) })
    make("awsync-r2-c.fifo", { created = ago(26 * HOUR), run = "r2" })
    assert.matches("1 queue would be deleted", (gc "--older-than 1d --dry-run"))
    assert.matches("0 queues would be deleted", (gc "--older-than 27h --dry-run"))
    assert.matches("2 queues would be deleted", (gc "--older-than 30s --dry-run"))
    assert.matches("1 queue would be deleted, 0 kept", (gc "--older-than 0m --run r2 --dry-run"))
    gc "--older-than 30s"
    assert.equal("awsync-b.fifo", names())
  end)

  it("keeps dead letters that nobody has taken, unless their queue is asked for", function()
    make "awsync-r1-empty-dead.fifo"
    local url = make "awsync-r1-full-dead.fifo"
    local sent = engine:sqs("SendMessage", { QueueUrl = url, MessageBody = "x", MessageGroupId = "g",
      MessageDeduplicationId = "d" })
    assert.equal(200, sent.status)
    local out, _, status = gc()
    assert.equal(0, status)
    assert.matches("kept awsync%-r1%-full%-dead%.fifo .* letters=1\n", out)
    assert.matches("\n1 queue deleted, 1 kept, 0 not ours\n$", out)
    assert.equal("awsync-r1-full-dead.fifo", names())
    gc "--run r1"
    assert.equal("", names())
  end)

  it("reads all pages", function()
    for i = 1, 1005 do make(("awsync-r1-%04d.fifo"):format(i)) end
    local out, err, status = gc()
    assert.equal(0, status, err)
    assert.matches("\n1005 queues deleted, 0 kept, 0 not ours\n$", out)
    assert.equal("", names())
  end)

  it("waits throttling and lost answers out", function()
    engine:stop()
    engine = assert(E.start { function_name = false, lenient = 1,
      fault = "seed=3,throttle=0.2,drop=0.1,only=ListQueues+ListQueueTags+DeleteQueue" })
    for i = 1, 12 do make(("awsync-r1-%d.fifo"):format(i)) end
    local out, err, status = gc()
    assert.equal(0, status, err)
    local deleted, gone = out:match "\n(%d+) queues deleted, 0 kept, 0 not ours(.*)\n$"
    assert.equal(12, tonumber(deleted) + tonumber(gone:match "%d+" or 0), out)
    assert.equal(0, engine:figures().queues)
  end)

  it("says what it could not do, and fails", function()
    local out, err, status = gc("", { AWS_SECRET_ACCESS_KEY = "wrong" })
    assert.equal(1, status)
    assert.equal("", out)
    assert.matches("^awsync: the queues could not be listed: %S+: .", err)
    assert.falsy(err:find("wrong", 1, true))
  end)

  it("refuses wrong usage", function()
    for words, message in pairs { ["--older-than 5"] = "30s, 15m", ["--older-than x1h"] = "30s, 15m",
      ["--run A"] = "id of a run", ["--run"] = "needs a value", ["--all"] = "no option", ["x"] = "no argument" } do
      local out, err, status = gc(words)
      assert.equal(2, status)
      assert.equal("", out)
      assert.truthy(err:find(message, 1, true), err)
    end
    assert.matches("^usage: awsync gc", (gc "--help"))
  end)
end)
