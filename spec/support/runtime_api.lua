-- A scripted Runtime API for build/bootstrap, and the AWS endpoint of what it starts: one listener on a free loopback
-- port, served by the spec itself, step by step.
local socket = require "socket"

local build = os.getenv "AWSYNC_BUILD" or "build"
local patience = 10 -- seconds; nothing here takes long unless it is broken

local fake = {}
fake.__index = fake

local function write_file(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

local function read_file(path)
  local f = io.open(path, "rb")
  if not f then return nil end
  local text = f:read "a"
  f:close()
  return text
end

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

-- options: files (name -> text), handler, env (name -> value, false removes), arguments,
-- aws (function(request) -> status, body, headers), program
function fake.start(options)
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir -p " .. quote(folder .. "/task")))
  for name, text in pairs(options.files or {}) do
    local sub = name:match "^(.*)/"
    if sub then os.execute("mkdir -p " .. quote(folder .. "/task/" .. sub)) end
    write_file(folder .. "/task/" .. name, text)
  end
  local env = {
    PATH = os.getenv "PATH", HOME = folder,
    ASAN_OPTIONS = os.getenv "ASAN_OPTIONS" or "", UBSAN_OPTIONS = os.getenv "UBSAN_OPTIONS" or "",
    TSAN_OPTIONS = os.getenv "TSAN_OPTIONS" or "",
    AWS_LAMBDA_RUNTIME_API = "127.0.0.1:" .. port, LAMBDA_TASK_ROOT = folder .. "/task",
    _HANDLER = options.handler or "main.main", AWS_ENDPOINT_URL = "http://127.0.0.1:" .. port,
    AWS_REGION = "us-east-1", AWS_ACCESS_KEY_ID = "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY = "secret",
    AWS_MAX_ATTEMPTS = "1", TZ = ":UTC",
  }
  for name, value in pairs(options.env or {}) do env[name] = value or nil end
  local words = {}
  for name, value in pairs(env) do words[#words + 1] = quote(name .. "=" .. value) end
  write_file(folder .. "/start", ([[
for fd in /proc/self/fd/*; do # our sockets are not the program's
  fd=${fd##*/}
  if [ "$fd" -gt 2 ] && [ "$fd" -ne 255 ]; then eval "exec $fd>&-"; fi
done
cd %s || exit 1
env -i %s %s %s >../out 2>../err &
echo $! >../pid
wait $!
echo $? >../status.new && mv ../status.new ../status
]]):format(quote(folder .. "/task"), table.concat(words, " "), quote(options.program or build .. "/bootstrap"),
    options.arguments or ""))
  assert(os.execute("bash " .. quote(folder .. "/start") .. " &"))
  listener:settimeout(0)
  return setmetatable({
    listener = listener, port = port, folder = folder, connections = {}, requests = {}, calls = {}, aws = options.aws,
  }, fake)
end

local function read_request(connection)
  local line = connection:receive "*l"
  if not line then return nil end
  local method, path = line:match "^(%u+) (%S+) HTTP/1%.1$"
  assert(method, "bad request line: " .. line)
  local request = { method = method, path = path, headers = {}, connection = connection }
  for header in function() return connection:receive "*l" end do
    if header == "" then break end
    local name, value = header:match "^([^:]+):%s*(.-)%s*$"
    request.headers[name:lower()] = value
  end
  local length = tonumber(request.headers["content-length"] or 0)
  request.body = length > 0 and assert(connection:receive(length)) or ""
  return request
end

local function reply(request, status, headers, body)
  local lines = { ("HTTP/1.1 %d Status"):format(status), "Content-Length: " .. #(body or "") }
  for name, value in pairs(headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  request.connection:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or ""))
end

function fake.reply(_, ...) reply(...) end

function fake:dispatch(request)
  if request.path:find("^/2018%-06%-01/") then
    self.requests[#self.requests + 1] = request
    return
  end
  self.calls[#self.calls + 1] = request
  local status, body, headers = 400, "{}", {}
  if self.aws then status, body, headers = self.aws(request) end
  reply(request, status, headers, body)
end

function fake:step()
  local watched = { self.listener }
  for c in pairs(self.connections) do watched[#watched + 1] = c end
  for _, ready in ipairs((socket.select(watched, nil, 0.02))) do
    if ready == self.listener then
      local c = ready:accept()
      if c then
        c:settimeout(patience)
        self.connections[c] = true
      end
    else
      local request = read_request(ready)
      if request then
        self:dispatch(request)
      else
        ready:close()
        self.connections[ready] = nil
      end
    end
  end
end

function fake:status()
  return tonumber(read_file(self.folder .. "/status") or nil)
end

-- The next request to the Runtime API, or nil when the program has ended.
function fake:request()
  local deadline = socket.gettime() + patience
  while #self.requests == 0 do
    if self:status() then return nil end
    assert(socket.gettime() < deadline, "no request came; stderr: " .. tostring(self:err()))
    self:step()
  end
  return table.remove(self.requests, 1)
end

-- Gives out one invocation and takes the answer to it. headers: name -> value; headers.id is the request id.
function fake:invoke(event, headers, answer_status, answer_body)
  local id = headers and headers.id or ("id-" .. tostring(math.random(1000000)))
  local get = assert(self:request(), "the program has ended: " .. tostring(self:err()))
  assert(get.method == "GET" and get.path == "/2018-06-01/runtime/invocation/next", get.path)
  local out = { ["Lambda-Runtime-Aws-Request-Id"] = id, ["Content-Type"] = "application/json" }
  for name, value in pairs(headers or {}) do
    if name ~= "id" then out[name] = value or nil end
  end
  reply(get, 200, out, event)
  local post = self:request()
  if not post then return nil end
  assert(post.method == "POST", post.path)
  reply(post, answer_status or 202, {}, answer_body or '{"status":"OK"}')
  post.id, post.kind = post.path:match "^/2018%-06%-01/runtime/invocation/([^/]+)/(%a+)$"
  return post
end

function fake:out() return read_file(self.folder .. "/out") end

function fake:err() return read_file(self.folder .. "/err") end

-- Waits for the program's own end.
function fake:wait()
  local deadline = socket.gettime() + patience
  while not self:status() do
    assert(socket.gettime() < deadline, "the program does not end; stderr: " .. tostring(self:err()))
    if self.listener then self:step() else socket.sleep(0.01) end
  end
  assert(self:status() ~= 99, "a sanitizer has found something; stderr: " .. tostring(self:err()))
  return self:status()
end

-- Ends the Runtime API, so that the program ends, and everything else. Returns its exit status.
function fake:stop()
  local get = self:request()
  if get then reply(get, 500, {}, "") end
  for c in pairs(self.connections) do c:close() end
  self.connections = {}
  self.listener:close()
  self.listener = nil
  local status = self:wait()
  os.execute("rm -rf " .. quote(self.folder))
  return status
end

-- For finally(): kills the program if it is still there.
function fake:clean()
  local pid = read_file(self.folder .. "/pid")
  if pid and not self:status() then os.execute("kill -9 " .. tonumber(pid) .. " 2>/dev/null") end
  if self.listener then self.listener:close() end
  os.execute("rm -rf " .. quote(self.folder))
end

return fake
