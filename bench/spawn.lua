-- N lambdas, each of which pushes one value that the parent pops: the whole process, from its start to its end. Goals:
-- 1,000 in 2 s on two cores; the time for a spawn does not grow with their number.
-- Usage: lua5.4 bench/spawn.lua
local frame = require "bench.support.frame"

local python = frame.peer_folder .. "/bin/python"
local counts = { 10, 100, 1000, 10000 }

local function timed(command)
  local began = frame.now_ms()
  local text = frame.output(command .. " 2> /dev/null")
  return frame.now_ms() - began, text
end

local contestants = {}
local function enter(name, n, command, runs)
  contestants[#contestants + 1] = { name = name .. n, runs = runs, run = function()
    local ms, text = timed(command:format(n))
    assert(text:find(("%d"):format(n * (n + 1) // 2), 1, true), command:format(n) .. " says " .. text)
    return { ms = ms, each = ms / n }
  end }
end

-- Its folders are made in HOME and TMPDIR.
local home = frame.peer_folder .. "/home"
local lithops = ("mkdir -p %s && HOME=$PWD/%s TMPDIR=$PWD/%s %s bench/programs/spawn.py lithops %%d"):format(home, home,
  home, python)

-- A peer takes part up to the number that it does in half a minute or so.
local peers = frame.peers and {
  { name = "multiprocessing, a process each", most = 1000, command = python .. " bench/programs/spawn.py process %d" },
  { name = "multiprocessing.Pool", most = 10000, command = python .. " bench/programs/spawn.py pool %d" },
  { name = "Lithops on localhost", most = 10, command = lithops },
  { name = "Lithops on localhost, one run", least = 100, most = 100, command = lithops, runs = 1 },
} or {}

local function takes_part(peer, n)
  return n <= peer.most and n >= (peer.least or 0)
end

for _, n in ipairs(counts) do
  enter("ours", n, frame.build .. "/awsync run bench/programs/spawn.lua --quiet --timeout 300 --event '{\"n\":%d}'")
  for _, peer in ipairs(peers) do
    if takes_part(peer, n) then enter(peer.name, n, peer.command, peer.runs) end
  end
end
local figures = frame.race(contestants)

for _, n in ipairs(counts) do
  local bench = ("spawn %d"):format(n)
  frame.row { bench = bench, unit = "ms", ours = figures["ours" .. n].ms,
    goal = n == 1000 and { at_most = 2000 } or nil }
  for _, peer in ipairs(peers) do
    if takes_part(peer, n) then
      frame.row { bench = bench, unit = "ms", ours = figures["ours" .. n].ms, peer = figures[peer.name .. n].ms,
        peer_name = peer.name }
    end
  end
end
frame.row { bench = "spawn 10000: time for each", unit = "ms", ours = figures.ours10000.each,
  peer = figures.ours1000.each, peer_name = "of 1000", goal = { most = 1.25 } }
frame.finish()
