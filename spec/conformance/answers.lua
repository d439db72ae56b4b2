-- The function that outside parties call: its event says what it is to do.
local awsync = require "awsync"

local function square(c, i)
  c:push(i * i)
end

local acts = {}

function acts.squares()
  local total = 0
  local c <close> = awsync.Channel()
  for i = 0, 4 do awsync.invoke(square, c, i) end
  for _ = 0, 4 do total = total + c:pop() end
  return total
end

-- A channel in one process: SQS and nothing else.
function acts.channel(event)
  local c <close> = awsync.Channel()
  for i = 1, event.n do c:push(i) end
  c:close()
  local total = 0
  for v in c:range() do total = total + v end
  return total
end

function acts.context(_, context)
  return awsync.raw {
    request_id = context.request_id, name = context.function_name, version = context.function_version,
    arn = context.invoked_function_arn, memory = context.memory_limit, remaining = context.remaining(),
    client = context.client_context,
  }
end

function acts.print(event)
  print(event.text)
  return awsync.raw(#event.text)
end

function acts.error(event)
  error(event.text, 0)
end

function acts.exit(event)
  os.exit(event.status)
end

function acts.big(event)
  return awsync.raw(("x"):rep(event.bytes - 2))
end

-- In a system call, where no runtime can help itself.
function acts.hang()
  os.execute "sleep 60"
end

function acts.sleep(event)
  awsync.sleep(event.seconds)
end

function main(event, context)
  local act = type(event) == "table" and acts[event.act]
  if act then return act(event, context) end
  return awsync.raw(event)
end
