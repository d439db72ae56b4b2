-- What the specs of the channel room share: an SQS in memory (spec/probe/channel*.h), and hubs, which stand for
-- processes.
local assert = require "luassert"
local probe = require "probe.channel"

local room = { probe = probe }
local current, hubs

-- The server of the spec that runs.
room.server = setmetatable({}, {
  __index = function(_, name)
    return function(_, ...) return current[name](current, ...) end
  end,
})

-- before_each(room.begin), after_each(room.finish): ends hubs, and sees that no rule of the service was broken.
function room.begin() hubs = {} end

function room.finish()
  if not current then return end
  local _, broken = current:log()
  for _, hub in ipairs(hubs) do hub:free() end
  current = nil
  assert.is_nil(broken)
end

function room.serve(options)
  current = probe.server(options or {})
end

function room.new_hub(id)
  local hub = current:hub()
  hub:begin(id or ("inv-" .. #hubs), "r1", "square", 4102444800000)
  hubs[#hubs + 1] = hub
  return hub
end

-- A server, a process, and a channel that it has made.
function room.create(options, server_options)
  room.serve(server_options)
  local hub = room.new_hub()
  return hub, hub:create(options)
end

-- The channel in another process, and that process.
function room.open_elsewhere(chan, options)
  local hub = room.new_hub()
  return hub:open(chan:url(5), options), hub
end

-- How many calls there were, and how many entries they had.
function room.count(op, match)
  local n, entries = 0, 0
  for _, call in ipairs((current:log())) do
    if call.op == op and (not match or match(call)) then n, entries = n + 1, entries + call.count end
  end
  return n, entries
end

-- Until such a call has come.
function room.wait_for(op, match)
  local limit = probe.now() + 20
  while (room.count(op, match)) == 0 do
    assert(probe.now() < limit, "no such call: " .. op)
    probe.sleep(0.005)
  end
end

-- Requests that move values, as opposed to those that make, ask and delete.
function room.messages_cost()
  local n = 0
  for _, op in ipairs { "send", "receive", "delete", "visibility" } do n = n + (room.count(op)) end
  return n
end

function room.why(_, reason) return reason end

-- A select as one value: which case, what came, the result.
function room.pick(hub, cases, timeout)
  local which, v, result = hub:select(cases, timeout)
  return { which, v, result }
end

function room.queue(name)
  for _, q in ipairs(current:queues()) do
    if q.name == name then return q end
  end
end

-- The queue of a bounded channel's credits.
function room.credits_of(chan) return (chan:name():gsub("%.fifo$", "-credits.fifo")) end

function room.pop_many(chan, n, timeout)
  local got = {}
  for i = 1, n do
    local v, why, text = chan:pop(timeout or 10)
    assert(v, ("pop %d: %s %s"):format(i, tostring(why), tostring(text)))
    got[i] = v
  end
  return got
end

-- What comes until the end, and how it ended.
function room.drain(chan, timeout)
  local got = {}
  while true do
    local v, reason = chan:pop(timeout or 5)
    if not v then return got, reason end
    got[#got + 1] = v
  end
end

-- "1" to "n", as the probe's push_many pushes them.
function room.numbers(n, prefix)
  local t = {}
  for i = 1, n do t[i] = (prefix or "") .. i end
  return t
end

return room
