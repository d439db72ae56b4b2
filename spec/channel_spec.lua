-- The channel room: making channels, pushes and pops, and what they cost in requests, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub, count = room.probe, room.server, room.serve, room.new_hub, room.count
local messages_cost, pop_many, numbers = room.messages_cost, room.pop_many, room.numbers

before_each(room.begin)
after_each(room.finish)

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
