local probe = require "probe.engine_sqs"
local model = require "support.sqs_model"

-- A queue whose calls take the time from a clock that the spec moves.
local function clocked(rules)
  local q = { raw = probe.queue(rules), now = 1000000 }
  local n = 0
  function q.send(body, group, options)
    n = n + 1
    local p = { body = body, group = group, now = q.now }
    if rules.fifo then p.dedup = "id" .. n end
    for k, v in pairs(options or {}) do p[k] = v end
    return q.raw:send(p)
  end
  function q.receive(options)
    local p = { max = 10, now = q.now }
    for k, v in pairs(options or {}) do p[k] = v end
    return q.raw:receive(p)
  end
  -- The bodies, in one string.
  function q.bodies(options)
    local out = {}
    for i, m in ipairs(q.receive(options)) do out[i] = m.body end
    return table.concat(out, " ")
  end
  function q.delete(m) return q.raw:delete(m.sequence, m.generation, q.now) end
  function q.change(m, ms) return q.raw:change(m.sequence, m.generation, ms, q.now) end
  function q.count() return { q.raw:count(q.now) } end
  return q
end

local function standard(rules) return clocked(rules or {}) end
local function fifo(rules)
  rules = rules or {}
  rules.fifo = true
  return clocked(rules)
end

describe("a queue", function()
  it("gives back every part of a message as it was sent", function()
    local q = fifo()
    local result, sequence, id = q.send("b\0dy", "g", { dedup = "d", trace = "Root=1", attributes = "\0\1\2", now = 5 })
    assert.equal("ok", result)
    local m = q.receive { now = 7 }[1]
    assert.same({ sequence = sequence, generation = 1, receive_count = 1, sent = 5, first_receive = 7, id = id,
      body = "b\0dy", attributes = "\0\1\2", group = "g", dedup = "d", source = "", trace = "Root=1" }, m)
  end)

  it("hides what it has handed out until the visibility timeout ends", function()
    local q = standard()
    q.send "a"
    assert.equal("a", q.bodies { visibility = 100 })
    assert.same({ 0, 0, 1 }, q.count())
    assert.equal(q.now + 100, q.raw:due())
    q.now = q.now + 99
    assert.equal("", q.bodies())
    q.now = q.now + 1
    assert.equal("a", q.bodies())
  end)

  it("receives in order of sending, also after a timeout", function()
    local q = standard()
    for i = 1, 12 do q.send(tostring(i)) end
    assert.equal("1 2", q.bodies { max = 2, visibility = 10 })
    q.now = q.now + 10
    assert.equal("1 2 3 4 5 6 7 8 9 10", q.bodies())
  end)

  it("lets a visibility timeout of 0 hand out each message once in a receive", function()
    for _, q in ipairs { standard(), fifo() } do
      q.send("a", "g")
      q.send("b", "g")
      assert.equal("a b", q.bodies { visibility = 0 })
      assert.equal("a b", q.bodies { visibility = 0 })
      assert.same({ 2, 0, 0 }, q.count())
    end
  end)

  it("delays by the queue's delay, or the message's own", function()
    local q = standard { delay = 500 }
    q.send("a")
    q.send("b", nil, { delay = 0 })
    q.send("c", nil, { delay = 100 })
    assert.same({ 1, 2, 0 }, q.count())
    assert.equal("b", q.bodies())
    q.now = q.now + 100
    assert.equal("c", q.bodies())
    q.now = q.now + 400
    assert.equal("a", q.bodies())
  end)

  it("forgets a message when its retention is over, in flight or not", function()
    local q = standard { retention = 1000 }
    q.send "a"
    local a = q.receive()[1]
    q.now = q.now + 500
    q.send "b"
    q.now = q.now + 500
    assert.same({ 1, 0, 0 }, q.count())
    assert.equal("ok", q.delete(a))
    assert.equal("gone", q.change(a, 10))
    q.raw:rules { retention = 400 }
    assert.same({ 0, 0, 0 }, q.count())
  end)

  it("takes any handle of a message on a standard queue, new or old", function()
    local q = standard()
    q.send "a"
    local old = q.receive { visibility = 1 }[1]
    q.now = q.now + 1
    assert.equal("ok", q.change(old, 50))
    assert.equal("", q.bodies())
    q.now = q.now + 50
    q.receive()
    assert.equal("ok", q.delete(old))
    assert.equal("ok", q.delete(old))
    assert.same({ 0, 0, 0 }, q.count())
  end)

  it("changes the visibility from now on, and ends it with 0", function()
    local q = standard()
    q.send "a"
    local a = q.receive { visibility = 10000 }[1]
    assert.equal("ok", q.change(a, 5))
    q.now = q.now + 4
    assert.equal("", q.bodies())
    q.now = q.now + 1
    a = q.receive { visibility = 10000 }[1]
    assert.equal("ok", q.change(a, 0))
    assert.equal("a", q.bodies())
  end)

  it("refuses a visibility beyond 12 hours from the receive", function()
    local q = standard()
    q.send "a"
    local a = q.receive { visibility = 40000000 }[1]
    q.now = q.now + 200000
    assert.equal("ok", q.change(a, 43000000))
    assert.equal("too long", q.change(a, 43000001))
  end)

  it("has a limit of messages in flight: an error on standard, nothing more on FIFO", function()
    local q = standard { in_flight_max = 3 }
    for i = 1, 5 do q.send(tostring(i)) end
    local out = q.receive()
    assert.equal(3, #out)
    assert.equal("over limit", select(3, q.receive()))
    q.delete(out[1])
    assert.equal("4", q.bodies())
    local f = fifo { in_flight_max = 2 }
    for i = 1, 3 do f.send(tostring(i), "g" .. i) end
    assert.equal("1 2", f.bodies())
    local none, _, result = f.receive()
    assert.same({ 0, "ok" }, { #none, result })
  end)

  it("counts receives across timeouts and hands the dead over", function()
    for _, q in ipairs { standard(), fifo() } do
      local _, sequence = q.send("a", "g")
      q.send("b", "g")
      for i = 1, 2 do
        local out = q.receive { max = 1, visibility = 1, max_receives = 2 }
        assert.equal(i, out[1].receive_count)
        q.now = q.now + 1
      end
      local out, dead = q.receive { max_receives = 2 }
      assert.equal("b", out[1].body)
      assert.same({ sequence }, dead)
      assert.same({ 0, 0, 1 }, q.count())
    end
  end)

  it("keeps the age and the count of a message that comes from elsewhere, and does not take it for a double", function()
    local q = fifo()
    q.send("first", "g", { dedup = "x" })
    local from = { dedup = "x", source = "arn", sent = q.now - 5, first_receive = 3, receive_count = 4 }
    assert.equal("ok", q.send("dead", "g", from))
    local m = q.receive { max_receives = 1 }[2]
    assert.same({ "dead", "arn", q.now - 5, 3, 5 }, { m.body, m.source, m.sent, m.first_receive, m.receive_count })
  end)

  it("is empty after a purge, and works on", function()
    local q = fifo { delay = 10 }
    for i = 1, 5 do q.send(tostring(i), "g" .. i % 2) end
    q.now = q.now + 10
    local out = q.receive { max = 2 }
    q.send("6", "g", { dedup = "six" })
    q.raw:purge()
    assert.same({ 0, 0, 0 }, q.count())
    assert.is_nil(q.raw:due())
    assert.equal("ok", q.delete(out[1]))
    assert.equal("ok", q.send("7", "g", { dedup = "six" }))
    q.now = q.now + 10
    assert.equal("7", q.bodies())
  end)
end)

describe("a FIFO queue", function()
  local function three()
    local q = fifo()
    for i = 0, 2 do q.send(tostring(i), "g") end
    q.held = q.receive { visibility = 100000 }
    return q
  end

  it("locks a group while a message of it is in flight, also for new ones", function()
    local q = fifo()
    for i = 1, 3 do q.send(tostring(i), "g") end
    local first = q.receive { max = 1 }[1]
    assert.equal("", q.bodies())
    q.send("4", "g")
    q.send("other", "h")
    assert.equal("other", q.bodies())
    q.delete(first)
    assert.equal("2 3 4", q.bodies())
  end)

  it("unlocks a group only when all in flight are deleted", function()
    local q = three()
    q.send("3", "g")
    q.delete(q.held[3])
    q.delete(q.held[1])
    assert.equal("", q.bodies())
    q.delete(q.held[2])
    assert.equal("3", q.bodies())
  end)

  for hidden, seen in pairs { [0] = "", [1] = "0", [2] = "0 1" } do
    it(("gives %q when of 0, 1, 2 all but %d are released"):format(seen, hidden), function()
      local q = three()
      for i = 0, 2 do
        if i ~= hidden then assert.equal("ok", q.change(q.held[i + 1], 0)) end
      end
      assert.equal(seen, q.bodies())
    end)
  end

  it("keeps the order after a timeout", function()
    local q = three()
    q.now = q.now + 100000
    q.send("3", "g")
    assert.equal("0 1 2 3", q.bodies())
  end)

  it("fills a receive from further groups, the oldest first", function()
    local q = fifo()
    for i = 1, 6 do q.send("a" .. i, "a") end
    for i = 1, 6 do q.send("b" .. i, "b") end
    assert.equal("a1 a2 a3 a4 a5 a6 b1 b2 b3 b4", q.bodies())
    assert.equal("", q.bodies())
  end)

  it("holds a group back behind a delayed message", function()
    local q = fifo { delay = 100 }
    q.send("a", "g")
    q.raw:rules { delay = 0, retention = 1000000 }
    q.send("b", "g")
    assert.equal("", q.bodies())
    q.now = q.now + 100
    assert.equal("a b", q.bodies())
  end)

  it("refuses a handle whose time is over, or that a newer one has replaced", function()
    local q = fifo()
    q.send("a", "g")
    local old = q.receive { visibility = 10 }[1]
    q.now = q.now + 10
    assert.equal("expired", q.delete(old))
    assert.equal("expired", q.change(old, 10))
    local new = q.receive()[1]
    assert.equal("expired", q.delete(old))
    assert.equal("ok", q.change(new, 1000))
    assert.equal("ok", q.delete(new))
  end)

  it("answers a double with the first one's id and sequence, for 5 minutes, also after its deletion", function()
    local q = fifo()
    local _, sequence, id = q.send("a", "g", { dedup = "x" })
    q.delete(q.receive()[1])
    q.now = q.now + 299999
    assert.same({ "duplicate", sequence, id }, { q.send("b", "h", { dedup = "x" }) })
    assert.same({ 0, 0, 0 }, q.count())
    q.now = q.now + 1
    assert.equal("ok", q.send("c", "g", { dedup = "x" }))
  end)

  it("looks for doubles within the group when told so", function()
    local q = fifo { dedup_by_group = true }
    assert.equal("ok", (q.send("a", "g", { dedup = "x" })))
    assert.equal("ok", (q.send("b", "h", { dedup = "x" })))
    assert.equal("duplicate", (q.send("c", "g", { dedup = "x" })))
  end)

  describe("with a receive attempt id", function()
    local function attempt(q, options)
      options = options or {}
      options.attempt = "try"
      local out = {}
      for i, m in ipairs(q.receive(options)) do out[i] = m.body .. "/" .. m.generation end
      return table.concat(out, " ")
    end

    it("gives the same messages and handles again and resets their visibility", function()
      local q = fifo()
      for i = 1, 3 do q.send(tostring(i), "g") end
      assert.equal("1/1 2/1", attempt(q, { max = 2, visibility = 1000 }))
      q.now = q.now + 900
      assert.equal("1/1 2/1", attempt(q, { max = 2, visibility = 1000 }))
      q.now = q.now + 900
      assert.equal("", q.bodies())
      q.now = q.now + 100
      assert.equal("1 2 3", q.bodies())
    end)

    it("forgets it after 5 minutes", function()
      local q = fifo()
      q.send("1", "g")
      q.send("2", "h")
      assert.equal("1/1", attempt(q, { max = 1, visibility = 1000000 }))
      q.now = q.now + 300000
      assert.equal("2/1", attempt(q))
    end)

    it("does not honour it once a message was deleted, changed or has expired", function()
      for _, spoil in ipairs {
        function(q, m) q.delete(m) end,
        function(q, m) q.change(m, 5000) end,
        function(q) q.now = q.now + 1000 end,
      } do
        local q = fifo()
        for i = 1, 2 do q.send(tostring(i), "g") end
        q.send("3", "h")
        local held = q.receive { max = 2, visibility = 1000, attempt = "try" }
        spoil(q, held[1])
        local again = attempt(q)
        assert.is_nil(again:find("2/1", 1, true))
        assert.is_truthy(again:find("3/1", 1, true))
      end
    end)
  end)
end)

describe("a large queue", function()
  it("works with 100,000 waiting messages", function()
    local q = standard()
    for i = 1, 100000 do q.send(tostring(i)) end
    for i = 0, 99999, 10 do
      local out = q.receive()
      assert(out[1].body == tostring(i + 1) and #out == 10)
      if i % 3 == 0 then
        for _, m in ipairs(out) do q.delete(m) end
      end
    end
    q.now = q.now + 30000
    assert.same({ 66660, 0, 0 }, q.count())
  end)

  it("works with 100,000 groups, many of them locked", function()
    local q = fifo()
    for i = 1, 100000 do
      q.send("a", "g" .. i)
      if i <= 50000 then q.send("b", "g" .. i) end
    end
    local held = {}
    for i = 1, 50000, 5 do -- both messages of five groups each
      held[i] = q.receive { visibility = 600000 }
      assert(#held[i] == 10)
    end
    for _ = 1, 5000 do
      local out = q.receive()
      assert(out[1].body == "a" and #out == 10)
      for _, m in ipairs(out) do q.delete(m) end
    end
    assert.same({ 0, 0, 100000 }, q.count())
    for _, out in pairs(held) do q.delete(out[1]) end
    assert.equal("", q.bodies())
    for _, out in pairs(held) do q.change(out[2], 0) end
    assert.equal(10, #q.receive())
  end)
end)

describe("the queue and its model", function()
  local function differ(seed, steps, rules)
    math.randomseed(seed)
    local random = math.random
    local q, m, now = probe.queue(rules), model.new(rules), 0
    local handles = {}
    local function any()
      local h = #handles > 0 and handles[random(#handles)] or { 0, 0 }
      return h[1], h[2]
    end
    local function choose(...) return select(random(select("#", ...)), ...) end
    local operations = {
      function()
        local p = { body = "x", now = now, delay = choose(nil, nil, 0, 50) }
        if rules.fifo then
          p.delay, p.group, p.dedup = nil, "g" .. random(5), "d" .. random(400)
        end
        local result, sequence = q:send(p)
        local want, wanted = m:send(p)
        return result == want and sequence == wanted, "send"
      end,
      function()
        local p = { max = random(10), visibility = choose(0, 10, 40, 500), now = now, max_receives = choose(0, 0, 2, 3),
          attempt = choose(nil, nil, "t" .. random(3)) }
        local got, dead, result = q:receive(p)
        local want, wanted_dead, wanted = m:receive(p)
        local same = #got == #want and #dead == #wanted_dead and result == wanted
        for i, x in ipairs(got) do
          same = same and x.sequence == want[i].sequence and x.generation == want[i].generation
          handles[#handles + 1] = { x.sequence, x.generation }
          if #handles > 40 then table.remove(handles, 1) end
        end
        for i, x in ipairs(dead) do same = same and x == wanted_dead[i] end
        return same, "receive"
      end,
      function()
        local sequence, generation = any()
        return q:delete(sequence, generation, now) == m:delete(sequence, generation, now), "delete"
      end,
      function()
        local sequence, generation = any()
        local ms = choose(0, 0, 20, 300, 43200000)
        return q:change(sequence, generation, ms, now) == m:change(sequence, generation, ms, now), "change"
      end,
      function()
        now = now + choose(1, 5, 10, 10, 100, 1000)
        local a, b, c = q:count(now)
        local x, y, z = m:count(now)
        return a == x and b == y and c == z and q:due() == m:due(), "count"
      end,
      function()
        if random(50) > 1 then return true end
        if random(2) == 1 then
          now = now + choose(20000, 299000, 700000)
        else
          q:purge()
          m:purge()
        end
        return true
      end,
    }
    for step = 1, steps do
      local same, what = operations[choose(1, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6)]()
      if not same then return ("seed %d, step %d: %s differs"):format(seed, step, what) end
    end
  end

  for name, rules in pairs {
    ["standard"] = { delay = 0, retention = 3000, in_flight_max = 12 },
    ["delayed standard"] = { delay = 30, retention = 600000, in_flight_max = 120000 },
    ["FIFO"] = { fifo = true, delay = 0, retention = 3000, in_flight_max = 12 },
    ["delayed FIFO with a scope for each group"] = { fifo = true, dedup_by_group = true, delay = 30, retention = 600000,
      in_flight_max = 120000 },
  } do
    it("agree on 12,000 random operations, " .. name, function()
      for _ = 1, 4 do
        local seed = os.time() * 1000 + math.random(999)
        assert.is_nil(differ(seed, 3000, rules))
      end
    end)
  end
end)
