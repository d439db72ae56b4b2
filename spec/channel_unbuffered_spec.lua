-- The channel room: unbuffered channels and their offers, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server = room.probe, room.server
local create, open_elsewhere = room.create, room.open_elsewhere
local why, pick, queue, credits_of = room.why, room.pick, room.queue, room.credits_of

local unbuffered = { capacity = 0 }

-- A receiver, a sender in another process.
local function receiver(c, n) return server:work { url = c:url(5), capacity = 0, count = n, wait = 20000 } end

local function sender(c, n) return server:work { push = true, url = c:url(5), capacity = 0, count = n, wait = 5000 } end

before_each(room.begin)
after_each(room.finish)

describe("an unbuffered channel", function()
  it("takes a push only when a receiver waits", function()
    local hub, c = create(unbuffered)
    assert.equal(0, c:cap())
    assert.same({ 0, nil, "timeout" }, pick(hub, { { c, "a" } }, 0))
    assert.equal("timeout", why(c:push("a", 0.1)))
    local start = probe.now()
    assert.equal("timeout", why(c:pop(0)))
    assert.is_true(probe.now() - start < 1)
    assert.equal("timeout", why(c:pop(0.1)))
    assert.equal(0, c:len(5))
    local popper = receiver(c, 1)
    assert.is_true(c:push("7", 5))
    assert.same({ 7 }, (popper:join()))
  end)

  it("meets: a push ends when its receiver is there, not before", function()
    local _, c = create(unbuffered)
    local pusher = sender(c, 3)
    local popped = {}
    for i = 1, 3 do
      probe.sleep(0.2)
      popped[i] = probe.now()
      assert.equal(tostring(i), c:pop(5))
    end
    local _, pushed, ok = pusher:join()
    assert.is_true(ok)
    for i = 1, 3 do assert.is_true(pushed[i] > popped[i], "value " .. i) end
  end)

  it("lets a polling pop take from a sender that waits", function()
    local _, c = create(unbuffered)
    local pusher = sender(c, 1)
    room.wait_for("receive", function(call) return call.queue == credits_of(c) and call.wait > 0 end)
    assert.equal("1", c:pop(0))
    pusher:join()
    assert.equal("timeout", why(c:pop(0)))
  end)

  it("leaves no offer behind when a pop or a select ends without it", function()
    local hub, c = create(unbuffered)
    local o = open_elsewhere(c, unbuffered)
    local d = hub:create()
    assert.equal("timeout", why(c:pop(0.1)))
    assert.equal("timeout", why(o:push("a", 0)))
    d:push("d")
    assert.same({ 2, "d", "ok" }, pick(hub, { { c }, { d } }, 5))
    hub:flush(5)
    probe.sleep(0.1)
    assert.equal("timeout", why(o:push("a", 0)))
    assert.equal(0, queue(credits_of(c)).messages)
  end)

  it("asks for no further offer when a push has its own", function()
    local _, c = create(unbuffered, { latency = 2 })
    local o = open_elsewhere(c, unbuffered)
    local credits = credits_of(c)
    for i = 1, 30 do
      local popper = receiver(c, 1)
      assert.is_true(o:push(tostring(i), 5))
      popper:join()
    end
    assert.equal(30, (room.count("receive", function(call) return call.queue == credits and call.wait > 0 end)))
  end)

  it("takes no other receiver's offer back when its own has brought a value meanwhile", function()
    local hub, c = create(unbuffered)
    local o = open_elsewhere(c, unbuffered)
    local credits = credits_of(c)
    assert.is_true(hub:flush(5))
    -- The pop asks for its offer, whose sender has it by then: the question arrives when the value is there.
    local pusher = sender(c, 1)
    probe.sleep(0.2)
    server:fault { op = "receive", queue = credits, kind = "late", ms = 600 }
    assert.equal("1", c:pop(0))
    pusher:join()
    -- What it finds is the offer of another pop, which waits for a value of its own.
    local waiting = receiver(c, 1)
    probe.sleep(0.9)
    local start = probe.now()
    assert.is_true(o:push("2", 10))
    assert.is_true(probe.now() - start < 5)
    assert.same({ 2 }, (waiting:join()))
  end)

  it("carries everything between senders and receivers", function()
    local _, c = create(unbuffered, { latency = 1 })
    local url = c:url(5)
    local pushers, poppers = {}, {}
    for i = 1, 3 do
      pushers[i] = server:work { push = true, url = url, capacity = 0, count = 8, id = "p" .. i, wait = 20000 }
      poppers[i] = server:work { url = url, capacity = 0, count = 8, wait = 20000 }
    end
    local sum = 0
    for i = 1, 3 do
      local got = poppers[i]:join()
      assert.equal(8, #got)
      for _, v in ipairs(got) do sum = sum + v end
      local _, _, ok = pushers[i]:join()
      assert.is_true(ok)
    end
    assert.equal(3 * 36, sum)
  end)

  it("ends when it is closed", function()
    local _, c = create(unbuffered)
    local o, other = open_elsewhere(c, unbuffered)
    c:close()
    assert.equal("closed", why(o:pop(5)))
    assert.is_true(other:finish(5))
  end)

  it("does not meet itself in a select that pushes and pops on it, nor stalls", function()
    local hub, c = create(unbuffered)
    local start = probe.now()
    assert.same({ 0, nil, "timeout" }, pick(hub, { { c, "mine" }, { c } }, 0.3))
    assert.same({ 0, nil, "timeout" }, pick(hub, { { c, "mine" }, { c } }, 0))
    assert.is_true(probe.now() - start < 4)
  end)

  it("meets another process in a select that pushes and pops on it, whichever way that goes", function()
    for _, gives in ipairs { true, false } do
      local hub, c = create(unbuffered)
      local other = server:work { url = c:url(5), push = gives, count = 4, wait = 15000, capacity = 0, id = "other" }
      local got = {}
      for i = 1, 4 do
        local which, v, result = hub:select({ { c, "10" .. i }, { c } }, 15)
        assert.same({ gives and 2 or 1, "ok" }, { which, result })
        got[i] = tonumber(v)
      end
      local taken, _, ok = other:join()
      assert.is_true(ok)
      assert.same(gives and { 1, 2, 3, 4 } or { 101, 102, 103, 104 }, gives and got or taken)
    end
  end)

  it("renews the offer of a pop that waits before senders drop it, and misses none longer than its life", function()
    local hub, c = create(unbuffered)
    local d = hub:create(unbuffered)
    local o, dying = open_elsewhere(d, unbuffered)
    local poppers = { receiver(c, 1), receiver(d, 1) }
    local function offers(of)
      local at = {}
      for _, call in ipairs((server:log())) do
        if call.op == "send" and call.queue == credits_of(of) then at[#at + 1] = call.at / 1000 end
      end
      return at
    end
    local function offered(of) return function(call) return call.op == "send" and call.queue == credits_of(of) end end
    for _, of in ipairs { c, d } do room.wait_for("send", offered(of)) end
    -- A sender dies with the offer in its hand.
    server:fault { op = "receive", queue = credits_of(d), kind = "lost", count = -1 }
    assert.equal("timeout", why(o:push("never", 0.3)))
    dying:free()
    server:calm()
    assert.equal(1, queue(credits_of(d)).hidden)
    room.wait_for("send", function(call) return offered(d)(call) and call.at > offers(d)[1] * 1000 + 1000 end)
    local first, second = table.unpack(offers(c))
    assert.is_true(second - first > 7 and second - first < 13, second - first) -- senders drop it after 13 s
    first, second = table.unpack(offers(d))
    assert.is_true(second - first > 14 and second - first < 20, second - first) -- its life is 15 s
    for i, of in ipairs { c, d } do
      assert.is_true(of:push("7", 5))
      assert.same({ 7 }, (poppers[i]:join()))
    end
  end)
end)
