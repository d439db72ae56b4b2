-- What channels promise in Go, by programs with known output: spec/programs/go, each a lambda with lambdas of its own.
local program = require "spec.support.program"

local function answer(name, options)
  return program.answer(("spec/programs/go/%s.lua"):format(name), options)
end

local function numbers(from, to)
  local list = {}
  for i = from, to do list[#list + 1] = i end
  return list
end

describe("a channel as in Go", function()
  it("is a line, first in, first out", function()
    assert.same(numbers(0, 9), answer "fifo")
  end)

  it("keeps the order through a daisy chain of ten lambdas", function()
    assert.same(numbers(0, 9), answer "chain")
  end)

  it("does so when only four lambdas are alive at once", function()
    assert.same(numbers(0, 9), answer("chain", { words = { "--concurrency", 4 } }))
  end)

  it("hands one value through a chain of fifty lambdas", function()
    assert.equal("the value", answer("goroutines", { event = { n = 50 } }))
  end)

  it("is a value: a channel of channels", function()
    assert.equal(2, answer "sendstmt")
  end)

  it("has views of one direction, which say what they are where they arrive, too", function()
    local sends, receives = "send-only", "receive-only"
    local errors = {}
    for i, operation in ipairs { { "push", receives }, { "close", receives }, { "sender", receives }, { "pop", sends },
      { "range", sends }, { "select: pop", sends }, { "select: push", receives }, { "receiver", sends },
      { "delete", sends } } do
      errors[i] = ("%s: this is a %s view of channel Q"):format(table.unpack(operation))
    end
    assert.same({ here = errors, there = errors, answer = 42, views = { true, true, true, true, false } },
      answer "perm")
  end)

  it("gives the rest and then its end when it is closed, in every way to receive; the rest is misuse", function()
    local there = {
      seen = { 1, 2, "closed", "closed" },
      push = "push: the channel is closed",
      close = "close: the channel is closed already (Q)",
    }
    local here = { select = "select: the channel is closed" }
    for k, v in pairs(there) do here[k] = v end
    local expected = {}
    for _, way in ipairs { "pop", "poll", "range", "select", "select_default" } do
      expected[way] = { here = here, there = there }
    end
    assert.same(expected, answer "closedchan")
  end)

  it("knows its length and its capacity", function()
    assert.same({ { 0, 10 }, { 3, 10 }, { 0, 0 }, { 3, 10 }, { 0, true } }, answer "chancap")
  end)

  it("carries what many send to what many receive, at any capacity", function()
    local sent, received = 0, 0
    for _, capacity in ipairs { 0, 1, 10, 100 } do
      local got = answer("ken", { event = { capacity = capacity } })
      sent, received = sent + got.sent, received + got.received
    end
    assert.same({ 3648, 3648 }, { sent, received })
  end)
end)
