-- What `select` promises in Go, by programs with known output.
local program = require "spec.support.program"

local function answer(name, event)
  return program.answer(("spec/programs/go/%s.lua"):format(name), { event = event })
end

describe("select as in Go", function()
  it("takes its default when nobody sends, nobody receives and nothing has room", function()
    local expected = { empty = "default", rest = "default", received = { 123, 234, "hello" },
      sent = { 123, 234, "hello" } }
    expected.nobody = "default"
    assert.same(expected, answer("nonblock", { capacity = 0 }))
    expected.nobody, expected.full = nil, "default"
    assert.same(expected, answer("nonblock", { capacity = 1 }))
  end)

  it("evaluates each operand once, also that of a nil channel", function()
    assert.same({ 2, 3, 1, 10 }, answer "select")
  end)

  it("never evaluates the destination of a case that is not chosen", function()
    assert.equal(42, answer "select4")
  end)

  it("leaves nothing behind that eats or sends a later value", function()
    assert.same({ "first", "second", "third" }, answer "select6")
  end)

  it("meets every way to receive with every way to send", function()
    assert.equal(9, answer "select7")
  end)

  it("may be left early", function()
    assert.same({ "a", "after", "default", "rest", "after" }, answer "select8")
  end)
end)
