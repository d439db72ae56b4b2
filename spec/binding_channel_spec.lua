-- Channels as Lua values: ranges, views, select, leases and options, each in a program on the real engine.
local awsync = require "awsync"
local program = require "spec.support.program"
local shell = require "spec.support.shell"

local run = program.run

local function message_of(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  return (tostring(message):gsub("awsync%.core%.", "awsync."))
end

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

describe("operations on channels", function()
  it("say which argument is wrong and what it is", function()
    for _, name in ipairs { "push", "pop", "range", "lease", "close", "len", "cap", "sender", "receiver", "delete" } do
      has(message_of(awsync[name], 42, 1),
        "bad argument #1 to 'awsync." .. name .. "' (awsync.Channel expected, got number)")
    end
    has(message_of(awsync.select), "bad argument #1 to 'awsync.select' (table expected, got no value)")
  end)

  it("check options by name, type and range, and which of them exclude each other", function()
    local function refused(options, message) has(message_of(awsync.Channel, options), message) end
    refused({ size = 3 }, "unknown option 'size' (there are: capacity, max_receives, ordered, stream, visibility)")
    refused({ stream = 1 }, "option 'stream' is a number, not a boolean")
    for _, bad in ipairs { -1, 10001, 0.5, "3", true } do
      refused({ capacity = bad }, "option 'capacity' should be a whole number from 0 to 10000")
    end
    for _, bad in ipairs { 0, 1001, 2.5, "3" } do
      refused({ max_receives = bad }, "option 'max_receives' should be a whole number from 1 to 1000")
    end
    refused({ stream = true, ordered = false }, "stream")
  end)

  it("travel with their options", function()
    local got = run([[
      local answer <close> = Channel()
      local bounded = Channel { capacity = 3, visibility = 40 }
      invoke(tell, { bounded, bounded:sender(), Channel { stream = true },
        Channel { max_receives = 2, ordered = false } }, answer)
      return answer:pop()
    ]], [[
      local function tell(list, answer)
        local told = { caps = {}, stream = try(list[3].lease, list[3]) }
        for i, c in ipairs(list) do told.caps[i] = c:cap() == math.huge and "any" or c:cap() end
        for i = 1, 3 do list[2]:push(i) end
        told.full = select(2, list[1]:push(4, 0.1))
        answer:push(told)
      end]])
    has(got.stream, "a stream has no leases")
    assert.same({ 3, 3, "any", "any" }, got.caps)
    assert.equal("timeout", got.full)
  end)
end)

describe("range", function()
  it("gives every value until the end, a pushed nil as awsync.null, false as false", function()
    assert.same({ "1", "false", "null", "x" }, (run [[
      local c <close> = Channel()
      c:push(1) c:push(false) c:push(nil) c:push("x") c:close()
      local got = {}
      for v in c:range() do got[#got + 1] = v == awsync.null and "null" or tostring(v) end
      for _ in awsync.range(c) do error("after the end") end
      return got]]))
  end)

  it("may be left, and its iterator ends with its loop", function()
    assert.same({ 1, 2, "range: this loop has ended" }, (run [[
      local c <close> = Channel()
      for i = 1, 3 do c:push(i) end
      local first
      for v in c:range() do
        first = v
        break
      end
      local next, _, _, closing = c:range()
      local second = next()
      do local _ <close> = closing end
      return { first, second, try(next) }]]))
  end)
end)

describe("push", function()
  it("returns true, or nil and timeout when there was no room for so long", function()
    assert.same({ true, "nil timeout", "nil timeout", true }, (run [[
      local c <close> = Channel { capacity = 1 }
      local got = { c:push(1) }
      got[2] = ("%s %s"):format(c:push(2, 0.1))
      got[3] = ("%s %s"):format(c:push(2, 0))
      c:pop()
      got[4] = c:push(2, 5)
      return got]]))
  end)
end)

describe("a closed channel", function()
  it("refuses pushes, also by select, and a second close; a deleted one says that it is", function()
    assert.same({
      "push: the channel is closed", "close: the channel is closed already (Q)", "select: the channel is closed",
      "attempt to use a deleted channel (Q)", "attempt to use a deleted channel (Q)",
      "attempt to use a deleted channel (Q)",
    }, (run [[
      local c = Channel()
      c:close()
      local got = { try(c.push, c, 1), try(c.close, c), try(awsync.select, { { "push", c, 1 } }) }
      c:delete()
      got[4], got[5], got[6] = try(c.range, c), try(c.close, c), try(awsync.select, { { "pop", c } })
      return got]]))
  end)
end)

describe("a view", function()
  it("keeps its channel, which the collector would delete, and travels as what it is", function()
    assert.same({ "channel (Q, send-only)", "channel (Q, receive-only)", 7 }, (run([[
      local sends, answer = Channel():sender(), Channel()
      local back = Channel():receiver()
      collectgarbage() collectgarbage()
      invoke(use_views, sends, back, answer)
      local got = { answer:pop(), answer:pop() }
      got[3] = answer:pop():pop()
      return got]], [[
      local function use_views(sends, back, answer)
        for _, view in ipairs { sends, back } do answer:push((tostring(view):gsub("%(.*,", "(Q,"))) end
        local c = Channel()
        c:push(7)
        answer:push(c:receiver())
        back:pop(0)
        c = nil
        collectgarbage() collectgarbage()
        awsync.sleep(0.6) -- main still reads from c, which ends with this call
      end]])))
  end)

  it("compares as its channel, and its end of scope deletes nothing", function()
    assert.same({ true, true, false, 1 }, (run [[
      local c <close> = Channel()
      local other <close> = Channel()
      local got = { c:sender() == c, c:sender() == c:receiver(), c:sender() == other:sender() }
      do
        local view <close> = c:sender()
        view:push(1)
      end
      got[4] = c:pop()
      return got]]))
  end)
end)

describe("select", function()
  it("says what is wrong with a case", function()
    assert.same({
      "select: case 2 is a number, not a table as {\"pop\", c} or {\"push\", c, v}",
      'select: case 1 begins with pull, not with "pop", "push" or "lease"',
      "select: the channel of case 1 is a string",
      "select: unknown field 'wait' (there are: 1 to n, timeout, default)",
      "select: 'timeout' is soon, not 0 or more seconds",
      "select: 'timeout' is -1, not 0 or more seconds",
      "select: 'default' is a number, not a boolean",
      "select: case 1.co is a coroutine, which cannot leave its process",
    }, (run [[
      local c <close> = Channel()
      return {
        try(awsync.select, { { "pop", c }, 7 }), try(awsync.select, { { "pull", c } }),
        try(awsync.select, { { "pop", "c" } }), try(awsync.select, { { "pop", c }, wait = 1 }),
        try(awsync.select, { timeout = "soon" }), try(awsync.select, { timeout = -1 }),
        try(awsync.select, { default = 1 }),
        (try(awsync.select, { { "push", c, { co = coroutine.create(print) } } }):gsub("value", "case 1")),
      }]]))
  end)

  it("gives a pushed nil and false as they are, and waits for its time with nothing but nil channels", function()
    assert.same({ "1 nil nil 2", "1 false nil 2", "timeout", "default", "1 nil closed 3" }, (run [[
      local c <close> = Channel()
      local function show(...)
        local which, v, err = ...
        return ("%s %s %s %d"):format(which, v, err, select("#", ...))
      end
      c:push(nil) c:push(false)
      local got = { show(awsync.select { { "pop", c } }), show(awsync.select { { "pop", c } }) }
      got[3] = awsync.select { { "pop", nil }, { "push", nil, 1 }, timeout = 0.1 }
      got[4] = awsync.select { { "pop", nil }, default = true }
      c:close()
      got[5] = show(awsync.select { { "pop", c }, timeout = 5 })
      return got]]))
  end)

  it("chooses by chance among the ready", function()
    local got = run [[
      local a <close> = Channel()
      local b <close> = Channel()
      for i = 1, 60 do a:push(i) b:push(i) end
      awsync.sleep(0.2)
      local count = { 0, 0 }
      for _ = 1, 40 do
        local which = awsync.select { { "pop", a }, { "pop", b } }
        count[which] = count[which] + 1
      end
      return count]]
    assert.equal(40, got[1] + got[2])
    assert.is_true(got[1] > 3 and got[2] > 3, got[1] .. " and " .. got[2])
  end)
end)

it("select leases: which, value and handle, and what it did not choose is nobody's", function()
  local got = run [[
    local jobs <close> = Channel { ordered = false }
    local quit <close> = Channel()
    jobs:push "job"
    local which, job, lease = awsync.select { { "lease", jobs }, { "pop", quit }, timeout = 20 }
    local got = { which, job, tostring(lease) }
    lease:give_back()
    quit:push "quit"
    quit:close()
    which, job, lease = awsync.select { { "lease", nil }, { "lease", quit }, timeout = 20 }
    lease:done()
    table.move({ which, job, tostring(lease) }, 1, 3, 4, got)
    local closed = table.pack(awsync.select { { "lease", quit } })
    table.move({ closed[1], closed.n, closed[4] }, 1, 3, 7, got)
    got[10] = jobs:pop(20)
    got[11] = try(awsync.select, { { "take", jobs } })
    got[12] = try(awsync.select, { { "lease", jobs:sender() } })
    return got
  ]]
  assert.same({ 1, "job", "lease (held)", 2, "quit", "lease (done)", 1, 4, "closed", "job",
    'select: case 1 begins with take, not with "pop", "push" or "lease"' }, table.move(got, 1, 11, 1, {}))
  assert.matches("^select: lease: this is a send%-only view", got[12])
end)

describe("a lease", function()
  it("is the value's until it is done; what was not comes again", function()
    assert.same({ "a lease (held)", "lease (done)", "timeout", "b", "lease (given back)", "b again", "closed" }, (run [[
      local jobs <close> = Channel()
      jobs:push "a"
      local got = {}
      do
        local job, lease <close> = jobs:lease()
        got[1] = job .. " " .. tostring(lease)
        lease:done()
        lease:done()
        got[2] = tostring(lease)
      end
      got[3] = select(3, jobs:lease(0.1))
      jobs:push "b"
      local kept
      pcall(function()
        local job, lease <close> = jobs:lease()
        got[4], kept = job, lease
        error("failed")
      end)
      got[5] = tostring(kept)
      do
        local job, lease <close> = jobs:lease(5) -- the end of its scope is its end
        got[6] = job .. " again"
        kept = lease
      end
      jobs:close()
      got[7] = select(3, jobs:lease(5))
      return got]]))
  end)

  it("may be closed by its scope also where there is none: when nothing comes in time, and at the end", function()
    assert.same({ "a", "b", "nil nil timeout", "nil nil closed", 1, "timeout", "nil" }, (run [[
      local jobs <close> = Channel()
      local got = {}
      local function take(...)
        local job, lease <close>, reason = jobs:lease(...)
        got[#got + 1] = job or tostring(job) .. " " .. tostring(lease) .. " " .. reason
        return job
      end
      jobs:push "a"
      jobs:push "b"
      while take(0.2) do end
      jobs:close()
      while take() do end
      local which, job, lease <close> = awsync.select { { "lease", jobs } }
      got[5] = which
      got[6] = awsync.select { { "lease", nil }, timeout = 0.01 }
      got[7] = type(getmetatable("").__close) -- the program's strings are Lua's own
      return got]]))
  end)

  it("refuses to be done after it has been given back, and the reverse", function()
    assert.same({ "done: the value has been given back", "give_back: the work on this value is done" }, (run [[
      local jobs <close> = Channel()
      jobs:push(1)
      local _, lease = jobs:lease()
      lease:give_back()
      lease:give_back()
      local got = { try(lease.done, lease) }
      _, lease = jobs:lease(5)
      lease:done()
      got[2] = try(lease.give_back, lease)
      return got]]))
  end)

  it("keeps a value from others for longer than the visibility timeout", function()
    assert.same({ "held", "timeout", "mine" }, (run([[
      local jobs <close> = Channel { visibility = 1, ordered = false }
      local seen <close> = Channel()
      jobs:push "mine"
      local job, lease <close> = jobs:lease()
      invoke(look, jobs, seen)
      return { seen:pop() and "held", seen:pop(), job }]], [[
      local function look(jobs, seen)
        seen:push(true)
        seen:push(select(2, jobs:pop(2.5)))
      end]])))
  end)

  it("lets a worker die: the next one gets the job", function()
    assert.same({ "job", "job" }, (run([[
      local jobs <close> = Channel { visibility = 1 }
      local seen <close> = Channel()
      awsync.on_error(function() end)
      jobs:push "job"
      invoke(dies, jobs, seen)
      local first = seen:pop()
      local job, lease <close> = jobs:lease(20)
      return { first, job }]], [[
      local function dies(jobs, seen)
        local job = jobs:lease()
        seen:push(job)
        awsync.sleep(0.2)
        os.execute("kill -9 $PPID")
      end]], { errors = true })))
  end)
end)

describe("a plain Lua program", function()
  it("says at its end what was pushed and did not arrive, also with warnings off", function()
    local lua = os.getenv "SPEC_LUA" or "lua5.4"
    local folder, remove = shell.folder()
    finally(remove)
    shell.write(folder .. "/main.lua",
      'local c = require "awsync".Channel() print(pcall(c.push, c, 1) and "pushed" or "refused")')
    local out, err
    for _ = 1, 50 do -- a push that comes after the queue has failed raises, and nothing is left to say at the end
      out, err = shell.run(("env -u AWS_REGION -u AWS_DEFAULT_REGION -u AWS_PROFILE HOME=/nonexistent %s %s")
        :format(lua, folder .. "/main.lua"))
      if out ~= "refused\n" then break end
    end
    assert.equal("pushed\n", out)
    has(err, "making of the queue on channel")
    has(err, "no region: set AWS_REGION")
  end)
end)
