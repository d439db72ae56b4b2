-- The codec against lua-cjson on the same plain data, and its figures for tagged data.
-- Usage: lua5.4 bench/codec.lua [SECONDS per figure]; LUA_CPATH leads to the build's lua/ or spec/ folder.
local function find_codec()
  for _, name in ipairs { "awsync.core", "probe.codec" } do
    local found, module = pcall(require, name)
    if found and type(module) == "table" and module.encode then return module, name end
  end
  error "neither awsync.core nor probe.codec is on package.cpath"
end

local codec, codec_name = find_codec()
local cjson = require "cjson"
local seconds = tonumber(arg and arg[1]) or 0.5
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

-- Bytes per second of f, which handles size bytes each time: the best of three.
local function speed(size, f, ...)
  local best = 0
  for _ = 1, 3 do
    collectgarbage()
    local count, start = 0, os.clock()
    repeat
      f(...)
      count = count + 1
    until os.clock() - start >= seconds / 3
    best = math.max(best, count * size / (os.clock() - start))
  end
  return best / 1e6
end

print(("%s and cjson %s, MB/s of the text that each writes or reads"):format(codec_name, cjson._VERSION))
local heading = "%-22s %9s %10s %8s %6s   %8s %8s %6s"
print(heading:format("", "bytes", "encode", "cjson", "ratio", "decode", "cjson", "ratio"))
local encode_product, decode_product = 1, 1
for _, case in ipairs(plain) do
  local name, value = case[1], case[2]
  local mine, theirs = codec.encode(value), cjson.encode(value)
  -- Of the same value: bytes are those of our text for both, so that the ratio is one of time.
  local e, ce = speed(#mine, codec.encode, value), speed(#mine, cjson.encode, value)
  local d, cd = speed(#mine, codec.decode, mine), speed(#mine, cjson.decode, theirs)
  encode_product, decode_product = encode_product * e / ce, decode_product * d / cd
  print(("%-22s %9d %10.1f %8.1f %6.2f   %8.1f %8.1f %6.2f"):format(name, #mine, e, ce, e / ce, d, cd, d / cd))
end
print(("%-22s %9s %10s %8s %6.2f   %8s %8s %6.2f"):format("geometric mean", "", "", "",
  encode_product ^ (1 / #plain), "", "", decode_product ^ (1 / #plain)))

local signed = codec_name == "probe.codec" and { key = ("k"):rep(32) } or nil
for _, case in ipairs(tagged) do
  local name, value = case[1], case[2]
  local good, mine = pcall(codec.encode, value, signed)
  if good then
    print(("%-22s %9d %10.1f %8s %6s   %8.1f"):format(name, #mine, speed(#mine, codec.encode, value, signed), "", "",
      speed(#mine, codec.decode, mine, signed)))
  else
    print(("%-22s %s"):format(name, mine))
  end
end
