-- 1,000 asynchronous calls, each of which takes the server 50 ms to accept, until all are accepted. Goal: at most 1 s.
-- Ours is the duration of a `main` that makes the calls; boto3's clock runs from the first call to the last. One worker
-- serves the calls, so that it is the calling that is measured.
-- Usage: lua5.4 bench/invoke.lua
local frame = require "bench.support.frame"
local servers = require "bench.support.servers"

local COUNT, SLOW_COUNT = 1000, 100
local FAULT = "--concurrency 1 --fault delay=1:50ms,only=Invoke"

local contestants = { { name = "ours", run = function()
  local log = frame.output(("%s/awsync run bench/programs/invoke.lua --event '{\"n\":%d}' %s 2>&1"):format(frame.build,
    COUNT, FAULT))
  local ms = log:match "REPORT[^\n]-Duration: ([%d.]+) ms" -- the first is main's
  return { ms = assert(tonumber(ms), log) }
end } }

local function boto3(name, count, threads)
  contestants[#contestants + 1] = { name = name, run = function()
    local server = servers.ours("bench/programs/invoke.lua", FAULT)
    local good, text = pcall(frame.output, ("%s %s/bin/python bench/programs/invoke.py invoke %d %d"):format(server.env,
      frame.peer_folder, count, threads))
    server.close()
    assert(good, text)
    return { ms = tonumber(text) * COUNT / count }
  end }
end
if frame.peers then
  boto3("boto3 in 64 threads", COUNT, 64)
  boto3("boto3, one after the other (100, times ten)", SLOW_COUNT, 1)
end

local figures = frame.race(contestants)
frame.row { bench = "invoke 1000 at 50 ms each", unit = "ms", ours = figures.ours.ms, goal = { at_most = 1000 } }
for i = 2, #contestants do
  local name = contestants[i].name
  frame.row { bench = "invoke 1000 at 50 ms each", unit = "ms", ours = figures.ours.ms, peer = figures[name].ms,
    peer_name = name, goal = { ahead = true } }
end
frame.finish()
