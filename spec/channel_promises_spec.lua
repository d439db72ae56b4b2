-- What channels promise, over the real engine: once, in order, fair, cheap. Every sender and receiver is a process.
local program = require "spec.support.program"

local function answer(name, event, ...)
  return program.answer(("spec/programs/%s.lua"):format(name), { event = event, words = { ... } })
end

-- Requests that the engine counted, of channels' own queues, by operation.
local function requests(stats)
  local count = { all = 0 }
  for name, fifo in stats:gmatch "\n  (%a+) +%d+ +%d+ +(%d+) +%d+" do
    count[name] = tonumber(fifo)
    count.all = count.all + tonumber(fifo)
  end
  assert(count.CreateQueue, stats)
  return count
end

-- Requests by operation, and of those that move messages the sum. What is not there is 0.
local function spent(event)
  local got, stats = answer("flood", event, "--stats")
  assert.equal(event.n, got)
  local count = requests(stats)
  count.messages = 0
  local names = { "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch" }
  for _, name in ipairs(names) do
    count[name] = count[name] or 0
    count.messages = count.messages + count[name]
  end
  -- The sender is a call: a queue of claims, and its claim.
  count.CreateQueue, count.messages, count.all = count.CreateQueue - 1, count.messages - 1, count.all - 2
  return count, stats
end

describe("1,000 values from one quick sender to one quick receiver", function()
  it("cost at most 300 requests, and two for the queue", function()
    local count, stats = spent { n = 1000 }
    assert.is_true(count.messages <= 300, stats)
    assert.same({ 1, 1 }, { count.CreateQueue, count.DeleteQueue })
    assert.equal(count.messages + 2, count.all, stats)
  end)

  it("cost three more with close: the mark, its receive, and the delete of the last values before it", function()
    local count, stats = spent { n = 1000, close = true }
    assert.is_true(count.messages <= 303, stats)
    assert.equal(0, count.ChangeMessageVisibilityBatch, stats)
    assert.equal(count.messages + 2, count.all, stats)
  end)

  it("cost two more without order, since the first receive is for one", function()
    local count, stats = spent { n = 1000, ordered = false }
    assert.is_true(count.messages <= 302, stats)
  end)

  it("cost at most 20 on a stream", function()
    local count, stats = spent { n = 1000, stream = true, close = true }
    assert.is_true(count.all <= 20, stats)
  end)
end)

for _, ordered in ipairs { true, false } do
  describe(ordered and "an ordered channel" or "an unordered channel", function()
    it("is fair: ten jobs of a second end in two with five workers", function()
      local got = answer("jobs", { workers = 5, jobs = 10, ordered = ordered })
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, got.done)
      assert.is_true(got.seconds >= 2 and got.seconds < 3.5, tostring(got.seconds))
    end)

    it("carries 10,000 values from 8 senders to 8 receivers, each once", function()
      local got = answer("crowd", { senders = 8, receivers = 8, values = 10000, ordered = ordered })
      assert.same({ count = 10000, busy = 8 }, got)
    end)

    it("does so when SQS fails now and then", function()
      local got = answer("crowd", { senders = 3, receivers = 3, values = 600, ordered = ordered }, "--fault",
        "seed=5,drop=0.03,cut=0.02,error=0.02,throttle=0.02,only=SendMessageBatch+ReceiveMessage+DeleteMessageBatch")
      assert.equal(600, got.count)
    end)
  end)
end

-- Main, two senders, one receiver: with more of them than may run at once, who waits would wait for ever.
it("works with four lambdas at once", function()
  local got = answer("crowd", { senders = 2, receivers = 1, values = 1000 }, "--concurrency", 4)
  assert.equal(1000, got.count)
end)

it("asks SQS once while a pop waits, however often the wait looks up in between", function()
  local got, stats = answer("idle", { seconds = 4 }, "--stats")
  assert.same({ true, "timeout" }, got)
  assert.is_true(requests(stats).ReceiveMessage <= 2, stats)
end)

it("does a job whose worker is killed in the middle of it, when all others have seen the end", function()
  local mark = os.tmpname()
  os.remove(mark)
  finally(function() os.remove(mark) end)
  local got = program.answer("spec/programs/killed.lua", { event = { workers = 3, mark = mark }, errors = true })
  assert.same({ "a", "b", "c", "d", "deadly" }, got)
end)
