-- Pi by throwing darts: each lambda throws with a seed of its own, so that the answer is the same every time.
-- Event: {"lambdas": 8, "throws": 100000}. Answer: the estimate, and how many darts it took.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function throw(hits, seed, throws)
  math.randomseed(seed)
  local random, inside = math.random, 0
  for _ = 1, throws do
    local x, y = random(), random()
    if x * x + y * y < 1 then inside = inside + 1 end
  end
  hits:push(inside)
end

function main(event)
  local lambdas, throws = event.lambdas or 8, event.throws or 100000
  local hits <close> = Channel()
  for seed = 1, lambdas do invoke(throw, hits, seed, throws) end

  local inside = 0
  for _ = 1, lambdas do inside = inside + hits:pop() end
  return { pi = 4 * inside / (lambdas * throws), darts = lambdas * throws }
end
