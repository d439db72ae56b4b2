-- The engine's SendMessage, ReceiveMessage and DeleteMessage, signatures verified, from 1 and from 64 connections, on
-- an empty queue and on one where a million messages wait. The floor is libevent's HTTP server answering the same
-- bytes without looking at the request. Goals: at least 70 % of the floor; the million costs nothing (within 20 %).
-- Usage: lua5.4 bench/engine.lua [SECONDS of sending in each run]; BENCH_BACKLOG: messages that wait (1000000).
local frame = require "bench.support.frame"
local servers = require "bench.support.servers"

local WARM_S = 5 -- a virtual machine compiles what it has run for a while
local seconds = tonumber(arg[1]) or 0.3
local backlog = tonumber(os.getenv "BENCH_BACKLOG") or 1000000
local load = frame.build .. "/bench/sqs_load"
local operations = { "SendMessage", "ReceiveMessage", "DeleteMessage" }

local open = {}
local function use(server)
  open[#open + 1] = server
  return server
end

-- Calls per second by operation, and the server's processor time for a call as NAME .. " time".
local function measure(server, connections, folder, sending)
  local text = frame.output(("%s %s bench %d %g %s %s"):format(server.env, load, connections,
    sending or seconds, server.pid, folder or ""))
  local found = {}
  for name, number, us in text:gmatch "(%a+) ([%d.]+) ([%d.]+)" do
    found[name], found[name .. " time"] = tonumber(number), tonumber(us)
  end
  return found
end

local function bench()
  local empty, full = use(servers.ours()), use(servers.ours())
  local folder = frame.output "mktemp -d":match "[^\n]+"
  measure(empty, 1, folder)
  local bare = use(servers.bare(folder))
  os.execute("rm -r " .. folder)
  local filled = frame.output(("%s %s bench fill %d"):format(full.env, load, backlog))
  frame.note("%d messages wait, sent at %s batches of ten a second", backlog, filled:match "[%d.]+")

  local peers = frame.peers and { use(servers.moto()), use(servers.elasticmq()) } or {}
  for _, peer in ipairs(peers) do measure(peer, 64, nil, WARM_S) end
  for _, connections in ipairs { 1, 64 } do
    local contestants = {}
    local function enter(name, server)
      contestants[#contestants + 1] = { name = name, run = function() return measure(server, connections) end }
    end
    enter("bare libevent", bare)
    enter("empty", empty)
    enter("full", full)
    for _, peer in ipairs(peers) do enter(peer.name, peer) end
    local figures = frame.race(contestants)
    for _, operation in ipairs(operations) do
      local function time_row(what, ours, peer, goal)
        frame.row { bench = operation .. what .. ": processor time of the server", unit = "us",
          ours = figures[ours][operation .. " time"], peer = figures[peer][operation .. " time"],
          peer_name = peer == "empty" and "empty queue" or peer, goal = goal }
      end
      local function row(what, ours, peer, goal)
        local at = connections > 1 and connections .. " connections" or "1 connection"
        frame.row { bench = ("%s, %s%s"):format(operation, at, what), unit = "/s", better = "more",
          ours = figures[ours][operation], peer = figures[peer][operation],
          peer_name = peer == "empty" and "empty queue" or peer, goal = goal }
      end
      row("", "empty", "bare libevent", { least = 0.7 })
      if connections > 1 then
        time_row("", "empty", "bare libevent", { most = 1 / 0.7 })
      end
      row(", a million waiting", "full", "empty", { least = 0.8 })
      if connections > 1 then time_row(", a million waiting", "full", "empty", { most = 1 / 0.8 }) end
      for _, peer in ipairs(peers) do row("", "empty", peer.name, { ahead = true }) end
    end
  end
end

local good, problem = xpcall(bench, debug.traceback)
for _, server in ipairs(open) do server.close() end
if not good then error(problem, 0) end
frame.finish()
