-- Properties: random values and random closures come back equal in type, subtype, identity and behaviour.
local codec = require "probe.codec"
local same = require "support.same"

local seed = tonumber(os.getenv "SEED") or os.time()
local slow = (os.getenv "SANITIZE" or "") ~= "" and not os.getenv "SEED"
local values, closures = slow and 20000 or 100000, slow and 300 or 1000
local signed = { key = ("r"):rep(40) }
local random = math.random

local function pick(list) return list[random(#list)] end

local integers = { 0, 1, -1, 2 ^ 53 | 0, (2 ^ 53 | 0) + 1, math.maxinteger, math.mininteger, 255, -65536 }
local floats = { 0.0, -0.0, 1.0, 0.1, 1 / 3, 1e300, -1e-300, 5e-324, 2 ^ 53, 2.0 ^ 63, 1 / 0, -1 / 0, 0 / 0, 1234.5 }
local strings = { "", "a", "key", "$r", "$$", "$", "ä", "𝄞", "\0", "\"\\/", "\n\t", "\xff", "\xc3", "\u{FFFE}", "\127",
  "awsync/1 ", ("long "):rep(20) }

local function random_string()
  if random(3) > 1 then return pick(strings) end
  local bytes = {}
  for i = 1, random(0, 12) do bytes[i] = string.char(random(4) == 1 and random(0, 255) or random(32, 126)) end
  return table.concat(bytes)
end

local function scalar()
  local n = random(10)
  if n <= 2 then return pick(integers) end
  if n == 3 then return random(0) end
  if n == 4 then return pick(floats) end
  if n == 5 then return (string.unpack("d", string.pack("j", random(0)))) end
  if n == 6 then return random() end
  if n <= 8 then return random_string() end
  if n == 9 then return random(2) == 1 end
  return codec.null
end

local function key()
  local k
  repeat k = scalar() until k == k
  return k
end

local leaves = { print, string.format, string, _G }

-- plain: 1 only data that JSON has; seen: tables made before in this value
local function value(depth, seen, wild)
  local n = random(12)
  if depth == 0 or n <= 5 then return scalar() end
  if wild and n == 6 then return pick(leaves) end
  if wild and n == 7 and #seen > 0 then return pick(seen) end
  local t = {}
  seen[#seen + 1] = t
  local size = random(0, 4)
  if n <= 9 then
    for i = 1, size do t[i] = value(depth - 1, seen, wild) end
  elseif n == 10 or not wild then
    for _ = 1, size do t[random_string()] = value(depth - 1, seen, wild) end
  else
    for _ = 1, size do t[key()] = value(depth - 1, seen, wild) end
  end
  return t
end

-- A program that returns a function; calling it changes what it holds, and says what it sees.
local function program()
  local count = random(2, 4)
  local lines = { "local a, b, t = " .. random(-9, 9) .. ", " .. random() .. ", { n = 0 }" }
  local function add(...) lines[#lines + 1] = string.format(...) end
  add("local hold")
  add("local %s", table.concat({ "f1", "f2", "f3", "f4" }, ", ", 1, count))
  local statements = {
    function() add("  a = a + n %s %d", pick { "+", "-", "*" }, random(3)) end,
    function() add("  b = (b + %d) / 2", random(5)) end,
    function() add("  t[#t %% 7 + 1] = n; t.n = t.n + 1; r = r + #t") end,
    function() add("  if n > 0 then r = r + f%d(n - 1, ...) end", random(count)) end,
    function() add("  r = r + select('#', ...) + (... or 0)") end,
    function()
      add("  local up = n; local function inner(x) up = up + x; a = a + 1; return up end")
      add("  r = r + inner(2) + inner(a)")
    end,
    function() add("  hold = hold or function() b = b + 1; return b, n end; r = r + hold()") end,
    function()
      add("  local l = {}; for i = 1, 3 do l[i] = function() i = i + 1; return i * n end end")
      add("  r = r + l[2]() + l[2]()")
    end,
    function()
      add("  t.go = t.go or function(self, k) self.n = self.n + k; return self.n end")
      add("  r = r + t:go(%d)", random(3))
    end,
    function() add("  t.me = t; r = r + t.me.me.n") end,
    function() add("  r = r + math.floor(#string.format('%%d', a))") end,
    function() add("  t.f = f%d", random(count)) end,
  }
  for i = 1, count do
    add("function f%d(n, ...)", i)
    add("  local r = 0")
    local calls = 0
    for _ = 1, random(2, 6) do
      local which = random(#statements)
      calls = calls + (which == 4 and 1 or 0)
      if which ~= 4 or calls <= 2 then statements[which]() end
    end
    add("  return r, a, b, t.n, #t, %s", pick { "n", "...", "nil", "hold and 1" })
    add("end")
  end
  add("return { run = f%d, other = f%d, t = t }", random(count), random(count))
  return table.concat(lines, "\n")
end

local function behaviour(o, from)
  local out = {}
  for i = from, from + 3 do
    out[#out + 1] = table.pack(o.run(i % 4, table.unpack({ 1, 2.5, 3 }, 1, i % 3)))
    out[#out + 1] = table.pack(o.other(i % 3))
    out[#out + 1] = o.t.n
  end
  return out
end

describe("random (SEED=" .. seed .. ")", function()
  setup(function() math.randomseed(seed) end)

  it(("values, %d of them, come back as they left"):format(values), function()
    local tagged = 0
    for i = 1, values do
      local v = value(3, {}, i % 2 == 0)
      local text = codec.encode(v, signed)
      local good, place = same(v, codec.decode(text, signed))
      if not good then error(("value %d with SEED=%d differs at %s: %s"):format(i, seed, place, text)) end
      if text:sub(1, 7) == "awsync/" then tagged = tagged + 1 end
    end
    assert.is_true(tagged > values / 20 and tagged < values * 19 / 20)
  end)

  it(("closures, %d of them, behave as they did"):format(closures), function()
    for i = 1, closures do
      local source = program()
      local here = assert(load(source, "=random"))()
      if i % 2 == 0 then behaviour(here, 1) end
      local there = codec.decode(codec.encode(here, signed), signed)
      local good, place = same(behaviour(here, 5), behaviour(there, 5))
      if not good then error(("closure %d with SEED=%d differs at %s:\n%s"):format(i, seed, place, source)) end
    end
  end)
end)
