-- AWSYNC_MAX_COST ends programs that run away: loops and recursion, in real lambdas.
local shell = require "spec.support.shell"

-- Runs a program; returns its answer, its standard error and what the run has cost by the engine's count.
local function run(source, limit, seconds)
  local folder, remove = shell.folder()
  shell.write(folder .. "/program.lua", 'local awsync = require "awsync"\n' .. source)
  local out, err = shell.run(("AWSYNC_MAX_COST=%s %s run --quiet --stats --timeout 60 %s/program.lua"):format(
    limit, shell.awsync, folder), seconds or 90)
  remove()
  return out, err, tonumber(err:match "\n  total, about +([%d.]+)\n"), tonumber(err:match "Lambda invocations +(%d+)")
end

describe("AWSYNC_MAX_COST", function()
  it("ends a loop of pushes and pops close to the limit", function()
    local out, err, cost = run([[
      function main()
        local c <close> = awsync.Channel()
        while true do c:push(1) c:pop() end
      end]], "0.0002")
    assert.matches("AWSYNC_MAX_COST of %$0%.0002 is spent %(estimate %$0%.0002%d*: here %d+ requests, ", out)
    assert.is_true(cost > 0.00015 and cost < 0.0003, err)
  end)

  it("ends a loop of calls", function()
    local out, err, _, calls = run([[
      local function nothing() end
      function main()
        while true do awsync.invoke(nothing) end
      end]], "0.0002")
    assert.matches("invoke: AWSYNC_MAX_COST of %$0%.0002 is spent", out)
    assert.is_true(calls > 20 and calls < 100, err)
  end)

  it("refuses a map that it does not pay for before the first call", function()
    local out, err, _, calls = run([[
      local function nothing(i) return i end
      function main()
        local list = {}
        for i = 1, 1000 do list[i] = i end
        local sum = 0
        for _, v in ipairs(awsync.map(nothing, { 1, 2, 3 })) do sum = sum + v end
        local ok, message = pcall(awsync.map, nothing, list)
        return { sum, ok, message }
      end]], "0.001")
    assert.matches('%[6,false,\\"map: AWSYNC_MAX_COST of %$0%.001 does not pay for 1000 calls %(estimate %$0%.00%d+' ..
      ", %$[%d.]+ are spent, and this invocation may spend %$0%.000%d+ on calls of its own%)", out)
    assert.equal(4, calls, err)
  end)

  it("ends a recursion that branches, wherever it has got to", function()
    local out, err, cost, calls = run([[
      local function branch()
        for _ = 1, 3 do awsync.detach(branch) end
      end
      function main()
        for _ = 1, 3 do awsync.detach(branch) end
        return "begun"
      end]], "0.0004")
    assert.equal('{"statusCode":200,"body":"\\"begun\\""}\n', out)
    assert.matches("detach: AWSYNC_MAX_COST of %$0%.0004 is spent as far as it is this call's", err)
    assert.is_true(calls > 10 and calls < 700, err)
    assert.is_true(cost < 0.0016, err)
  end)

  it("leaves a program alone that stays below it, and one without it", function()
    for _, limit in ipairs { "0.01", "''" } do
      local out, err = run([[
        local function square(c, i) c:push(i * i) end
        function main()
          local c <close> = awsync.Channel()
          for i = 1, 10 do awsync.invoke(square, c, i) end
          local sum = 0
          for _ = 1, 10 do sum = sum + c:pop() end
          return sum
        end]], limit)
      assert.equal('{"statusCode":200,"body":"385"}\n', out, err)
    end
  end)

  it("is refused when it is no amount", function()
    local out = run("function main() return 1 end", "much")
    assert.truthy(out:find([[AWSYNC_MAX_COST is \"much\": it should be an amount in dollars, like 0.50]], 1, true), out)
  end)
end)
