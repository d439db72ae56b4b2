-- One value through an SQS server, pushed and popped by one process: awsync in a plain Lua interpreter, boto3 with a
-- new client for each call and one message at a time (as the program does it that awsync replaces), and boto3 with one
-- client; on our engine, on moto and on ElasticMQ. Goal: at least 50 times the first of the two, on the same server.
-- Beside them a client that costs nothing: requests of `sqs_load` are signed before its clock runs, each has ten
-- messages, and they go one after the other. What it takes is the server's own time, and no client that has a message
-- for each value can be much quicker. A stream, which has one message for many values, is a row of its own.
-- Requests for a value are counted in runs of their own, which go through a proxy (bench/tools/sqs_meter.c).
-- On moto all have the same few values, because its time for a message grows with the messages that wait, and the
-- channel has no order: a long poll of it that began while a message group was locked does not see the group's
-- release, and ends after its 20 seconds.
-- Usage: lua5.4 bench/push_pop.lua
local frame = require "bench.support.frame"
local servers = require "bench.support.servers"

local FRESH, ONE, FLOOR = "boto3, a client for each call", "boto3, one client", "bare client, batches of ten"
local STREAM = 1000
local VALUES = { -- how many each has
  ours = { ours = 1000, [FRESH] = 20, [ONE] = 50, [FLOOR] = 1000 },
  moto = { ours = 20, [FRESH] = 20, [ONE] = 20, [FLOOR] = 20, form = "unordered" },
  ElasticMQ = { ours = 1000, [FRESH] = 20, [ONE] = 50, [FLOOR] = 1000 },
}
local WARM_VALUES, WARM_RUNS = 5000, 3 -- a virtual machine compiles what it has run for a while

local lua = ("LUA_PATH='%s/lua/?.lua;;' LUA_CPATH='%s/lua/?.so;;' lua5.4 bench/programs/push_pop.lua %%d %%s"):format(
  frame.build, frame.build)
local python = frame.peer_folder .. "/bin/python bench/programs/push_pop.py %s %%d"
local load = frame.build .. "/bench/sqs_load bench-%d.fifo values %d 10 %s"

local open = {}
local function use(server)
  open[#open + 1] = server
  return server
end

local function milliseconds(server, command, count, form)
  return tonumber(frame.output(server.env .. command:format(count, form or ""))) / count
end

local queues = 0
local function floor(server, count)
  queues = queues + 1
  local text = frame.output(server.env .. load:format(queues, count, server.pid))
  local figures = {}
  for name, ms, processor in text:gmatch "(%a+) %d+ ([%d.]+) ([%d.]+)" do
    figures[name], figures[name .. " processor"] = tonumber(ms), tonumber(processor)
  end
  figures.ms = figures.value
  return figures
end

-- What takes part on a server: { name =, command =, form =, count = }.
local function programs(server)
  local values = VALUES[server.name]
  local list = { { name = "ours", command = lua, form = values.form, count = values.ours } }
  if frame.peers then
    list[2] = { name = FRESH, command = python:format "fresh", count = values[FRESH] }
    list[3] = { name = ONE, command = python:format "one", count = values[ONE] }
  end
  return list
end

-- Ours depend on how many messages wait when a receive arrives; the peers' are the same each time.
local function count_requests(server, list)
  local meter <close> = setmetatable(servers.metered(server), { __close = function(meter) meter.close() end })
  local each = {}
  for _, program in ipairs(list) do
    local counts = {}
    for run = 1, program.name == "ours" and frame.runs or 1 do
      milliseconds(meter, program.command, program.count, program.form)
      counts[run] = meter.taken() / program.count
    end
    each[program.name] = frame.figure(counts)
  end
  return each
end

local function measure(server)
  local list, contestants = programs(server), {}
  for i, program in ipairs(list) do
    contestants[i] = { name = program.name, run = function()
      return { ms = milliseconds(server, program.command, program.count, program.form) }
    end }
  end
  contestants[#contestants + 1] = { name = FLOOR, run = function()
    return floor(server, VALUES[server.name][FLOOR])
  end }
  contestants[#contestants + 1] = { name = "stream", run = function()
    return { ms = milliseconds(server, lua, STREAM, "stream") }
  end }
  if server.name == "ElasticMQ" then
    for _ = 1, WARM_RUNS do milliseconds(server, lua, WARM_VALUES) end
  end
  for _, contestant in ipairs(contestants) do contestant.run() end
  return frame.race(contestants), count_requests(server, list)
end

local function report(server)
  local figures, requests = measure(server)
  local place = server.name == "ours" and "our engine" or server.name
  local form = VALUES[server.name].form
  local title = ("push and pop on %s%s"):format(place, form and ", " .. form or "")
  local function row(name, ours, peer, goal)
    frame.row { bench = name, unit = "ms", ours = figures[ours].ms, peer = peer and figures[peer].ms, peer_name = peer,
      goal = goal }
  end
  if frame.peers then
    row(title, "ours", FRESH, { least = 50 })
    row(title, "ours", ONE, { ahead = true })
  end
  row(title, "ours", FLOOR)
  row(("push and pop on %s, stream"):format(place), "stream", frame.peers and FRESH or nil)
  local function requests_row(peer)
    frame.row { bench = title .. ": requests for a value", unit = "requests", words = { "fewer", "more" },
      ours = requests.ours, peer = peer and requests[peer], peer_name = peer }
  end
  requests_row(frame.peers and FRESH or nil)
  if frame.peers then requests_row(ONE) end
  for _, name in ipairs { "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "value" } do
    frame.note("%s, bare client: %s %.3f ms, of the server's processors %.3f ms", place, name,
      figures[FLOOR][name].median, figures[FLOOR][name .. " processor"].median)
  end
end

local function bench()
  report(use(servers.ours()))
  if frame.peers then
    report(use(servers.moto()))
    report(use(servers.elasticmq()))
  end
end

local good, problem = xpcall(bench, debug.traceback)
for _, server in ipairs(open) do server.close() end
if not good then error(problem, 0) end
frame.finish()
