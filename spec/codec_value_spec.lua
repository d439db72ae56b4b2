-- Values on the wire: what arrives is what left, and plain data is plain JSON.
local codec = require "probe.codec"
local cjson = require "cjson"
local same = require "support.same"

local null = codec.null
local key = ("k"):rep(32)
local signed = { key = key }

local function copy(value, settings)
  return codec.decode(codec.encode(value, settings), settings)
end

local function refused(value, message, settings)
  local good, err = pcall(codec.encode, value, settings)
  assert.is_false(good)
  assert.equal(message, err)
end

describe("a value on the wire", function()
  local plain = {
    { nil, "null" }, { true, "true" }, { false, "false" }, { 0, "0" }, { -7, "-7" }, { 1.0, "1.0" }, { -0.0, "-0.0" },
    { math.maxinteger, "9223372036854775807" }, { math.mininteger, "-9223372036854775808" },
    { 9007199254740993, "9007199254740993" }, { 0.1, "0.1" }, { 2.5, "2.5" }, { 5e-324, "5e-324" },
    { "", '""' }, { "x", '"x"' }, { 'a"b\\c/', [["a\"b\\c/"]] },
    { "\0\1\b\t\n\v\f\r\31", [["\u0000\u0001\b\t\n\u000b\f\r\u001f"]] },
    { "\127", [["\u007f"]] }, { "ä€𝄞", '"ä€𝄞"' }, { "\u{FFFE}\u{FFFF}\u{FFFD}", '"\\ufffe\\uffff\u{FFFD}"' },
    { {}, "{}" }, { { 1, 2.5, "x" }, '[1,2.5,"x"]' }, { { a = { 1, 2.5, "x" } }, '{"a":[1,2.5,"x"]}' },
    { { [""] = 1 }, '{"":1}' }, { { ["$r"] = 0 }, '{"$r":0}' }, { { "$t", { "$f" } }, '["$t",["$f"]]' },
    { { null, { x = null } }, '[null,{"x":null}]' }, { { {}, {} }, "[{},{}]" },
    { "awsync/1 {}", '"awsync/1 {}"' },
  }
  for _, case in ipairs(plain) do
    it("is the plain JSON " .. case[2], function()
      assert.equal(case[2], codec.encode(case[1]))
      assert(same(case[1], codec.decode(case[2])))
    end)
  end

  it("is plain JSON also when a list was built backwards or has grown by pieces", function()
    local list, grown = {}, {}
    for i = 9, 1, -1 do list[i] = i end
    for i = 1, 1000 do grown[#grown + 1] = { i } end
    assert.equal("[1,2,3,4,5,6,7,8,9]", codec.encode(list))
    assert.equal("[[1],[2],", codec.encode(grown):sub(1, 9))
    assert(same(grown, copy(grown)))
    local odd = { 1, 2 }
    for i = 8, 3, -1 do odd[i] = { i } end
    assert.equal("[1,2,[3],[4],[5],[6],[7],[8]]", codec.encode(odd))
  end)

  local shared = { 1 }
  local loop = { name = "loop" }
  loop.self, loop[1] = loop, { loop }
  local tagged = {
    ["awsync.null on top"] = null, ["nan"] = 0 / 0, ["inf"] = { 1 / 0, -1 / 0 },
    ["bytes"] = { "\xff\0\xfe", ["\x80"] = "\xc3(" }, ["a surrogate's bytes"] = "\xed\xa0\x80",
    ["holes"] = { 1, nil, 3 }, ["a hole at the front"] = { nil, 2 }, ["far keys"] = { [2 ^ 53 | 0] = 1, [-1] = 2 },
    ["mixed keys"] = { 1, 2, a = 3 }, ["float keys"] = { [1.5] = "a", [1 / 0] = "b", [-1e300] = "c" },
    ["boolean keys"] = { [true] = false, [false] = true }, ["null as key"] = { [null] = 1 },
    ["one table twice"] = { shared, shared, { shared } }, ["cycles"] = loop,
    ["tags in a tagged message"] = {
      0 / 0, { ["$r"] = 0 }, { ["$"] = 1, ["$$"] = 2, ["$$$n"] = 3, ["a$"] = 4 }, { "$r", 0 },
    },
    ["null inside"] = { null, 0 / 0, { x = null } }, ["empty tables"] = { {}, {}, n = { [1.5] = {} } },
    ["exact numbers"] = { 0 / 0, 1, 1.0, -0.0, math.mininteger, math.maxinteger, 1e308, 5e-324, 2 ^ 53 },
  }
  for name, value in pairs(tagged) do
    it("arrives as it left: " .. name, function()
      local text = codec.encode(value)
      assert.equal("awsync/1 ", text:sub(1, 9))
      assert(same(value, codec.decode(text)))
    end)
  end

  it("may have tables as keys, and references to them", function()
    local k = { "key" }
    local t = copy { [k] = "there", k = k }
    assert.equal("there", t[t.k])
    assert.same({ "key" }, t.k)
  end)

  it("arrives once more as it left when it is sent on", function()
    assert(same(loop, copy(copy(loop))))
    assert(same({ shared, shared }, copy(copy { shared, shared })))
  end)

  it("carries channels and their views, one channel as one", function()
    local both = codec.channel("https://sqs/1/awsync-x.fifo", false, true, true, 30)
    local view = codec.channel("https://sqs/1/awsync-y.fifo", true, true, false, 600)
    local other = codec.channel("https://sqs/1/awsync-z.fifo", true, false, true, 0)
    local t = copy { both, { view }, both, other }
    assert.same({ "https://sqs/1/awsync-x.fifo", false, true, true, 30 }, { codec.describe(t[1]) })
    assert.same({ "https://sqs/1/awsync-y.fifo", true, true, false, 600 }, { codec.describe(t[2][1]) })
    assert.same({ "https://sqs/1/awsync-z.fifo", true, false, true, 0 }, { codec.describe(t[4]) })
    assert.is_true(rawequal(t[1], t[3]))
    assert.equal('awsync/1 {"$c":["https://sqs/1/awsync-x.fifo","both",true,30]}', codec.encode(both))
  end)

  it("carries what only some channels have", function()
    for text, options in pairs {
      ['{"capacity":0}'] = { 0, false, 0 },
      ['{"capacity":10,"max_receives":3}'] = { 10, false, 3 },
      ['{"max_receives":1000,"stream":true}'] = { nil, true, 1000 },
      ['{"capacity":7,"max_receives":1,"stream":true}'] = { 7, true, 1 },
    } do
      local channel = codec.channel("u", false, true, true, 30, options[1], options[2], options[3])
      assert.equal(('awsync/1 {"$c":["u","both",true,30,%s]}'):format(text), codec.encode(channel))
      assert.same(table.pack(options[1], options[2], options[3]), table.pack(codec.extras(copy(channel))))
    end
    assert.same(table.pack(nil, false, 0),
      table.pack(codec.extras(codec.decode 'awsync/1 {"$c":["u","both",true,30,{}]}')))
  end)

  it("keeps a metatable that a loaded module has, and only with a signature", function()
    local Point = { __index = {} }
    package.loaded["spec.point"] = { mt = Point }
    package.loaded["spec.class"] = Point
    finally(function() package.loaded["spec.point"], package.loaded["spec.class"] = nil, nil end)
    local p = setmetatable({ x = 1, 2 }, Point)
    assert(same({ p, p }, copy({ p, p }, signed)))
    assert.truthy(codec.encode(p, signed):find('{"$m":["spec.class"],"$t":[', 1, true))
    package.loaded["spec.class"] = nil
    assert.truthy(codec.encode(p, signed):find('{"$m":["spec.point","mt"],"$t":[', 1, true))
    assert.error_matches(function() codec.encode { p } end,
      "^push: value%[1%] is a table with a metatable, which travels signed only, and there is no key: set AWSYNC_KEY")
    package.loaded["spec.point"] = nil
    refused({ a = p },
      "push: value.a is a table whose metatable no loaded module has, which cannot leave its process", signed)
  end)

  it("does not run metamethods when it leaves", function()
    local function never() error "was run" end
    package.loaded["spec.mt"] = { mt = { __index = never, __pairs = never, __len = never, __newindex = never } }
    finally(function() package.loaded["spec.mt"] = nil end)
    local t = copy(setmetatable({ 1, nil, 3 }, package.loaded["spec.mt"].mt), signed)
    assert.equal(3, rawget(t, 3))
  end)

  it("finds a loaded module again by its name, also one of plain data", function()
    package.loaded["spec.config"] = { port = 80 }
    finally(function() package.loaded["spec.config"] = nil end)
    local t = copy({ string, _G, package.loaded["spec.config"] }, signed)
    assert.equal(string, t[1])
    assert.equal(_G, t[2])
    assert.equal(package.loaded["spec.config"], t[3])
    package.preload["spec.config"] = function() return { port = 81 } end
    local text = codec.encode(package.loaded["spec.config"], signed)
    package.loaded["spec.config"] = nil
    assert.equal(81, codec.decode(text, signed).port)
    package.preload["spec.config"], package.loaded["spec.config"] = nil, nil
    assert.error_matches(function() codec.decode(text, signed) end, "module 'spec.config' not found")
  end)

  it("takes cjson.null and cjson's array marks", function()
    assert.equal("[null]", codec.encode { cjson.null })
    assert.equal(cjson.null, null)
    local saved = { cjson.empty_array, cjson.empty_array_mt, cjson.array_mt }
    local _, other = pcall(codec.encode, io.stdout)
    assert.truthy(other)
    cjson.empty_array_mt, cjson.array_mt = saved[2] or {}, saved[3] or {}
    finally(function() cjson.empty_array_mt, cjson.array_mt = saved[2], saved[3] end)
    assert.equal('{"a":[]}', codec.encode { a = setmetatable({}, cjson.empty_array_mt) })
    assert.equal("[]", codec.encode_json(setmetatable({}, cjson.array_mt)))
    assert.equal("[1]", codec.encode_json(setmetatable({ 1 }, cjson.array_mt)))
    assert.same({}, codec.decode "[]")
  end)
end)

describe("what cannot travel", function()
  local co = coroutine.create(print)

  it("is refused with its path", function()
    refused({ handler = { co = co } }, "push: value.handler.co is a coroutine, which cannot leave its process")
    refused(co, "push: value is a coroutine, which cannot leave its process")
    refused({ 1, 2, { x = io.stdout } }, "push: value[3].x is userdata (FILE*), which cannot leave its process")
    refused({ ["a b"] = { [1.5] = { [true] = co } } },
      'push: value["a b"][1.5][true] is a coroutine, which cannot leave its process')
    refused({ ['"\n\xff'] = co }, [[push: value["\"\x0a\xff"] is a coroutine, which cannot leave its process]])
    refused({ [co] = 1 }, "push: value[a thread] (a key) is a coroutine, which cannot leave its process")
    refused({ [{}] = co }, "push: value[a table] is a coroutine, which cannot leave its process")
    refused({ f = ("x"):gmatch "." },
      "push: value.f is a C function that no loaded module has, which cannot leave its process", signed)
    refused({ setmetatable({}, {}) },
      "push: value[1] is a table whose metatable no loaded module has, which cannot leave its process")
  end)

  it("is named by its upvalue and function, or by its argument", function()
    local db = { conn = io.stdout }
    local function work() return db end
    local line = debug.getinfo(work, "S").linedefined
    local outer = { deep = { work } }
    local function encode_call(...)
      return select(2, pcall(codec.encode_call, nil, ...))
    end
    assert.equal(("invoke: upvalue 'db'.conn of function codec_value_spec.lua:%d is userdata (FILE*), "
      .. "which cannot leave its process"):format(line), encode_call(work))
    assert.equal(("invoke: upvalue 'db'.conn of function 'work' (codec_value_spec.lua:%d) is userdata (FILE*), "
      .. "which cannot leave its process"):format(line), encode_call(function() return work() end))
    assert.equal(("invoke: upvalue 'db'.conn of function 'go' (codec_value_spec.lua:%d) is userdata (FILE*), "
      .. "which cannot leave its process"):format(line), encode_call(print, { go = work }))
    _G.spec_work = work
    finally(function() _G.spec_work = nil end)
    assert.equal(("invoke: upvalue 'db'.conn of function 'spec_work' (codec_value_spec.lua:%d) is userdata (FILE*), "
      .. "which cannot leave its process"):format(line), encode_call(print, outer))
    assert.equal("invoke: argument 2.handler.co is a coroutine, which cannot leave its process",
      encode_call(print, 1, { handler = { co = co } }))
    assert.equal("invoke: argument 1 is userdata (FILE*), which cannot leave its process",
      encode_call(print, io.stdout))
    assert.equal("invoke: a function expected, got a table", encode_call({}))
  end)

  it("is also what is nested deeper than 200 levels, and no deeper", function()
    local function nest(depth, leaf)
      local t = { leaf }
      for _ = 2, depth do t = { t } end
      return t
    end
    assert(same(nest(200, 1), copy(nest(200, 1))))
    assert(same(nest(200, 0 / 0), copy(nest(200, 0 / 0))))
    for _, leaf in ipairs { 1, 0 / 0, print } do
      local good, err = pcall(codec.encode, nest(201, leaf), signed)
      assert.is_false(good)
      assert.matches("^push: value%[1%]%[1%].* %.%.%. .*%[1%] is nested deeper than 200 levels$", err)
      assert.is_true(#err < 400)
    end
    local f = print
    for _ = 1, 300 do
      local inner = f
      f = function() return inner() end
    end
    assert.error_matches(function() codec.encode_call(nil, f) end,
      "^invoke: upvalue 'inner' of function 'inner' %(codec_value_spec.lua:%d+%) is nested deeper than 200 levels$")
  end)

  it("is also what is too large: both figures are said, and what was largest", function()
    local limit = { limit = 1048576, key = key }
    refused({ image = ("x"):rep(1400178), small = "abc", t = { 1, 2, 3 } },
      "push: value is 1,400,216 bytes as a message, over SQS's limit of 1,048,576; "
      .. "the largest part is value.image (1,400,180 bytes)", limit)
    refused(("x"):rep(1048575), "push: value is 1,048,577 bytes as a message, over SQS's limit of 1,048,576", limit)
    assert.equal(1048576, #codec.encode(("x"):rep(1048574), limit))
    local good, err = pcall(codec.encode, { a = { b = { ("\xff"):rep(900000), 1 } }, c = print }, limit)
    assert.is_false(good)
    assert.matches("the largest part is value.a.b%[1%] %(1,200,0%d%d bytes%)$", err)
    good, err = pcall(codec.encode, { a = ("x"):rep(400000), b = ("x"):rep(500000), c = ("x"):rep(450000) }, limit)
    assert.is_false(good)
    assert.matches("the largest part is value.b %(500,002 bytes%)$", err)
    -- In an envelope each quote takes two bytes.
    good, err = pcall(codec.encode_call, { limit = 1000 }, print, "ab", { ("\""):rep(400) })
    assert.is_false(good)
    assert.matches("^invoke: the call is 1,6%d%d bytes as an event, over Lambda's limit of 1,000; "
      .. "the largest part is argument 2%[1%] %(802 bytes%)$", err)
  end)
end)

describe("plain JSON for results", function()
  local cases = {
    { { statusCode = 200 }, '{"statusCode":200}' }, { nil, "null" }, { null, "null" }, { { null }, "[null]" },
    { {}, "{}" },
    { 1.0, "1.0" },
      { 9007199254740993, "9007199254740993" }, { "ä\n", '"ä\\n"' }, { { 1, { a = true } }, '[1,{"a":true}]' },
  }
  for _, case in ipairs(cases) do
    it("is " .. case[2], function()
      assert.equal(case[2], codec.encode_json(case[1]))
    end)
  end

  it("writes a table that is there twice twice, and ignores metatables", function()
    local t = { 1 }
    assert.equal("[[1],[1]]", codec.encode_json { t, t })
    assert.equal('{"x":1}', codec.encode_json(setmetatable({ x = 1 }, { __index = { y = 2 } })))
    assert.equal('"port"', codec.encode_json "port")
  end)

  it("refuses what JSON cannot say, with the path", function()
    local loop = { a = {} }
    loop.a.b = loop
    local bad = {
      { { x = 0 / 0 }, "value.x is nan" }, { { 1, 1 / 0 }, "value[2] is inf" },
      { { 1, nil, 3 }, "value is a table with integer keys that is no list" },
      { { a = { [2] = 1 } }, "value.a is a table with integer keys that is no list" },
      { { a = { 1, b = 2 } }, "value.a is a table with integer keys that is no list" },
      { { a = { [1.5] = 2 } }, "value.a is a table with a number as key" },
      { loop, "value.a.b is a table that contains itself" },
      { { [true] = 1 }, "value is a table with a boolean as key" }, { { f = print }, "value.f is a function" },
      { "\xff", "value is a string that is not UTF-8" },
      { { ["\xff"] = 1 }, "value is a table with a key that is not UTF-8" },
      { { codec.channel("u", false, true, true) }, "value[1] is a userdata" },
    }
    for _, case in ipairs(bad) do
      local good, err = pcall(codec.encode_json, case[1])
      assert.is_false(good)
      assert.equal("return: " .. case[2] .. ", which JSON cannot say", err)
    end
  end)

  it("is read with integers and floats apart and null as awsync.null", function()
    assert(same({ n = 9007199254740993, f = 0.1, one = 1.0, z = null, l = { 1, null } },
      codec.decode_json '{"n": 9007199254740993, "f": 0.1, "one": 1.0, "z": null, "l": [1, null]}'))
    assert.is_nil(codec.decode_json " null ")
    assert.equal(18446744073709551616.0, codec.decode_json "18446744073709551616")
    assert.equal(2, codec.decode_json '{"a":1,"a":2}'.a)
    assert.error_matches(function() codec.decode_json "{" end, "^event is no JSON: .* at byte 1$")
    assert.error_matches(function() codec.decode_json "1 2" end, "^event is no JSON: ")
  end)

  it("is read whole, however wide", function()
    local list, map = {}, {}
    for i = 1, 200 do
      list[i] = i
      map["k" .. i] = { i }
    end
    assert(same(list, codec.decode_json(codec.encode_json(list))))
    assert(same(map, codec.decode_json(codec.encode_json(map))))
    for n = 60, 70 do
      assert(same({ table.unpack(list, 1, n) }, codec.decode(codec.encode { table.unpack(list, 1, n) })))
    end
  end)
end)
