-- Prints how many blocks hold a marker when they are freed: of a request whose body it is, of a buffer for secrets,
-- and of a plain buffer, so that one sees that the count finds it. A program of its own, as spec/probe/allocation.c
-- wants it.
local probe = require "probe.allocation"

local marker = "a marker that no block should hold"
probe.watch(marker)

local function count(work)
  local before = probe.seen()
  work()
  return probe.seen() - before
end

local function fill(secret)
  local b = probe.base.buf(1 << 16, secret)
  assert(b:add(marker))
  b:free()
end

local request = count(function()
  local client = probe.aws.client { region = "us-east-1", endpoint = "http://127.0.0.1:9", max_attempts = 1,
    access_key_id = "AKIDEXAMPLE", secret_access_key = "secret" }
  assert(client:submit(1, { target = "/", body = "{" .. marker:rep(20) .. "}" }) ~= 0)
  assert(client:take(60) == 1)
  client:close()
end)
local secret = count(function() fill(true) end)
-- The last one, since what it leaves may be found in any block from then on.
local plain = count(function() fill(false) end)
print(("request %d, buffer of secrets %d, buffer %d"):format(request, secret, plain))
