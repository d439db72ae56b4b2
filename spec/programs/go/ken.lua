-- Senders and receivers over twelve channels of one capacity: direct ones, some that select over what they send, some
-- over what they receive. Each channel carries 76 numbers in a row, so that 912 are sent and received.
local awsync = require "awsync"
local Channel, invoke, select = awsync.Channel, awsync.invoke, awsync.select

local COUNT = 76

local function send(c, from, done)
  for v = from, from + COUNT - 1 do c:push(v) end
  done:push { sent = COUNT }
end

local function receive(c, from, done)
  for v = from, from + COUNT - 1 do
    local got = c:pop()
    if got ~= v then error(("%s came instead of %d"):format(got, v)) end
  end
  done:push { received = COUNT }
end

-- Sends on and receives from several channels at once, in the order of each.
local function mix(out, into, from, done)
  local sent, received = 0, 0
  local at, left = {}, #out + #into
  for _, c in ipairs(out) do at[c] = from[c] end
  for _, c in ipairs(into) do at[c] = from[c] end
  while left > 0 do
    local cases = {}
    -- A channel that is done is nil here: its case is never ready.
    for i, c in ipairs(out) do cases[i] = { "push", at[c] and c, at[c] } end
    for _, c in ipairs(into) do cases[#cases + 1] = { "pop", at[c] and c } end
    local which, v = select(cases)
    local c = cases[which][2]
    if which <= #out then
      sent = sent + 1
    else
      received = received + 1
      if v ~= at[c] then error(("%s came instead of %d"):format(v, at[c])) end
    end
    at[c] = at[c] + 1
    if at[c] == from[c] + COUNT then
      at[c] = nil
      left = left - 1
    end
  end
  done:push { sent = sent, received = received }
end

function main(event)
  local done <close> = Channel()
  local c, from = {}, {}
  for i = 1, 12 do
    c[i] = Channel { capacity = event.capacity }
    from[c[i]] = i * 100
  end
  local started = 0
  local function go(f, ...)
    started = started + 1
    invoke(f, ...)
  end
  local function direct(f, ...)
    for _, i in ipairs { ... } do go(f, c[i], i * 100, done) end
  end
  direct(send, 1, 2, 3, 4)
  direct(receive, 1, 2)
  go(mix, {}, { c[3], c[4] }, from, done) -- receives by select what is sent directly
  go(mix, { c[5], c[6] }, {}, from, done) -- sends by select what is received directly
  direct(receive, 5, 6)
  go(mix, { c[7], c[8], c[9] }, { c[10], c[11], c[12] }, from, done) -- both, on both sides
  go(mix, { c[10], c[11], c[12] }, { c[7], c[8], c[9] }, from, done)

  local sent, received = 0, 0
  for _ = 1, started do
    local d = done:pop()
    sent = sent + (d.sent or 0)
    received = received + (d.received or 0)
  end
  return { sent = sent, received = received }
end
