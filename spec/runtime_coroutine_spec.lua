-- coroutine.resume and coroutine.wrap in a lambda are the runtime's own: they do what Lua's do, and calls that compute
-- in coroutines are reached by their end.
local shell = require "spec.support.shell"

local program = [[
local lines = {}
local function say(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = tostring(texts[i]):gsub("0x%x+", "0x"):gsub("^.-%.lua:", "file:") end
  lines[#lines + 1] = table.concat(texts, " ")
end
local resume, wrap, create, status, yield = coroutine.resume, coroutine.wrap, coroutine.create, coroutine.status,
  coroutine.yield

local co = create(function(...)
  say("begun", select("#", ...), ...)
  say("went on", yield(1, nil, 3))
  return "end", nil
end)
say(resume(co, "a", nil))
say(status(co), resume(co, "b"))
say(status(co), resume(co))
say(resume(create(function() error { 1 } end)))
say(resume(create(function() error "text" end)))
say(resume(coroutine.running()))
for _, message in ipairs { select(2, pcall(resume, 1)), select(2, pcall(resume)) } do
  say((message:gsub("thread expected", "coroutine expected"))) -- 5.4.4 has the other word
end
say(pcall(wrap, 1))
local inner
inner = create(function() say(resume(inner)) return status(inner) end)
say(resume(inner))

local step = wrap(function(a) for i = 1, 2 do a = yield(a, i) end return "done", a end)
say(step "x") say(step "y") say(step "z")
say(pcall(step))
say(pcall(wrap(function() error "text" end)))
say(pcall(wrap(function() error("no place", 0) end)))
say(pcall(wrap(function() error { "table" } end)))
say(pcall(wrap(function()
  local guard <close> = setmetatable({}, { __close = function(_, err) say("closed", err) error "second" end })
  error "first"
end)))
say(resume(create(function() return table.unpack({}, 1, 200) end)))
say(pcall(resume, create(function() end), table.unpack({}, 1, 200)))
local deep = 0
local function nest() deep = deep + 1 return wrap(nest)() end
say(pcall(nest) == false, deep)
local function walk(n) if n > 0 then walk(n - 1) yield(n) walk(n - 1) end end
local sum = 0
for n in wrap(function() walk(8) end) do sum = sum + n end
say(sum, coroutine.isyieldable(), coroutine.close(create(print)))
local kept = wrap(function() return pcall(function() return yield "in pcall" end) end)
say(kept()) say(kept "back")
return lines
]]

describe("coroutines in a lambda", function()
  local folder, remove
  before_each(function() folder, remove = shell.folder() end)
  after_each(function() remove() end)

  it("are Lua's own", function()
    shell.write(folder .. "/program.lua", program)
    shell.write(folder .. "/plain.lua", [[print(table.concat(dofile(arg[1]), "\n"))]])
    shell.write(folder .. "/main.lua", ([[
      function main() print(table.concat(dofile(%q), "\n")) end]]):format(folder .. "/program.lua"))
    local expected, failure = shell.run(("lua5.4 %s/plain.lua %s/program.lua"):format(folder, folder))
    assert.truthy(#expected > 500, failure)
    local _, out, status = shell.run(("%s run --quiet %s/main.lua"):format(shell.awsync, folder))
    assert.equal(0, status, out)
    assert.equal(expected, out)
  end)

  -- ThreadSanitizer keeps a signal from a program that only computes: no hook can be set there.
  local unless_thread = os.getenv "SANITIZE" == "thread" and pending or it

  unless_thread("are reached by a cancellation, and leave no hook for the next call", function()
    shell.write(folder .. "/main.lua", [[
      local awsync = require "awsync"
      kept = kept or nil
      local function compute()
        kept = coroutine.wrap(function() coroutine.yield() while true do end end)
        kept()
        kept()
      end
      local function quick()
        local n = 0
        for i in coroutine.wrap(function() for i = 1, 300000 do coroutine.yield(i) end end) do n = n + i end
        return n
      end
      function main()
        local future = awsync.async(compute)
        awsync.sleep(0.5)
        future:cancel()
        awsync.sleep(11)
        return awsync.map(quick, { 1, 2, 3 })
      end]])
    local out, err, status = shell.run(("%s run --timeout 60 %s/main.lua"):format(shell.awsync, folder), 90)
    assert.equal(0, status, err)
    assert.equal('{"statusCode":200,"body":"[45000150000,45000150000,45000150000]"}\n', out)
    assert.truthy(err:find("compute: this call has been cancelled", 1, true), err)
  end)
end)
