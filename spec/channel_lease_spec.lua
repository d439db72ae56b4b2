-- The channel room: leases and dead letters, over an SQS in memory.
local room = require "spec.support.channels"
local probe, server, serve, new_hub = room.probe, room.server, room.serve, room.new_hub
local count, why, queue = room.count, room.why, room.queue

local function dead_of(c) return (c:name():gsub("%.fifo$", "-dead.fifo")) end

before_each(room.begin)
after_each(room.finish)

describe("a lease", function()
  it("shows its value and keeps it hidden, renewed, until it is done", function()
    serve()
    local hub, other = new_hub(), new_hub()
    local c = hub:create { visibility = 1 }
    c:push "job"
    local lease = assert(c:lease(5))
    assert.equal("job", lease:data())
    local o = other:open(c:url(5), { visibility = 1 })
    assert.equal("timeout", why(o:pop(2.5)))
    assert.is_false(lease:lost())
    assert.is_true(count "visibility" >= 3)
    assert.is_true(lease:done())
    assert.is_true(hub:flush(5))
    assert.equal(0, queue(c:name()).messages)
  end)

  it("gives its value back at once", function()
    serve()
    local hub, other = new_hub(), new_hub()
    local c = hub:create()
    c:push "job"
    local lease = assert(c:lease(5))
    local start = probe.now()
    assert.is_true(lease:give_back())
    assert.equal("job", other:open((c:url(5))):pop(5))
    assert.is_true(probe.now() - start < 1)
  end)

  it("that its invocation still holds at its end goes back, and says so later", function()
    serve()
    local hub, other = new_hub(), new_hub()
    local url = server:queue "q.fifo"
    local c, o = hub:open(url), other:open(url)
    c:push "job"
    local lease = assert(c:lease(5))
    assert.is_true(hub:finish(5))
    assert.equal("job", o:pop(5))
    assert.is_nil(lease:data())
    assert.is_true(lease:lost())
    assert.equal("deleted", why(lease:done()))
  end)

  it("of a process that dies is another's after the visibility timeout", function()
    serve()
    local dying, other = new_hub(), new_hub()
    local url = server:queue("q.fifo", 1)
    local d, o = dying:open(url, { visibility = 1 }), other:open(url, { visibility = 1 })
    o:push "job"
    local lease = assert(d:lease(5))
    dying:free()
    assert.equal("job", o:pop(5))
    assert.equal("failed", why(lease:done()))
  end)

  it("that could not be renewed is reported as lost", function()
    serve()
    local hub = new_hub()
    local c = hub:create { visibility = 1 }
    c:push "job"
    local lease = assert(c:lease(5))
    server:fault { op = "visibility", kind = "throttle", count = -1 }
    probe.sleep(1.2)
    assert.is_true(lease:lost())
    local _, reason, text = lease:done()
    assert.equal("failed", reason)
    assert.matches("^lease done on channel .* failed: its visibility timeout was over", text)
    server:calm()
    assert.equal("job", c:pop(5))
    assert.is_true(hub:finish(5))
  end)

  it("ends well also while a renewal is under way", function()
    serve { latency = 400 }
    local hub, other = new_hub(), new_hub()
    local c = hub:open(server:queue("q.fifo", 2), { visibility = 2 })
    local o = other:open(server:queue "q.fifo", { visibility = 2 })
    o:push "a"
    o:push "b"
    for _, done in ipairs { true, false } do
      local before = count "visibility"
      local lease = assert(c:lease(5))
      while count "visibility" == before do probe.sleep(0.01) end
      if done then assert.is_true(lease:done()) else assert.is_true(lease:give_back()) end
    end
    assert.is_true(hub:finish(5))
    local q = queue "q.fifo"
    assert.same({ 1, 0 }, { q.messages, q.hidden })
  end)

  it("waits, polls and ends as a pop does", function()
    serve()
    local hub = new_hub()
    local c = hub:create()
    assert.equal("timeout", why(c:lease(0)))
    assert.equal("timeout", why(c:lease(0.1)))
    c:close()
    assert.equal("closed", why(c:lease(5)))
    assert.equal("failed", why(hub:create { stream = true }:lease(0)))
  end)

  it("keeps its place on a bounded channel until it is done", function()
    serve()
    local hub = new_hub()
    local c = hub:create { capacity = 1 }
    assert.is_true(c:push("a", 5))
    local lease = assert(c:lease(5))
    assert.equal("timeout", why(c:push("b", 0.2)))
    lease:give_back()
    lease = assert(c:lease(5))
    lease:done()
    assert.is_true(c:push("b", 5))
    assert.equal("timeout", why(c:push("c", 0.2)))
  end)
end)

describe("a lease as a case of select", function()
  it("gives the value by a handle, of whichever channel has one", function()
    serve()
    local hub, other = new_hub(), new_hub()
    local a, b = hub:create { visibility = 1 }, hub:create { visibility = 1 }
    b:push "job"
    local which, lease, result = hub:select({ { a, lease = true }, { b, lease = true } }, 5)
    assert.same({ 2, "ok", "job" }, { which, result, lease:data() })
    assert.equal("timeout", why(other:open(b:url(5), { visibility = 1 }):pop(1.5)))
    assert.is_true(lease:done())
    assert.is_true(hub:flush(5))
    assert.equal(0, queue(b:name()).messages)
  end)

  it("holds nothing when it loses: another receiver has the value at once", function()
    serve()
    local hub, other = new_hub(), new_hub()
    local jobs, quit = hub:open(server:queue "jobs.fifo"), hub:create()
    jobs:push "job"
    quit:push "now"
    hub:flush(5)
    local which, v = hub:select({ { jobs, lease = true }, { quit } }, 5)
    local o = other:open(server:queue "jobs.fifo")
    if which == 1 then
      assert.is_true(v:give_back())
    else
      assert.equal("now", v)
    end
    local start = probe.now()
    assert.equal("job", o:pop(5))
    assert.is_true(probe.now() - start < 2)
  end)

  it("tells the end, the time and misuse as a pop would", function()
    serve()
    local hub = new_hub()
    local c, stream = hub:create(), hub:create { stream = true }
    assert.same({ 0, nil, "timeout" }, room.pick(hub, { { c, lease = true } }, 0.1))
    assert.same({ 0, nil, "timeout" }, room.pick(hub, { { c, lease = true } }, 0))
    c:close()
    assert.same({ 1, nil, "closed" }, room.pick(hub, { { c, lease = true } }, 5))
    local _, _, result, text = hub:select({ { stream, lease = true } }, 5)
    assert.equal("failed", result)
    assert.matches("a stream has no leases", text)
  end)
end)

describe("a channel with max_receives", function()
  it("has a queue of dead letters, made before its own", function()
    serve()
    local hub = new_hub()
    local c = hub:create { max_receives = 3 }
    c:url(5)
    assert.truthy(queue(c:name()).note:find(
      'RedrivePolicy={"deadLetterTargetArn":"arn:fake:' .. dead_of(c) .. '","maxReceiveCount":3}', 1, true))
    assert.truthy(queue(dead_of(c)).note:find("tag awsync:run=r1", 1, true))
    assert.is_true(hub:finish(5))
    assert.same({}, server:queues())
  end)

  it("puts away what failed so often, for awsync to list and to take", function()
    serve()
    local hub = new_hub()
    local c = hub:create { max_receives = 2 }
    c:push "bad"
    c:push "good"
    for _ = 1, 2 do
      local lease = assert(c:lease(5))
      assert.equal("bad", lease:data())
      lease:give_back()
    end
    assert.equal("good", c:pop(5))
    local dead = c:url(5):gsub("%.fifo$", "-dead.fifo")
    for i = 3, 4 do assert.same({ { data = "bad", receives = i } }, (hub:letters(dead))) end
    assert.is_true(hub:finish(5))
    assert.equal(1, #server:queues()) -- with its letter it stays
    assert.equal("bad", hub:letters(dead, true)[1].data)
    assert.same({}, hub:letters(dead))
    local _, reason, text = hub:letters("http://127.0.0.1:1/000000000000/none.fifo")
    assert.equal("failed", reason)
    assert.matches("QueueDoesNotExist", text)
  end)

  it("counts no receive of what nobody has looked at: one message at a time", function()
    serve()
    local hub = new_hub()
    local c = hub:create { max_receives = 2 }
    c:push_many(30)
    for i = 1, 30 do assert.equal(tostring(i), c:pop(5)) end
    for _, call in ipairs((server:log())) do
      assert.is_true(call.op ~= "receive" or call.max == 1)
    end
    assert.equal(0, queue(dead_of(c)).messages)
  end)

  it("has its end for every receiver, however many", function()
    serve()
    local hub = new_hub()
    for _, unordered in ipairs { false, true } do
      local options = { max_receives = 2, unordered = unordered }
      local c = hub:create(options)
      c:push "v"
      c:close()
      assert.equal("v", c:pop(5))
      assert.equal("closed", why(c:pop(5)))
      for _ = 1, 4 do assert.equal("closed", why(new_hub():open(c:url(5), options):pop(5))) end
      assert.equal(0, queue(dead_of(c)).messages)
    end
  end)

  it("that cannot have its queue of dead letters cannot be made", function()
    serve()
    server:fault { op = "create", kind = "denied" }
    local hub = new_hub()
    local c = hub:create { max_receives = 2 }
    local _, reason, text = c:url(5)
    assert.equal("failed", reason)
    assert.matches("^making of the queue on channel .* failed: AccessDenied", text)
    assert.equal("failed", why(hub:finish(5))) -- the queue of dead letters says so too
    assert.same({}, server:queues())
  end)
end)
