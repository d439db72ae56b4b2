-- The prime sieve of Hoare and McIlroy: one lambda for each prime, each passing on what its prime does not divide.
-- Event: {"limit": 50}. Answer: the primes up to the limit.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function generate(out, limit)
  for n = 2, limit do out:push(n) end
  out:close()
end

local function filter(source, out, prime)
  for n in source:range() do
    if n % prime ~= 0 then out:push(n) end
  end
  out:close()
end

function main(event)
  local primes = {}
  local source = Channel() -- the queues are deleted when main has answered
  invoke(generate, source, event.limit or 50)
  while true do
    local prime = source:pop()
    if not prime then return primes end
    primes[#primes + 1] = prime
    local rest = Channel()
    invoke(filter, source, rest, prime)
    source = rest
  end
end
