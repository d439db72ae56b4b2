-- What AWSYNC_MAX_COST allows: arithmetic that no tree of calls and no loop gets past.
local budget = require "probe.budget"

local DOLLAR = 1000000000 -- in nanodollars
local CALL = 2908 -- a call of 128 MB that is thought to last 100 ms: 200 + 5 * 500 + 208

-- Calls for as long as there is money; every call calls too, width at most, down to depth. Returns how many there were.
local function tree(b, width, depth, announced)
  if depth == 0 or announced and not b:announce(width) then return 0 end
  local count = 0
  for _ = 1, width do
    local claim = b:call()
    if not claim then break end
    count = count + 1 + tree(budget.begin(DOLLAR, 128, claim), width, depth - 1, announced)
  end
  return count
end

describe("the budget of a run", function()
  it("reads an amount in dollars, and refuses what is none", function()
    for text, nano in pairs { ["1"] = DOLLAR, ["0.5"] = DOLLAR // 2, ["$2.50"] = 2500000000, ["1e-6"] = 1000 } do
      assert.equal(nano, budget.read(text), text)
    end
    for _, text in ipairs { "", "0", "-1", "$", "1,5", "one", "nan", "1e300", "1 2", "0x10", "1e-12", "$$1", "2€" } do
      assert.is_nil(budget.read(text), text)
    end
  end)

  it("knows no limit when there is none", function()
    local b = budget.begin(0, 128)
    assert.is_true((b:ok { requests = 1 << 40, ms = 1 << 40 }))
    for _ = 1, 1000 do assert.same({ spent = 0, share = 0, typical_ms = 0 }, b:call()) end
  end)

  it("counts requests, time by memory, calls, and what the callers have spent", function()
    local b = budget.begin(DOLLAR, 1024)
    assert.equal(200, b:estimate())
    assert.equal(200 + 10 * 500, b:estimate { requests = 10 })
    assert.equal(200 + 16667, b:estimate { ms = 1000 })
    local price = 200 + 5 * 500 + 1667
    local claim = b:call { requests = 10 }
    assert.equal(200 + 5000 + price, claim.spent)
    local child = budget.begin(DOLLAR, 1024, claim)
    assert.equal(claim.spent + 200, child:estimate())
    local grandchild = budget.begin(DOLLAR, 1024, child:call())
    assert.equal(claim.spent + 200 + price + 200, grandchild:estimate())
  end)

  it("ends a loop of requests, and one that only takes time", function()
    local b = budget.begin(DOLLAR // 2, 128)
    assert.is_true((b:ok { requests = 999000 }))
    local good, message = b:ok { requests = 1001000, ms = 5000 }
    assert.is_false(good)
    assert.equal("AWSYNC_MAX_COST of $0.50 is spent (estimate $0.50: here 1001000 requests, 0.625 GB-seconds and " ..
      "0 calls, and $0.00 by the callers before)", message)
    assert.is_nil((b:call { requests = 1001000 }))
    -- 15 minutes at 10 GB are about $0.15.
    b = budget.begin(DOLLAR // 10, 10240)
    assert.is_true((b:ok { ms = 590000 }))
    assert.is_false((b:ok { ms = 610000 }))
  end)

  it("lets a caller of calls that call nothing spend half of it", function()
    assert.equal(DOLLAR // 10 // 2 // CALL, tree(budget.begin(DOLLAR // 10, 128), math.huge, 1))
    local b = budget.begin(DOLLAR // 100, 128)
    while b:call() do end
    local _, message = b:call()
    assert.matches("^AWSYNC_MAX_COST of %$0%.01 is spent as far as it is this call's: its share, %$0%.01, does not " ..
      "pay for more than %d+ calls and theirs$", message)
  end)

  it("ends every recursion within four times the limit, wherever it branches", function()
    for _, width in ipairs { 2, 3, 10, 100, 1000 } do
      local count = tree(budget.begin(DOLLAR // 20, 128), width, 100)
      assert.is_true(count * CALL <= 4 * DOLLAR // 20, width)
      assert.is_true(count > 100, width)
    end
  end)

  it("has room for trees of a useful size", function()
    -- $1 would pay for 343,000 calls.
    assert.equal(16, tree(budget.begin(DOLLAR, 128), 1, 16))
    assert.equal(2 ^ 9 - 2, tree(budget.begin(DOLLAR, 128), 2, 8))
    assert.equal(10 + 100 + 1000, tree(budget.begin(DOLLAR, 128), 10, 3))
    assert.equal(40 + 1600, tree(budget.begin(DOLLAR, 128), 40, 2))
  end)

  it("divides evenly among calls that are announced", function()
    local b = budget.begin(DOLLAR, 128)
    local claims, sum = {}, 0
    assert.is_true(b:announce(100))
    for i = 1, 100 do claims[i] = b:call() end
    assert.equal(claims[1].share, claims[100].share)
    assert.equal(DOLLAR * 3 // 4 * 7 // 800, claims[1].share)
    assert.equal(100 + 100 * 100, tree(budget.begin(DOLLAR, 128), 100, 2, true))
    -- Later ones have what is left of seven eighths, however many there are.
    b:announce(100)
    for i = 101, 1000 do claims[i] = b:call() end
    assert.equal(DOLLAR * 3 // 16 * 7 // 800, claims[101].share)
    for _, claim in ipairs(claims) do sum = sum + claim.share end
    assert.is_true(sum <= DOLLAR * 7 // 8 + 1000, sum)
  end)

  it("refuses an announcement that it cannot pay for, with the figures, and goes on as before", function()
    local b = budget.begin(DOLLAR // 1000, 128)
    local good, message = b:announce(1000)
    assert.is_nil(good)
    assert.equal("AWSYNC_MAX_COST of $0.001 does not pay for 1000 calls (estimate $0.0029, $0.0000002 are spent, " ..
      "and this invocation may spend $0.0005 on calls of its own)", message)
    assert.is_true(b:announce(DOLLAR // 2000 // CALL))
    assert.is_nil(b:announce(DOLLAR // 2000 // CALL + 1))
    assert.is_true(budget.begin(0, 128):announce(1 << 40))
    assert.is_nil((budget.begin(DOLLAR, 128):announce(1 << 62)))
    local claim = b:call()
    assert.is_truthy(claim)
  end)

  it("ends announced recursion within four times the limit, too", function()
    for _, width in ipairs { 2, 10, 100 } do
      local count = tree(budget.begin(DOLLAR // 20, 128), width, 100, true)
      assert.is_true(count * CALL <= 4 * DOLLAR // 20, width)
      assert.is_true(count >= 100, width)
    end
  end)

  it("learns from calls that have ended what a call costs", function()
    local b = budget.begin(DOLLAR, 1024)
    local first = b:call()
    b:heard(60000)
    b:heard(20000)
    local second = b:call()
    assert.equal(100, first.typical_ms)
    assert.equal(40000, second.typical_ms)
    assert.equal(200 + 5 * 500 + 666668, second.spent - first.spent)
    local count = 2
    while b:call() do count = count + 1 end
    assert.is_true(count * 666668 < DOLLAR, count)
    assert.is_nil((budget.begin(DOLLAR, 1024, { spent = 0, share = 600000, typical_ms = 40000 }):call()))
  end)

  it("takes no claim for more than the limit of this process", function()
    local b = budget.begin(1000000, 128, { spent = -5, share = 1 << 62, typical_ms = -1 })
    assert.equal(200, b:estimate())
    assert.equal(500000, b:call().share)
    -- A caller that knew no limit: the whole one begins here.
    assert.equal(500000, budget.begin(1000000, 128, { spent = 0, share = 0, typical_ms = 0 }):call().share)
  end)
end)
