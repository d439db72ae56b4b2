-- test/ken/chan.go: senders and receivers over twelve channels of one capacity: direct ones, some that select over what
-- they send, some over what they receive. Each channel carries 76 numbers in a row, so that 912 are sent and received
-- for each capacity.
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

-- With `one_by_one`, each group of lambdas that belong together ends before the next one starts: at most three of
-- them live at once.
local function run(capacity, one_by_one)
  local done <close> = Channel()
  local c, from = {}, {}
  for i = 1, 12 do
    c[i] = Channel { capacity = capacity }
    from[c[i]] = i * 100
  end
  local running = 0
  local sent, received = 0, 0
  local function go(f, ...)
    running = running + 1
    invoke(f, ...)
  end
  local function direct(f, ...)
    for _, i in ipairs { ... } do go(f, c[i], i * 100, done) end
  end
  local function wait()
    while running > 0 do
      local d = done:pop()
      running = running - 1
      sent = sent + (d.sent or 0)
      received = received + (d.received or 0)
    end
  end

  for _, group in ipairs {
    function()
      direct(send, 1)
      direct(receive, 1)
    end,
    function()
      direct(send, 2)
      direct(receive, 2)
    end,
    function() -- receives by select what is sent directly
      direct(send, 3, 4)
      go(mix, {}, { c[3], c[4] }, from, done)
    end,
    function() -- sends by select what is received directly
      go(mix, { c[5], c[6] }, {}, from, done)
      direct(receive, 5, 6)
    end,
    function() -- both, on both sides
      go(mix, { c[7], c[8], c[9] }, { c[10], c[11], c[12] }, from, done)
      go(mix, { c[10], c[11], c[12] }, { c[7], c[8], c[9] }, from, done)
    end,
  } do
    group()
    if one_by_one then wait() end
  end
  wait()
  for i = 1, 12 do c[i]:delete() end
  return sent, received
end

function main(event)
  local total = { sent = 0, received = 0 }
  for _, capacity in ipairs(event.capacities) do
    local sent, received = run(capacity, event.one_by_one)
    total.sent = total.sent + sent
    total.received = total.received + received
  end
  return total
end
