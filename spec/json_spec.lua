local json = require "probe.json"
local shell = require "spec.support.shell"

local null = json.null

-- Tokens as one line: `{ key:a [ integer:1 ] }`, without the end.
local function walk(text, depth)
  local words = {}
  local list = json.tokens(text, depth)
  for i, token in ipairs(list) do
    if i < #list or token[1] == "error" then
      words[i] = token[2] == nil and token[1] or ("%s:%s"):format(token[1], token[2])
    end
  end
  return table.concat(words, " ")
end

-- Takes a locale with a decimal comma, made for this spec: whether the machine has one must not matter.
local function comma_locale()
  local folder, remove = shell.folder()
  shell.write(folder .. "/source", 'LC_NUMERIC\ndecimal_point ","\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n')
  shell.write(folder .. "/ascii", "<code_set_name> ASCII\n<comment_char> %\n<escape_char> /\n"
    .. "CHARMAP\n<U0000>..<U007F> /x00 ASCII\nEND CHARMAP\n")
  -- It warns of all that a whole locale has besides.
  local _, warnings = shell.run(("cd %s && localedef -c -i ./source -f ./ascii ./comma"):format(shell.quote(folder)))
  local done = json.set_numeric_locale(folder, "comma")
  remove()
  return done or warnings
end

local function number(text)
  local value, message = json.parse(text)
  if value == nil then error(text .. ": " .. message, 2) end
  return value
end

local function bits(x) return ("%016x"):format(string.unpack("<I8", string.pack("<d", x))) end

local function random_double()
  while true do
    local x = string.unpack("<d", string.pack("<I8", math.random(0)))
    if x == x and math.abs(x) ~= math.huge then return x end
  end
end

local function seeded()
  local seed = os.time()
  math.randomseed(seed)
  return ("seed %d: "):format(seed)
end

describe("the JSON reader accepts", function()
  local accepted = {
    ["null"] = "null", ["true"] = "true", ["false"] = "false", [" \t\r\n1 \t\r\n"] = "integer:1",
    ["0"] = "integer:0", ["-1"] = "integer:-1", ["10"] = "integer:10", ["-0"] = "double:-0.0", ["0.0"] = "double:0.0",
    ["1.0"] = "double:1.0", ["1e0"] = "double:1.0", ["1E+2"] = "double:100.0", ["1.5e-1"] = "double:0.15",
    ["0e1"] = "double:0.0", ["0E-99999999999999999999"] = "double:0.0", ["-0e5"] = "double:-0.0",
    ['""'] = "string:", ['"a b"'] = "string:a b", ['"\127"'] = "string:\127",
    ['"0123456789abcdef"'] = "string:0123456789abcdef",
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t"'] = 'string:"\\/\b\f\n\r\t', ['"\\u0041\\u00e4\\u20AC"'] = "string:Aä€",
    ['"\\u0000x"'] = "string:\0x", ['"\\ud83d\\ude00"'] = "string:😀", ['"\\uDBFF\\uDFFF"'] = "string:\u{10FFFF}",
    ['"\\uFFFE\\uffff"'] = "string:\u{FFFE}\u{FFFF}", ['"ä€😀\u{7FF}\u{800}\u{FFFF}\u{10FFFF}\u{D7FF}\u{E000}"'] =
      "string:ä€😀\u{7FF}\u{800}\u{FFFF}\u{10FFFF}\u{D7FF}\u{E000}",
    ["[]"] = "[ ]", ["[ ]"] = "[ ]", ["{}"] = "{ }", ["{ }"] = "{ }", ["[[]]"] = "[ [ ] ]", ["[{}]"] = "[ { } ]",
    ["[1,2]"] = "[ integer:1 integer:2 ]", [" [ 1 , 2 ] "] = "[ integer:1 integer:2 ]",
    ['{"a":1}'] = "{ key:a integer:1 }", ['{"":{}}'] = "{ key: { } }",
    [' { "a" : 1 , "b" : [ ] } '] = "{ key:a integer:1 key:b [ ] }",
    ['{"a":1,"a":2}'] = "{ key:a integer:1 key:a integer:2 }", ['{"\\u0061":null}'] = "{ key:a null }",
    ['[null,true,false,"x",{},[]]'] = "[ null true false string:x { } [ ] ]",
  }
  for text, expected in pairs(accepted) do
    it(("%q"):format(text):gsub("\n", "n"), function()
      assert.equal(expected, walk(text))
      assert.is_true(json.valid(text))
    end)
  end
end)

describe("the JSON reader refuses, and says where,", function()
  local refused = {
    [""] = "unexpected end of the text at byte 0", ["  "] = "unexpected end of the text at byte 2",
    ["\239\187\191{}"] = "byte order mark at byte 0", ["nul"] = "unknown word at byte 0",
    ["nulL"] = "unknown word at byte 0",
    ["True"] = "a value expected at byte 0", ["NaN"] = "a value expected at byte 0",
    ["Infinity"] = "a value expected at byte 0",
    ["-Infinity"] = "number without a digit where one must be at byte 1",
    ["nullx"] = "something follows the value at byte 4",
    ["1 2"] = "something follows the value at byte 2", ["{}}"] = "something follows the value at byte 2",
    ["1\0"] = "something follows the value at byte 1", ["\0"] = "a value expected at byte 0",
    ["'a'"] = "a value expected at byte 0",
    ["//x\n1"] = "a value expected at byte 0", ["1/**/"] = "something follows the value at byte 1",
    ["01"] = "number with a leading zero at byte 0", ["-01"] = "number with a leading zero at byte 1",
    ["00"] = "number with a leading zero at byte 0", ["+1"] = "a value expected at byte 0",
    [".5"] = "a value expected at byte 0",
    ["-"] = "number without a digit where one must be at byte 1",
    ["1."] = "number without a digit where one must be at byte 2",
    ["-.5"] = "number without a digit where one must be at byte 1",
    ["1.e5"] = "number without a digit where one must be at byte 2",
    ["1e"] = "number without a digit where one must be at byte 1",
    ["1e+"] = "number without a digit where one must be at byte 1",
    ["1.5e-x"] = "number without a digit where one must be at byte 3",
    ["0x10"] = "something follows the value at byte 1",
    ["1_000"] = "something follows the value at byte 1", ["1e5.5"] = "something follows the value at byte 3",
    ["1e400"] = "number too large for a double at byte 0", ["[-1e400]"] = "number too large for a double at byte 1",
    ["1e99999999999999999999"] = "number too large for a double at byte 0",
    ["1.7976931348623159e308"] = "number too large for a double at byte 0",
    ['"'] = "string without its closing quote at byte 1", ['"abc'] = "string without its closing quote at byte 4",
    ['"abc\\'] = "string without its closing quote at byte 4", ['"\\"'] = "string without its closing quote at byte 3",
    ['"\\a"'] = "unknown escape at byte 1", ['"\\x41"'] = "unknown escape at byte 1",
    ['"\\U0041"'] = "unknown escape at byte 1",
    ['"\\u12"'] = "\\u without four hexadecimal digits at byte 1",
    ['"\\u12g4"'] = "\\u without four hexadecimal digits at byte 1",
    ['"\\u-123"'] = "\\u without four hexadecimal digits at byte 1",
    ['"\\u'] = "\\u without four hexadecimal digits at byte 1",
    ['"\n"'] = "control character in a string at byte 1", ['"a\tb"'] = "control character in a string at byte 2",
    ['"0123456789\0"'] = "control character in a string at byte 11",
    ['"\31"'] = "control character in a string at byte 1",
    ['"\\ud800"'] = "half a pair of surrogates at byte 1", ['"\\udc00"'] = "half a pair of surrogates at byte 1",
    ['"\\ud800\\u0041"'] = "half a pair of surrogates at byte 1",
    ['"\\ud800x\\udc00"'] = "half a pair of surrogates at byte 1",
    ['"\\ud800\\ud800"'] = "half a pair of surrogates at byte 1",
    ['"\\udc00\\ud800"'] = "half a pair of surrogates at byte 1",
    ['"\\ud800\\'] = "half a pair of surrogates at byte 1",
    ['"\\ud800\\udc0"'] = "half a pair of surrogates at byte 1",
    ['"\\ud800\\n"'] = "half a pair of surrogates at byte 1",
    ["["] = "unexpected end of the text at byte 1", ["[1"] = "unexpected end of the text at byte 2",
    ["[1,"] = "unexpected end of the text at byte 3", ["[1,]"] = "a value expected at byte 3",
    ["[,1]"] = "a value expected at byte 1",
    ["[1,,2]"] = "a value expected at byte 3", ["[1 2]"] = "',' or ']' expected at byte 3",
    ["[1}"] = "',' or ']' expected at byte 2",
    ["[1:2]"] = "',' or ']' expected at byte 2", ["]"] = "a value expected at byte 0",
    ["{"] = "unexpected end of the text at byte 1", ['{"a"'] = "unexpected end of the text at byte 4",
    ['{"a":'] = "unexpected end of the text at byte 5", ['{"a":1'] = "unexpected end of the text at byte 6",
    ['{"a":1,'] = "unexpected end of the text at byte 7", ['{"a":1,}'] = "a key in quotes expected at byte 7",
    ["{,}"] = "a key in quotes expected at byte 1", ["{a:1}"] = "a key in quotes expected at byte 1",
    ["{1:1}"] = "a key in quotes expected at byte 1", ['{"a" 1}'] = "':' expected at byte 5",
    ['{"a",1}'] = "':' expected at byte 4",
    ['{"a"}'] = "':' expected at byte 4", ['{"a":}'] = "a value expected at byte 5",
    ['{"a":1]'] = "',' or '}' expected at byte 6",
    ['{"a":1 "b":2}'] = "',' or '}' expected at byte 7", ['{"a":1;"b":2}'] = "',' or '}' expected at byte 6",
    ['{"a":1,"b"'] = "unexpected end of the text at byte 10", ["\194\1601"] = "a value expected at byte 0",
  }
  for text, expected in pairs(refused) do
    it(("%q"):format(text):gsub("\n", "n"), function()
      local tokens = json.tokens(text)
      assert.same({ "error", expected }, { tokens[#tokens][1], tokens[#tokens][2] })
      local value, message = json.parse(text)
      assert.is_nil(value)
      assert.equal(expected, message)
    end)
  end
end)

describe("UTF-8", function()
  local good = { "", "a", "\0", "ä", "\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}", "\u{FFFD}",
  "\u{FFFF}", "\u{10000}",
    "\u{10FFFF}", ("a"):rep(100) .. "€" }
  local bad = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2a", "\xc3\xc3", "\xe0\x80\x80",
  "\xe0\x9f\xbf", "\xe2\x82",
    "\xe2\x82a", "\xe2a\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
    "\xf0\x9f\x98a", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
    "a\xff", ("a"):rep(8) .. "\x80" }

  it("is told from what is none, alone, in strings, in keys and by the writer", function()
    for _, text in ipairs(good) do
      assert.is_true(json.utf8_valid(text))
      if text ~= "\0" then
        assert.equal("string:" .. text, walk('"' .. text .. '"'))
        assert.equal("{ key:" .. text .. " null }", walk('{"' .. text .. '":null}'))
      end
      assert.is_string(json.write(text))
    end
    for _, text in ipairs(bad) do
      local name = ("%q"):format(text)
      assert.is_false(json.utf8_valid(text), name)
      assert.is_truthy(walk('["' .. text .. '"]'):find("error:invalid UTF-8 at byte ", 1, true), name)
      assert.is_truthy(walk('{"' .. text .. '":1}'):find("error:invalid UTF-8 at byte ", 1, true), name)
      assert.same({ nil, true }, { json.write(text) }, name)
      assert.same({ nil, true }, { json.write { object = { { text, 1 } } } }, name)
    end
  end)

  it("agrees with Lua on every sequence of two bytes and on random ones of four", function()
    local message = seeded()
    local function check(text)
      if json.utf8_valid(text) ~= (utf8.len(text) ~= nil) then error(message .. ("%q"):format(text)) end
    end
    for first = 0, 255 do
      for second = 0, 255 do check(string.char(first, second)) end
    end
    for _ = 1, 50000 do
      local function tail() return math.random(0x7f, 0xc0) end
      check(string.char(math.random(0xe0, 0xf5), tail(), tail(), math.random(0x60, 0xc0)))
    end
  end)

  it("survives every code point's way as text and as escape", function()
    for code = 0, 0x10ffff, 7 do
      if code < 0xd800 or code > 0xdfff then
        local text = utf8.char(code)
        local escaped = ("\\u%04x"):format(code)
        if code > 0xffff then
          escaped = ("\\u%04x\\u%04x"):format(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff))
        end
        if json.parse('"' .. escaped .. '"') ~= text or json.parse(json.write(text)) ~= text then
          error(("U+%04X"):format(code))
        end
      end
    end
  end)
end)

describe("integers", function()
  it("are exact over the whole of 64 bits", function()
    for _, text in ipairs { "0", "9", "-9", "9007199254740993", "-9007199254740993", "123456789012345678",
      "999999999999999999", "1000000000000000000", "9223372036854775807", "-9223372036854775808",
      "-9223372036854775807" } do
      local value = number(text)
      assert.equal("integer", math.type(value))
      assert.equal(text, ("%d"):format(value))
      assert.equal(text, json.write(value))
    end
  end)

  it("beyond 64 bits are doubles", function()
    local forms = { ["9223372036854775808"] = 2.0 ^ 63, ["-9223372036854775809"] = -2.0 ^ 63,
    ["9999999999999999999"] = 1e19,
      ["18446744073709551615"] = 2.0 ^ 64, ["18446744073709551616"] = 2.0 ^ 64, ["100000000000000000000"] = 1e20 }
    for text, expected in pairs(forms) do
      assert.equal("float", math.type(number(text)))
      assert.equal(expected, number(text))
    end
  end)

  it("come back at random", function()
    local message = seeded()
    for _ = 1, 20000 do
      local i = math.random(0) >> math.random(0, 63)
      if math.random(2) == 1 then i = -i end
      if json.write(i) ~= ("%d"):format(i) or number(json.write(i)) ~= i then error(message .. i) end
    end
  end)
end)

describe("doubles", function()
  it("are written short, and as doubles", function()
    local forms = { ["0.0"] = 0.0, ["-0.0"] = -0.0, ["1.0"] = 1.0, ["-1.0"] = -1.0, ["2.5"] = 2.5,
    ["0.1"] = 0.1, ["100.25"] = 100.25,
      ["0.30000000000000004"] = 0.1 + 0.2, ["0.3333333333333333"] = 1 / 3,
      ["123456789.123"] = 123456789.123, ["0.00001"] = 1e-5,
      ["1e-6"] = 1e-6, ["1.5e-7"] = 1.5e-7, ["10000000000000000.0"] = 1e16, ["1e+17"] = 1e17,
      ["1e+300"] = 1e300, ["1e+23"] = 1e23,
      ["9007199254740992.0"] = 2.0 ^ 53, ["5e-324"] = 5e-324, ["1.7976931348623157e+308"] = 1.7976931348623157e308,
      ["2.2250738585072014e-308"] = 2.2250738585072014e-308, ["123456789012345.67"] = 123456789012345.67,
      ["9.5367431640625e-7"] = 2.0 ^ -20, ["1.23e+40"] = 1.23e40 }
    for text, value in pairs(forms) do
      assert.equal(text, json.double_text(value))
      assert.equal(text, json.write(value))
      assert.equal(bits(value), bits(number(text)))
    end
  end)

  it("that are no numbers are not written", function()
    for _, value in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
      assert.same({ nil, true }, { json.write { value } })
    end
  end)

  -- Every kind of double: any bits, few decimals, near powers of two and ten, denormal.
  local function samples(count, check)
    local message = seeded()
    local function try(x)
      if x == x and math.abs(x) ~= math.huge and not check(x) then
        error(message .. ("%a %.17g is written %s"):format(x, x, json.double_text(x)))
      end
    end
    for _ = 1, count do
      try(random_double())
      try(math.random() * 10.0 ^ math.random(-12, 25))
      try(math.random(-10 ^ 6, 10 ^ 6) / 10.0 ^ math.random(0, 9))
      try(math.random(1 << 53) / 10.0 ^ math.random(0, 22))
      try(string.unpack("<d", string.pack("<I8", math.random(0) >> math.random(12, 60))))
    end
    for exponent = -1074, 1023 do
      local x = 2.0 ^ exponent
      local near = string.unpack("<I8", string.pack("<d", x))
      for step = -1, 1 do try(string.unpack("<d", string.pack("<I8", near + step))) end
    end
    for exponent = -324, 308 do try(tonumber("1e" .. exponent)) end
  end

  it("read back as the same bits", function()
    samples(10000, function(x)
      local text = json.double_text(x)
      return text:find("[.e]") and bits(tonumber(text)) == bits(x) and bits(number(text)) == bits(x)
    end)
  end)

  it("have no digit more than needed", function()
    samples(500, function(x)
      local digits = json.double_text(x):gsub("e.*", ""):gsub("[-.]", ""):gsub("^0+", ""):gsub("0+$", "")
      for count = 1, #digits - 1 do
        if tonumber(("%%.%dg"):format(count):format(x)) == x then return false end
      end
      return #digits <= 17
    end)
  end)

  it("are read as the C library reads them, whatever their digits", function()
    local message = seeded()
    for _ = 1, 30000 do
      local digits = {}
      for i = 1, math.random(1, 24) do digits[i] = math.random(i == 1 and 1 or 0, 9) end
      local text = table.concat(digits)
      if math.random(2) == 1 then text = text .. "." .. math.random(0, 1 << 40) end
      if math.random(3) == 1 then text = "0." .. ("0"):rep(math.random(0, 12)) .. text:gsub("%.", "") end
      text = text .. "e" .. math.random(-40, 40) * (math.random(10) == 1 and 7 or 1)
      if bits(number(text)) ~= bits(tonumber(text)) then error(message .. text) end
    end
  end)

  it("are rounded once, to even, at the middle between two of them", function()
    local zeros = ("0"):rep(5000)
    local forms = { ["9007199254740993.0"] = 9007199254740992.0, ["9007199254740995.0"] = 9007199254740996.0,
      ["9007199254740993." .. zeros] = 9007199254740992.0, ["9007199254740993." .. zeros .. "1"] = 9007199254740994.0,
      ["9007199254740992.999999999999999999999999"] = 9007199254740992.0,
      ["-9007199254740993." .. zeros .. "1" .. zeros .. "e0"] = -9007199254740994.0,
      ["900719925474099300000000000000000000000e-23"] = 9007199254740992.0,
      ["2.4703282292062327e-324"] = 0.0, ["2.4703282292062328e-324"] = 5e-324, ["1e-400"] = 0.0,
      ["-1e-999999999999"] = -0.0,
      ["1.7976931348623158e308"] = 1.7976931348623157e308,
      ["2.2250738585072011e-308"] = tonumber("2.2250738585072011e-308"),
      ["6929495644600919.5e0"] = tonumber("6929495644600919.5"), ["8.41e+21"] = 8.41e21 }
    for text, expected in pairs(forms) do assert.equal(bits(expected), bits(number(text)), text:sub(1, 40)) end
  end)

  it("of a million digits are read or refused, and at once", function()
    local start, count = os.clock(), 1000000
    assert.is_truthy(walk(("1"):rep(count)):find("too large for a double at byte 0", 1, true))
    assert.equal(1 / 9, number("0." .. ("1"):rep(count)))
    assert.equal(1.0, number("0." .. ("0"):rep(count) .. "1e" .. count + 1))
    assert.equal(1.5, number("15" .. ("0"):rep(count) .. "e-" .. count + 1))
    assert.equal(0.0, number("0." .. ("0"):rep(count)))
    assert.equal(10.0, number("1e" .. ("0"):rep(count) .. "1"))
    assert.is_true(os.clock() - start < 5)
  end)

  it("do not depend on the locale", function()
    local before = os.setlocale(nil, "numeric")
    finally(function() os.setlocale(before, "numeric") end)
    assert.is_true(comma_locale())
    assert.equal("0,5", ("%.1f"):format(0.5))
    for text, value in pairs { ["0.5"] = 0.5, ["5e-324"] = 5e-324,
    ["1.2345678901234567e+300"] = 1.2345678901234567e300 } do
      assert.equal(text, json.double_text(value))
      assert.equal(bits(value), bits(number(text)))
    end
    assert.is_truthy(walk("0,5"):find("error:something follows the value at byte 1", 1, true))
  end)
end)

describe("depth", function()
  local function nested(open, close, depth) return open:rep(depth) .. "1" .. close:rep(depth) end

  it("is allowed up to the limit and refused one beyond", function()
    for _, limit in ipairs { 1, 2, 7, 8, 9, 64, json.DEPTH_DEFAULT, json.DEPTH_MAX } do
      assert.is_true(json.valid(nested("[", "]", limit), limit))
      assert.is_false(json.valid(nested("[", "]", limit + 1), limit))
      assert.is_true(json.valid(nested('{"k":', "}", limit), limit))
      local tokens = json.tokens(nested('{"k":', "}", limit + 1), limit)
      assert.equal(("nested too deep at byte %d"):format(limit * 5), tokens[#tokens][2])
    end
  end)

  it("outside of what the reader holds is cut to it", function()
    assert.is_true(json.valid(nested("[", "]", json.DEPTH_MAX), json.DEPTH_MAX + 1000))
    assert.is_false(json.valid(nested("[", "]", json.DEPTH_MAX + 1), json.DEPTH_MAX + 1000))
    assert.is_true(json.valid("[1]", 0))
    assert.is_false(json.valid("[[1]]", 0))
  end)

  it("tells arrays from objects on every level", function()
    local open, close = {}, {}
    for i = 1, json.DEPTH_MAX do
      local object = (i * 7919) % 3 == 0
      open[i], close[json.DEPTH_MAX + 1 - i] = object and '{"k":' or "[", object and "}" or "]"
    end
    local head, tail = table.concat(open), table.concat(close)
    assert.is_true(json.valid(head .. "null" .. tail, json.DEPTH_MAX))
    assert.is_false(json.valid(head .. "null" .. tail:gsub("^(.)", { ["]"] = "}", ["}"] = "]" }), json.DEPTH_MAX))
  end)
end)

describe("skipping", function()
  it("ends just behind the value that the last token began", function()
    local text = ' { "a" : [ 1 , { "x" : [ ] } ] , "b" : "s\\n" , "c" : -1.5 , "d" : null }'
    local cases = {
      { 1, '{ "a" : [ 1 , { "x" : [ ] } ] , "b" : "s\\n" , "c" : -1.5 , "d" : null }', "end" },
      { 2, '"a" : [ 1 , { "x" : [ ] } ]', "key" },
      { 3, '[ 1 , { "x" : [ ] } ]', "key" },
      { 4, "1", "{" },
      { 5, '{ "x" : [ ] }', "]" },
      { 6, '"x" : [ ]', "}" },
      { 11, '"b" : "s\\n"', "key" },
      { 12, '"s\\n"', "key" },
      { 14, "-1.5", "key" },
      { 16, "null", "}" },
    }
    for _, case in ipairs(cases) do
      assert.same({ true, case[2], case[3] }, { json.skip(text, case[1]) })
    end
  end)

  it("fails on broken values", function()
    for _, text in ipairs { "[1,[2]", "[1,}", '[{"a":tru}]', "[", '["\\x"]' } do
      assert.same({ false, "", "error" }, { json.skip(text, 1) })
    end
    assert.is_false((json.skip('{"a":', 2)))
  end)

  it("needs no C stack", function()
    local text = ("["):rep(json.DEPTH_MAX) .. ("]"):rep(json.DEPTH_MAX)
    assert.same({ true, text, "end" }, { json.skip(text, 1, json.DEPTH_MAX) })
  end)
end)

describe("the tree", function()
  it("keeps types, order, repeated keys and empty containers", function()
    assert.same({ object = { { "b", { 1, 1.5,
    "x", true, false, null } }, { "a", { object = {} } }, { "b", {} }, { "k\0", -0.0 } } },
      json.parse '{"b":[1,1.5,"x",true,false,null],"a":{},"b":[],"k\\u0000":-0}')
    assert.equal("integer", math.type(json.parse "[1]"[1]))
    assert.equal("float", math.type(json.parse "[1.0]"[1]))
  end)

  it("gives the last member of a name and nothing for other values", function()
    local text = '{"a":1,"b":"text","a":"last","n":null,"":2,"long\\u0000":3}'
    assert.same({ "last", "last" }, { json.get(text, "a") })
    assert.same({ "text", "text" }, { json.get(text, "b") })
    assert.same({ null, nil }, { json.get(text, "n") })
    assert.same({ 2, nil }, { json.get(text, "") })
    assert.same({ nil, nil }, { json.get(text, "long") })
    assert.same({ nil, nil }, { json.get(text, "none") })
    for _, other in ipairs { "[1]", '"a"', "1", "null" } do assert.same({ nil, nil }, { json.get(other, "a") }) end
  end)

  it("holds texts longer than its blocks and many small values", function()
    local long = ("0123456789ä"):rep(20000)
    local items = {}
    for i = 1, 5000 do items[i] = { object = { { "key" .. i, i }, { "text", "v\n" .. i } } } end
    items[#items + 1] = long
    local text = json.write(items)
    local back = json.parse(text)
    assert.equal(#items, #back)
    assert.equal(long, back[#back])
    assert.equal(text, json.write(back))
  end)
end)

describe("the writer", function()
  it("puts commas and colons", function()
    assert.equal('{"a":[1,2.5,"x",[],{},null,true],"b":{"c":false}}', json.write { object = {
      { "a", { 1, 2.5, "x", {}, { object = {} }, null, true } }, { "b", { object = { { "c", false } } } } } })
    assert.equal("[[],[[],[]],{},1]", json.write { {}, { {}, {} }, { object = {} }, 1 })
    assert.equal('[1,{"raw": 1},2]', json.write { 1, { raw = '{"raw": 1}' }, 2 })
  end)

  it("escapes what JSON demands and what SQS refuses", function()
    assert.equal([["\"\\/\b\f\n\r\t\u0000\u001f\u007f\ufffe\uffff"]],
      json.write '"\\/\b\f\n\r\t\0\31\127\u{FFFE}\u{FFFF}')
    assert.equal('"\u{FFFD}\u{FFBE}\u{EFBF}ä😀"', json.write "\u{FFFD}\u{FFBE}\u{EFBF}ä😀")
    for byte = 0, 127 do
      for _, pad in ipairs { "", "1234567", "12345678" } do
        local text = pad .. string.char(byte) .. pad
        local written = json.write(text)
        assert.is_nil(written:find("[%c\127]"))
        assert.equal(text, json.parse(written))
        assert.same({ { text, byte } }, json.parse(json.write { object = { { text, byte } } }).object)
      end
    end
  end)

  it("writes long texts as it writes short ones, whatever lies where it pauses", function()
    local forms = { ["ä"] = "ä", ["€"] = "€", ["😀"] = "😀", ['"'] = '\\"', ["\1"] = "\\u0001", ["\u{FFFE}"] = "\\ufffe" }
    for n = 240, 260 do
      local before, after = ("x"):rep(n), ("y"):rep(300)
      for text, form in pairs(forms) do
        assert.equal('"' .. before .. form:rep(3) .. after .. '"', json.write(before .. text:rep(3) .. after))
      end
      assert.same({ nil, true }, { json.write(before .. "\xF0\x9F\x98" .. after) })
      assert.same({ nil, true }, { json.write(before .. after .. "\xE2\x82") })
    end
  end)

  it("writes a member whole or not at all", function()
    assert.equal('{"a":"1","c":"3"}', json.members { { "a", "1" }, { "b", "\xff" }, { "\xff", "2" }, { "c", "3" } })
  end)

  it("fits a buffer of the exact size and fails with one byte less", function()
    local values = { "plain", 'es"ca\nped\1', "ä\u{FFFF}", 12345, -0.25, null, true, { 1,
    "x" }, { object = { { "k\t", "v" } } } }
    for _, value in ipairs(values) do
      local text = json.write(value)
      assert.equal(text, json.write(value, #text))
      assert.same({ nil, false }, { json.write(value, #text - 1) })
    end
  end)
end)

describe("unescaping", function()
  it("needs no more room than its result", function()
    assert.equal('>a"ä😀\n', json.unescape([[a\"\u00e4\ud83d\ude00\n]]))
    assert.equal('>a"ä😀\n', json.unescape([[a\"\u00e4\ud83d\ude00\n]], 1 + #'a"ä😀\n'))
    assert.is_nil(json.unescape([[a\"\u00e4\ud83d\ude00\n]], #'a"ä😀\n'))
    assert.equal(">", json.unescape(""))
  end)

  it("fails without harm on what no reader has returned", function()
    for _, raw in ipairs { "\\", "\\x", "a\\u12", "\\ud800", "\\ud800\\u" } do
      assert.is_nil(json.unescape(raw))
      assert.is_nil(json.unescape(raw, 2))
    end
  end)
end)

describe("broken text", function()
  local documents = {
    '{"a":[1,-2.5e+10,"x\\u00e4\\ud83d\\ude00\\n",null,true,false],"b":{"c":{}},"d":[]}',
    ' [ "ä€😀" , "0123456789abcdef\\\\" , 123456789012345678901234567890 , 0.1e-5 ] ',
    '"\\ud83d\\ude00"', "-12345.6789e-10", '{"nested":[[[[{"k":[1,2,3]}]]]],"":"\127"}',
  }

  it("that is the beginning of a document is refused wherever it ends", function()
    for _, document in ipairs(documents) do
      assert.is_true(json.valid(document))
      for len = 0, #document - 1 do
        local part = document:sub(1, len)
        -- A number may well end earlier, and white space is no loss.
        local whole = part:match("^%s*(.-)%s*$") == document:match("^%s*(.-)%s*$") or tonumber(part) ~= nil
        local done = json.valid(part)
        if done ~= (whole and not part:find("[.e-]$")) then error(("%q"):format(part)) end
      end
    end
  end)

  it("of random changes is taken the same by reader and tree, and what is taken comes back", function()
    local message = seeded()
    local bytes = '{}[]",:\\/u0189aefntr.-+eE \n\t\0\127\128\191\194\237\255'
    local taken = 0
    for _ = 1, 20000 do
      local text = documents[math.random(#documents)]
      for _ = 1, math.random(3) do
        local at = math.random(#text)
        local byte = math.random(#bytes)
        text = text:sub(1, at - 1) .. bytes:sub(byte, byte) .. text:sub(at + math.random(0, 1))
      end
      local tokens = json.tokens(text)
      local value, problem = json.parse(text)
      local failed = tokens[#tokens][1] == "error"
      if failed ~= (value == nil) or (failed and tokens[#tokens][2] ~= problem) then
        error(message .. ("%q"):format(text))
      end
      if not failed then
        taken = taken + 1
        local written = json.write(value)
        if json.write(json.parse(written)) ~= written then error(message .. ("%q"):format(text)) end
      end
    end
    assert.is_true(taken > 100 and taken < 19000)
  end)
end)
