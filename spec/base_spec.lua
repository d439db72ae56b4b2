local base = require "probe.base"
local shell = require "spec.support.shell"

local function all_bytes()
  local t = {}
  for i = 0, 255 do t[i + 1] = string.char(i) end
  return table.concat(t)
end

describe("names", function()
  -- Takes a locale, made for this spec, in which the small form of I is not i, as in Turkish.
  local function turkish_letters()
    local folder, remove = shell.folder()
    local pairs_of_letters = {}
    for letter = 0x41, 0x5a do
      if letter ~= 0x49 then
        pairs_of_letters[#pairs_of_letters + 1] = ("(<U%04X>,<U%04X>)"):format(letter, letter + 32)
      end
    end
    shell.write(folder .. "/source", "LC_CTYPE\nupper <U0041>..<U005A>\nlower <U0061>..<U007A>\ntolower "
      .. table.concat(pairs_of_letters, ";") .. "\nEND LC_CTYPE\n")
    shell.write(folder .. "/ascii", "<code_set_name> ASCII\n<comment_char> %\n<escape_char> /\n"
      .. "CHARMAP\n<U0000>..<U007F> /x00 ASCII\nEND CHARMAP\n")
    local _, warnings = shell.run(("cd %s && localedef -c -i ./source -f ./ascii ./dotless"):format(
      shell.quote(folder)))
    local done = base.set_letters(folder, "dotless")
    remove()
    return done or warnings
  end

  it("are the same in any case, in any locale", function()
    finally(function() base.set_letters() end)
    for _, letters in ipairs { "C", "Turkish" } do
      if letters == "Turkish" then
        assert.is_true(turkish_letters())
        assert.equal("Ix", ("IX"):lower())
      end
      assert.is_true(base.same("x-amzn-RequestId", "X-AMZN-REQUESTID"), letters)
      assert.is_true(base.same("", ""))
      for _, other in ipairs { "requestit", "requesti", "requestid ", "" } do
        assert.is_false(base.same("RequestId", other), other)
      end
      assert.is_true(base.same("HTTPS://I", "https://x", 8))
      assert.is_false(base.same("HTTPS:/I", "https://x", 8))
      assert.is_true(base.same("Id", "iD", 9))
      assert.is_false(base.same("Id", "iDx", 9))
    end
    for a = 1, 255 do
      for b = a, 255 do
        local same = a == b or b == a + 32 and a >= 0x41 and a <= 0x5a
        assert(base.same(string.char(a), string.char(b)) == same, a)
      end
    end
  end)
end)

describe("a buffer", function()
  it("collects what is added and always ends with a NUL that does not count", function()
    local b = base.buf(1000)
    assert.equal("", (b:text()))
    assert.is_true(b:add("ab\0c"))
    assert.is_true(b:addc("d"))
    assert.is_true(b:adds("ef"))
    assert.is_true(b:add(""))
    assert.is_true(b:addf("x", -7))
    local text, ended = b:text()
    assert.equal("ab\0cdefx=-7", text)
    assert.is_true(ended)
  end)

  it("formats pieces that are longer than the room at hand", function()
    local b = base.buf(100000)
    local long = ("y"):rep(5000)
    for i = 1, 10 do assert.is_true(b:addf(long, i)) end
    local text, ended = b:text()
    assert.is_true(ended)
    assert.equal((long .. "=1"), text:sub(1, 5002))
    assert.equal((long .. "=10"), text:sub(-5003))
  end)

  it("holds its maximum exactly and fails with one byte more", function()
    for _, max in ipairs { 0, 1, 63, 64, 65, 1000 } do
      local b = base.buf(max)
      assert.is_true(b:add(("z"):rep(max)))
      assert.is_true((b:state()))
      assert.is_true((select(2, b:text())))
      assert.is_false(b:addc("!"))
      assert.is_false((b:state()))
    end
  end)

  it("holds nothing and stays failed after a failed addition", function()
    local b = base.buf(10)
    b:add("12345678")
    assert.is_false(b:addf("long", 1))
    local ok, len, cap, memory = b:state()
    assert.same({ false, 0, 0, false }, { ok, len, cap, memory })
    assert.is_false(b:add("1"))
    assert.is_false(b:reserve(0, ""))
    assert.equal("", (b:text()))
    assert.is_nil((b:take()))
  end)

  it("refuses sizes that would overflow", function()
    local b = base.buf(-1) -- SIZE_MAX
    assert.is_true(b:add("x"))
    assert.is_false(b:reserve(-1, ""))
    assert.is_false((b:state()))
    b:reset()
    assert.is_true(b:add("again"))
  end)

  it("keeps its memory in a reset and gives it back when freed or wiped", function()
    local b = base.buf(5000)
    b:add(("a"):rep(3000))
    b:reset()
    local ok, len, cap, memory = b:state()
    assert.is_true(ok and memory and cap > 3000 and len == 0)
    assert.equal("", (b:text()))
    b:add("secret")
    b:wipe()
    assert.same({ true, 0, 0, false }, { b:state() })
    b:add("more")
    b:free()
    assert.same({ true, 0, 0, false }, { b:state() })
    assert.is_true(b:add("usable"))
  end)

  it("ends with its NUL also when less than the reserved room was used", function()
    local b = base.buf(5000)
    b:add("head ")
    assert.is_true(b:reserve(100, "tail"))
    assert.same({ "head tail", true }, { b:text() })
    assert.is_true(b:reserve(100, "!"))
    assert.same({ "head tail!", true }, { b:take() })
  end)

  it("hands over its memory and is empty then", function()
    local b = base.buf(100)
    assert.same({ "", true }, { b:take() })
    b:add("mine\0now")
    assert.same({ "mine\0now", true }, { b:take() })
    assert.same({ true, 0, 0, false }, { b:state() })
  end)

  it("grows for secrets as for anything else", function()
    local b, expected = base.buf(100000, true), {}
    for i = 1, 2000 do
      expected[i] = ("key%d "):format(i)
      assert.is_true(b:add(expected[i]))
    end
    assert.equal(table.concat(expected), (b:text()))
    b:free()
    assert.equal("", (b:text()))
  end)
end)

describe("base64", function()
  local function encode(data)
    local b = base.buf(1 << 20)
    assert.is_true(b:base64_encode(data))
    return (b:text())
  end
  local function decode(text)
    local b = base.buf(1 << 20)
    b:add("before")
    local ok = b:base64_decode(text)
    local all, ended = b:text()
    assert.is_true(ended)
    assert.equal("before", all:sub(1, 6))
    if ok then return all:sub(7) end
    assert.equal(6, #all)
  end

  it("encodes the examples of RFC 4648", function()
    local examples = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
      foobar = "Zm9vYmFy" }
    for data, text in pairs(examples) do
      assert.equal(text, encode(data))
      assert.equal(data, decode(text))
    end
  end)

  it("reads back every byte at every position", function()
    local all = all_bytes()
    for skip = 1, 4 do
      local data = all:sub(skip) .. all
      assert.equal(data, decode(encode(data)))
    end
    assert.equal("+/+/", encode("\xfb\xff\xbf"))
  end)

  it("refuses what is no canonical text and leaves the buffer as it was", function()
    for _, text in ipairs { "Z", "Zg", "Zg=", "=", "==", "====", "Zg===", "Zm9v=", "Zm9vZ===", "Zg==Zg==", "Z=g=",
      "Zm8=\n",
      " Zm8", "Zm-_", "Zm8\0", "Zh==", "Zm9=", "Zm\xc3\xa4", "Zm9vYm\xff=" } do
      assert.is_nil(decode(text), text)
    end
  end)

  it("fails when the buffer is full", function()
    local b = base.buf(7)
    assert.is_false(b:base64_encode("foobar"))
    assert.is_false((b:state()))
  end)
end)

describe("hex", function()
  it("writes lower case and reads both cases", function()
    local b = base.buf(1000)
    assert.is_true(b:hex_encode(all_bytes()))
    local text = b:text()
    assert.equal("000102", text:sub(1, 6))
    assert.equal("fdfeff", text:sub(-6))
    for _, form in ipairs { text, text:upper() } do
      local back = base.buf(1000)
      assert.is_true(back:hex_decode(form))
      assert.equal(all_bytes(), (back:text()))
    end
  end)

  it("refuses odd lengths and other characters", function()
    for _, text in ipairs { "a", "abc", "0g", "g0", "0x", " 1", "1\0", "\xff\xff" } do
      local b = base.buf(100)
      assert.is_false(b:hex_decode(text), text)
      assert.same({ "", true }, { b:text() })
      assert.is_true((b:state()))
    end
  end)
end)

describe("the clock", function()
  local example = 1767323045000 -- 2026-01-02T03:04:05Z

  it("never goes back and measures milliseconds and microseconds", function()
    local us, ms = base.mono_us(), base.mono_ms()
    assert.is_true(ms - us // 1000 <= 1000 and ms >= us // 1000)
    local before = base.mono_us()
    for _ = 1, 1000 do
      local now = base.mono_us()
      assert.is_true(now >= before)
      before = now
    end
  end)

  it("knows the time of day", function()
    assert.is_true(math.abs(base.wall_ms() - os.time() * 1000) < 3000)
  end)

  it("writes dates", function()
    assert.equal("20260102T030405Z", base.amz_date(example))
    assert.equal("2026-01-02T03:04:05.678Z", base.iso_date(example + 678))
    assert.equal("1970-01-01T00:00:00.000Z", base.iso_date(0))
    assert.equal("1969-12-31T23:59:59.999Z", base.iso_date(-1))
  end)

  it("cuts times that have no date of four digits", function()
    assert.equal("0000-01-01T00:00:00.000Z", base.iso_date(math.mininteger))
    assert.equal("9999-12-31T23:59:59.999Z", base.iso_date(math.maxinteger))
    assert.equal("99991231T235959Z", base.amz_date(math.maxinteger))
  end)

  it("agrees with the C library on every day of five hundred years", function()
    for day = 0, 365 * 500, 1 do
      local second = day * 86400 + day % 86400
      local expected = os.date("!%Y-%m-%dT%H:%M:%S", second)
      local iso = base.iso_date(second * 1000 + 7)
      if iso ~= expected .. ".007Z" then assert.equal(expected .. ".007Z", iso) end
      if base.parse_iso(iso) ~= second * 1000 + 7 then assert.equal(second * 1000 + 7, base.parse_iso(iso)) end
      local amz = base.amz_date(second * 1000)
      if base.parse_amz(amz) ~= second * 1000 then assert.equal(second * 1000, base.parse_amz(amz)) end
      local http = os.date("!%a, %d %b %Y %H:%M:%S GMT", second)
      if base.parse_http(http) ~= second * 1000 then assert.equal(second * 1000, base.parse_http(http), http) end
    end
  end)

  it("reads the forms of RFC 3339", function()
    local forms = {
      ["2026-01-02T03:04:05Z"] = 0,
      ["2026-01-02t03:04:05z"] = 0,
      ["2026-01-02 03:04:05Z"] = 0,
      ["2026-01-02T03:04:05.1Z"] = 100,
      ["2026-01-02T03:04:05.123456789Z"] = 123,
      ["2026-01-02T03:04:05.9999999999999999999999Z"] = 999,
      ["2026-01-02T04:04:05+01:00"] = 0,
      ["2026-01-01T21:34:05-05:30"] = 0,
      ["2026-01-02T03:04:05-00:00"] = 0,
      ["2026-01-02T03:03:60Z"] = -5000,
    }
    for text, offset in pairs(forms) do assert.equal(example + offset, base.parse_iso(text), text) end
    assert.equal(0, base.parse_iso("1970-01-01T00:00:00Z"))
    assert.equal(0, base.parse_iso("1970-01-01T01:00:00+01:00"))
    assert.equal(951782400000, base.parse_iso("2000-02-29T00:00:00Z"))
  end)

  it("refuses what is no RFC 3339 time", function()
    for _, text in ipairs { "", "2026", "2026-01-02", "2026-01-02T03:04Z", "2026-01-02T03:04:05",
      "2026-1-2T03:04:05Z",
      "2026-13-02T03:04:05Z", "2026-00-02T03:04:05Z", "2026-01-00T03:04:05Z", "2026-01-32T03:04:05Z",
      "2026-04-31T03:04:05Z",
      "2025-02-29T03:04:05Z", "2100-02-29T03:04:05Z", "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z",
      "2026-01-02T03:04:61Z",
      "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05ZZ", "2026-01-02T03:04:05Z ", " 2026-01-02T03:04:05Z",
      "2026-01-02T03:04:05+1:00", "2026-01-02T03:04:05+0100", "2026-01-02T03:04:05+24:00",
      "2026-01-02T03:04:05+01:60",
      "2026-01-02T03:04:05+01:00Z", "+2026-01-02T03:04:05Z", "2026-01-02T-3:04:05Z", "2026/01/02T03:04:05Z",
      "1969-12-31T23:59:59Z", "1970-01-01T00:59:59+01:00", "garbage" } do
      assert.equal(-1, base.parse_iso(text), text)
    end
  end)

  it("reads the date of a signed request and nothing else", function()
    assert.equal(example, base.parse_amz("20260102T030405Z"))
    for _, text in ipairs { "", "20260102", "20260102T030405", "20260102t030405Z", "20260102T030405ZZ",
      "20260102T0304 5Z",
      "20260229T030405Z", "20260102T250405Z", "2026-01-02T03:04:05Z", "19691231T235959Z", "2026010aT030405Z" } do
      assert.equal(-1, base.parse_amz(text), text)
    end
  end)

  it("reads the Date header of HTTP and nothing else", function()
    assert.equal(example, base.parse_http("Fri, 02 Jan 2026 03:04:05 GMT"))
    for _, text in ipairs { "", "Fri", "Fri,", "Fri, 02 Jan 2026", "Fri, 02 Jan 2026 03:04:05",
      "Fri, 02 Jan 2026 03:04:05 UTC",
      "Fri, 02 Jan 2026 03:04:05 GMT ", "fri, 02 Jan 2026 03:04:05 GMT", "Fri, 2 Jan 2026 03:04:05 GMT",
      "Fri, 02 jan 2026 03:04:05 GMT", "Fri, 02 Foo 2026 03:04:05 GMT", "Fri, 31 Apr 2026 03:04:05 GMT",
      "Fri, 02 Jan 26 03:04:05 GMT", "Fri, 02 Jan 2026 24:04:05 GMT", "Xxx, 02 Jan 2026 03:04:05 GMT",
      "Friday, 02-Jan-26 03:04:05 GMT", "Fri Jan  2 03:04:05 2026" } do
      assert.equal(-1, base.parse_http(text), text)
    end
  end)
end)

describe("random numbers", function()
  it("fill exactly the bytes asked for, all values occurring", function()
    assert.equal("", base.random_bytes(0))
    local bytes = base.random_bytes(20000)
    local seen, count = {}, 0
    for i = 1, #bytes do
      local byte = bytes:byte(i)
      if not seen[byte] then seen[byte], count = true, count + 1 end
    end
    assert.equal(20000, #bytes)
    assert.equal(256, count)
    assert.not_equal(base.random_u64(), base.random_u64())
  end)

  it("are in [0, 1) and on both sides of a half", function()
    local low, high = 0, 0
    for _ = 1, 2000 do
      local x = base.random_unit()
      assert.is_true(x >= 0 and x < 1)
      if x < 0.5 then low = low + 1 else high = high + 1 end
    end
    assert.is_true(low > 700 and high > 700)
  end)

  it("make UUIDs of version 4 that differ", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = base.random_uuid()
      assert.is_truthy(id:match("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"), id)
      assert.equal(id:lower(), id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  it("drawn ahead are as different, also where the pool is filled anew", function()
    local seen = {}
    for _, id in ipairs(base.pool_uuids(1000)) do
      assert.truthy(id:match "^%x+%-%x+%-4%x%x%x%-[89ab]%x%x%x%-%x+$" and #id == 36, id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  it("make names of the asked length from all of [a-z0-9]", function()
    assert.equal("", base.random_name(0))
    local name = base.random_name(5000)
    assert.is_truthy(name:match("^[a-z0-9]+$"))
    assert.equal(5000, #name)
    local seen, count = {}, 0
    for c in name:gmatch(".") do
      if not seen[c] then seen[c], count = true, count + 1 end
    end
    assert.equal(36, count)
  end)
end)

describe("secrets", function()
  it("compare by content", function()
    assert.is_true(base.secret_equal("", ""))
    assert.is_true(base.secret_equal("a\0b", "a\0b"))
    assert.is_false(base.secret_equal("a\0b", "a\0c"))
    assert.is_false(base.secret_equal("xab", "yab"))
  end)

  it("are overwritten", function()
    assert.equal(("\0"):rep(40), base.secret_wiped(("k"):rep(40)))
    assert.is_true(base.secret_free("wJalrXUtnFEMI"))
  end)
end)

describe("a heap", function()
  it("is empty at first and after its last node has gone", function()
    local h = base.heap()
    assert.is_nil(h:least())
    h:remove(3) -- in no heap: nothing happens
    assert.is_true(h:insert(3, 5))
    assert.same({ 5, 3 }, { h:least() })
    assert.is_true(h:contains(3))
    h:remove(3)
    assert.is_false(h:contains(3))
    assert.is_nil(h:least())
  end)

  it("gives the least key at any time, as a plain search does", function()
    local seed = os.time()
    math.randomseed(seed)
    local h, keys, count = base.heap(), {}, 0
    for step = 1, 20000 do
      local node = math.random(300)
      local key = math.random(-500, 500)
      if not keys[node] then
        h:insert(node, key)
        keys[node], count = key, count + 1
      elseif step % 2 == 0 then
        h:remove(node)
        keys[node], count = nil, count - 1
      else
        h:move(node, key)
        keys[node] = key
      end
      if step % 10 == 0 then
        local least = math.huge
        for _, k in pairs(keys) do least = math.min(least, k) end
        local key_found, node_found = h:least()
        if count > 0 and not (key_found == least and keys[node_found] == least) then
          error(("seed %d, step %d: least is %s, found %s"):format(seed, step, least, key_found))
        end
        assert.equal(count, h:count())
      end
    end
  end)

  it("sorts", function()
    local h = base.heap()
    for i = 1, 1024 do h:insert(i, (i * 7919) % 1031) end
    local before = math.mininteger
    for _ = 1, 1024 do
      local key, node = h:least()
      assert.is_true(key >= before)
      before = key
      h:remove(node)
    end
    assert.equal(0, h:count())
  end)

  it("takes the whole range of keys", function()
    local h = base.heap()
    h:insert(1, math.maxinteger)
    h:insert(2, math.mininteger)
    h:insert(3, 0)
    assert.same({ math.mininteger, 2 }, { h:least() })
    h:move(2, math.maxinteger)
    assert.same({ 0, 3 }, { h:least() })
  end)
end)
