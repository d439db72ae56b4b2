-- Work during which every allocation below Lua fails in turn. As a program, `lua starving.lua NAME`, it does the work
-- of that name; it wants a process of its own (spec/probe/allocation.c says why). As a module it is the list of names.
--
-- Each kind of work is a function that makes its value ready and returns what to do. That returns a text, the same each
-- time, or raises, or returns nil and a reason.
local works = {}

local KEY = ("k"):rep(32)

--- Signed messages hold the time: only what they sign is the same each time.
local function document(text) return text:match "^awsync/1 signed %d+ %S+ %x+ (.*)$" or text end

local function plain_value()
  local list = { text = ("a long text, "):rep(8000), empty = {}, escapes = ("line\n\"q\" \u{e4}\t"):rep(40) }
  for i = 1, 80 do list[("n%d"):format(i)] = { n = i, f = i / 3, tags = { "a", "b", i % 2 == 0 } } end
  local deep = { 1 }
  for _ = 1, 150 do deep = { a = deep } end
  list.deep = deep
  return list
end

local function rich_value(codec)
  local shared, counter = { 1, 2 }, 0
  local function count() counter = counter + #shared; return counter end
  local function recurse(i) return i == 0 and count() or recurse(i - 1) end
  local value = { shared, shared, bytes = ("\xff\0\x80"):rep(34000), nan = 0 / 0, [1.5] = { [true] = "mixed" } }
  value.self = value
  value.functions = { count, recurse, function() return shared, value end, string.format, math }
  value.whole = codec.channel("https://sqs/1/a.fifo", false, true, true, 30, 5, true, 3)
  value.view = codec.channel("https://sqs/1/b.fifo", true, false, true)
  value.again = value.whole
  for i = 1, 100 do value[i + 10] = { i, shared, text = "t\"" .. i } end
  return value
end

local settings = { key = KEY, request_id = "3f2c" }

works["a plain value out"] = function(probe)
  local value = plain_value()
  return function() return probe.codec.encode(value) end
end

works["a plain value in"] = function(probe)
  local text = probe.codec.encode(plain_value())
  return function()
    local value = probe.codec.decode(text)
    return value, function(v) return probe.codec.encode_call(nil, type, v) end
  end
end

works["a tagged and signed value out"] = function(probe)
  local value = rich_value(probe.codec)
  return function() return document(probe.codec.encode(value, settings)) end
end

works["a tagged and signed value in"] = function(probe)
  local text = probe.codec.encode(rich_value(probe.codec), settings)
  return function()
    local value = probe.codec.decode(text, settings)
    return value, function(v) return probe.codec.encode_call(nil, type, v) end
  end
end

works["a call out"] = function(probe)
  local value = rich_value(probe.codec)
  local function f(...) return value, ... end
  return function() return probe.codec.encode_call(nil, f, value, nil, "x", f) end
end

works["a call in"] = function(probe)
  local value = rich_value(probe.codec)
  local text = probe.codec.encode_call(nil, value.functions[1], value)
  return function()
    return { probe.codec.decode_call(text) }, function(v) return probe.codec.encode_call(nil, table.unpack(v)) end
  end
end

works["an answer out and an event in"] = function(probe)
  local value = plain_value()
  local text = probe.codec.encode_json(value)
  return function()
    return { probe.codec.encode_json(value), probe.codec.decode_json(text) },
      function(v) return v[1] .. probe.codec.encode_json(v[2]) end
  end
end

-- The refusal is the result: it must be this one or tell of memory.
works["a value that cannot travel"] = function(probe)
  local value = { list = { { handler = { co = coroutine.create(print) } } } }
  return function()
    local _, why = pcall(probe.codec.encode, value)
    if why:find "memory" then error(why, 0) end
    return why
  end
end

works["a value that is too large"] = function(probe)
  local value = { small = 1, large = { text = ("x"):rep(2000) }, f = function() return 1 end }
  local limited = { key = KEY, limit = 1000 }
  return function()
    local _, why = pcall(probe.codec.encode, value, limited)
    if why:find "memory" then error(why, 0) end
    return (why:gsub("[%d,]+ bytes as", "n bytes as"))
  end
end

works["a message with a wrong signature"] = function(probe)
  local text = probe.codec.encode({ print }, { key = ("x"):rep(32) })
  return function()
    local good, why = pcall(probe.codec.decode, text, settings)
    if good then error "a wrong signature held" end
    if why:find "memory" then error(why, 0) end
    return why
  end
end

local claims = {
  run = "run", call = "7e6e4b3a-0000-0000-0000-000000000000", parent = "parent", inbox = "https://sqs/1/inbox",
  fn = "work", issued_ms = 1000, spent = 1, share = 2, typical_ms = 3,
}

works["an envelope sealed"] = function(probe)
  local payload = '["' .. ("payload \\n"):rep(12000) .. '"]'
  return function() return probe.envelope.seal(KEY, claims, payload), "no memory" end
end

works["an envelope opened"] = function(probe)
  local sealed = probe.envelope.seal(KEY, claims, '["' .. ("payload \\n"):rep(12000) .. '"]')
  return function()
    local result, found, payload = probe.envelope.open(KEY, sealed, 1500)
    if result ~= "ok" then return nil, result end
    return found.run .. found.call .. found.parent .. found.inbox .. found.fn .. found.spent .. payload
  end
end

for name, text in pairs { hex = ("ab"):rep(32), base64 = ("/"):rep(44) } do
  works["a key in " .. name] = function(probe)
    return function() return probe.envelope.load_key(text) end
  end
end

works["an exit record sealed"] = function(probe)
  local record = { run = "run", call = "call", kind = "error", fn = "work", args = "1, 2", traceback = "stack",
    value = '"' .. ("x"):rep(5000) .. '"' }
  return function() return probe.record.seal(KEY, record), "no memory" end
end

works["an exit record opened"] = function(probe)
  local text = probe.record.seal(KEY, { run = "run", call = "call", value = '"x"' })
  return function()
    local head, value = probe.record.open(KEY, text)
    if not head then return nil, value end
    return head .. value
  end
end

works["an exit record of another key"] = function(probe)
  local text = probe.record.seal(("x"):rep(32), { run = "run", call = "call", value = '"x"' })
  return function()
    local head, why = probe.record.open(KEY, text)
    if head then error "a wrong signature held" end
    if why:find "memory" then error(why, 0) end
    return why
  end
end

works["a JSON tree"] = function(probe)
  local text = probe.codec.encode_json(plain_value())
  return function()
    local value, why = probe.json.parse(text)
    if not value then return nil, why end
    return value, function(v) return probe.json.write(v) end
  end
end

works["JSON text"] = function(probe)
  local value = probe.json.parse(probe.codec.encode_json(plain_value()))
  return function()
    local text, well = probe.json.write(value)
    if not text then return nil, well and "refused, and not for memory" or "no memory" end
    return text
  end
end

for name, secret in pairs { ["a buffer"] = false, ["a buffer of secrets"] = true } do
  works[name] = function(probe)
    local long = ("bytes "):rep(20000)
    return function()
      local b = probe.base.buf(1 << 20, secret)
      local good = b:adds "text" and b:addc "c" and b:addf("name", 17) and b:base64_encode(long) and b:hex_encode(long)
        and b:add(long) and b:reserve(5000, "kept")
      -- After a failure it holds nothing and refuses all.
      local well, len, _, holds = b:state()
      if not good and (well or len ~= 0 or holds or b:adds "more") then error "the buffer is half alive" end
      if not good then return nil, "no memory" end
      return b:text()
    end
  end
end

works["a heap"] = function(probe)
  return function()
    local heap, keys = probe.base.heap(), {}
    for i = 1, 200 do
      if not heap:insert(i, (i * 37) % 199) then
        -- What is in it stays in order.
        if heap:contains(i) or heap:count() ~= i - 1 then error "the node is half in the heap" end
        return nil, "no memory"
      end
    end
    while heap:least() do
      local key, node = heap:least()
      keys[#keys + 1] = key
      heap:remove(node)
    end
    return table.concat(keys, " ")
  end
end

-- --- the program ----------------------------------------------------------------------------------------------------

--- What the work has given as text: a second result makes it of the first, when there is memory again.
local function text_of(value, describe)
  if type(value) == "string" or value == nil then return value end
  return describe(value)
end

local function blocks(probe)
  collectgarbage()
  collectgarbage()
  return probe.in_use()
end

--- One failure, or a lack from there on; then once more with memory. False when there were fewer allocations.
local function starve(probe, work, n, from_there, wanted)
  local ours, openssl = blocks(probe)
  local failed, good, value, describe = probe.failing(n, from_there, work)
  local result = good and text_of(value, describe)
  local reason = not result and (good and describe or value)
  if result and result ~= wanted then error "another result than with memory" end
  if reason and not (failed and tostring(reason):find "memory") then error("not told as lack of memory: " .. reason) end
  value, describe, good = nil, nil, nil -- luacheck: ignore
  if text_of(work()) ~= wanted and text_of(work()) ~= wanted then error "not usable afterwards" end
  local ours_now, openssl_now = blocks(probe)
  if ours_now > ours then error(("%d blocks were left"):format(ours_now - ours)) end
  if openssl_now > openssl then error(("%d blocks were left with OpenSSL"):format(openssl_now - openssl)) end
  return failed, reason ~= false
end

local function run(name)
  local probe = require "probe.allocation"
  local work = works[name](probe)
  local wanted = assert(text_of(work()), "no result with memory")
  assert(text_of(work()) == wanted, "the work does not give the same twice")
  for _, from_there in ipairs { false, true } do
    local n, seen, failed, told = 0, 0, nil, nil
    repeat
      n = n + 1
      local good, why = pcall(function() failed, told = starve(probe, work, n, from_there, wanted) end)
      if not good then error(("allocation %d%s: %s"):format(n, from_there and " and all that follow" or "", why), 0) end
      if failed and told then seen = seen + 1 end
    until not failed
    assert(n > 1 and seen > 0, "no allocation has failed")
    print(("%d allocations, %d failures told"):format(n - 1, seen))
  end
end

if arg and arg[0] and arg[0]:find "starving%.lua$" then
  run(arg[1])
else
  local names = {}
  for name in pairs(works) do names[#names + 1] = name end
  table.sort(names)
  return names
end
