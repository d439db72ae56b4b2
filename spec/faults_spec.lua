-- What channels and calls promise while the network and AWS fail: none of 10,000 values is lost, doubled or out of
-- order, and nothing hangs. Every sender and receiver is a process; the engine injects the faults, by a seed.
local program = require "spec.support.program"

-- What the 10,000 values meet, in the words of `--fault`; every operation of SQS and Invoke.
local faults = {
  { "an answer lost after the effect", "drop=0.02" },
  { "a delay", "delay=0.03:50ms" },
  { "500 and 503", "error=0.02" },
  { "throttling", "throttle=0.005" },
  { "an event or a message delivered twice", "duplicate=0.3" },
  { "a connection cut", "cut=0.02" },
}
-- A sanitizer makes every process several times slower.
local values = os.getenv "SANITIZE" == "" and 10000 or 2000

local function answer(name, event, fault, seed)
  return (program.answer(("spec/programs/%s.lua"):format(name), {
    event = event, words = { "--fault", ("seed=%d,%s"):format(seed, fault) },
  }))
end

for seed, entry in ipairs(faults) do
  local what, fault = table.unpack(entry)
  describe(what, function()
    it("leaves the order of an ordered channel, and each value once", function()
      assert.equal(values, answer("flood", { n = values }, fault, seed))
    end)

    it("leaves each value once with 8 senders and 8 receivers", function()
      local got = answer("crowd", { senders = 8, receivers = 8, values = values, ordered = false }, fault, seed)
      assert.equal(values, got.count)
    end)

    it("leaves each value once through 4 workers that receive and send", function()
      assert.equal(values, answer("relay", { n = values, workers = 4 }, fault, seed))
    end)
  end)
end
