-- test/closedchan.go: every way to receive from a closed channel, empty and not, here and in another lambda; a push on
-- it and a second close are errors.
local awsync = require "awsync"
local Channel, invoke, select = awsync.Channel, awsync.invoke, awsync.select

local receive = {
  pop = function(c) return c:pop() end,
  poll = function(c) return c:pop(0) end,
  select = function(c)
    local _, v, err = select { { "pop", c } }
    return v, err
  end,
  select_default = function(c)
    local which, v, err = select { { "pop", c }, default = true }
    if which == "default" then return nil, "default" end
    return v, err
  end,
  range = function(c)
    local v = c:range()()
    return v, v == nil and "closed" or nil
  end,
}

local function why(f, ...)
  local ok, message = pcall(f, ...)
  return ok and "no error" or (message:gsub("^.-:%d+: ", ""):gsub("awsync%-%w+%-%w+%.fifo", "Q"))
end

-- What is there, then the end for ever.
local function try(way, c)
  local seen = {}
  for i = 1, 4 do
    local v, err = receive[way](c)
    seen[i] = v or err
  end
  return seen
end

-- A call can be there before what was pushed before it: `ready`, pushed after the close, cannot.
local function elsewhere(way, c, ready, out)
  ready:pop()
  local seen = try(way, c)
  -- This lambda has seen the end.
  out:push { seen = seen, push = why(c.push, c, 3), close = why(c.close, c) }
end

local function closed_channel(values)
  local c = Channel()
  for v = 1, values do c:push(v) end
  c:close()
  return c
end

function main()
  local result = {}
  local out <close> = Channel()
  local ready <close> = Channel()
  for way in pairs(receive) do
    result[way] = {}
    for values = 0, 2, 2 do
      local c = closed_channel(values)
      local here = { seen = try(way, c), push = why(c.push, c, 3), close = why(c.close, c),
        select = why(select, { { "push", c, 3 } }) }
      invoke(elsewhere, way, closed_channel(values), ready, out)
      ready:push(true)
      result[way][values == 0 and "empty" or "two"] = { here = here, there = out:pop() }
    end
  end
  return result
end
