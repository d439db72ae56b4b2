--- For the specs of your programs: a handler on a local AWS of its own, no account and no container needed.
--
--     local testing = require "awsync.testing"
--
--     describe("squares", function()
--       local app
--       setup(function() app = testing.start "squares.lua" end)
--       teardown(function() app:stop() end)
--
--       it("adds them up", function()
--         assert.equal(30, app:call { n = 5 })
--       end)
--     end)
--
-- `start` starts `awsync serve` as a child process and waits until it can be called; `stop` ends it with its lambdas.
-- A test process that ends without `stop`, also by a crash or a signal, takes them with it.

local json = require "cjson".new() -- with settings of its own

local testing = {}

local App = {}
local App_mt = { __name = "awsync.testing.App", __index = App }

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local function read_file(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function exists(path)
  local file <close> = io.open(path, "rb")
  return file ~= nil
end

-- Beside this file's installation: TREE/bin for TREE/share/lua/5.4, the build folder for a checkout.
local function find_awsync()
  local here = debug.getinfo(1, "S").source:match "^@(.*)/awsync/testing%.lua$" or "."
  for _, path in ipairs { here .. "/../../../bin/awsync", here .. "/../awsync", here .. "/../build/awsync" } do
    if exists(path) then return path end
  end
  return "awsync"
end

-- The command line program, as it was found beside this module, else in the PATH. Another one can be set.
testing.awsync = find_awsync()

-- The shell between this process and the server. Its standard input is a pipe from here, which ends with `stop` or with
-- this process, however that ends; then the server ends. Ctrl-C reaches all of us, and is left to this process.
local keeper = [[
trap '' INT
dir=$1
shift
"$@" >"$dir/variables" 2>"$dir/log" &
cat >/dev/null
kill $! 2>/dev/null
wait $!
rm -rf "$dir"
]]

local function serve_command(file, options)
  local words = { quote(testing.awsync) .. " serve" }
  for name, value in pairs(options.env or {}) do words[#words + 1] = "--env " .. quote(name .. "=" .. value) end
  for _, name in ipairs { "memory", "timeout", "concurrency" } do
    if options[name] then words[#words + 1] = ("--%s %s"):format(name, quote(options[name])) end
  end
  words[#words + 1] = "-- " .. quote(file)
  return table.concat(words, " ")
end

-- Starts the program FILE on a local AWS. Raises when that cannot be, with the reason.
function testing.start(file, options)
  if type(file) ~= "string" then error("testing.start: a file's path expected, got " .. type(file), 2) end
  options = options or {}
  local maker <close> = assert(io.popen "mktemp -d")
  local dir = assert(maker:read "l", "testing.start: mktemp -d made no folder")
  assert(os.execute("mkfifo " .. quote(dir .. "/variables")))
  local command = ("exec sh -c %s sh %s %s"):format(quote(keeper), quote(dir), serve_command(file, options))
  local pipe = assert(io.popen(command, "w"))
  local app = setmetatable({ pipe = pipe, dir = dir, variables = {} }, App_mt)
  local variables <close> = assert(io.open(dir .. "/variables", "r")) -- waits for the server to open it too
  -- The last line is AWS_SESSION_TOKEN; a server that ends before has said why.
  for line in variables:lines() do
    local name, value = line:match "^export ([%w_]+)=(.*)$"
    if name then app.variables[name] = value end
    if name == "AWS_SESSION_TOKEN" then
      app.name = file:match "([^/]+)%.lua$":gsub("[^%w_-]", "-"):sub(1, 64)
      return app
    end
  end
  local why = app:log():gsub("%s+$", "")
  app:stop()
  error(("testing.start: %s cannot be served: %s"):format(file, why), 2)
end

local Failure_mt = {
  __name = "awsync.testing.Failure",
  __tostring = function(failure)
    local lines = { ("%s: %s"):format(failure.errorType, failure.errorMessage) }
    for _, line in ipairs(failure.stackTrace or {}) do lines[#lines + 1] = "  " .. line end
    return table.concat(lines, "\n")
  end,
}

local function running(app, operation)
  if not app.pipe then error(("%s: this app has been stopped"):format(operation), 3) end
end

-- By `awsync invoke`, in an environment that has nothing but what reaches this local AWS.
local function invoke(app, event)
  local text = event == nil and "{}" or event
  if type(text) ~= "string" then text = json.encode(text) end
  local words = { "env -i" }
  for name, value in pairs(app.variables) do words[#words + 1] = quote(name .. "=" .. value) end
  write_file(app.dir .. "/event", text)
  words[#words + 1] = ("%s invoke --quiet --event %s %s 2>%s"):format(quote(testing.awsync),
    quote("@" .. app.dir .. "/event"), quote(app.name), quote(app.dir .. "/message"))
  local command <close> = assert(io.popen(table.concat(words, " ")))
  local out = command:read "a"
  local ok = command:close()
  if ok then return json.decode(out) end
  if out == "" then error("awsync.testing: " .. read_file(app.dir .. "/message"), 3) end
  return nil, setmetatable(json.decode(out), Failure_mt)
end

-- Invokes the handler and waits for its answer.
function App:invoke(event)
  running(self, "invoke")
  return invoke(self, event)
end

-- Invokes the handler and returns what its function returned; raises its error.
function App:call(event)
  running(self, "call")
  local answer, failure = invoke(self, event)
  if failure then error(tostring(failure), 2) end
  if type(answer) ~= "table" or type(answer.body) ~= "string" then return answer end
  -- Debian's cjson reads objects and arrays alone.
  return json.decode("[" .. answer.body .. "]")[1]
end

-- What the lambdas have written so far, with Lambda's START, END and REPORT lines.
function App:log()
  running(self, "log")
  return read_file(self.dir .. "/log") or ""
end

-- Ends the local AWS with all its lambdas. Twice is fine.
function App:stop()
  local pipe = self.pipe
  self.pipe = nil
  if pipe then pipe:close() end
end

App_mt.__gc = App.stop
App_mt.__close = App.stop

return testing
