-- When memory runs out, at whichever allocation: an error, no leak, and a state that goes on.
local codec = require "probe.codec"

local chunks = {
  ["a plain value there and back"] = [[
    local c = require "probe.codec"
    return function()
      local list = {}
      for i = 1, 80 do list[i] = { n = i, s = "a\tb" .. i, f = i / 3 } end
      local back = c.decode(c.encode(list))
      return #back == 80 and back[80].s == "a\tb80"
    end]],
  ["a tagged value there and back"] = [[
    local c = require "probe.codec"
    return function()
      local t = { [1.5] = "x", bytes = "\xff\xfe", nan = 0 / 0, c = c.channel("url", false, true, true) }
      t.self = t
      for i = 1, 40 do t[i] = { t } end
      local back = c.decode(c.encode(t))
      return back.self == back and back[40][1] == back and back.bytes == "\xff\xfe"
    end]],
  ["a call there and back"] = [[
    local c = require "probe.codec"
    local n, format = 0, string.format
    local function step(i) if i > 0 then n = n + 1; return step(i - 1) end return format("%d", n) end
    return function()
      n = 0
      local f, a, b = c.decode_call(c.encode_call(nil, step, 3, { step, function() return n end }))
      return f(a) == "3" and b[2]() == 3 and b[1] == f
    end]],
  ["a signed message"] = [[
    local c = require "probe.codec"
    local settings = { key = ("k"):rep(32) }
    return function()
      local up = { 1 }
      return c.decode(c.encode({ function() return up[1] end }, settings), settings)[1]() == 1
    end]],
  ["a refusal"] = [[
    local c = require "probe.codec"
    return function()
      local _, why = pcall(c.encode, { a = { io.stdout } })
      local _, size = pcall(c.encode, { a = ("x"):rep(200) }, { limit = 100 })
      local _, bad = pcall(c.decode, '["\\n\\u00e4", 1')
      for _, message in ipairs { why, size, bad } do
        if message:find "memory" then error("not enough memory", 0) end
      end
      return why:find "FILE" and size:find "largest part" and bad:find "no JSON"
    end]],
}

describe("the codec without memory", function()
  for name, chunk in pairs(chunks) do
    it("fails and recovers: " .. name, function()
      local count, wrong = codec.starve(chunk)
      assert.is_nil(wrong)
      assert.is_true(count > 10)
    end)
  end
end)
