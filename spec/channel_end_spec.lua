-- The channel room: the end of a queue and the end of an invocation, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub = room.probe, room.server, room.serve, room.new_hub
local count, pop_many, numbers = room.count, room.pop_many, room.numbers

before_each(room.begin)
after_each(room.finish)

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
    assert.is_true(took > 0.9 and took < 5, took)
  end)

  it("by another process is told to a sender soon, also in the first seconds of a queue that has answered", function()
    for _, unordered in ipairs { false, true } do
      serve()
      local url = server:queue "q.fifo"
      local c = new_hub():open(url, { unordered = unordered })
      c:push "1"
      assert.equal("1", c:pop(5))
      server:remove(url)
      local start, reason = probe.now(), nil
      while not reason and probe.now() - start < 10 do
        reason = select(2, c:push "x")
        probe.sleep(0.002)
      end
      assert.equal("deleted", reason)
      assert.is_true(probe.now() - start < 1.8, probe.now() - start)
    end
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
