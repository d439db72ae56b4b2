-- A fake Lambda, IAM and CloudWatch Logs for the command line: an HTTP server with scripted answers, and the variables
-- by which `awsync` finds it.
local http_server = require "spec.support.http_server"
local shell = require "spec.support.shell"

local fake = {}

fake.secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
fake.key = ("5e"):rep(32)

--- Starts a server; handler as in http_server. Returns the server and a function that runs `awsync` with it:
--- run(words, environment) -> stdout, stderr, status.
function fake.start(handler, folder)
  local server = http_server.start(handler)
  return server, function(words, environment)
    return shell.run(("cd %s && env -i PATH=/usr/bin:/bin HOME=/nonexistent AWS_ENDPOINT_URL=%s AWS_REGION=eu-west-1 "
      .. "AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=%s AWS_EC2_METADATA_DISABLED=true AWSYNC_KEY=%s "
      .. "AWS_MAX_ATTEMPTS=1 ASAN_OPTIONS='%s' TSAN_OPTIONS='%s' %s %s %s"):format(
      shell.quote(folder or "."), server.url, fake.secret, fake.key, os.getenv "ASAN_OPTIONS" or "",
      os.getenv "TSAN_OPTIONS" or "", environment or "", shell.quote(shell.awsync), words), 60)
  end
end

--- What was asked, as a list of "METHOD /path" and, for IAM and Logs, the action.
function fake.calls(server)
  local calls, requests = {}, server:log().requests
  for i, request in ipairs(requests) do
    local target = request.headers["x-amz-target"]
    local action = (request.body or ""):match "^Action=(%w+)" or target and target:match "%.(%w+)$"
    calls[i] = action or (request.method .. " " .. request.target)
  end
  return calls, requests
end

--- A member of a form, decoded.
function fake.form(body, name)
  local value = assert(("&" .. body):match("&" .. name:gsub("%.", "%%.") .. "=([^&]*)"), "no " .. name)
  return (value:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

return fake
