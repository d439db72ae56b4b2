-- Runs a Lua program by `awsync run`, as a user would, and looks at all that it leaves.
local assert = require "luassert"
local cjson = require "cjson"
local shell = require "spec.support.shell"

local program = {}

-- What a sanitizer keeps for itself (freed blocks, shadows) and what it takes longer is not the program's: the engine
-- must not kill for it.
local sanitized = (os.getenv "SANITIZE" or "") ~= ""

--- What main has returned. Fails unless everything went well: main, every lambda that it spawned, every queue deleted.
--- options: `event` (a table), `words` (further words for the command line),
--- `errors` (lambdas may fail), `loud` (with START, END and REPORT lines). Second result: standard error.
function program.answer(path, options)
  options = options or {}
  local words = { "run", path, "--event", cjson.encode(options.event or {}) }
  if not options.loud then table.insert(words, "--quiet") end
  if sanitized then table.move({ "--memory", 1024, "--timeout", 240 }, 1, 4, #words + 1, words) end
  table.move(options.words or {}, 1, #(options.words or {}), #words + 1, words)
  local stdout, stderr, status = shell.run_awsync(table.unpack(words))
  assert.is_true(status == 0 or (options.errors and status == 1), stderr)
  if not options.errors then assert.is_nil(stderr:find("[ERROR]", 1, true), stderr) end
  assert.is_nil(stderr:find("left behind", 1, true), stderr)
  local answer = cjson.decode(stdout)
  assert.equal(200, answer.statusCode)
  return cjson.decode(("[%s]"):format(answer.body))[1], stderr
end

--- The same of a program given as the body of main, with `awsync`, `Channel`, `invoke` and `try` (a function's error,
--- its place and its queue's name left out) at hand; in `before` is what comes before main.
function program.run(body, before, options)
  local folder, remove = shell.folder()
  shell.write(folder .. "/main.lua", table.concat({ [[
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke
local function try(f, ...)
  local ok, message = pcall(f, ...)
  if ok then return "no error" end
  message = tostring(message):gsub("^main.lua:%d+: ", ""):gsub("awsync%-%w+%-%w+%.fifo", "Q")
  return (message:gsub("awsync%.core", "awsync"))
end
local function use() return Channel, invoke, try end]], before or "", "function main(event, context)", body,
    "end", "return use" }, "\n"))
  local ok, answer, stderr = pcall(program.answer, folder .. "/main.lua", options)
  remove()
  if not ok then error(answer, 0) end
  return answer, stderr
end

return program
