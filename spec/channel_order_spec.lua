-- The channel room: the order between channels of what one process does, over an SQS in memory. A queue whose sends are
-- late shows what overtakes them.
local room = require "spec.support.channels"
local probe, server, serve, new_hub, count = room.probe, room.server, room.serve, room.new_hub, room.count
local why, pick, queue, numbers, drain = room.why, room.pick, room.queue, room.numbers, room.drain

before_each(room.begin)
after_each(room.finish)

local LATE_MS = 250

-- A sender that opens two queues, and sends to the first are late.
local function two(options)
  serve { latency = 4 }
  local urls = { server:queue "c.fifo", server:queue "done.fifo" }
  server:fault { op = "send", kind = "late", ms = LATE_MS, count = -1, queue = "c.fifo" }
  local sender, receiver = new_hub(), new_hub()
  return {
    hub = sender, c = sender:open(urls[1], options), done = sender:open(urls[2]),
    receiver = receiver, r = receiver:open(urls[1], options), word = receiver:open(urls[2]),
  }
end

-- The values that a poll finds, without waiting.
local function there(chan)
  local got = {}
  while true do
    local v = chan:pop(0)
    if not v then return got end
    got[#got + 1] = v
  end
end

local function sorted(list)
  table.sort(list, function(a, b) return tonumber(a) < tonumber(b) end)
  return list
end

describe("who has popped a word", function()
  for name, options in pairs { ordered = {}, unordered = { unordered = true }, stream = { stream = true } } do
    it("finds what was pushed on another channel before it: " .. name, function()
      local w = two(options)
      w.c:push_many(25)
      w.done:push "word"
      assert.equal("word", w.word:pop(10))
      assert.same(numbers(25), sorted(there(w.r)))
      assert.is_true(w.hub:flush(5))
    end)
  end

  it("may close the channel: nothing is cut off", function()
    local w = two()
    w.c:push_many(25)
    w.done:push "word"
    assert.equal("word", w.word:pop(10))
    w.r:close()
    assert.same({ numbers(25), "closed" }, { drain(new_hub():open((w.c:url(5)))) })
  end)

  it("finds it on a bounded channel, and when select has pushed", function()
    serve { latency = 4 }
    local hub, other = new_hub(), new_hub()
    local c, done = hub:create { capacity = 5 }, hub:create()
    server:fault { op = "send", kind = "late", ms = LATE_MS, count = -1, queue = c:name() }
    for i = 1, 3 do assert.same({ 1, nil, "ok" }, pick(hub, { { c, "v" .. i } }, 5)) end
    assert.same({ 1, nil, "ok" }, pick(hub, { { done, "word" } }, 5))
    assert.equal("word", other:open((done:url(5))):pop(10))
    assert.equal(3, queue(c:name()).messages)
  end)

  it("finds it across a chain of channels, pushed in whatever order", function()
    serve { latency = 4 }
    local hub, other = new_hub(), new_hub()
    local chain = {}
    for i = 1, 6 do
      chain[i] = server:queue("q" .. i .. ".fifo")
      server:fault { op = "send", kind = "late", ms = 120 - 20 * i, count = -1, queue = "q" .. i .. ".fifo" }
    end
    for i = 1, 6 do hub:open(chain[i]):push("v" .. i) end
    assert.equal("v6", other:open(chain[6]):pop(10))
    for i = 5, 1, -1 do assert.equal("v" .. i, other:open(chain[i]):pop(0)) end
  end)

  it("does so when the sends before it have to be repeated, and is not kept waiting by one that failed", function()
    local w = two()
    server:fault { op = "send", kind = "throttle", count = 2, queue = "c.fifo" }
    server:fault { op = "send", kind = "lost", count = 1, queue = "c.fifo" }
    w.c:push_many(3)
    w.done:push "word"
    assert.equal("word", w.word:pop(10))
    assert.same(numbers(3), there(w.r))
    server:calm()
    server:fault { op = "send", kind = "denied", count = 1, queue = "c.fifo" }
    assert.is_true(w.hub:flush(5))
    w.c:push "refused"
    w.done:push "second"
    assert.equal("second", w.word:pop(10))
    assert.equal("failed", why(w.hub:flush(5)))
  end)
end)

describe("close", function()
  it("is seen after what was pushed before on other channels", function()
    local w = two()
    w.done:push "first" -- so that the channel is not a new one
    assert.is_true(w.hub:flush(5))
    w.done:push "second"
    w.c:push_many(12)
    w.done:close()
    assert.same({ { "first", "second" }, "closed" }, { drain(w.word, 10) })
    assert.same(numbers(12), there(w.r))
  end)
end)

describe("delete", function()
  it("of one channel waits for what was pushed before on others, and for nothing later", function()
    local w = two()
    w.c:push_many(12)
    assert.is_true(w.done:delete())
    probe.sleep(LATE_MS / 1000 / 3)
    assert.is_table(queue "done.fifo")
    assert.is_true(w.hub:flush(5))
    while queue "done.fifo" do probe.sleep(0.005) end
    assert.is_true(queue "c.fifo".messages >= 10)
  end)

  it("at the end of an invocation too", function()
    serve { latency = 4 }
    local hub = new_hub()
    local url = server:queue "c.fifo"
    server:fault { op = "send", kind = "late", ms = LATE_MS, count = 1, queue = "c.fifo" }
    local mine = hub:create()
    mine:push "x"
    hub:open(url):push "v"
    assert.is_true(hub:finish(10))
    local sent, deleted
    for i, call in ipairs((server:log())) do
      if call.op == "send" and call.queue == "c.fifo" then sent = i end
      if call.op == "delete_queue" then deleted = deleted or i end
    end
    assert.is_true(sent < deleted)
    assert.same({ "c.fifo" }, { server:queues()[1].name, server:queues()[2] })
  end)

  it("and the end of the hub come while much waits for its turn", function()
    local w = two()
    w.c:push_many(40)
    for _ = 1, 3 do w.done:push "word" end
    local more = w.hub:create()
    more:push "x"
    more:delete()
    assert.equal("timeout", why(w.hub:flush(0.01)))
    local _, reason, text = w.hub:finish(0.05)
    assert.equal("failed", reason)
    assert.matches("the time was up before it was acknowledged", text)
    assert.equal(0, w.hub:open_calls())
    w = two()
    w.c:push_many(40)
    w.done:push "word"
    w.done:delete()
    w.hub:free()
  end)
end)

describe("channels that are busy", function()
  it("run side by side: a round over eight channels is not one after the other", function()
    serve { latency = 40 }
    local hub = new_hub()
    local channels = {}
    for i = 1, 8 do channels[i] = hub:open((server:queue("q" .. i .. ".fifo"))) end
    for i = 1, 150 do
      for k = 1, 8 do channels[k]:push("v" .. i) end
    end
    -- Each begins when the one before it has sent its first batch; then they go on together.
    assert.is_true(hub:flush(20))
    local most, under_way = 0, {}
    for _, call in ipairs((server:log())) do
      if call.op == "send" then
        under_way[#under_way + 1] = call.at
        local n = 0
        for _, at in ipairs(under_way) do
          if call.at - at < 35 then n = n + 1 end
        end
        most = math.max(most, n)
      end
    end
    assert.is_true(most >= 6, most .. " side by side")
  end)

  it("cost no request more for the order", function()
    serve { latency = 4 }
    local hub = new_hub()
    local channels = {}
    for i = 1, 8 do channels[i] = hub:open((server:queue("q" .. i .. ".fifo"))) end
    for i = 1, 50 do
      for k = 1, 8 do channels[k]:push("v" .. i) end
    end
    assert.is_true(hub:flush(10))
    local sends, entries = count "send"
    assert.equal(400, entries)
    assert.is_true(sends <= 48, sends .. " sends") -- 40, and a first one for each that was sent at once
  end)
end)
