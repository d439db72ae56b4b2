-- "Go Concurrency Patterns: Pipelines and cancellation", fan-out and fan-in: two lambdas square what one source has, a
-- third merges what they make into one channel and closes it when both have ended.
-- Event: {"numbers": [2, 3]}. Answer: the squares, in the order in which they came: [4, 9] or [9, 4].
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function gen(numbers, out)
  for _, n in ipairs(numbers) do out:push(n) end
  out:close()
end

local function sq(source, out)
  for n in source:range() do out:push(n * n) end
  out:close()
end

-- Until both have ended: a channel that has is nil from then on, and a nil channel is never ready.
local function merge(a, b, out)
  while a or b do
    local which, v, err = awsync.select { { "pop", a }, { "pop", b } }
    if err ~= "closed" then
      out:push(v)
    elseif which == 1 then
      a = nil
    else
      b = nil
    end
  end
  out:close()
end

function main(event)
  local source <close> = Channel()
  local squares <close> = Channel()
  local a <close> = Channel()
  local b <close> = Channel()
  invoke(gen, event.numbers or { 2, 3 }, source)
  invoke(sq, source, a)
  invoke(sq, source, b)
  invoke(merge, a, b, squares)

  local list = {}
  for n in squares:range() do list[#list + 1] = n end
  return list
end
