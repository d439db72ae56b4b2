-- Go's pipelines and patterns, by the examples: each stage a lambda of its own.
local program = require "spec.support.program"

local function example(name, event)
  return program.answer(("examples/%s.lua"):format(name), { event = event })
end

local function sorted(list)
  table.sort(list)
  return list
end

describe("a pipeline", function()
  it("squares what is generated: 4 + 9", function()
    assert.equal(1 + 4 + 9, example("pipeline", { n = 3 }))
  end)

  it("fans out and in: two stages over one source, merged and closed", function()
    assert.same({ 4, 9 }, sorted(example("go/merge", { numbers = { 2, 3 } })))
  end)

  it("sieves primes, a lambda for each", function()
    assert.same({ 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97 },
      example("primes", { limit = 100 }))
  end)

  it("ends upstream when its reader leaves early", function()
    local got = example("go/done", { numbers = { 2, 3 } })
    assert.is_true(got == 4 or got == 9, tostring(got))
  end)

  it("digests a tree as sha256sum does", function()
    local pipe <close> = assert(io.popen("find \"$PWD/examples/go/.\" -type f | LC_ALL=C sort | xargs sha256sum"))
    local expected = {}
    for line in pipe:lines() do expected[#expected + 1] = line end
    assert.is_true(#expected > 5)
    assert.same(expected, example "go/digests")
  end)
end)

describe("a pattern", function()
  it("generator, fan-in: two talkers merged by a select, each in its own order", function()
    local lines = example("go/talkers", { lines = 10 })
    assert.equal(10, #lines)
    local said = { Joe = 0, Ann = 0 }
    for _, line in ipairs(lines) do
      local name, i = line:match "^(%a+) (%d+)$"
      assert.equal(said[name], tonumber(i))
      said[name] = said[name] + 1
    end
    assert.is_true(said.Joe > 0 and said.Ann > 0)
  end)

  it("timeouts: for a message and for a conversation", function()
    assert.same({ slow = "too slow", heard = 1, quick = "you talk too much", many = true },
      example("go/timeout", { pause = 3, patience = 0.2, conversation = 0.5 }))
  end)

  it("replicas: the first wins, the others are cancelled", function()
    assert.equal("result of replica 2", example("go/first", { seconds = { 40, 0.1, 40 } }))
  end)

  it("daisy chain: fifty lambdas, each adds one", function()
    assert.equal(51, example("go/daisychain", { n = 50 }))
  end)

  it("ping-pong: the hits alternate until the ball is taken off", function()
    local got = example("go/pingpong", { seconds = 0.3 })
    assert.is_true(got.alternate)
    assert.is_true(got.hits.ping + got.hits.pong > 2)
  end)

  it("group: never more than its limit at once, results in order", function()
    assert.same({ results = { 1, 4, 9, 16, 25, 36, 49, 64, 81 }, most = 3 },
      example("go/errgroup", { tasks = 9, limit = 3 }))
  end)

  it("parallel sum", function()
    assert.equal(30, example "squares")
  end)
end)

describe("a group with an error", function()
  it("raises the first one and cancels the rest", function()
    local got = program.answer("examples/go/errgroup.lua",
      { event = { tasks = 9, limit = 3, fails = 5 }, errors = true })
    assert.equal("task 5 failed", got.error)
    assert.equal("error", got.kind)
    assert.equal(3, got.most)
  end)
end)
