-- The channel room: close and the end mark, the length, and select, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub, count = room.probe, room.server, room.serve, room.new_hub, room.count
local why, pick, drain, numbers = room.why, room.pick, room.drain, room.numbers

before_each(room.begin)
after_each(room.finish)

describe("a closed channel", function()
  it("gives what was pushed before, then its end, to every receiver, as often as it is asked", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:push_many(25)
    assert.is_true(c:close())
    local got, reason = drain(c)
    assert.same({ numbers(25), "closed" }, { got, reason })
    assert.equal("closed", why(c:pop(1)))
    assert.equal("closed", why(c:pop(0)))
    for _ = 1, 3 do
      got, reason = drain(new_hub():open((c:url(5))))
      assert.same({ {}, "closed" }, { got, reason })
    end
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
  end)

  it("says so to a pop that only asks", function()
    for _, unordered in ipairs { false, true } do
      serve()
      local hub = new_hub()
      local c = hub:create { unordered = unordered }
      c:push("1")
      c:close()
      assert.equal("1", c:pop(0))
      assert.equal("closed", why(c:pop(0)))
    end
  end)

  it("asks SQS no more once the end is known", function()
    serve()
    local c = new_hub():create()
    c:close()
    assert.equal("closed", why(c:pop(5)))
    local before = count "receive"
    for _ = 1, 5 do assert.equal("closed", why(c:pop(0.1))) end
    assert.equal(before, count "receive")
  end)

  it("wakes a receiver that waits", function()
    serve()
    local sender, receiver = new_hub(), new_hub()
    local c = sender:create()
    local r = receiver:open((c:url(5)))
    assert.equal("timeout", why(r:pop(0.1)))
    c:close()
    assert.equal("closed", why(r:pop(5)))
  end)

  it("refuses pushes and a second close where the closing is known", function()
    serve()
    local sender, receiver = new_hub(), new_hub()
    local c = sender:create()
    local r = receiver:open((c:url(5)))
    assert.is_true(c:close())
    local _, reason, text = c:push("x")
    assert.equal("closed", reason)
    assert.equal("push on channel " .. c:name() .. " failed: the channel is closed", text)
    assert.equal("closed", why(c:close()))
    sender:flush(5)
    assert.is_true(r:push("late")) -- does not know yet
    receiver:flush(5)
    assert.equal("closed", why(r:pop(5)))
    assert.equal("closed", why(r:push("x")))
    assert.equal("closed", why(r:close()))
    assert.equal("closed", why(c:pop(5)))
  end)

  it("has its end behind everything, also when a batch is refused in part or sent again", function()
    for _, fault in ipairs { { kind = "partial", entries = 0x210 }, { kind = "lost" }, { kind = "throttle" } } do
      for _, unordered in ipairs { false, true } do
        serve { latency = 5 }
        fault.op, fault.skip, fault.count = "send", 1, 2
        server:fault(fault)
        local hub = new_hub()
        local c = hub:create { unordered = unordered }
        c:push_many(30)
        c:close()
        hub:flush(10)
        local got, reason = drain(new_hub():open(c:url(5), { unordered = unordered }))
        assert.equal("closed", reason)
        table.sort(got, function(a, b) return tonumber(a) < tonumber(b) end)
        assert.same(numbers(30), got)
      end
    end
  end)

  it("ends four receivers, each value having come once", function()
    for _, unordered in ipairs { false, true } do
      serve { latency = 1 }
      local hub = new_hub()
      local c = hub:create { unordered = unordered }
      c:push_many(200)
      c:close()
      local start = probe.now()
      local lists, ok = server:race { url = c:url(5), workers = 4, patience = 10000, unordered = unordered }
      assert.is_true(ok)
      assert.is_true(probe.now() - start < 8)
      local seen, total = {}, 0
      for _, list in ipairs(lists) do
        for _, v in ipairs(list) do
          assert.is_nil(seen[v])
          seen[v] = true
          total = total + 1
        end
      end
      assert.equal(200, total)
    end
  end)
end)

describe("the length", function()
  it("counts what waits, wherever it is", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    assert.equal(0, c:len(5))
    c:push_many(13)
    assert.equal(13, c:len(5))
    for i = 1, 3 do assert.equal(tostring(i), c:pop(5)) end
    assert.equal(10, c:len(5))
    c:close()
    assert.equal(10, c:len(5))
    drain(c)
    assert.equal(0, c:len(5))
  end)

  it("waits out throttling, gives up at its time, and says what is wrong", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    c:push("v")
    server:fault { op = "attributes", kind = "throttle", count = 2 }
    assert.equal(1, c:len(5))
    server:fault { op = "attributes", kind = "delay", ms = 300 }
    assert.equal("timeout", why(c:len(0.1)))
    server:fault { op = "attributes", kind = "denied" }
    local _, reason, text = c:len(5)
    assert.equal("failed", reason)
    assert.matches("^len on channel .* failed: AccessDenied", text)
    c:delete()
    assert.equal("deleted", why(c:len(5)))
  end)
end)

describe("select", function()
  it("takes from whichever channel has something", function()
    serve()
    local hub = new_hub()
    local a, b = hub:create(), hub:create()
    b:push("b1")
    assert.same({ 2, "b1", "ok" }, pick(hub, { { a }, { b } }, 5))
    a:push("a1")
    assert.same({ 1, "a1", "ok" }, pick(hub, { { a }, { b } }, 5))
  end)

  it("never takes a nil channel, and waits with nothing else until its time", function()
    serve()
    local hub = new_hub()
    local start = probe.now()
    assert.same({ 0, nil, "timeout" }, pick(hub, { { false }, { false, "x" } }, 0.15))
    assert.is_true(probe.now() - start >= 0.14)
    assert.same({ 0, nil, "timeout" }, pick(hub, {}, 0))
  end)

  it("with a deadline in the past asks each channel once", function()
    serve { latency = 10 }
    local hub = new_hub()
    local a, b = hub:create(), hub:create()
    assert.same({ 0, nil, "timeout" }, pick(hub, { { a }, { b } }, 0))
    b:push("v")
    assert.same({ 2, "v", "ok" }, pick(hub, { { a }, { b } }, 0))
    assert.equal(0, count("receive", function(call) return call.wait > 0 end))
  end)

  it("loses and doubles nothing of a case that was not taken", function()
    serve { latency = 3 }
    local hub, other = new_hub(), new_hub()
    local a, b = hub:create(), hub:create()
    a:push_many(40, "a")
    b:push_many(40, "b")
    hub:flush(5)
    local got = { a = {}, b = {} }
    for i = 1, 60 do
      local which, v = hub:select({ { a }, { b } }, 5)
      local name = which == 1 and "a" or "b"
      table.insert(got[name], v)
      if i % 20 == 0 then probe.sleep(0.15) end -- what was held has gone back by now
    end
    local rest_a, rest_b = other:open((a:url(5))), other:open((b:url(5)))
    for name, rest in pairs { a = rest_a, b = rest_b } do
      while #got[name] < 40 do table.insert(got[name], (assert(rest:pop(5)))) end
      for i, v in ipairs(got[name]) do assert.equal(name .. i, v) end
      assert.equal("timeout", why(rest:pop(0)))
    end
  end)

  it("chooses at random among the ready, a push beside a pop too", function()
    serve { latency = 1 }
    local hub = new_hub()
    local a, b = hub:create(), hub:create()
    a:push_many(60)
    hub:flush(5)
    local popped, pushed = 0, 0
    for _ = 1, 40 do
      local which, v, result = hub:select({ { a }, { b, "x" } }, 5)
      assert.equal("ok", result)
      if which == 1 then popped = popped + 1 else pushed = pushed + 1 end
      assert.equal(which == 1, v ~= nil)
    end
    assert.is_true(popped >= 5 and pushed >= 5, popped .. " popped")
    hub:flush(5)
    assert.equal(pushed, b:len(5))
  end)

  it("sends when no pop is ready", function()
    serve()
    local hub = new_hub()
    local a, b = hub:create(), hub:create()
    assert.same({ 2, nil, "ok" }, pick(hub, { { a }, { b, "x" } }, 5))
    assert.same({ 2, nil, "ok" }, pick(hub, { { a }, { b, "y" } }, 0))
    assert.equal("x", b:pop(5))
    assert.equal("y", b:pop(5))
  end)

  it("tells the end of a channel, its deletion and a failure as the outcome of their case", function()
    serve()
    local hub = new_hub()
    local a, b = hub:create(), hub:create()
    b:close()
    assert.same({ 2, nil, "closed" }, pick(hub, { { a }, { b } }, 5))
    assert.same({ 2, nil, "closed" }, pick(hub, { { a }, { b, "x" } }, 5))
    a:delete()
    assert.same({ 1, nil, "deleted" }, pick(hub, { { a } }, 5))
    local c = hub:create()
    c:url(5)
    server:fault { op = "receive", kind = "denied" }
    assert.same({ 1, nil, "failed" }, pick(hub, { { c } }, 5))
  end)

  it("is woken by an interrupt", function()
    serve()
    local hub = new_hub()
    local a, b = hub:create(), hub:create()
    hub:interrupt(0.1)
    assert.same({ 0, nil, "interrupted" }, pick(hub, { { a }, { b } }))
  end)
end)
