-- A worker for the engine's specs: a custom runtime in plain Lua. Events say what it does;
-- the variable FAKE_INIT says what its init does.
local socket = require "socket"
local cjson = require "cjson"

local host, port = assert(os.getenv "AWS_LAMBDA_RUNTIME_API"):match "^(.*):(%d+)$"
local connection
io.stdout:setvbuf "line"

local function send(method, path, body, headers)
  if not connection then
    connection = assert(socket.connect(host, tonumber(port)))
  end
  local lines = { method .. " /2018-06-01/runtime/" .. path .. " HTTP/1.1", "Host: " .. host .. ":" .. port }
  for name, value in pairs(headers or {}) do
    lines[#lines + 1] = name .. ": " .. value
  end
  if body then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  assert(connection:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")))
end

local function call(method, path, body, headers)
  send(method, path, body, headers)
  local status = tonumber(assert(connection:receive "*l"):match " (%d+)")
  local got = {}
  for line in function() return connection:receive "*l" end do
    if line == "" then break end
    local name, value = line:match "^([^:]+):%s*(.*)$"
    got[name:lower()] = value
  end
  local length = tonumber(got["content-length"] or 0)
  local text = length > 0 and assert(connection:receive(length)) or ""
  if (got.connection or ""):lower() == "close" then
    connection:close()
    connection = nil
  end
  return status, text, got
end

local function pid()
  local file <close> = assert(io.open "/proc/self/stat")
  return file:read "n"
end

local actions = {}

function actions.echo(event)
  return cjson.encode(event)
end

-- What the worker sees of its world.
function actions.info(_, headers)
  local environment = {}
  local environ <close> = assert(io.open "/proc/self/environ")
  for assignment in environ:read("a"):gmatch "[^%z]+" do
    local name, value = assignment:match "^([^=]+)=(.*)$"
    environment[name] = value
  end
  local files = {}
  local listing <close> = assert(io.popen("ls -l /proc/" .. pid() .. "/fd"))
  for name in listing:lines() do
    files[#files + 1] = name:match "(%d+ %-> .*)$"
  end
  local directory <close> = assert(io.popen "pwd")
  local stat <close> = assert(io.open "/proc/self/stat")
  return cjson.encode {
    pid = pid(), environment = environment, headers = headers, files = files, directory = directory:read "l",
    group = tonumber(stat:read("a"):match "%) %a %d+ (%d+)"),
  }
end

actions["nothing"] = function() return "" end

function actions.print(event)
  for _, line in ipairs(event.lines) do
    print(line)
  end
  io.stderr:write(event.rest or "")
  return "null"
end

function actions.error(event, _, id)
  call("POST", "invocation/" .. id .. "/error", cjson.encode { errorMessage = event.message, errorType = "Mine" },
    { ["Lambda-Runtime-Function-Error-Type"] = "Function.Mine" })
end

function actions.exit(event)
  os.exit(event.code)
end

function actions.kill(event)
  os.execute("kill -" .. event.signal .. " " .. pid())
  socket.sleep(5)
end

function actions.hang(event)
  socket.sleep(event.seconds)
  return cjson.encode(event)
end

-- A child of its own that must not outlive it.
function actions.child(event)
  os.execute("sleep 77.125 & echo child $!")
  if event.exit then os.exit(0) end
  return "null"
end

function actions.eat(event)
  local eaten = ("x"):rep(event.mb * 1024 * 1024)
  socket.sleep(event.seconds or 5)
  return #eaten > 0 and "null"
end

function actions.twice(_, headers, id)
  local echo = { ["Lambda-Runtime-Invocation-Id"] = headers["lambda-runtime-invocation-id"] }
  local first = call("POST", "invocation/" .. id .. "/response", '"first"', echo)
  local second, text = call("POST", "invocation/" .. id .. "/response", '"second"', echo)
  local third = call("POST", "invocation/" .. id .. "/error", "{}", echo)
  print(first, second, third, text)
end

function actions.strangers(_, _, id)
  print(call("POST", "invocation/no-such-id/response", "1"), (call("GET", "invocation/next")),
    (call("POST", "init/error", "{}")), (call("GET", "nothing")),
    (call("POST", "invocation/" .. id .. "/response", "1", { ["Lambda-Runtime-Invocation-Id"] = "another" })),
    (call("POST", "invocation/" .. id .. "/response", "1", { ["Lambda-Runtime-Function-Response-Mode"] = "odd" })))
  return "true"
end

function actions.big(event, _, id)
  print((call("POST", "invocation/" .. id .. "/response", '"' .. ("x"):rep(event.bytes - 2) .. '"')))
end

-- Answers and is gone: the answer has to count.
function actions.last(event, _, id)
  send("POST", "invocation/" .. id .. "/response", '"' .. ("x"):rep(event.bytes) .. '"')
  os.exit(0)
end

local init, figure = (os.getenv "FAKE_INIT" or ""):match "^(%a*):?(.*)$"
if init == "error" then
  call("POST", "init/error", '{"errorMessage":"no handler","errorType":"Runtime.NoHandler"}',
    { ["Lambda-Runtime-Function-Error-Type"] = "Runtime.NoHandler" })
  os.exit(1)
elseif init == "exit" then
  io.stderr:write "last words of an init\n"
  os.exit(tonumber(figure))
elseif init == "sleep" then
  socket.sleep(tonumber(figure))
end

while true do
  local _, text, headers = call("GET", "invocation/next")
  local id = headers["lambda-runtime-aws-request-id"]
  local event = cjson.decode(text)
  local action = type(event) == "table" and event.act and actions[event.act] or actions.echo
  local answer = action(event, headers, id)
  if answer then
    call("POST", "invocation/" .. id .. "/response", answer)
  end
end
