-- One value through an SQS server, pushed and popped by one process: awsync in a plain Lua interpreter, boto3 with a
-- new client for each call and one message at a time (as the program does it that awsync replaces), and boto3 with one
-- client; on our engine, on moto and on ElasticMQ. Goal: at least 50 times the former, on the same server.
-- moto gets a channel without order: a long poll of it that began while a message group was locked does not see the
-- group's release, and ends after its 20 seconds.
-- Usage: lua5.4 bench/push_pop.lua
local frame = require "bench.support.frame"
local servers = require "bench.support.servers"

local COUNT = { ours = 1000, moto = 50, ElasticMQ = 1000 }
local FRESH, ONE = "boto3, a client for each call", "boto3, one client"
local lua = ("LUA_PATH='%s/lua/?.lua;;' LUA_CPATH='%s/lua/?.so;;' lua5.4 bench/programs/push_pop.lua %%d %%s"):format(
  frame.build, frame.build)
local python = frame.peer_folder .. "/bin/python bench/programs/push_pop.py %s %%d"

local open = {}
local function use(server)
  open[#open + 1] = server
  return server
end

local function enter(contestants, name, server, command, count)
  contestants[#contestants + 1] = { name = name, run = function()
    local form = server.name == "moto" and "unordered" or ""
    return { ms = tonumber(frame.output(server.env .. command:format(count, form))) / count }
  end }
end

local function bench()
  local list = { use(servers.ours()) }
  if frame.peers then
    list[2], list[3] = use(servers.moto()), use(servers.elasticmq())
  end
  for _, server in ipairs(list) do
    local contestants = {}
    enter(contestants, "ours", server, lua, COUNT[server.name])
    if frame.peers then
      enter(contestants, FRESH, server, python:format "fresh", 20)
      enter(contestants, ONE, server, python:format "one", 50)
    end
    -- A virtual machine compiles what it has run for a while.
    if server.name ~= "ours" then for _, contestant in ipairs(contestants) do contestant.run() end end
    local figures = frame.race(contestants)
    local function row(peer, goal)
      frame.row { bench = "push and pop on " .. (server.name == "ours" and "our engine" or server.name), unit = "ms",
        ours = figures.ours.ms, peer = peer and figures[peer].ms, peer_name = peer, goal = goal }
    end
    if frame.peers then
      row(FRESH, { least = 50 })
      row(ONE, { ahead = true })
    else
      row()
    end
  end
end

local good, problem = xpcall(bench, debug.traceback)
for _, server in ipairs(open) do server.close() end
if not good then error(problem, 0) end
frame.finish()
