-- From exec to the first request for an event, and the peak of memory by then: the static bootstrap beside a program
-- in C with one socket. Goals: at most twice the floor with Lua loaded, at most 6 MB, ahead of all others.
-- Usage: lua5.4 bench/start.lua
local frame = require "bench.support.frame"
local runtimes = require "bench.support.runtimes"

local event = runtimes.event(64)
local contestants = {}
local function enter(runtime)
  contestants[#contestants + 1] = runtimes.contestant(runtime, 0, event)
end
for _, name in ipairs { "ours", "awsync", "shared", "floor", "floor_lua" } do enter(runtimes[name]) end
for _, peer in ipairs(runtimes.peers) do enter(peer) end
-- A start takes milliseconds: many of them.
local figures = frame.race(contestants, frame.runs * 5)
os.remove(event)

local function rows(runtime, bench, goals)
  local mine = figures[runtime.name]
  local function row(what, key, unit, peer, goal, words)
    frame.row { bench = bench .. what, unit = unit, ours = mine[key], peer = peer and figures[peer.name][key],
      peer_name = peer and peer.name, goal = goal, words = words }
  end
  local memory = { "smaller", "larger" }
  row("", "start", "ms", runtimes.floor_lua, goals and { most = 2 })
  row(": computing", "cpu", "ms", runtimes.floor_lua)
  row(": memory", "memory", "MB", runtimes.floor_lua, goals and { at_most = 6 }, memory)
  if not goals then return end
  row("", "start", "ms", runtimes.floor)
  for _, peer in ipairs(runtimes.peers) do
    row("", "start", "ms", peer, { ahead = true })
    row(": computing", "cpu", "ms", peer)
    row(": memory", "memory", "MB", peer, { ahead = true }, memory)
  end
end
rows(runtimes.ours, "start", true)
rows(runtimes.awsync, "start, handler requires awsync")
rows(runtimes.shared, "start, shared libraries")
frame.finish()
