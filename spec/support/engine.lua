-- An engine for a spec, and a small signing client that speaks to it as AWS's own clients do.
local probe = require "probe.engine"
local socket = require "socket"
local cjson = require "cjson"

local M = {}
local Engine = {}
Engine.__index = Engine

local here = os.getenv "PWD"
local running = {}

--- Starts an engine; the function is spec/support/fake_bootstrap.lua unless the options say otherwise.
function M.start(options)
  local all = {
    function_name = "fake", command = { "lua5.4", here .. "/spec/support/fake_bootstrap.lua" }, task_root = here,
    handler = "main.main", timeout_s = 10,
  }
  for name, value in pairs(options or {}) do
    all[name] = value or nil
  end
  local handle, message = probe.start(all)
  if not handle then
    return nil, message
  end
  local self = setmetatable({ handle = handle, lines = {} }, Engine)
  self.endpoint, self.port, self.key, self.secret, self.region = handle:facts()
  running[self] = true
  return self
end

--- Stops every engine that is still running: for after_each.
function M.stop_all()
  for engine in pairs(running) do
    engine:stop()
  end
end

function Engine:stop()
  running[self] = nil
  self.handle:stop()
end

function Engine:figures()
  return self.handle:figures()
end

function Engine:wait_idle(seconds)
  return self.handle:wait_idle(math.floor((seconds or 10) * 1000))
end

--- All lines logged so far, each { text, platform =, id = }.
function Engine:log()
  for text, platform, id in function() return self.handle:line() end do
    self.lines[#self.lines + 1] = { text, platform = platform, id = id }
  end
  return self.lines
end

--- Waits until a line matches; returns the match.
function Engine:await_line(pattern, seconds)
  local last = socket.gettime() + (seconds or 5)
  repeat
    for _, line in ipairs(self:log()) do
      local found = line[1]:match(pattern)
      if found then
        return found
      end
    end
    socket.sleep(0.01)
  until socket.gettime() > last
  return nil
end

--- Sends a signed request, leaves the answer for receive. how: method, target, body, headers, service, and what may
--- be wrong: key, secret, token, region, age (seconds), unsigned, authorization.
function Engine:send(how)
  local headers = { { "Host", "127.0.0.1:" .. self.port } }
  for name, value in pairs(how.headers or {}) do
    headers[#headers + 1] = { name, value }
  end
  local body = how.body or ""
  if how.token then
    headers[#headers + 1] = { "X-Amz-Security-Token", how.token }
  end
  if not how.unsigned then
    local date, authorization = probe.sign {
      method = how.method or "POST", target = how.target, body = body, headers = headers,
      key = how.key or self.key, secret = how.secret or self.secret, token = how.token,
      region = how.region or self.region, service = how.service,
      wall_ms = math.floor((socket.gettime() - (how.age or 0)) * 1000),
    }
    headers[#headers + 1] = { "X-Amz-Date", date }
    headers[#headers + 1] = { "Authorization", how.authorization or authorization }
  end
  headers[#headers + 1] = { "Content-Length", #body }
  local lines = { (how.method or "POST") .. " " .. how.target .. " HTTP/1.1" }
  for _, pair in ipairs(headers) do
    lines[#lines + 1] = pair[1] .. ": " .. pair[2]
  end
  local connection = how.connection or assert(socket.connect("127.0.0.1", self.port))
  assert(connection:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body))
  return connection
end

--- Reads an answer: { status =, headers = (lower case), body =, json = }.
function M.receive(connection, timeout)
  connection:settimeout(timeout or 20)
  local first = assert(connection:receive "*l")
  local answer = { status = tonumber(first:match " (%d+)"), headers = {} }
  for line in function() return connection:receive "*l" end do
    if line == "" then break end
    local name, value = line:match "^([^:]+):%s*(.*)$"
    answer.headers[name:lower()] = value
  end
  local length = tonumber(answer.headers["content-length"] or 0)
  answer.body = length > 0 and assert(connection:receive(length)) or ""
  local good, value = pcall(cjson.decode, answer.body)
  answer.json = good and value or nil
  return answer
end

function Engine:request(how)
  local connection = self:send(how)
  local answer = M.receive(connection)
  if not how.connection then
    connection:close()
  end
  return answer
end

local function invocation(event, how)
  how = how or {}
  how.service = "lambda"
  how.target = how.target or ("/2015-03-31/functions/" .. (how.name or "fake") .. "/invocations" .. (how.query or ""))
  how.body = type(event) == "table" and cjson.encode(event) or event
  how.headers = how.headers or {}
  how.headers["X-Amz-Invocation-Type"] = how.type
  how.headers["X-Amz-Log-Type"] = how.tail and "Tail" or how.headers["X-Amz-Log-Type"]
  return how
end

--- Invokes the function and returns the answer; how.type, how.tail, how.name, how.query besides those of send.
function Engine:invoke(event, how)
  return self:request(invocation(event, how))
end

--- Begins an invocation; M.receive(connection) has its answer.
function Engine:begin(event, how)
  return self:send(invocation(event, how))
end

function Engine:sqs(operation, input, how)
  how = how or {}
  how.service = how.service or "sqs"
  how.target = "/"
  how.body = cjson.encode(input)
  if how.body == "[]" then how.body = "{}" end
  how.headers = { ["X-Amz-Target"] = "AmazonSQS." .. operation, ["Content-Type"] = "application/x-amz-json-1.0" }
  return self:request(how)
end

function M.unbase64(text)
  return (require("mime").unb64(text))
end

--- Is there a process of that number? Zombies count.
function M.alive(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if file then
    file:close()
  end
  return file ~= nil
end

--- Waits until condition() is true; false after seconds.
function M.eventually(condition, seconds)
  local last = socket.gettime() + (seconds or 5)
  while not condition() do
    if socket.gettime() > last then
      return false
    end
    socket.sleep(0.01)
  end
  return true
end

return M
