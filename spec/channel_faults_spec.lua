-- The channel room: faults of the service, and requests that are sent again, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub = room.probe, room.server, room.serve, room.new_hub
local count, pop_many, numbers = room.count, room.pop_many, room.numbers

before_each(room.begin)
after_each(room.finish)

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

  -- The client has gone, the server does not know: it hands the next message to nobody, for 30 seconds.
  for _, waits in ipairs { true, false } do
    it(("what is handed to a long poll that was cut is found when its time is over, %s a pop that waits"):format(
      waits and "for" or "without"), function()
      serve()
      server:fault { op = "receive", kind = "cut" }
      local url = server:queue "q.fifo"
      local r, c = new_hub():open(url), new_hub():open(url)
      assert.equal("timeout", (select(2, r:pop(0.01))))
      room.wait_for("receive", function(call) return call.wait == 0 end) -- asked again at once: nothing
      c:push "a"
      probe.sleep(0.05)
      assert.equal(1, room.queue("q.fifo").hidden)
      local limit = probe.now() + 15
      if waits then
        assert.equal("a", r:pop(15))
      else
        while room.queue("q.fifo").hidden > 0 and probe.now() < limit do probe.sleep(0.05) end
        assert.equal("a", c:pop(5))
      end
    end)
  end

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
