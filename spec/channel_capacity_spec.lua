-- The channel room: bounded channels and their credits, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub = room.probe, room.server, room.serve, room.new_hub
local why, pick, queue, credits_of = room.why, room.pick, room.queue, room.credits_of
local create, open_elsewhere = room.create, room.open_elsewhere
local patience = require "spec.support.patience"

-- Pushes until none goes any more; how many went.
local function fill(c, wait)
  local n = 0
  while c:push("f" .. n + 1, wait or 0.25) do n = n + 1 end
  return n
end

before_each(room.begin)
after_each(room.finish)

describe("a bounded channel", function()
  it("has a companion with a credit for each place, gone with the channel", function()
    local hub, c = create { capacity = 3 }
    assert.equal(3, c:cap())
    assert.equal(-1, hub:create():cap())
    assert.is_true(c:push("a"))
    hub:flush(5)
    assert.equal(1, queue(c:name()).messages)
    assert.equal(2, queue(credits_of(c)).messages)
    assert.truthy(queue(credits_of(c)).note:find("tag awsync:run=r1", 1, true))
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
    assert.equal(0, hub:open_calls())
  end)

  it("takes as many values as it has places, and one more for each that is popped", function()
    serve()
    local hub = new_hub()
    for _, unordered in ipairs { false, true } do
      local c = hub:create { capacity = 3, unordered = unordered }
      assert.equal(3, fill(c))
      assert.equal("timeout", why(c:push("x", 0)))
      for _ = 1, 5 do
        assert.truthy(c:pop(5))
        assert.is_true(c:push("y", 5))
        assert.equal("timeout", why(c:push("x", 0.1)))
      end
      assert.equal(3, c:len(5))
      c:delete()
    end
  end)

  it("lets a push wait until another process has popped", function()
    local _, c = create { capacity = 2 }
    assert.equal(2, fill(c))
    local start = probe.now()
    local worker = server:work { url = c:url(5), capacity = 2, count = 1, wait = 5000 }
    assert.is_true(c:push("z", 5))
    assert.is_true(probe.now() - start < 1)
    local got = worker:join()
    assert.equal(1, #got)
  end)

  it("never holds more than its capacity, and all values come in order", function()
    for _, n in ipairs { 1, 10 } do
      serve { latency = 1 }
      local hub = new_hub()
      local c = hub:create { capacity = n }
      local url = c:url(5)
      local pusher = server:work { push = true, url = url, capacity = n, count = 60, id = "p" }
      local got, before = {}, {}
      for i = 1, 60 do
        if i < 15 then probe.sleep(0.01) end
        before[i] = probe.now()
        local v, reason, text = c:pop(10)
        assert(v, tostring(reason) .. " " .. tostring(text))
        got[i] = v
      end
      assert.same(room.numbers(60), got)
      local _, pushed, ok = pusher:join()
      assert.is_true(ok)
      for i = n + 1, 60 do assert.is_true(pushed[i] > before[i - n], "push " .. i) end
      assert.is_true(hub:flush(5))
      assert.equal(n, queue(credits_of(c)).messages)
    end
  end)

  it("is closed and drained like any other, and needs no place for its end", function()
    local _, c = create { capacity = 2 }
    assert.equal(2, fill(c))
    assert.is_true(c:close())
    assert.equal("closed", why(c:push("x", 1)))
    assert.same({ "f1", "f2" }, { c:pop(5), c:pop(5) })
    assert.equal("closed", why(c:pop(5)))
  end)

  it("says when its owner has deleted it under a waiting push", function()
    local owner, c = create { capacity = 1 }
    local o = open_elsewhere(c, { capacity = 1 })
    assert.is_true(o:push("a"))
    assert.is_true(owner:finish(5))
    probe.sleep(2.1) -- SQS may answer so for a moment: only later it is believed
    assert.equal("deleted", why(o:push("b", 10)))
  end)

  it("that is refused says why, each time", function()
    serve()
    local hub = new_hub()
    for options, text in pairs {
      [{ capacity = 10001 }] = "a capacity is at most 10000",
      [{ capacity = 1, stream = true }] = "a stream has an order, no capacity",
      [{ capacity = 1, max_receives = 2 }] = "a dead letter would keep its place",
    } do
      local c = hub:create(options)
      for _ = 1, 2 do
        local _, reason, said = c:push("x")
        assert.equal("failed", reason)
        assert.truthy(said:find(text, 1, true), said)
      end
    end
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
  end)
end)

describe("a credit", function()
  it("in the hand of a sender that dies is back after the visibility timeout", function()
    local hub, c = create { capacity = 1, visibility = 1 }
    local d, dying = open_elsewhere(c, { capacity = 1, visibility = 1 })
    hub:flush(5)
    server:fault { op = "send", kind = "throttle", count = -1 }
    assert.is_true(d:push("never"))
    dying:free()
    server:calm()
    assert.equal("timeout", why(c:push("x", 0)))
    assert.is_true(c:push("y", 5))
    assert.equal("y", c:pop(5))
    assert.equal(1, fill(c))
  end)

  it("of a sender that died before deleting it is used up by the values that it made", function()
    local hub, c = create { capacity = 2, visibility = 1 }
    local d, dying = open_elsewhere(c, { capacity = 2, visibility = 1 })
    hub:flush(5)
    server:fault { op = "delete", kind = "throttle", count = -1 }
    assert.is_true(d:push("a"))
    probe.sleep(0.1) -- it has arrived; its credit is not deleted
    dying:free()
    server:calm()
    assert.equal("a", c:pop(5))
    probe.sleep(1.2)
    for _ = 1, 3 do -- in the long run there are two places
      local n = fill(c)
      assert.is_true(n >= 2 and n <= 3, n)
      for _ = 1, n do assert.truthy(c:pop(5)) end
      hub:flush(5)
    end
    assert.equal(2, fill(c))
  end)

  it("of a value whose receiver dies comes back once, with the value's next receiver", function()
    local hub, c = create { capacity = 2, visibility = 1 }
    assert.equal(2, fill(c))
    hub:flush(5)
    local d, dying = open_elsewhere(c, { capacity = 2, visibility = 1 })
    server:fault { op = "delete", kind = "throttle", count = -1 }
    assert.equal("f1", d:pop(5))
    probe.sleep(0.1) -- the credit has gone back, the value is not deleted
    dying:free()
    server:calm()
    assert.equal("f1", c:pop(5))
    assert.equal("f2", c:pop(5))
    hub:flush(5)
    assert.equal(2, fill(c))
  end)

  it("survives every kind of fault", function()
    for _, kind in ipairs { "throttle", "internal", "lost" } do
      serve { latency = 1 }
      for _, op in ipairs { "send", "receive", "delete", "visibility", "create" } do
        server:fault { op = op, kind = kind, count = 4, chance = 0.3 }
      end
      local hub = new_hub()
      local c = hub:create { capacity = 3, visibility = 1 }
      local pusher = server:work {
        push = true, url = c:url(10), capacity = 3, visibility = 1, count = 12, wait = 20000 }
      for i = 1, 12 do assert.equal(tostring(i), c:pop(20)) end
      pusher:join()
      server:calm()
      hub:flush(20)
      probe.sleep(1.1) -- what went astray is back
      for _ = 1, 2 do
        for _ = 1, fill(c) do assert.truthy(c:pop(5)) end
        hub:flush(5)
      end
      assert.equal(3, fill(c), kind)
    end
  end)
end)

describe("select with a push on a bounded channel", function()
  it("takes it only with a credit", function()
    local hub, c = create { capacity = 1 }
    local other = hub:create()
    assert.same({ 1, nil, "ok" }, pick(hub, { { c, "a" } }, 0))
    assert.same({ 0, nil, "timeout" }, pick(hub, { { c, "b" } }, 0))
    assert.same({ 0, nil, "timeout" }, pick(hub, { { c, "b" } }, 0.1))
    assert.equal("a", c:pop(0))
    assert.equal("timeout", why(c:pop(0)))
    assert.same({ 1, nil, "ok" }, pick(hub, { { c, "b" }, { other } }, 5))
    other:push("o")
    assert.same({ 2, "o", "ok" }, pick(hub, { { c, "b" }, { other } }, 5))
    assert.equal("b", c:pop(5))
  end)

  it("gives the credit of a case that was not taken back at once", function()
    local hub, c = create { capacity = 1 }
    local d = hub:create { capacity = 1 }
    local o = { open_elsewhere(c, { capacity = 1 }), (open_elsewhere(d, { capacity = 1 })) }
    hub:flush(5)
    for _ = 1, 8 do
      local which = hub:select({ { c, "x" }, { d, "y" } }, 5)
      local start = probe.now()
      assert.is_true(o[3 - which]:push("z", 5)) -- the other's credit is free
      assert.is_true(probe.now() - start < 0.5 * patience) -- else it is there when 30 s are over
      assert.truthy(c:pop(5))
      assert.truthy(d:pop(5))
      hub:flush(5)
    end
  end)
end)
