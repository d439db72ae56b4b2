-- Go programs with known output: one row for each, with what it has to give here, in two modes. The default: as many
-- lambdas at once as it likes. `few`: four at most, main among them. A row that needs more of them alive at once is
-- smaller there and says so in its note. spec/go_conformance_spec.lua runs each row once, `make go-conformance` often.
--
-- row, property; program; event; lambdas: how many calls main and its calls make, all in all; check(got, run): fails
-- unless the answer is right; few: what differs there (event, lambdas, check, note); errors: a lambda is meant to fail;
-- prepare(): event, and a function that removes what it has made.
--
-- Everywhere: each lambda that was started has ended, no queue is left behind, nothing fails that is not meant to.
local assert = require "luassert"
local patience = require "spec.support.patience"
local program = require "spec.support.program"
local shell = require "spec.support.shell"

local rows = {}

local function numbers(from, to)
  local list = {}
  for i = from, to do list[#list + 1] = i end
  return list
end

local function is(expected)
  return function(got) assert.same(expected, got) end
end

local function any_order(expected)
  return function(got)
    table.sort(got)
    assert.same(expected, got)
  end
end

local function count(text, what)
  return select(2, text:gsub(what, ""))
end

local function tests(name) return ("spec/programs/go/%s.lua"):format(name) end
local function example(name) return ("examples/%s.lua"):format(name) end

local function add(row) rows[#rows + 1] = row end

-- --- Go's own tests ------------------------------------------------------------------------------------------------

add { row = "fifo (buffered)", property = "values come out in the order in which they went in",
  program = tests "fifo", lambdas = 1, check = is { here = numbers(0, 9), there = numbers(0, 9) } }

add { row = "fifo (chain)", property = "a daisy chain of ten lambdas, each waiting for its left neighbour, keeps order",
  program = tests "chain", event = { n = 10 }, lambdas = 10, check = is(numbers(0, 9)) }

add { row = "goroutines", property = "hands one value through a chain of fifty lambdas; nothing is left",
  program = tests "goroutines", event = { n = 50 }, lambdas = 50, check = is "the value",
  few = { event = { n = 3 }, lambdas = 3, note = "a chain of 3 instead of 50" } }

add { row = "nonblock", property = "takes its default when nobody sends, nobody receives and nothing has room",
  program = tests "nonblock", lambdas = 12,
  check = function(got)
    local values = { 123, 234, "hello" }
    assert.same({ empty = "default", nobody = "default", rest = "default", received = values, sent = values },
      got.unbuffered)
    assert.same({ empty = "default", full = "default", rest = "default", received = values, sent = values },
      got.buffered)
  end }

add { row = "perm", property = "has views of one direction, which say what they are where they arrive, too",
  program = tests "perm", lambdas = 1,
  check = function(got)
    local sends, receives = "send-only", "receive-only"
    local errors = {}
    for i, operation in ipairs { { "push", receives }, { "close", receives }, { "sender", receives }, { "pop", sends },
      { "range", sends }, { "select: pop", sends }, { "select: push", receives }, { "receiver", sends },
      { "delete", sends } } do
      errors[i] = ("%s: this is a %s view of channel Q"):format(table.unpack(operation))
    end
    assert.same({ here = errors, there = errors, answer = 42, views = { true, true, true, true, false } }, got)
  end }

add { row = "select", property = "evaluates each operand once, also that of a nil channel",
  program = tests "select", lambdas = 0, check = is { 2, 3, 1, 10 } }

add { row = "select4", property = "never evaluates the destination of a case that is not chosen",
  program = tests "select4", lambdas = 0, check = is(42) }

add { row = "select6", property = "a select that lost leaves nothing behind that eats or sends a later value",
  program = tests "select6", lambdas = 3, check = is { "first", "second", "third" } }

add { row = "select7", property = "every way to send meets every way to receive and drop the value",
  program = tests "select7", lambdas = 9, check = is(9) }

add { row = "select8", property = "a select may be left early",
  program = tests "select8", lambdas = 0, check = is { "a", "after", "default", "rest", "after" } }

add { row = "sendstmt", property = "a channel is a value: a channel of channels",
  program = tests "sendstmt", lambdas = 1, check = is(2) }

add { row = "sieve1", property = "sieves primes, a lambda for each",
  program = example "primes", event = { limit = 100 }, lambdas = 26, -- the 25 primes' and the generator
  check = is { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97 } }

add { row = "closedchan", property = "the rest and then the end, in every way to receive; push and close are misuse",
  program = tests "closedchan", lambdas = 10,
  check = function(got)
    local function expected(seen)
      local there = { seen = seen, push = "push: the channel is closed",
        close = "close: the channel is closed already (Q)" }
      local here = { select = "select: the channel is closed" }
      for k, v in pairs(there) do here[k] = v end
      return { here = here, there = there }
    end
    local ways = {}
    for _, way in ipairs { "pop", "poll", "range", "select", "select_default" } do
      ways[way] = { empty = expected { "closed", "closed", "closed", "closed" },
        two = expected { 1, 2, "closed", "closed" } }
    end
    assert.same(ways, got)
  end }

add { row = "chancap", property = "knows its length and its capacity",
  program = tests "chancap", lambdas = 1, check = is { { 0, 10 }, { 3, 10 }, { 0, 0 }, { 3, 10 }, { 0, true } } }

add { row = "ken/chan", property = "carries what many send to what many receive, at any capacity",
  program = tests "ken", event = { capacities = { 0, 1, 10, 100 } }, lambdas = 4 * 12,
  check = is { sent = 3648, received = 3648 },
  few = { event = { capacities = { 0, 1, 10, 100 }, one_by_one = true },
    note = "its 12 lambdas in five groups, one after the other" } }

-- --- pipelines -----------------------------------------------------------------------------------------------------

add { row = "pipelines: sq", property = "gen, then sq", program = example "go/sq", event = { numbers = { 2, 3 } },
  lambdas = 2, check = is { 4, 9 } }

add { row = "pipelines: fan-out, merge", property = "two sq over one source, merged, then closed",
  program = example "go/merge", event = { numbers = { 2, 3 } }, lambdas = 4, check = any_order { 4, 9 } }

-- More numbers than the stages can hold: without `done` each of them would wait for a reader.
add { row = "pipelines: done", property = "everything upstream ends when its reader leaves after one value",
  program = example "go/done", event = { numbers = { 2, 3, 2, 3, 2, 3, 2, 3 } }, lambdas = 3,
  check = function(got, run)
    assert.is_true(got == 4 or got == 9, tostring(got))
    assert.equal("", run.log) -- ended by `done`, not by an error of a channel that has gone
  end }

-- Files that take long enough to digest that many more lambdas than the limit would be alive at once without it.
local function tree()
  local folder, remove = shell.folder()
  os.execute("mkdir " .. folder .. "/inner")
  for i = 1, 38 do
    shell.write(("%s/%s%d.txt"):format(folder, i % 2 == 0 and "inner/" or "", i), ("file %d\n"):format(i):rep(2000))
  end
  shell.write(folder .. "/empty", "")
  shell.write(folder .. "/bytes", string.char(table.unpack(numbers(0, 255))))
  return { root = folder, limit = 3 }, remove
end

add { row = "pipelines: digests", property = "digests a tree as sha256sum does, so many files at a time",
  program = example "go/digests", prepare = tree, lambdas = 40,
  check = function(got, run)
    local pipe <close> = assert(io.popen(("find %s -type f | LC_ALL=C sort | xargs sha256sum"):format(run.event.root)))
    local expected = {}
    for line in pipe:lines() do expected[#expected + 1] = line end
    assert.equal(40, #expected)
    assert.same(expected, got)
    -- A lambda whose result has arrived still has to end. Without a limit they are about twenty.
    assert.is_true(run.most <= 1 + 3 * run.event.limit, run.most .. " lambdas at once")
  end }

-- --- patterns ------------------------------------------------------------------------------------------------------

add { row = "patterns: generator, fan-in by select", property = "two talkers merged, each one's lines in order",
  program = example "go/talkers", event = { lines = 5 }, lambdas = 2,
  check = function(got)
    local said = { Joe = {}, Ann = {} }
    for _, line in ipairs(got) do
      local name, i = line:match "^(%a+) (%d+)$"
      table.insert(said[name], tonumber(i))
    end
    assert.same({ Joe = numbers(1, 5), Ann = numbers(1, 5) }, said)
  end }

add { row = "patterns: timeouts", property = "for a message and for a conversation",
  program = example "go/timeout", event = { pause = 10, patience = 0.2, conversation = 0.5 }, lambdas = 2,
  check = function(got)
    assert.same({ ["end"] = "too slow", heard = 1 }, got.slow)
    assert.equal("you talk too much", got.quick["end"])
    assert.is_true(got.quick.heard > 1)
    assert.is_true(got.quick.seconds >= 0.5 and got.quick.seconds < 0.5 + 2 * patience, got.quick.seconds)
  end }

-- The losers would sleep for an hour.
add { row = "patterns: first of replicas", property = "the first of three wins, the others are cancelled",
  program = example "go/first", event = { seconds = { 3600, 0.1, 3600 } }, lambdas = 3,
  check = function(got, run)
    assert.equal("result of replica 2", got)
    assert.equal(2, count(run.log, "search: this call has been cancelled"), run.log)
  end }

add { row = "patterns: daisy chain", property = "fifty lambdas, each adds one",
  program = example "go/daisychain", event = { n = 50 }, lambdas = 50, check = is(51),
  few = { event = { n = 3 }, lambdas = 3, check = is(4), note = "a chain of 3 instead of 50" } }

add { row = "ping-pong", property = "the hits alternate until the ball is taken off",
  program = example "go/pingpong", event = { seconds = 0.5 }, lambdas = 2,
  check = function(got)
    assert.is_true(got.alternate)
    assert.is_true(got.hits.ping >= 1 and got.hits.pong >= 1)
    assert.is_true(math.abs(got.hits.ping - got.hits.pong) <= 1)
  end }

add { row = "multi-wait: limit", property = "a group never runs more than its limit; results in order",
  program = example "go/errgroup", event = { tasks = 9, limit = 3 }, lambdas = 9,
  check = function(got)
    assert.same({ 1, 4, 9, 16, 25, 36, 49, 64, 81 }, got.results)
    assert.is_true(got.most > 1 and got.most <= 3, got.most)
  end }

-- Task 5 fails when 6 and 7 are at work, which would take an hour.
add { row = "multi-wait: first error", property = "a group raises its first error and cancels the others",
  program = example "go/errgroup", event = { tasks = 9, limit = 3, fails = 5 }, lambdas = 7, errors = true,
  check = function(got, run)
    assert.same({ error = "task 5 failed", kind = "error", most = 3 }, got)
    assert.equal(1, count(run.log, "%[ERROR%]"), run.log)
    assert.equal(2, count(run.log, "task: this call has been cancelled"), run.log)
  end }

add { row = "parallel sum", property = "the squares of 0 to 4", program = example "squares", lambdas = 5,
  check = is(30) }

-- -------------------------------------------------------------------------------------------------------------------

rows.modes = {
  { name = "default", words = {} },
  { name = "--concurrency 4", few = true, words = { "--concurrency", "4" } },
}

local function lives(stderr)
  local alive, most, started, log = {}, 0, 0, {}
  local now = 0
  for line in stderr:gmatch "[^\n]+" do
    local kind, id = line:match "^(%u+) RequestId: (%S+)"
    if kind == "START" then
      started, now, alive[id] = started + 1, now + 1, true
      most = math.max(most, now)
    elseif kind == "END" then
      now, alive[id] = now - 1, nil
    elseif not kind then
      log[#log + 1] = line
    end
  end
  return { started = started, most = most, alive = alive, log = table.concat(log, "\n") }
end

--- What is run of a row in a mode: event, lambdas, check, note.
function rows.of(row, mode)
  local few = mode.few and row.few or {}
  return { event = few.event or row.event, lambdas = few.lambdas or row.lambdas, check = few.check or row.check,
    note = few.note }
end

--- Runs a row in a mode; raises when something is not as it has to be.
function rows.run(row, mode)
  local this = rows.of(row, mode)
  local event, remove = this.event, nil
  if row.prepare then event, remove = row.prepare() end
  local ok, message = pcall(function()
    local got, stderr = program.answer(row.program,
      { event = event, words = mode.words, errors = row.errors, loud = true })
    local run = lives(stderr)
    run.event = event
    this.check(got, run)
    assert.same({}, run.alive)
    assert.equal(1 + this.lambdas, run.started, stderr)
    if mode.few then assert.is_true(run.most <= 4, stderr) end
  end)
  if remove then remove() end
  if not ok then error(message, 0) end
end

return rows
