-- Sameer Ajmani's ping-pong: two lambdas hit a ball over one court, a channel without room, until it is taken off.
-- Event: {"seconds": 0.5}. Answer: how often each of them has hit, and whether the hits alternated:
-- {"alternate":true,"hits":{"ping":35,"pong":35}}
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function player(name, court, ready)
  ready:push(name)
  for ball in court:range() do
    ball[#ball + 1] = name
    court:push(ball) -- waits until the ball is taken: by the other one
  end
end

function main(event)
  local court <close> = Channel { capacity = 0 }
  local ready <close> = Channel()
  invoke(player, "ping", court, ready)
  invoke(player, "pong", court, ready)
  for _ = 1, 2 do ready:pop() end
  court:push {} -- game on
  awsync.sleep(event.seconds or 0.5)
  local ball = court:pop() -- game over
  court:close()

  local hits, alternate = { ping = 0, pong = 0 }, true
  for i, name in ipairs(ball) do
    hits[name] = hits[name] + 1
    alternate = alternate and name ~= ball[i - 1]
  end
  return { hits = hits, alternate = alternate }
end
