-- test/chan/perm.go: directions: what a view does not have is an error that names the view, here and in the lambda
-- where it arrives.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function why(...)
  local ok, message = pcall(...)
  return ok and "no error" or (message:gsub("^.-:%d+: ", ""):gsub("awsync%-%w+%-%w+%.fifo", "Q"))
end

local function misuse(sends, receives)
  return {
    why(function() receives:push(1) end),
    why(function() receives:close() end),
    why(function() receives:sender() end),
    why(function() sends:pop() end),
    why(function() for _ in sends:range() do end end),
    why(function() awsync.select { { "pop", sends } } end),
    why(function() awsync.select { { "push", receives, 1 } } end),
    why(function() sends:receiver() end),
    why(function() sends:delete() end),
  }
end

local function elsewhere(sends, receives, out)
  out:push(misuse(sends, receives))
  sends:push(receives:pop() + 1)
end

function main()
  local c <close> = Channel()
  local out <close> = Channel()
  local back <close> = Channel()
  local sends, receives = c:sender(), c:receiver()
  invoke(elsewhere, back:sender(), receives, out:sender())
  sends:push(41)
  return {
    here = misuse(sends, receives),
    there = out:pop(),
    answer = back:pop(),
    views = { sends == c, receives == c, c:sender() == sends, sends:sender() == sends, back == c },
  }
end
