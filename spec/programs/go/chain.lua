-- A daisy chain of lambdas: each waits for its left neighbour, then takes one value from a channel that all share.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function link(values, left, right, taken)
  left:pop()
  taken:push(values:pop())
  right:push(true)
end

function main(event)
  local n = event.n or 10
  local values <close> = Channel()
  local taken <close> = Channel()
  local first = Channel()
  local last = first
  for _ = 1, n do
    local right = Channel()
    invoke(link, values, last, right, taken)
    last = right
  end
  first:push(true)
  for i = 0, n - 1 do values:push(i) end
  last:pop()
  local got = {}
  for i = 1, n do got[i] = taken:pop() end
  return got
end
