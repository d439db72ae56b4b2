-- Servers of SQS for benches: ours, and those of others that `make bench-peers` has installed. Each is a table of
-- { name =, env = (variables by which a client reaches it, for a shell), pid =, close() }.
local frame = require "bench.support.frame"

local servers = {}
local WAIT_S = 60

local identity = "AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIDEXAMPLE " ..
  "AWS_SECRET_ACCESS_KEY=secret AWS_SESSION_TOKEN= "

local function read_file(path)
  local file = io.open(path)
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

--- Runs a command in the background. ready(text) is given what it has printed until it returns something.
--- Returns that, the process id, a function that ends it, and the file that has what it prints.
local function start(command, ready)
  local path = os.tmpname()
  local pid = frame.output(("%s > %s 2>&1 & echo $!"):format(command, path)):match "%d+"
  local until_s = os.time() + WAIT_S
  local found
  repeat
    found = ready(read_file(path))
    if not found then
      assert(os.execute(("kill -0 %s 2> /dev/null"):format(pid)), command .. ": " .. read_file(path))
      os.execute "sleep 0.05"
    end
  until found or os.time() > until_s
  local function close()
    os.execute(("kill %s 2> /dev/null; while kill -0 %s 2> /dev/null; do sleep 0.02; done"):format(pid, pid))
    os.remove(path)
  end
  if not found then
    local text = read_file(path)
    close()
    error(command .. " is not ready: " .. text)
  end
  return found, pid, close, path
end

local function free_port()
  local socket = require "socket"
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  server:close()
  return port
end

local function answers(port)
  return function()
    local client = require("socket").tcp()
    client:settimeout(1)
    local good = client:connect("127.0.0.1", port)
    client:close()
    return good
  end
end

--- `awsync serve` with a program and options.
function servers.ours(program, options)
  local command = ("exec %s/awsync serve %s --quiet %s"):format(frame.build, program or "bench/programs/spawn.lua",
    options or "")
  local text, pid, close = start(command, function(text)
    return text:match "AWS_SESSION_TOKEN=" and text
  end)
  local words = {}
  for name, value in text:gmatch "export (AWS_[%w_]+)=([^\n]*)" do
    words[#words + 1] = name .. "=" .. frame.quote(value)
  end
  return { name = "ours", env = table.concat(words, " ") .. " ", pid = pid, close = close }
end

local function at(name, port, pid, close)
  local env = ("%s AWS_ENDPOINT_URL=http://127.0.0.1:%d "):format(identity, port)
  return { name = name, env = env, pid = pid, close = close }
end

--- libevent's HTTP server with the answers of a folder.
function servers.bare(folder)
  local port, pid, close = start(("exec %s/bench/bare_http %s"):format(frame.build, folder), function(text)
    return text:match "^(%d+)\n"
  end)
  return at("bare libevent", port, pid, close)
end

function servers.moto()
  local port = free_port()
  local _, pid, close = start(("exec %s/bin/moto_server -H 127.0.0.1 -p %d"):format(frame.peer_folder, port),
    answers(port))
  return at("moto", port, pid, close)
end

function servers.elasticmq()
  local port = free_port()
  local settings = ("-Drest-sqs.bind-hostname=127.0.0.1 -Drest-sqs.bind-port=%d -Dnode-address.port=%d " ..
    "-Drest-stats.enabled=false"):format(port, port)
  local _, pid, close = start(("exec java -cp '%s/elasticmq/*' %s org.elasticmq.server.Main"):format(
    frame.peer_folder, settings), answers(port))
  return at("ElasticMQ", port, pid, close)
end

--- A way to a server by which requests are counted: a client with this env goes through bench/tools/sqs_meter.c.
--- taken() returns how many of its requests were about messages (not about the queue) since the last time.
function servers.metered(server)
  local port = server.env:match "AWS_ENDPOINT_URL='?http://127%.0%.0%.1:(%d+)"
  local own, pid, close, path = start(("exec %s/bench/sqs_meter %s"):format(frame.build, port), function(text)
    return text:match "^(%d+)\n"
  end)
  local read = 0
  local function taken()
    local text, count = read_file(path), 0
    for name in text:sub(read + 1):gmatch "(%a+) %d+ %d+\n" do
      if name:find "Message" then count = count + 1 end
    end
    read = #text
    return count
  end
  local env = server.env:gsub("(127%.0%.0%.1:)" .. port, "%1" .. own)
  return { name = server.name, env = env, pid = pid, close = close, taken = taken }
end

return servers
