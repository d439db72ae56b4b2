-- The channel room: streams, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub = room.probe, room.server, room.serve, room.new_hub
local count, messages_cost, why, queue = room.count, room.messages_cost, room.why, room.queue

before_each(room.begin)
after_each(room.finish)

describe("a stream", function()
  it("carries 1,000 values quick to quick in at most 20 requests", function()
    serve { latency = 4 }
    local sender, reader = new_hub(), new_hub()
    local c = sender:create { stream = true }
    local r = reader:open(c:url(5), { stream = true })
    c:push_many(1000)
    for i = 1, 1000 do assert.equal(tostring(i), r:pop(5)) end
    assert.is_true(reader:finish(5))
    assert.is_true(messages_cost() <= 20, messages_cost())
    assert.equal(0, queue(c:name()).messages)
  end)

  it("sends what is pushed after a few milliseconds, and when its program waits for it", function()
    serve()
    local sender, reader = new_hub(), new_hub()
    local url = server:queue "q.fifo"
    local c, r = sender:open(url, { stream = true }), reader:open(url, { stream = true })
    c:push "a"
    probe.sleep(0.05)
    assert.equal(1, count "send")
    assert.equal("a", r:pop(5))
    c:push "b"
    assert.is_true(sender:flush(5))
    assert.equal(2, count "send")
    assert.equal("b", r:pop(5))
  end)

  it("keeps order and bytes, also of values as large as a message", function()
    serve()
    local hub = new_hub()
    local c = hub:create { stream = true }
    local values = { "1:a\n2:b", "\n", "\195\164", ("x"):rep(1048567), ("y"):rep(40000), ("z"):rep(40000), "end" }
    for _, v in ipairs(values) do assert.is_true(c:push(v)) end
    c:close()
    for _, v in ipairs(values) do assert.equal(v, c:pop(5)) end
    assert.equal("closed", why(c:pop(5)))
    assert.equal("closed", why(c:push "x"))
    local d = hub:create { stream = true }
    assert.matches("where SQS takes 1 to 1048567", (select(3, d:push(("x"):rep(1048568)))))
  end)

  it("is kept for a reader that is slower than the visibility timeout", function()
    serve()
    local hub, other = new_hub(), new_hub()
    local c = hub:create { stream = true, visibility = 1 }
    c:push_many(5)
    for i = 1, 5 do
      assert.equal(tostring(i), c:pop(5))
      probe.sleep(0.4)
    end
    assert.equal("timeout", why(other:open(c:url(5), { stream = true, visibility = 1 }):pop(0)))
  end)

  it("leaves a message that its reader has not finished to the next reader, whole", function()
    serve()
    local hub, other = new_hub(), new_hub()
    local url = server:queue "q.fifo"
    local c, o = hub:open(url, { stream = true }), other:open(url, { stream = true })
    o:push_many(4)
    assert.equal("1", c:pop(5))
    assert.equal("2", c:pop(5))
    assert.is_true(hub:finish(5))
    for i = 1, 4 do assert.equal(tostring(i), o:pop(5)) end
  end)

  it("gives each value once and in order under faults, also of a message that came twice", function()
    for _, kind in ipairs { "throttle", "lost", "internal" } do
      serve { latency = 1 }
      for _, op in ipairs { "send", "receive", "delete", "visibility" } do
        server:fault { op = op, kind = kind, count = 6, chance = 0.3 }
      end
      local sender, reader = new_hub(), new_hub()
      local c = sender:create { stream = true, visibility = 1 }
      local r = reader:open(c:url(10), { stream = true, visibility = 1 })
      for i = 1, 40 do
        c:push(tostring(i))
        if i % 8 == 0 then probe.sleep(0.02) end
      end
      for i = 1, 40 do
        assert.equal(tostring(i), r:pop(20))
        if i == 20 then probe.sleep(1.3) end
      end
      assert.equal("timeout", why(r:pop(0.05)))
    end
  end)

  it("hands on as it is what somebody else has sent", function()
    serve()
    local plain, reader = new_hub(), new_hub()
    local url = server:queue "q.fifo"
    local p, r = plain:open(url), reader:open(url, { stream = true })
    for _, v in ipairs { "42", "3:ab\n", "99999999999999999999:x\n", ":\n" } do
      p:push(v)
      assert.equal(v, r:pop(5))
    end
  end)
end)
