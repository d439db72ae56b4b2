-- test/chan/select7.go: three ways to send meet three ways to receive and drop the value: all end.
local awsync = require "awsync"
local Channel, invoke, select = awsync.Channel, awsync.invoke, awsync.select

local receivers = {
  function(c) c:pop() end,
  function(c) select { { "pop", c } } end,
  function(c)
    local other <close> = Channel()
    select { { "pop", c }, { "pop", other } }
  end,
}

local senders = {
  function(c) c:push(1) end,
  function(c) select { { "push", c, 1 } } end,
  function(c)
    local other = nil
    select { { "push", c, 1 }, { "push", other, 1 } }
  end,
}

local function run(f, c, done)
  f(c)
  done:push(true)
end

function main()
  local met = 0
  local done <close> = Channel()
  for _, send in ipairs(senders) do
    for _, receive in ipairs(receivers) do
      local c <close> = Channel { capacity = 0 }
      invoke(run, receive, c, done)
      send(c)
      done:pop()
      met = met + 1
    end
  end
  return met
end
