-- Fails in the way that the event names.
local awsync = require "awsync"

local function fail_in_child()
  error("the child has failed")
end

function main(event)
  print("before the failure")
  if event.how == "error" then
    error("main has failed")
  elseif event.how == "table" then
    error({ code = 7 })
  elseif event.how == "child" then
    awsync.invoke(fail_in_child)
    return "main went on"
  elseif event.how == "exit" then
    os.exit(3)
  elseif event.how == "hang" then
    while true do end -- luacheck: ignore
  elseif event.how == "wait" then
    return awsync.Channel():pop()
  end
end
