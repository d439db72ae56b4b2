-- The child of http_server.lua: an HTTP server whose answers are given by a Lua function. Ends when its parent does.
-- Usage: lua http_child.lua CONTROL_PORT
local socket = require "socket"
local cjson = require "cjson"

local control = assert(socket.connect("127.0.0.1", tonumber(arg[1])))
local length = tonumber(assert(control:receive("*l")))
local handler = assert(load(assert(control:receive(length)), "=handler", "b"))
local listener = assert(socket.bind("127.0.0.1", 0, 512))
local _, port = listener:getsockname()
assert(control:send(port .. "\n"))
control:settimeout(0)
listener:settimeout(0)

local log, state = {}, {}
local connections, now, most = 0, 0, 0
local reading, sleeping = {}, {} -- socket -> coroutine; list of { until, coroutine }

local function sleep(seconds)
  coroutine.yield("sleep", socket.gettime() + seconds)
end

-- Reads a line or a number of bytes; nil when the other side has left.
local function receive(connection, what)
  local part = ""
  while true do
    local text, err, left = connection:receive(what, part)
    if text then
      return text
    elseif err ~= "timeout" then
      return nil
    end
    part = left
    coroutine.yield("read")
  end
end

local function send(connection, text)
  local at = 1
  while at <= #text do
    local sent, err, last = connection:send(text, at)
    if not sent and err ~= "timeout" then
      return false
    end
    at = (sent or last) + 1
    if not sent then
      sleep(0.001)
    end
  end
  return true
end

local function read_request(connection, number)
  local line = receive(connection, "*l")
  if not line then
    return nil
  end
  local request = { headers = {}, connection = number, at = socket.gettime() }
  request.method, request.target = line:match("^(%S+) (%S+) HTTP/1%.1$")
  for header in function() return receive(connection, "*l") end do
    if header == "" then
      break
    end
    local name, value = header:match("^(.-):%s*(.-)%s*$")
    request.headers[name:lower()] = value
  end
  local size = tonumber(request.headers["content-length"]) or 0
  request.body = size > 0 and receive(connection, size) or ""
  return request.body and request
end

-- Sends an answer. False: the connection is not to be used again.
local function answer(connection, response)
  if response.delay then
    sleep(response.delay)
  end
  local action = response.action
  if action == "hang" then
    sleep(1000)
  elseif action == "reset" then
    connection:setoption("linger", { on = true, timeout = 0 })
    return false
  elseif action == "close" then
    return false
  end
  local body = response.body or "{}"
  local lines = { ("HTTP/1.1 %d Status"):format(response.status or 200) }
  for name, value in pairs(response.headers or {}) do
    lines[#lines + 1] = name .. ": " .. value
  end
  lines[#lines + 1] = "Content-Length: " .. #body
  local head = table.concat(lines, "\r\n") .. "\r\n\r\n"
  if action == "partial" then
    send(connection, head .. body:sub(1, #body // 2))
    return false
  end
  return send(connection, head .. body) and action ~= "answer_close"
end

local function serve(connection, number)
  local request = read_request(connection, number)
  while request do
    log[#log + 1] = request
    request.number = #log
    now = now + 1
    most = math.max(most, now)
    local ok = answer(connection, handler(request, state) or {})
    now = now - 1
    if not ok then
      break
    end
    request = read_request(connection, number)
  end
  connection:close()
end

local function resume(thread, connection)
  local ok, why, time = coroutine.resume(thread)
  if not ok then
    io.stderr:write("fake server: ", debug.traceback(thread, why), "\n")
    connection:close()
  elseif why == "read" then
    reading[connection] = thread
  elseif why == "sleep" then
    sleeping[#sleeping + 1] = { time = time, thread = thread, connection = connection }
  end
end

local function accept()
  for connection in function() return listener:accept() end do
    connections = connections + 1
    connection:settimeout(0)
    connection:setoption("tcp-nodelay", true)
    local number = connections
    resume(coroutine.create(function() serve(connection, number) end), connection)
  end
end

local function wake()
  local due, later, time = {}, {}, socket.gettime()
  for _, entry in ipairs(sleeping) do
    table.insert(entry.time <= time and due or later, entry)
  end
  sleeping = later
  for _, entry in ipairs(due) do
    resume(entry.thread, entry.connection)
  end
  local wait = 10
  for _, entry in ipairs(sleeping) do
    wait = math.min(wait, entry.time - time)
  end
  return math.max(wait, 0)
end

local function command()
  local line, err = control:receive("*l")
  if line == "log" then
    control:send(cjson.encode {
      requests = log, connections = connections, most = most, state = state } .. "\n")
  elseif err ~= "timeout" then
    os.exit(0, true)
  end
end

while true do
  local wait = wake()
  local sockets = { control, listener }
  for connection in pairs(reading) do
    sockets[#sockets + 1] = connection
  end
  for _, ready in ipairs((socket.select(sockets, nil, wait))) do
    if ready == control then
      command()
    elseif ready == listener then
      accept()
    else
      local thread = reading[ready]
      reading[ready] = nil
      resume(thread, ready)
    end
  end
end
