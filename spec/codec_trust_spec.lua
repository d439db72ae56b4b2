-- Who may put what on a queue: signatures of messages, and text that wants to do harm.
local codec = require "probe.codec"
local envelope = require "probe.envelope"

local key = ("k"):rep(32)
local signed = { key = key, request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd" }
local day = 24 * 3600 * 1000

local function fails(text, message, settings)
  local good, err = pcall(codec.decode, text, settings)
  assert.is_false(good, text)
  assert.matches(message, err)
end

-- A message of this document, signed now or else.
local function sign(document, age_ms, with)
  local head = ("awsync/1 signed %d request"):format(os.time() * 1000 - (age_ms or 0))
  return head .. " " .. envelope.mac(with or key, head, document) .. " " .. document
end

describe("a signed message", function()
  local ran
  local text = codec.encode(function() ran = true end, signed)

  it("says when and by whom it was sent, and holds", function()
    local issued, id, mac, document = text:match "^awsync/1 signed (%d+) (%S+) (%x+) (.*)$"
    assert.is_true(math.abs(issued - os.time() * 1000) < 60000)
    assert.equal(signed.request_id, id)
    assert.equal(mac, envelope.mac(key, text:match "^(.-) %x+ {", document))
    assert.equal("function", type(codec.decode(text, signed)))
    assert.equal("function", type(codec.decode(sign(document), signed)))
  end)

  it("is refused after any change of one bit", function()
    for i = 1, #text do
      for bit = 0, 7 do
        local changed = text:sub(1, i - 1) .. string.char(text:byte(i) ~ 1 << bit) .. text:sub(i + 1)
        local good, err = pcall(codec.decode, changed, signed)
        assert(not good, "taken: " .. changed)
        assert.matches("^pop: message ", err)
      end
    end
    assert.is_nil(ran)
  end)

  it("is refused when it is cut anywhere, or goes on", function()
    for len = 0, #text - 1 do
      assert.is_false((pcall(codec.decode, text:sub(1, len), signed)))
    end
    fails(text .. " ", "^pop: message has a signature that does not hold", signed)
  end)

  it("is refused under another key, without a key, and without its signature", function()
    fails(text, "^pop: message has a signature that does not hold: changed on its way, "
      .. "or signed with the key of another deployment$", { key = ("z"):rep(32) })
    fails(text, "^pop: message is signed, and there is no key to verify it: set AWSYNC_KEY to 32 to 64 random bytes")
    local document = text:match "({.*)$"
    fails("awsync/1 " .. document, "^pop: message has a function and no signature$", signed)
    assert.equal("table", type(codec.decode(document, signed)))
    fails("awsync/2" .. text:sub(9), "^pop: message is of version awsync/2, and this program reads awsync/1$", signed)
  end)

  it("is refused after its lifetime of four days, and from the future", function()
    assert.equal(1, codec.decode(sign("1", 4 * day), signed))
    fails(sign("1", 4 * day + 6 * 60000), "^pop: message has a signature that is older than its lifetime, "
      .. "or from the future$", signed)
    assert.equal(1, codec.decode(sign("1", -4 * 60000), signed))
    fails(sign("1", -6 * 60000), "older than its lifetime", signed)
  end)

  it("is not made of a call's envelope, nor the reverse", function()
    local head = "awsync/1 call"
    local document = '{"$g":["os","exit"]}'
    fails("awsync/1 signed 1 x " .. envelope.mac(key, head, document) .. " " .. document, "does not hold", signed)
  end)

  it("takes no more of a request id than letters, digits and hyphens", function()
    local settings = { key = key, request_id = "a b\nc {" }
    assert.matches("^awsync/1 signed %d+ abc %x+ ", codec.encode(print, settings))
    assert.equal(print, codec.decode(codec.encode(print, settings), settings))
  end)
end)

describe("a stranger's text", function()
  it("is plain data when it is JSON, whatever it looks like", function()
    assert.same({ ["$f"] = { "x" } }, codec.decode ' {"$f":["x"]} ')
    assert.same({ "$r", 0 }, codec.decode '["$r",0]')
    assert.equal("awsync/1 {}", codec.decode '"awsync/1 {}"')
    assert.same({ awsync = 1 }, codec.decode '{"awsync":1}')
  end)

  it("is refused when it is no JSON", function()
    for _, text in ipairs { "", " ", "hello", "{", "[1,]", "nan", "'x'", "\xef\xbb\xbf1", '"\xff"', "1e999", "[1] 2",
      "\0", "awsync", "{]", '{"a" 1}', '["\\ud800"]' } do
      fails(text, "^pop: message is no JSON: .* at byte %d+$")
    end
    fails(("["):rep(201) .. ("]"):rep(201), "^pop: message is no JSON: nested too deep at byte 200$")
    fails(("["):rep(1000000), "nested too deep")
    fails("awsync/1 " .. ("["):rep(1000000), "nested too deep")
  end)

  it("is refused by its version when that is unknown", function()
    fails("awsync/2 {}", "^pop: message is of version awsync/2, and")
    fails("awsync/", "^pop: message is of version awsync/, and")
    fails("awsync/1", "^pop: message is of version awsync/1, and")
    fails("awsync/11 {}", "^pop: message is of version awsync/11, and")
    fails("awsync/\27[31m" .. ("x"):rep(100), "^pop: message is of version awsync/, and")
    fails("awsync/" .. ("x"):rep(100), "^pop: message is of version awsync/x+, and")
  end)

  it("chooses nothing that is run, loaded or found by name without a signature", function()
    fails('awsync/1 {"$g":["os","execute"]}',
      "^pop: message has a name of a module or function and no signature$", signed)
    fails('awsync/1 {"$m":["string"],"$t":[]}', "^pop: message has the name of a metatable and no signature$", signed)
    fails('awsync/1 [{"$f":["",[]]}]', "^pop: message has a function and no signature$", signed)
  end)

  local shapes = {
    '{"$r":0}', '{"$r":-1}', '{"$r":1.0}', '[{"$r":1}]', '[{"$r":9223372036854775807}]', '{"$r":"0"}', '{"$r":0,"x":1}',
    '{"$n":"NaN"}', '{"$n":1}', '{"$n":"nan","$n":"nan"}', '{"$b":"%%%%"}', '{"$b":"QQ="}', '{"$b":1}', '{"$x":1}',
    '{"$tt":[]}', '{"$t":{}}', '{"$t":[1]}', '{"$t":[{"$n":"nil"},1]}', '{"$t":[{"$n":"nan"},1]}', '{"$t":[1,2,3]}',
    '{"a":1,"$t":[]}', '{"$":1}', '{"a":1,"$b":"QQ=="}', '{"$c":[]}', '{"$c":["u"]}', '{"$c":["u","all",true,1]}',
    '{"$c":["u","both",1,1]}', '{"$c":["u","both",true,-1]}',
    '{"$c":["u","both",true,43201]}', '{"$c":["u","both",true,1,1]}', '{"$c":["u","both",true,1,{},1]}',
    '{"$c":["u","both",true,1,{"capacity":-1}]}', '{"$c":["u","both",true,1,{"capacity":2147483648}]}',
    '{"$c":["u","both",true,1,{"max_receives":1.5}]}', '{"$c":["u","both",true,1,{"stream":false}]}',
    '{"$c":["u","both",true,1,{"size":1}]}', '{"$c":["u","both",true,1,{"stream":true]}',
    '{"$c":["\\u0000","both",true,1]}', '{"$c":["u","both",true,1.0]}', "", "1 2", "[", "signed", '"\xff"',
  }
  local trusted = {
    '{"$f":[]}', '{"$f":["",[]]}', '{"$f":["G0x1YQ==",[]]}', '{"$f":[0,[]]}', '{"$f":[-1,[]]}', '{"$f":["!",[]]}',
    '{"$f":["cmV0dXJuIDE=",[]]}', '{"$g":[]}', '{"$g":[1]}', '{"$g":["os",1]}', '{"$g":["os","exit","x"]}',
    '{"$g":["no such module"]}', '{"$m":["string"]}', '{"$m":["string"],"$b":""}', '{"$m":["string","rep"],"$t":[]}',
    '{"$g":["a\\u0000b"]}', '{"$g":["os","no"]}',
  }
  for _, shape in ipairs(shapes) do
    it("is refused when it is tagged as " .. shape:gsub("[\128-\255]", "?"), function()
      assert.is_false((pcall(codec.decode, "awsync/1 " .. shape, signed)))
      assert.is_false((pcall(codec.decode_call, "[" .. shape .. "]")))
    end)
  end
  for _, shape in ipairs(trusted) do
    it("is refused even with a signature when it is tagged as " .. shape, function()
      assert.is_false((pcall(codec.decode, sign(shape), signed)))
      assert.is_false((pcall(codec.decode_call, "[" .. shape .. "]")))
    end)
  end

  it("has no code and no cell that it did not bring, and as many upvalues as its code", function()
    local a, b = 1, 2
    local code = codec.encode_call(nil, function() return a, b end):match '"(G0x[^"]*)"'
    local function call(cells)
      return pcall(codec.decode_call, ('[{"$f":["%s",%s]}]'):format(code, cells))
    end
    assert.is_true((call "[[1],[2]]"))
    assert.is_true((call "[[1],0]"))
    for _, cells in ipairs { "[]", "[[1]]", "[[1],[2],[3]]", "[[1],1]", "[[1],-1]", "[0,[1]]", "[1,2]", "[[1,2],[3]]",
      "[[],{}]", "{}", "[[1],0.0]" } do
      assert.is_false((call(cells)), cells)
    end
    local _, f = call "[[5],0]"
    assert.same({ 5, 5 }, { f() })
    assert.same({ nil, nil }, { select(2, call "[[],[]]")() })
  end)

  it("is decoded however many tables, marks and doubled keys it has", function()
    codec.decode("[" .. ("[],"):rep(200000) .. "1]")
    codec.decode("awsync/1 [" .. ('{"$t":[]},'):rep(100000) .. "1]")
    codec.decode("awsync/1 [[]," .. ('{"$r":1},'):rep(100000) .. "1]")
    codec.decode('awsync/1 {"$t":[9007199254740992,1,1e300,2,-1,3]}')
    local keys = {}
    for i = 1, 100000 do keys[i] = ('"%d":1'):format(i % 10) end
    assert.equal(1, codec.decode("{" .. table.concat(keys, ",") .. "}")["3"])
  end)
end)
