-- Envelopes: what is sealed is opened under the same key in its lifetime, and nothing else is.
local envelope = require "probe.envelope"
local cjson = require "cjson"

local key = ("k"):rep(32)
local now = 1767323045000
local claims = {
  run = "0123456789abcdef", call = "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
  parent = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
  inbox = "https://sqs.eu-west-1.amazonaws.com/123456789012/awsync-inbox", fn = "square", depth = 3,
  issued_ms = now, lifetime_ms = 3600000,
}
local payload = '[{"$g":["_G","print"]},"ä\\n\\u0000",1.5,null]'

local function seal(changes, body)
  local c = {}
  for k, v in pairs(claims) do c[k] = v end
  for k, v in pairs(changes or {}) do c[k] = v end
  return envelope.seal(key, c, body or payload)
end

-- An envelope around any body, with a MAC that holds.
local function around(body)
  return cjson.encode { awsync = 1, mac = envelope.mac(key, "awsync/1 call", body), body = body }
end

local function body_of(text)
  return cjson.decode(text).body
end

describe("an envelope", function()
  local sealed = seal()

  it("gives back its claims and the exact bytes of its payload", function()
    local result, got, bytes = envelope.open(key, sealed, now)
    assert.equal("ok", result)
    assert.same(claims, got)
    assert.equal(payload, bytes)
  end)

  it("is a JSON object of a version, a MAC and a body", function()
    local outer = cjson.decode(sealed)
    assert.same({ "awsync", "body", "mac" }, (function()
      local names = {}
      for name in pairs(outer) do names[#names + 1] = name end
      table.sort(names)
      return names
    end)())
    assert.equal(envelope.mac(key, "awsync/1 call", outer.body), outer.mac)
    assert.is_true(envelope.is(sealed))
  end)

  it("has HMAC-SHA256 as its MAC", function()
    -- Computed with another program: printf 'h\nb' | openssl dgst -sha256 -mac HMAC -macopt key:kk...
    assert.equal("b0f8a1b47f0b7b2ab82146e79583508d6aa5b833cbf4f544b1129aee8e8be6bf", envelope.mac(key, "h", "b"))
    assert.is_nil(envelope.mac("", "h", "b"))
  end)

  it("may have empty claims and any name of a function", function()
    local empty = { run = "", call = "", parent = "", inbox = "", fn = "\xffx\"", depth = 1 }
    local result, got = envelope.open(key, seal(empty), now)
    assert.equal("ok", result)
    assert.equal('?x"', got.fn)
    assert.equal("", got.inbox)
  end)

  it("is refused after any change of one bit", function()
    for i = 1, #sealed do
      for bit = 0, 7 do
        local changed = sealed:sub(1, i - 1) .. string.char(sealed:byte(i) ~ 1 << bit) .. sealed:sub(i + 1)
        local result, got, len = envelope.open(key, changed, now)
        assert(result == "none" or result == "malformed" or result == "version" or result == "forged",
          result .. ": " .. changed)
        assert.is_nil(got)
        assert.equal(0, len)
        -- Only what no longer has our member counts as an ordinary event.
        if result == "none" then assert.is_false(envelope.is(changed)) end
      end
    end
  end)

  it("is refused when it is cut anywhere", function()
    for len = 0, #sealed - 1 do
      local cut = sealed:sub(1, len)
      assert.equal(envelope.is(cut) and "malformed" or "none", (envelope.open(key, cut, now)))
    end
  end)

  it("is refused under another key and without one", function()
    assert.equal("forged", (envelope.open(("K"):rep(32), sealed, now)))
    assert.equal("forged", (envelope.open(key .. "k", sealed, now)))
    assert.equal("no_key", (envelope.open("", sealed, now)))
    assert.is_nil(envelope.seal("", claims, payload))
  end)

  it("is refused after its lifetime and from the future", function()
    assert.equal("ok", (envelope.open(key, sealed, now + 3600000)))
    assert.equal("expired", (envelope.open(key, sealed, now + 3600001)))
    assert.equal("ok", (envelope.open(key, sealed, now - 300000)))
    assert.equal("expired", (envelope.open(key, sealed, now - 300001)))
    assert.equal("expired", (envelope.open(key, seal { lifetime_ms = 0 }, now + 1)))
    assert.equal("expired", (envelope.open(key, seal { issued_ms = math.maxinteger // 4 }, now)))
  end)

  it("is refused in another version, whatever its MAC", function()
    for _, version in ipairs { "0", "2", "-1", "9223372036854775807" } do
      assert.equal("version", (envelope.open(key, (sealed:gsub('"awsync":1', '"awsync":' .. version)), now)))
    end
    for _, version in ipairs { "1.0", '"1"', "null", "[1]", "1e0", "18446744073709551617" } do
      assert.equal("malformed", (envelope.open(key, (sealed:gsub('"awsync":1', '"awsync":' .. version)), now)))
    end
  end)

  it("has exactly its three members, once", function()
    local inner = sealed:sub(2, -2)
    assert.equal("ok", (envelope.open(key, " { " .. inner .. " } ", now)))
    for _, text in ipairs { "{" .. inner .. ',"x":1}', '{"x":{},' .. inner .. "}", "{" .. inner .. "," .. inner .. "}",
      "{" .. inner .. "} 1", '{"awsync":1}', '{"awsync":1,"mac":"","body":""}{', '{"awsync":1,"mac":1,"body":""}',
      '{"awsync":1,"mac":"","body":{}}', '{"awsync":1,"body":' } do
      assert.equal("malformed", (envelope.open(key, text, now)), text)
    end
    assert.equal("forged", (envelope.open(key, '{"awsync":1,"mac":"","body":""}', now)))
    local upper = sealed:gsub('"mac":"(%x+)"', function(mac) return '"mac":"' .. mac:upper() .. '"' end)
    assert.equal("forged", (envelope.open(key, upper, now)))
  end)

  it("is refused when its body is none of ours although its MAC holds", function()
    local body = body_of(sealed)
    assert.equal("ok", (envelope.open(key, around(body), now)))
    local bad = { "", "1", "{}", "[]", body .. " 1",
      body:gsub('"depth":3', '"depth":-1'), body:gsub('"depth":3', '"depth":1.0'),
      body:gsub('"depth":3', '"depth":4294967296'), body:gsub('"depth":3', '"dept":3'),
      body:gsub('"depth":3,', ""), body:gsub('"run":"', '"run":"long'),
      body:gsub('"run":"', '"run":"\\u0000'),
      body:gsub('"run":"[^"]*"', '"run":1'), body:gsub('"issued":%d+', '"issued":9223372036854775807'),
      body:gsub('"issued":', '"issued":-'),
      body:sub(1, -3) }
    for i, other in ipairs(bad) do
      if type(other) == "string" then
        assert.equal("malformed", (envelope.open(key, around(other), now)), i .. ": " .. other)
      end
    end
  end)

  it("carries a budget where there is one, and is refused when that is none", function()
    local with = seal { spent = 1200, share = 34000000, typical_ms = 250 }
    local _, got = envelope.open(key, with, now)
    assert.same({ 1200, 34000000, 250 }, { got.spent, got.share, got.typical_ms })
    local body = body_of(with)
    assert.truthy(body:find('"budget":[1200,34000000,250],', 1, true))
    assert.falsy(body_of(sealed):find("budget", 1, true))
    for _, other in ipairs { "1", "[]", "[1,2]", "[1,2,3,4]", "[1,0,3]", "[-1,2,3]", '[1,2,"3"]', "[1.5,2,3]", "null",
      "[9223372036854775807,1,1]" } do
      local changed = body:gsub('"budget":%b[]', function() return '"budget":' .. other end)
      assert.equal("malformed", (envelope.open(key, around(changed), now)), other)
    end
  end)

  it("is not what an ordinary event is", function()
    for _, event in ipairs { "", "{}", "null", "[1]", '"awsync"', '{"a":{"awsync":1}}',
      '{"a":[{"awsync":1}],"b":"awsync"}', '["awsync",1]', "{", '{"a":1', "not JSON", '{"\\u0061wsync":1}' } do
      assert.is_false(envelope.is(event), event)
      assert.equal("none", (envelope.open(key, event, now)), event)
    end
    assert.is_true(envelope.is '{"a":{"b":[1,2,{}]},"awsync":null}')
    assert.equal("malformed", (envelope.open(key, '{"a":{"b":[1,2,{}]},"awsync":1}', now)))
  end)

  it("is not begun that would not fit", function()
    assert.is_nil(envelope.seal(key, claims, payload, 400))
    assert.is_string(envelope.seal(key, claims, payload, #sealed))
    assert.is_nil(envelope.seal(key, claims, payload, #sealed - 1))
  end)

  it("carries a payload of many levels and of a megabyte", function()
    local deep = ("["):rep(1000) .. ("]"):rep(1000)
    assert.equal(deep, (select(3, envelope.open(key, seal({}, deep), now))))
    local large = '["' .. ("x"):rep(1 << 20) .. '"]'
    assert.equal(large, (select(3, envelope.open(key, seal({}, large), now))))
  end)

  it("has a text for each result", function()
    local seen = {}
    for _, name in ipairs { "ok", "none", "no_key", "malformed", "version", "forged", "expired", "no_memory" } do
      local text = envelope.text(name)
      assert.is_nil(seen[text])
      seen[text] = true
    end
    assert.matches("set AWSYNC_KEY to 32 to 64 random bytes", envelope.text "no_key")
    assert.matches("awsync/1", envelope.text "version")
  end)
end)

describe("the deployment's key", function()
  local hex = ("0aB1"):rep(16)
  local bytes = ("\x0a\xb1"):rep(16)
  local base64 = "CrEKsQqxCrEKsQqxCrEKsQqxCrEKsQqxCrEKsQqxCrE="

  local function folder()
    local dir = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
    finally(function() os.execute("rm -r " .. dir) end)
    return dir
  end

  local function write(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end

  it("is hex or base64 of 32 to 64 bytes", function()
    assert.equal(bytes, envelope.load_key(hex))
    assert.equal(bytes, envelope.load_key(base64))
    assert.equal(bytes, envelope.load_key(" " .. hex .. "\n"))
    assert.equal(bytes .. bytes, envelope.load_key(hex .. hex))
    assert.equal(("\xff"):rep(33), envelope.load_key(("/"):rep(44)))
  end)

  it("is refused, and not shown, when it is something else", function()
    local bad = { "x", hex:sub(1, 62), hex .. "0", hex .. hex .. "00", base64:sub(1, -2), base64:gsub("=", "!"),
      "secret-" .. hex, ("G"):rep(88), ("A"):rep(1000), " " }
    for _, text in ipairs(bad) do
      if type(text) == "string" then
        local got, why = envelope.load_key(text)
        assert.is_nil(got, text)
        assert.matches("^AWSYNC_KEY ", why)
        if #text > 5 then assert.is_nil(why:find(text, 1, true)) end
      end
    end
    assert.equal("AWSYNC_KEY holds 3 bytes; a key has 32 to 64", select(2, envelope.load_key "QUJD"))
    assert.equal("AWSYNC_KEY is neither hex nor base64", select(2, envelope.load_key "no key"))
    for _, digits in ipairs { 44, 48, 62, 130 } do
      assert.equal(("AWSYNC_KEY holds %d bytes; a key has 32 to 64"):format(digits // 2),
        select(2, envelope.load_key(("a7"):rep(digits // 2))))
    end
  end)

  it("is none, which is no error", function()
    assert.equal("", envelope.load_key())
    assert.equal("", envelope.load_key(""))
    assert.equal("", envelope.load_key(nil, folder()))
    assert.equal("", envelope.load_key(nil, "/no/such/folder"))
  end)

  it("comes from the file beside the program unless the environment has one", function()
    local dir = folder()
    write(dir .. "/awsync.key", base64 .. "\n")
    assert.equal(bytes, envelope.load_key(nil, dir))
    assert.equal(bytes, envelope.load_key("", dir))
    assert.equal(("\1"):rep(32), envelope.load_key(("01"):rep(32), dir))
    assert.is_nil(envelope.load_key("x", dir))
  end)

  it("is refused from a file that is no key, or no file", function()
    local dir = folder()
    for _, text in ipairs { "", "x", ("0"):rep(63), ("00"):rep(200) } do
      write(dir .. "/awsync.key", text)
      local got, why = envelope.load_key(nil, dir)
      assert.is_nil(got)
      assert.is_truthy(why:find("the key file " .. dir .. "/awsync.key", 1, true))
    end
    os.remove(dir .. "/awsync.key")
    assert(os.execute("mkdir " .. dir .. "/awsync.key"))
    assert.matches("is no regular file$", (select(2, envelope.load_key(nil, dir))))
    assert(os.execute("rmdir " .. dir .. "/awsync.key && mkfifo " .. dir .. "/awsync.key"))
    assert.matches("is no regular file$", (select(2, envelope.load_key(nil, dir))))
    assert.matches("path of the key file is too long", (select(2, envelope.load_key(nil, ("/x"):rep(3000)))))
  end)
end)
