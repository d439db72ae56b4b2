-- A tree of lambdas: each adds up what its two children give, functions and channels travel along.
local awsync = require "awsync"
local invoke, Channel = awsync.invoke, awsync.Channel

local sum
local function leaf(i) return i end

function sum(out, from, to)
  if from == to then return out:push(leaf(from)) end
  local middle = (from + to) // 2
  local c <close> = Channel()
  invoke(sum, c, from, middle)
  invoke(sum, c, middle + 1, to)
  out:push(c:pop() + c:pop())
end

function main(event)
  local c <close> = Channel()
  invoke(sum, c, 1, event.n)
  return c:pop()
end
