-- A chain of lambdas, each passing on what it gets; order is kept from end to end.
local awsync = require "awsync"

local function pass_on(from, to, n)
  for _ = 1, n do to:push(from:pop()) end
end

function main(event)
  local first = awsync.Channel()
  local last = first
  for _ = 1, event.links do
    local next_one = awsync.Channel()
    awsync.invoke(pass_on, last, next_one, event.n)
    last = next_one
  end
  for i = 1, event.n do first:push(i) end
  local got = {}
  for i = 1, event.n do got[i] = last:pop() end
  return got
end
