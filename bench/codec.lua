-- The codec against lua-cjson on the same plain data, and its figures for tagged data.
-- Usage: lua5.4 bench/codec.lua [SECONDS per run]; LUA_CPATH leads to the build's lua/ or spec/ folder.
local frame = require "bench.support.frame"

local function find_codec()
  for _, name in ipairs { "awsync.core", "probe.codec" } do
    local found, module = pcall(require, name)
    if found and type(module) == "table" and module.encode then return module, name end
  end
  error "neither awsync.core nor probe.codec is on package.cpath"
end

local codec, codec_name = find_codec()
local cjson = require "cjson"
local seconds = tonumber(arg and arg[1]) or 0.05
math.randomseed(1)

local function fill(n, f)
  local t = {}
  for i = 1, n do t[i] = f(i) end
  return t
end

local words = { "queue", "visibility", "receipt", "handle", "group", "message", "timeout", "lease" }
local function text(n)
  return table.concat(fill(n, function() return words[math.random(#words)] end), " ")
end

local plain = {
  { "small message", { id = 17, name = "square", args = { 1, 2, 3 } } },
  { "records", fill(1000, function(i)
    return { id = i, name = text(2), score = math.random(1000) / 8, active = i % 2 == 0, tags = { "a", "b", text(1) } }
  end) },
  { "integers", fill(20000, function() return math.random(-100000, 100000) end) },
  { "floats", fill(20000, function() return math.random() end) },
  { "short decimals", fill(20000, function() return math.random(100000) / 100 end) },
  { "strings", fill(5000, function() return text(4) end) },
  { "long text", { text(50000) } },
  { "escapes", fill(2000, function() return (text(3):gsub(" ", "\n\t\"")) end) },
  { "UTF-8", fill(2000, function() return "Grüße aus Köln, naïve façade – " .. text(2) end) },
  { "deep", fill(20, function()
    local t = { 1 }
    for _ = 1, 150 do t = { a = t, b = "x" } end
    return t
  end) },
  { "map of 10,000 keys", (function()
    local t = {}
    for i = 1, 10000 do t["key" .. i] = i end
    return t
  end)() },
}

local shared = { 1, 2 }
local tagged = {
  { "bytes", fill(100, function() return ("\xff\0\x80"):rep(300) end) },
  { "shared tables", fill(5000, function() return shared end) },
  { "mixed keys", fill(2000, function(i) return { i, name = "x", [1.5] = true } end) },
  { "records and one nan", fill(1000, function(i)
    return { id = i, name = "name", score = i == 1000 and 0 / 0 or i / 2 }
  end) },
  { "closures", fill(500, function(i) return function() return i end end) },
}

-- Megabytes per second of f, which handles size bytes each time.
local function speed(size, f, ...)
  collectgarbage()
  local count, start = 0, os.clock()
  repeat
    f(...)
    count = count + 1
  until os.clock() - start >= seconds
  return { speed = count * size / (os.clock() - start) / 1e6 }
end

local function race(size, ours, theirs, value, their_value)
  local figures = frame.race {
    { name = "ours", run = function() return speed(size, ours, value) end },
    { name = "cjson", run = function() return speed(size, theirs, their_value) end },
  }
  return figures.ours.speed.median, figures.cjson.speed.median
end

frame.note("%s and cjson %s, MB/s of the text that each writes or reads", codec_name, cjson._VERSION)
local heading = "%-22s %9s %10s %8s %6s   %8s %8s %6s"
frame.note(heading, "", "bytes", "encode", "cjson", "ratio", "decode", "cjson", "ratio")
local encode_ours, encode_cjson, decode_ours, decode_cjson = 1, 1, 1, 1
for _, case in ipairs(plain) do
  local name, value = case[1], case[2]
  local mine, theirs = codec.encode(value), cjson.encode(value)
  -- Of the same value: bytes are those of our text for both, so that the ratio is one of time.
  local e, ce = race(#mine, codec.encode, cjson.encode, value, value)
  local d, cd = race(#mine, codec.decode, cjson.decode, mine, theirs)
  encode_ours, encode_cjson = encode_ours * e ^ (1 / #plain), encode_cjson * ce ^ (1 / #plain)
  decode_ours, decode_cjson = decode_ours * d ^ (1 / #plain), decode_cjson * cd ^ (1 / #plain)
  frame.note("%-22s %9d %10.1f %8.1f %6.2f   %8.1f %8.1f %6.2f", name, #mine, e, ce, e / ce, d, cd, d / cd)
end

local signed = codec_name == "probe.codec" and { key = ("k"):rep(32) } or nil
for _, case in ipairs(tagged) do
  local name, value = case[1], case[2]
  local good, mine = pcall(codec.encode, value, signed)
  if good then
    frame.note("%-22s %9d %10.1f %8s %6s   %8.1f", name, #mine, speed(#mine, codec.encode, value, signed).speed, "", "",
      speed(#mine, codec.decode, mine, signed).speed)
  else
    frame.note("%-22s %s", name, mine)
  end
end

local function row(what, ours, theirs)
  frame.row { bench = ("codec: %s, geometric mean of %d kinds of data"):format(what, #plain), unit = "MB/s",
    better = "more", words = { "quicker", "slower" }, ours = ours, peer = theirs, peer_name = "lua-cjson",
    goal = { ahead = true } }
end
row("encode", encode_ours, encode_cjson)
row("decode", decode_ours, decode_cjson)
frame.finish()
