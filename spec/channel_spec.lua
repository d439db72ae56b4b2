-- The channel room over an SQS in memory (spec/probe/channel*.h): what channels promise, and what it costs in requests.
local probe = require "probe.channel"

local server, hubs

local function serve(options)
  server = probe.server(options or {})
  return server
end

local function new_hub(id)
  local hub = server:hub()
  hub:begin(id or ("inv-" .. #hubs), "r1", "square", 4102444800000)
  hubs[#hubs + 1] = hub
  return hub
end

local function count(op, match)
  local n, entries = 0, 0
  for _, call in ipairs((server:log())) do
    if call.op == op and (not match or match(call)) then n, entries = n + 1, entries + call.count end
  end
  return n, entries
end

local function messages_cost()
  return count("send") + count("receive") + count("delete") + count("visibility")
end

local function pop_many(chan, n, timeout)
  local got = {}
  for i = 1, n do
    local v, why, text = chan:pop(timeout or 10)
    assert(v, ("pop %d: %s %s"):format(i, tostring(why), tostring(text)))
    got[i] = v
  end
  return got
end

local function numbers(n, prefix)
  local t = {}
  for i = 1, n do t[i] = (prefix or "") .. i end
  return t
end

before_each(function() hubs = {} end)
after_each(function()
  local _, broken = server:log()
  for _, hub in ipairs(hubs) do hub:free() end
  assert.is_nil(broken)
end)

describe("a new channel", function()
  it("is a FIFO queue with its attributes and tags, gone when the invocation ends", function()
    serve()
    local hub = new_hub()
    local c = hub:create { visibility = 45 }
    assert.matches("^awsync%-r1%-[a-z0-9]+%.fifo$", c:name())
    assert.equal("http://127.0.0.1:1/000000000000/" .. c:name(), c:url(5))
    local queue = server:queues()[1]
    for _, line in ipairs { "FifoQueue=true", "DeduplicationScope=messageGroup",
      "FifoThroughputLimit=perMessageGroupId", "VisibilityTimeout=45",
      "tag awsync:run=r1", "tag awsync:function=square", "tag awsync:created=20",
      "tag awsync:expires=2100-01-01T00:00:00.000Z" } do
      assert.truthy(queue.note:find(line, 1, true), line)
    end
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
    assert.equal(0, hub:open_calls())
  end)

  it("is made without waiting, and takes pushes before it is there", function()
    serve { latency = 60 }
    local hub = new_hub()
    local start = probe.now()
    local c = hub:create()
    assert.is_true(c:push("a"))
    assert.is_true(probe.now() - start < 0.05)
    assert.equal("a", c:pop(5))
  end)

  it("has options that are known, with the usual visibility", function()
    serve()
    local hub = new_hub()
    assert.same({ false, 30 }, { hub:create():options() })
    assert.same({ true, 7 }, { hub:create { unordered = true, visibility = 7 }:options() })
  end)

  it("opens once: the same URL gives the same channel", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    local again = hub:open((c:url(5)))
    assert.is_true(c:same(again))
    assert.is_true(again:push("x"))
    again:release()
    assert.equal("x", c:pop(5))
  end)

  it("waits for a queue that SQS does not know everywhere yet", function()
    serve { young = 600 }
    local hub = new_hub()
    local c = hub:create()
    assert.is_true(c:push("early"))
    assert.equal("early", c:pop(5))
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
  end)

  it("deletes a queue that is too young to be deleted at once", function()
    serve { young = 300 }
    local hub = new_hub()
    hub:create():url(5)
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
  end)

  it("says what is wrong when it cannot be made, each time", function()
    serve()
    server:fault { op = "create", kind = "denied", count = -1 }
    local hub = new_hub()
    local c = hub:create()
    local _, why, text, code = c:url(5)
    assert.equal("failed", why)
    assert.equal("AccessDeniedException", code)
    assert.equal("making of the queue on channel " .. c:name() ..
      " failed: AccessDeniedException: injected (request id req-1)", text)
    for _ = 1, 2 do assert.same({ "failed", text }, { (select(2, c:push "x")), (select(3, c:push "x")) }) end
    assert.same({ "failed", text }, { (select(2, c:pop(1))), (select(3, c:pop(1))) })
    assert.is_true(hub:finish(5))
  end)

  it("leaves nothing behind when only the answer to its making was lost", function()
    serve()
    server:fault { op = "create", kind = "lost", count = 1 }
    local hub = new_hub()
    local c = hub:create()
    assert.is_true(c:push("x"))
    assert.equal("x", c:pop(5))
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
  end)
end)

describe("a queue whose making failed", function()
  it("is looked for at the end, and deleted if it is there after all", function()
    serve()
    server:fault { op = "create", kind = "odd" }
    local hub = new_hub()
    local c = hub:create()
    assert.equal("failed", (select(2, c:url(5))))
    assert.equal(1, #server:queues())
    assert.is_true(hub:finish(8))
    assert.same({}, server:queues())
  end)
end)

describe("pushes and pops", function()
  it("keep the order and the bytes", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:push("with\0nul")
    assert.equal("with\0nul", c:pop(5))
    c:push_many(137)
    assert.same(numbers(137), pop_many(c, 137))
    assert.is_true(hub:finish(5))
  end)

  it("cost three requests for ten values: 1,000 pushed and popped by one process", function()
    serve { latency = 4 }
    local hub = new_hub()
    local c = hub:create()
    c:push_many(1000)
    assert.same(numbers(1000), pop_many(c, 1000))
    assert.is_true(hub:flush(5))
    assert.is_true(messages_cost() <= 300, "requests: " .. messages_cost())
    assert.equal(0, (count "visibility"))
  end)

  it("cost the same between two processes that know nothing of each other, whoever has made the channel", function()
    for _, owner in ipairs { "sender", "receiver", "neither" } do
      serve { latency = 4 }
      local sender, receiver = new_hub(), new_hub()
      local hub = owner == "receiver" and receiver or sender
      local url = owner == "neither" and server:queue "q.fifo" or hub:create():url(5)
      local c, r = sender:open(url), receiver:open(url)
      c:push_many(1000)
      assert.same(numbers(1000), pop_many(r, 1000))
      assert.is_true(receiver:finish(5))
      assert.is_true(sender:finish(5))
      assert.is_true(messages_cost() <= 300, owner .. " requests: " .. messages_cost())
      -- ten messages a request is SQS's limit: with the queue's making and deletion no fewer than 301
      assert.is_true(#server:log() <= 302, #server:log())
    end
  end)

  it("that come one by one are sent one by one, without waiting for others", function()
    serve { latency = 1 }
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    for _ = 1, 20 do
      local start = probe.now()
      c:push "x"
      assert.is_true(hub:flush(5))
      assert.is_true(probe.now() - start < 0.05)
    end
    assert.equal(20, (count "send"))
    local ping, pong = hub:create(), hub:create()
    for _ = 1, 5 do ping:push "warm" end
    for _ = 1, 5 do ping:pop(5) end
    local start = probe.now()
    for _ = 1, 20 do -- quick in succession, but each push is waited for
      ping:push "a"
      assert.equal("a", ping:pop(5))
      pong:push "b"
      assert.equal("b", pong:pop(5))
    end
    assert.is_true(probe.now() - start < 0.6, probe.now() - start)
  end)

  it("cost the same without order", function()
    serve { latency = 4 }
    local hub = new_hub()
    local c = hub:create { unordered = true }
    c:push_many(1000)
    local got = pop_many(c, 1000)
    table.sort(got, function(a, b) return tonumber(a) < tonumber(b) end)
    assert.same(numbers(1000), got)
    assert.is_true(hub:flush(5))
    assert.is_true(messages_cost() <= 320, "requests: " .. messages_cost())
  end)

  it("send the first value at once, alone, and gather the next while it is on its way", function()
    serve { latency = 60 }
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    local start = probe.now()
    c:push("first")
    probe.sleep(0.045)
    assert.equal(1, (count "send")) -- it has arrived before anything else was asked of the channel
    c:push_many(25)
    assert.is_true(probe.now() - start < 0.06)
    assert.is_true(hub:flush(5))
    local batches = {}
    for _, call in ipairs((server:log())) do
      if call.op == "send" then batches[#batches + 1] = call.count end
    end
    assert.same({ 1, 10, 10, 5 }, batches)
  end)

  it("fill a batch to a megabyte and no further", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    local big = ("x"):rep(400000)
    for _ = 1, 5 do assert.is_true(c:push(big)) end
    for _ = 1, 5 do assert.equal(400000, #c:pop(5)) end
    assert.is_true(count("send") >= 3)
    assert.is_true(c:push(("y"):rep(1048576)))
    assert.equal(1048576, #c:pop(5))
  end)

  it("refuse what SQS would refuse", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    local _, why, text = c:push(("y"):rep(1048577))
    assert.equal("failed", why)
    assert.matches("a value of 1048577 bytes, where SQS takes 1 to 1048576", text)
    assert.equal("failed", (select(2, c:push(""))))
    assert.is_true(hub:finish(5))
  end)

  it("wait when too much is waiting to be sent", function()
    serve()
    server:fault { op = "send", kind = "throttle", count = 4 }
    local hub = new_hub()
    local c = hub:create()
    local big = ("x"):rep(1048576)
    for _ = 1, 16 do assert.is_true(c:push(big)) end
    assert.equal("timeout", (select(2, c:push(big, 0))))
    assert.equal("timeout", (select(2, c:push(big, 0.03))))
    assert.is_true(c:push(big, 10))
    assert.is_true(hub:finish(10))
  end)

  it("go on over hundreds of channels at once", function()
    serve()
    local hub = new_hub()
    local channels = {}
    for i = 1, 200 do channels[i] = hub:create() end
    for i = 1, 200 do assert.is_true(channels[i]:push("v" .. i)) end
    for i = 200, 1, -1 do assert.equal("v" .. i, channels[i]:pop(20)) end
    assert.is_true(hub:finish(20))
    assert.same({}, server:queues())
    assert.equal(0, hub:open_calls())
    assert.equal(200, (count "create"))
    assert.equal(200, (count "delete_queue"))
  end)
end)

describe("a pop", function()
  it("gives up at its time and leaves the long poll alone", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:url(5)
    local start = probe.now()
    for _ = 1, 2 do assert.equal("timeout", (select(2, c:pop(0.15)))) end
    local took = probe.now() - start
    assert.is_true(took >= 0.29 and took < 0.6, took)
    assert.equal(1, (count "receive"))
    assert.equal(1, hub:open_calls())
    c:push("late")
    assert.equal("late", c:pop(5))
    assert.equal(1, (count "receive"))
  end)

  it("that only polls sees what its process has pushed and misses nothing behind a delete", function()
    serve { latency = 20 }
    local hub = new_hub()
    local c = hub:create()
    assert.equal("timeout", (select(2, c:pop(0))))
    for i = 1, 3 do c:push("v" .. i) end
    for i = 1, 3 do assert.equal("v" .. i, c:pop(0)) end
    local start = probe.now()
    assert.equal("timeout", (select(2, c:pop(0))))
    assert.is_true(probe.now() - start < 0.5)
    assert.equal(0, (count("receive", function(call) return call.wait > 0 end)))
  end)

  it("that only polls does not start anew while a long poll is under way", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:pop(0.1)
    local before = count "receive"
    local start = probe.now()
    assert.equal("timeout", (select(2, c:pop(0))))
    assert.is_true(probe.now() - start < 0.2)
    assert.equal(before, (count "receive"))
    c:push("x")
    assert.equal("x", c:pop(0))
  end)

  it("starts no poll that nobody waits for", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:push_many(3)
    hub:flush(5)
    probe.sleep(0.2)
    assert.equal(0, (count "receive"))
    assert.equal("1", c:pop(5))
    probe.sleep(0.3)
    assert.is_true(count "receive" <= 2)
  end)

  it("alternates between channels with one poll each", function()
    serve()
    local hub = new_hub()
    local a, b = hub:create(), hub:create()
    for _ = 1, 10 do
      assert.equal("timeout", (select(2, a:pop(0.02))))
      assert.equal("timeout", (select(2, b:pop(0.02))))
    end
    assert.is_true(hub:open_calls() <= 2)
    a:push("1")
    b:push("2")
    assert.equal("2", b:pop(5))
    assert.equal("1", a:pop(5))
  end)

  it("is woken by an interrupt, as is the next one when nobody waits", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:push("x")
    hub:interrupt()
    assert.equal("interrupted", (select(2, c:pop(5))))
    assert.equal("x", c:pop(5))
    local start = probe.now()
    hub:interrupt(0.1)
    assert.equal("interrupted", (select(2, c:pop())))
    local took = probe.now() - start
    assert.is_true(took > 0.05 and took < 1, took)
    server:fault { op = "send", kind = "throttle", count = 3 }
    c:push("y")
    hub:interrupt()
    assert.equal("interrupted", (select(2, hub:flush(5))))
    assert.is_true(hub:flush(5))
  end)
end)

describe("a receiver that proves slow", function()
  it("gives back what it does not ask for, in order, for others at once", function()
    serve()
    local slow, quick = new_hub(), new_hub()
    local c = slow:create()
    c:push_many(30)
    slow:flush(5)
    assert.same(numbers(12), pop_many(c, 12)) -- quick so far: it holds more by now
    local r = quick:open((c:url(5)))
    local start = probe.now()
    assert.equal("13", r:pop(5))
    assert.is_true(probe.now() - start < 1)
    assert.same({ "14", "15" }, pop_many(r, 2))
    assert.is_true(count("visibility") >= 1)
    quick:finish(5)
    assert.equal("16", c:pop(5))
  end)

  it("asks for one at a time", function()
    serve()
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    c:push_many(12)
    for i = 1, 12 do
      assert.equal(tostring(i), c:pop(5))
      probe.sleep(0.05)
    end
    assert.is_true(count("receive", function(call) return call.max > 1 end) <= 1)
    assert.is_true(hub:flush(5))
    assert.equal(0, server:queues()[1].messages)
  end)

  for _, unordered in ipairs { false, true } do
    it(("leaves work to the others: ten jobs, five workers, two rounds (unordered: %s)"):format(unordered), function()
      serve()
      local hub = new_hub()
      local c = hub:create { unordered = unordered }
      c:push_many(10)
      hub:flush(5)
      local start = probe.now()
      local lists, ok = server:race { url = c:url(5), workers = 5, job = 300, patience = 400, unordered = unordered }
      local took = probe.now() - start
      assert.is_true(ok)
      local seen = {}
      for _, list in ipairs(lists) do
        assert.is_true(#list <= 3, #list)
        for _, v in ipairs(list) do
          assert.is_nil(seen[v])
          seen[v] = true
        end
      end
      assert.equal(10, #seen)
      assert.is_true(took < 1.9, took) -- two rounds of 0.3 s, the patience of 0.4 s, and at most one round more
    end)
  end

  it("gives back what came when its pop had already gone", function()
    serve { latency = 20 }
    local late, other = new_hub(), new_hub()
    local url = server:queue "q.fifo"
    local c, o = late:open(url), other:open(url)
    assert.equal("timeout", (select(2, c:pop(0.05))))
    o:push("v")
    other:flush(5)
    local start = probe.now()
    assert.equal("v", o:pop(5))
    assert.is_true(probe.now() - start < 1)
  end)
end)

describe("many receivers", function()
  for _, unordered in ipairs { false, true } do
    it(("get each value once (unordered: %s)"):format(unordered), function()
      serve { latency = 1 }
      local hub = new_hub()
      local c = hub:create { unordered = unordered }
      c:push_many(600)
      local lists, ok = server:race { url = c:url(5), workers = 4, patience = 500, unordered = unordered }
      assert.is_true(ok)
      local seen, total = {}, 0
      for _, list in ipairs(lists) do
        for i, v in ipairs(list) do
          assert.is_nil(seen[v])
          seen[v] = true
          total = total + 1
          assert.is_true(unordered or i == 1 or list[i - 1] < v)
        end
      end
      assert.equal(600, total)
    end)
  end
end)

describe("under faults", function()
  local ops = { "send", "receive", "delete", "visibility", "delete_queue", "create" }
  for _, kind in ipairs { "throttle", "reset", "internal", "lost" } do
    it(("of the kind %s, each value arrives once and in order"):format(kind), function()
      for seed = 1, 3 do
        serve { latency = 1, seed = seed }
        for _, op in ipairs(ops) do server:fault { op = op, kind = kind, count = 12, chance = 0.3 } end
        local sender, receiver = new_hub("s" .. seed), new_hub("r" .. seed)
        local c = sender:create()
        c:push_many(60)
        local r = receiver:open((c:url(10)))
        assert.same(numbers(60), pop_many(r, 60, 20))
        assert.equal("timeout", (select(2, r:pop(0.05))))
        assert.is_true(receiver:finish(20))
        assert.is_true(sender:finish(20))
        assert.same({}, server:queues())
      end
    end)
  end

  it("single entries that SQS refuses by its own fault are sent again, only they, before all that follows", function()
    serve { latency = 10 }
    server:fault { op = "send", kind = "partial", skip = 1, entries = 0x24 } -- 3rd and 6th of the second
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    c:push_many(31)
    assert.is_true(hub:flush(5))
    local r = new_hub():open(server:queue "q.fifo")
    assert.equal("1", r:pop(5))
    local got = pop_many(r, 30)
    -- taken together they are in order again
    local expected = numbers(31)
    table.remove(expected, 1)
    assert.same(expected, got)
    local _, entries = count "send"
    assert.equal(33, entries)
  end)

  it("deletes that were refused for single entries are sent again", function()
    serve()
    server:fault { op = "delete", kind = "partial", entries = 0x1, count = 2 }
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    c:push_many(5)
    assert.same(numbers(5), pop_many(c, 5))
    assert.is_true(hub:flush(5))
    assert.equal(0, server:queues()[1].messages)
  end)

  it("a delete that comes after the visibility timeout is no secret", function()
    serve()
    server:fault { op = "delete", kind = "throttle", count = 5 }
    local hub = new_hub()
    local c = hub:create { visibility = 1 }
    c:push("v")
    assert.equal("v", c:pop(5))
    local _, why, text = hub:flush(10)
    assert.equal("failed", why)
    assert.matches("visibility timeout was over before it was deleted", text)
  end)

  it("one answer too early that the queue is not there is not believed", function()
    serve()
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    c:push("v")
    assert.is_true(hub:flush(5))
    server:fault { op = "receive", kind = "noqueue", count = 2 }
    assert.equal("v", c:pop(5))
  end)

  it("a lost receive answer is asked for again by the same attempt id", function()
    serve()
    server:fault { op = "receive", kind = "lost" }
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    c:push("v")
    local start = probe.now()
    assert.equal("v", c:pop(10))
    assert.is_true(probe.now() - start < 2)
    local attempts = {}
    for _, call in ipairs((server:log())) do
      if call.op == "receive" then attempts[#attempts + 1] = call.what end
    end
    assert.equal(2, #attempts)
    assert.equal(attempts[1], attempts[2])
  end)

  it("a lost receive answer that no pop waits for any more goes back", function()
    serve()
    server:fault { op = "receive", kind = "lost" }
    server:fault { op = "receive", kind = "delay", ms = 150 }
    local hub, other = new_hub(), new_hub()
    local url = server:queue "q.fifo"
    local c, o = hub:open(url), other:open(url)
    o:push("v")
    other:flush(5)
    assert.equal("timeout", (select(2, c:pop(0.01))))
    local start = probe.now()
    assert.equal("v", o:pop(10))
    assert.is_true(probe.now() - start < 2)
  end)

  it("throttling is waited out and never shown", function()
    serve()
    server:fault { op = "send", kind = "throttle", count = 5 }
    server:fault { op = "receive", kind = "throttle", count = 4 }
    local hub = new_hub()
    local c = hub:create()
    c:push("v")
    assert.equal("timeout", (select(2, c:pop(0.1))))
    assert.equal("v", c:pop(20))
    assert.is_true(hub:finish(20))
  end)

  it("a failure for good is reported by the next operation, or by flush, once", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:url(5)
    server:fault { op = "send", kind = "denied" }
    c:push("a")
    local result, why, text = hub:flush(5)
    assert.is_nil(result)
    assert.equal("failed", why)
    assert.equal("push on channel " .. c:name() .. " failed: AccessDeniedException: injected (request id req-1)", text)
    assert.is_true(hub:flush(5))
    server:fault { op = "send", kind = "reject", entries = 1, code = "InvalidMessageContents" }
    c:push("b")
    probe.sleep(0.1)
    result, why, text = c:push("c")
    assert.same({ nil, "failed" }, { result, why })
    assert.matches("InvalidMessageContents", text)
    assert.is_true(c:push("c"))
    assert.is_true(hub:finish(5))
  end)

  it("a pop that is not allowed says so", function()
    serve()
    server:fault { op = "receive", kind = "denied" }
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    local _, why, text, code = c:pop(5)
    assert.equal("failed", why)
    assert.equal("AccessDeniedException", code)
    assert.matches("^pop on channel q%.fifo failed: AccessDenied", text)
    c:push("v")
    assert.equal("v", c:pop(5))
  end)
end)

describe("deduplication", function()
  it("drops the pushes of a second run of the same request, never those of another", function()
    serve()
    local url = server:queue "q.fifo"
    local function run(id)
      local hub = new_hub(id)
      local c = hub:open(url)
      for _ = 1, 3 do c:push("same") end
      assert.is_true(hub:finish(5))
    end
    run "request-1"
    assert.equal(3, server:queues()[1].messages)
    run "request-1"
    assert.equal(3, server:queues()[1].messages)
    run "request-2"
    assert.equal(6, server:queues()[1].messages)
  end)

  it("goes on counting when a channel is released and opened again, and in the next invocation", function()
    serve()
    local url = server:queue "q.fifo"
    local hub = new_hub "request-1"
    for _ = 1, 3 do
      local c = hub:open(url)
      c:push("same")
      c:release()
      hub:flush(5)
    end
    assert.is_true(hub:finish(5))
    assert.equal(3, server:queues()[1].messages)
    hub:begin("request-2")
    hub:open(url):push("same")
    assert.is_true(hub:finish(5))
    assert.equal(4, server:queues()[1].messages)
  end)
end)

describe("delete", function()
  it("sends what was pushed first, and ends the channel", function()
    serve { latency = 20 }
    local hub = new_hub()
    local c = hub:create()
    c:push_many(12)
    assert.is_true(c:delete())
    assert.is_true(c:delete())
    assert.equal("deleted", (select(2, c:push("x"))))
    assert.equal("deleted", (select(2, c:pop(1))))
    assert.equal("deleted", (select(2, c:url(1))))
    assert.is_true(hub:finish(5))
    assert.equal(12, (select(2, count "send")))
    assert.equal(1, (count "delete_queue"))
    assert.same({}, server:queues())
  end)

  it("does not wait for an idle long poll", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    hub:interrupt(0.1)
    c:pop()
    local start = probe.now()
    assert.is_true(hub:finish(10))
    assert.is_true(probe.now() - start < 1)
    assert.equal(0, hub:open_calls())
  end)

  it("by another process is told to sender and receiver", function()
    serve()
    local url = server:queue "q.fifo"
    local hub = new_hub()
    local c = hub:open(url)
    c:push("v")
    assert.equal("v", c:pop(5))
    server:remove(url)
    assert.equal("deleted", (select(2, c:pop(5))))
    assert.equal("deleted", (select(2, c:push("w"))))

    url = server:queue "p.fifo"
    c = hub:open(url)
    c:push("v")
    hub:flush(5)
    server:remove(url)
    c:push("w")
    local _, why, text = hub:flush(5)
    assert.equal("deleted", why)
    assert.matches("push on channel p.fifo failed: the queue was deleted", text)
  end)

  it("of a queue that never was is found out after a few seconds, not at once", function()
    serve()
    local hub = new_hub()
    local c = hub:open("http://127.0.0.1:1/000000000000/none.fifo")
    assert.equal("timeout", (select(2, c:pop(0.5))))
    local start = probe.now()
    assert.equal("deleted", (select(2, c:pop(20))))
    local took = probe.now() - start
    assert.is_true(took > 3 and took < 7, took)
  end)

  it("that fails is reported by finish", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:url(5)
    server:fault { op = "delete_queue", kind = "denied" }
    local _, why, text = hub:finish(5)
    assert.equal("failed", why)
    assert.matches("^delete on channel awsync%-r1%-.* failed: AccessDenied", text)
  end)

  it("is content when somebody else was quicker", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:push("v")
    assert.equal("v", c:pop(5))
    hub:flush(5)
    server:remove((c:url(5)))
    assert.is_true(hub:finish(8))
  end)
end)

describe("the end of an invocation", function()
  it("waits for everything pushed and popped", function()
    serve { latency = 30 }
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    c:push_many(35)
    assert.is_true(hub:finish(5))
    assert.equal(35, server:queues()[1].messages)
    assert.equal(0, hub:open_calls())
    hub:begin "next"
    c = hub:open(server:queue "q.fifo")
    assert.same(numbers(5), pop_many(c, 5))
    assert.is_true(hub:finish(5))
    assert.same({ 30, 0 }, { server:queues()[1].messages, server:queues()[1].hidden })
    assert.equal(0, hub:open_calls())
  end)

  it("leaves handles that say deleted", function()
    serve()
    local hub = new_hub()
    local made, opened = hub:create(), hub:open(server:queue "q.fifo")
    opened:push("v")
    assert.is_true(hub:finish(5))
    for _, c in ipairs { made, opened } do
      assert.equal("deleted", (select(2, c:push("w"))))
      assert.equal("deleted", (select(2, c:pop(1))))
      assert.is_true(c:delete())
    end
    local again = hub:open(server:queue "q.fifo")
    assert.is_false(again:same(opened))
    assert.equal("v", again:pop(5))
  end)

  it("ends an idle long poll of a foreign channel quickly and loses nothing by it", function()
    serve()
    local url = server:queue "q.fifo"
    local hub, other = new_hub(), new_hub()
    local c = hub:open(url)
    hub:interrupt(0.1)
    assert.equal("interrupted", (select(2, c:pop())))
    local start = probe.now()
    assert.is_true(hub:finish(10))
    assert.is_true(probe.now() - start < 1)
    assert.equal(0, hub:open_calls())
    local o = other:open(url)
    o:push("v")
    assert.equal("v", o:pop(5))
  end)

  it("gives back what a cancelled long poll had already taken", function()
    serve { latency = 400 }
    local url = server:queue "q.fifo"
    local hub, other = new_hub(), new_hub()
    local c, o = hub:open(url), other:open(url)
    o:push("v")
    assert.is_true(other:flush(5))
    hub:interrupt(0.3) -- the poll has taken the message and its answer is on its way
    assert.equal("interrupted", (select(2, c:pop())))
    assert.is_true(hub:finish(10))
    assert.same({ 1, 0 }, { server:queues()[1].messages, server:queues()[1].hidden })
    assert.equal("v", o:pop(5))
  end)

  it("says when the time was not enough, and leaves nothing under way", function()
    serve()
    server:fault { op = "send", kind = "throttle", count = -1 }
    local hub = new_hub()
    local c = hub:open(server:queue "q.fifo")
    c:push("v")
    assert.equal("timeout", (select(2, hub:flush(0.1))))
    local start = probe.now()
    local _, why, text = hub:finish(0.2)
    assert.equal("failed", why)
    assert.matches("push on channel q.fifo failed: the time was up", text)
    assert.is_true(probe.now() - start < 1)
    assert.equal(0, hub:open_calls())
  end)

  it("may be the end of the hub while everything is under way, with handles left", function()
    serve { latency = 50 }
    local hub = new_hub()
    local made, opened = hub:create(), hub:open(server:queue "q.fifo")
    made:push("v")
    opened:push_many(30)
    opened:pop(0.01)
    hub:free()
    assert.equal("failed", (select(2, opened:push("w"))))
    assert.equal("failed", (select(2, made:pop(1))))
  end)
end)
