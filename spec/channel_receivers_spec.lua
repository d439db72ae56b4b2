-- The channel room: slow receivers and many of them, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub = room.probe, room.server, room.serve, room.new_hub
local count, pop_many, numbers = room.count, room.pop_many, room.numbers

before_each(room.begin)
after_each(room.finish)

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
