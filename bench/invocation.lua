-- From the first byte of an event to the last byte of its answer, warm, with a handler that answers with its event; a
-- round also has the acknowledgement and the request for the next event. Goals: at most 1.25 times the floor in C at
-- 64 bytes (which neither reads nor writes JSON), ahead of all others.
-- Usage: lua5.4 bench/invocation.lua
local frame = require "bench.support.frame"
local runtimes = require "bench.support.runtimes"

for _, size in ipairs { { 64, "64 B", 2000, { most = 1.25 } }, { 102400, "100 KB", 200 } } do
  local bytes, name, count, goal = table.unpack(size)
  local event = runtimes.event(bytes)
  local contestants = {}
  local function enter(runtime)
    contestants[#contestants + 1] = runtimes.contestant(runtime, count, event)
  end
  for _, runtime in ipairs { "awsync", "floor" } do enter(runtimes[runtime]) end
  for _, peer in ipairs(runtimes.peers) do enter(peer) end
  local figures = frame.race(contestants)
  os.remove(event)
  local function row(what, key, peer, wanted)
    frame.row { bench = ("invocation, %s%s"):format(name, what), unit = "us", ours = figures.awsync[key],
      peer = figures[peer.name][key], peer_name = peer.name, goal = wanted }
  end
  row("", "answer", runtimes.floor, goal)
  row(": round", "round", runtimes.floor)
  for _, peer in ipairs(runtimes.peers) do
    row("", "answer", peer, { ahead = true })
    row(": round", "round", peer, { ahead = true })
  end
end
frame.finish()
