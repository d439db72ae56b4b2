-- The runtimes that bench/start.lua and bench/invocation.lua set beside each other. Each runs a handler that answers
-- with its event, in the language that it is for, under bench/tools/runtime_meter.c.
local frame = require "bench.support.frame"

local runtimes = {}

local root = frame.output "pwd":match "[^\n]+"
local function path(name)
  return name:match "^/" and name or root .. "/" .. name
end

local lua = { LAMBDA_TASK_ROOT = root .. "/bench/handlers", _HANDLER = "echo.main" }
local awsync = { LAMBDA_TASK_ROOT = root .. "/bench/handlers", _HANDLER = "awsync_echo.main",
  LUA_PATH = path(frame.build) .. "/lua/?.lua" }
local python = { LAMBDA_TASK_ROOT = root .. "/bench/peers/python", PYTHONPATH = root .. "/bench/peers/python",
  PYTHONDONTWRITEBYTECODE = "1" }

runtimes.ours = { name = "ours", command = path(frame.build) .. "/static/bootstrap", environment = lua }
runtimes.shared = { name = "shared", command = path(frame.build) .. "/bootstrap", environment = lua }
runtimes.awsync = { name = "awsync", command = path(frame.build) .. "/static/bootstrap", environment = awsync }
runtimes.floor = { name = "floor", command = path(frame.build) .. "/bench/floor", environment = lua }
runtimes.floor_lua = { name = "floor with Lua", command = path(frame.build) .. "/bench/floor_lua", environment = lua }
runtimes.peers = frame.peers and {
  { name = "aws-lambda-go", command = path(frame.peer_folder) .. "/go/bootstrap", environment = lua },
  { name = "lambda_runtime (Rust)", command = path(frame.peer_folder) .. "/rust/bootstrap", environment = lua },
  { name = "awslambdaric (Python)", command = path(frame.peer_folder) .. "/bin/python",
    arguments = "-m awslambdaric echo.main", environment = python },
} or {}

local meter = path(frame.build) .. "/bench/runtime_meter"
local common = "PATH=/usr/bin:/bin AWS_REGION=eu-west-1 AWS_LAMBDA_FUNCTION_NAME=bench " ..
  "AWS_LAMBDA_FUNCTION_VERSION='$LATEST' AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128 " ..
  "AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret"

--- Starts a runtime and gives it so many events. Returns { start =, cpu = (of the start; milliseconds),
--- answer =, round = (microseconds), memory =, end_memory = (MB) }.
function runtimes.measure(runtime, count, event_path)
  local words = { "env -i", common }
  for name, value in pairs(runtime.environment) do
    words[#words + 1] = name .. "=" .. frame.quote(value)
  end
  words[#words + 1] = ("%s %d %s %s %s"):format(meter, count, event_path, runtime.command, runtime.arguments or "")
  local line = frame.output(table.concat(words, " "))
  local start, cpu, memory, answer, round, end_memory = line:match "^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)"
  assert(start, runtime.name .. ": the meter says " .. line)
  return { start = start / 1e6, cpu = cpu / 1e6, memory = memory / 1024, answer = answer / 1e3,
    round = round / 1e3, end_memory = end_memory / 1024 }
end

--- A contestant for frame.race.
function runtimes.contestant(runtime, count, event_path)
  return { name = runtime.name, run = function() return runtimes.measure(runtime, count, event_path) end }
end

--- Writes an event of so many bytes into a file of its own and returns its path.
function runtimes.event(size)
  local records, length = {}, 2
  local function add(record)
    records[#records + 1] = record
    length = length + #record + (#records > 1 and 1 or 0)
  end
  while length + 100 < size do
    add(('{"id":%d,"name":"square %d","score":%.3f,"done":%s}'):format(#records, #records, #records / 7,
      #records % 2 == 0))
  end
  local rest = size - length - (#records > 0 and 1 or 0) - #'{"id":17,"args":[1,2,3],"text":""}'
  add(('{"id":17,"args":[1,2,3],"text":"%s"}'):format(("x"):rep(rest)))
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  assert(file:write("[", table.concat(records, ","), "]"))
  assert(file:close())
  assert(length == size, "the event's size is wrong")
  return name
end

return runtimes
