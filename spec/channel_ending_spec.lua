-- The channel room: the end of an unordered channel, while somebody holds what may come back, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub, count = room.probe, room.server, room.serve, room.new_hub, room.count
local why, queue, drain = room.why, room.queue, room.drain

before_each(room.begin)
after_each(room.finish)

for name, kind in pairs {
  ["an unordered channel"] = { unordered = true, visibility = 2 },
  ["an unordered channel with max_receives"] = { unordered = true, visibility = 2, max_receives = 5 },
} do

  -- A closed channel with one value, which `holder` has leased.
  local function held()
    serve()
    local maker, holder = new_hub(), new_hub()
    local c = maker:create(kind)
    c:push "job"
    c:close()
    maker:flush(5)
    local lease = assert(holder:open(c:url(5), kind):lease(5))
    return lease, holder, c
  end

  describe(name, function()
    it("has not ended while somebody holds a value: who dies leaves it to who still waits", function()
      local _, holder, c = held()
      local other = new_hub():open(c:url(5), kind)
      assert.equal("timeout", why(other:pop(1)))
      holder:free()
      assert.equal("job", other:pop(10))
      assert.equal("closed", why(other:pop(10)))
    end)

    it("gives what comes back to a receiver that waits, soon", function()
      local lease, _, c = held()
      local other = new_hub():open(c:url(5), kind)
      assert.equal("timeout", why(other:pop(1.2)))
      local start = probe.now()
      lease:give_back()
      assert.equal("job", other:pop(10))
      assert.is_true(probe.now() - start < 4)
    end)

    it("ends for all receivers when the last one is done, and says so to a poll meanwhile", function()
      local lease, _, c = held()
      local url = c:url(5)
      local start = probe.now()
      assert.equal("timeout", why(new_hub():open(url, kind):pop(0)))
      assert.is_true(probe.now() - start < 3)
      local waiting = {}
      for i = 1, 5 do
        waiting[i] = server:work {
          url = url, count = 1, wait = 20000, unordered = true, max_receives = kind.max_receives,
        }
      end
      probe.sleep(1.5)
      local asked = count "receive"
      probe.sleep(1)
      assert.is_true(count "receive" - asked < 40, "receives in a second: " .. count "receive" - asked)
      assert.is_true(lease:done())
      start = probe.now()
      for i = 1, 5 do
        local values, _, ok = waiting[i]:join()
        assert.same({ {}, true }, { values, ok })
      end
      assert.is_true(probe.now() - start < 9, probe.now() - start) -- five seconds away at most
      assert.equal(1, queue(c:name()).messages) -- the mark
    end)

    it("ends for the time being for who holds the last ones himself", function()
      local lease, holder, c = held()
      local mine = holder:open(c:url(5), kind)
      assert.equal("closed", why(mine:pop(5)))
      lease:give_back()
      assert.equal("job", mine:pop(5))
      assert.equal("closed", why(mine:pop(5)))
      lease = nil -- luacheck: ignore
    end)

    it("ends at the end of its receiver while it is asked, with its mark given back", function()
      local lease, _, c = held()
      local other = new_hub()
      local o = other:open(c:url(5), kind)
      server:fault { op = "attributes", kind = "delay", ms = 300, count = -1 }
      assert.equal("timeout", why(o:pop(0.2)))
      assert.is_true(other:finish(5))
      server:calm()
      assert.is_true(lease:done())
      assert.same({ {}, "closed" }, { drain(new_hub():open(c:url(5), kind), 10) })
    end)

    it("says why when it may not ask, and asks again after faults", function()
      serve()
      local hub = new_hub()
      local c = hub:create(kind)
      c:url(5)
      c:close()
      server:fault { op = "attributes", kind = "throttle", count = 2 }
      server:fault { op = "attributes", kind = "lost", count = 1 }
      assert.equal("closed", why(new_hub():open(c:url(5), kind):pop(10)))
      server:fault { op = "attributes", kind = "denied", count = 1 }
      local o = new_hub():open(c:url(5), kind)
      local _, reason, text = o:pop(5)
      assert.equal("failed", reason)
      assert.matches("^pop on channel .* failed: AccessDenied", text)
      assert.equal("closed", why(o:pop(10)))
    end)
  end)
end

it("the end costs a receiver that comes for it three receives, three returns and one question", function()
  serve()
  local hub = new_hub()
  local url = server:queue "q.fifo"
  hub:open(url, { unordered = true }):close()
  hub:flush(5)
  assert.equal("closed", why(new_hub():open(url, { unordered = true }):pop(5)))
  probe.sleep(0.1)
  -- The first receive asks for one message only, and proves nothing.
  assert.same({ 3, 3, 1 }, { (count "receive"), (count "visibility"), (count "attributes") })
end)

for what, fault in pairs {
  ["not answered"] = { kind = "lost" },
  ["answered by status 500"] = { kind = "internal" },
  ["refused for its entry by SQS's own fault"] = { kind = "partial", entries = 0x1 },
} do
  it("the mark goes back again when that was " .. what .. ": nobody waits for its visibility timeout",
    function()
      serve()
      local maker, first = new_hub(), new_hub()
      local url = server:queue "q.fifo"
      maker:open(url, { unordered = true }):close()
      maker:flush(5)
      fault.op, fault.count = "visibility", 3
      server:fault(fault)
      assert.equal("closed", why(first:open(url, { unordered = true }):pop(10)))
      local start = probe.now()
      assert.equal("closed", why(new_hub():open(url, { unordered = true }):pop(60)))
      assert.is_true(probe.now() - start < 15, probe.now() - start)
    end)
end
