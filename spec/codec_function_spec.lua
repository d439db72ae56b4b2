-- Functions on the wire: code, upvalues and behaviour arrive as they left.
local codec = require "probe.codec"

local signed = { key = ("k"):rep(32), request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd" }

local function copy(value)
  return codec.decode(codec.encode(value, signed), signed)
end

local function call(...)
  local function run(f, ...)
    return f(...)
  end
  return run(codec.decode_call(codec.encode_call(nil, ...)))
end

local function module_of(name, value)
  package.loaded[name] = value
  finally(function() package.loaded[name] = nil end)
  return value
end

describe("a function on the wire", function()
  it("runs with its arguments, nil among them", function()
    local function args(...)
      return select("#", ...), ...
    end
    local got = table.pack(call(args, nil, 1, nil, "x", nil))
    assert.same({ 5, nil, 1, nil, "x", nil, n = 6 }, got)
    assert.equal(0, (call(args)))
  end)

  it("has its upvalues by value, as they were when it was sent", function()
    local n, t, unset = 1, { 1, 0 / 0 }, nil
    local function f()
      n = n + 1
      return n, t, unset
    end
    local text = codec.encode(f, signed)
    n, t[1] = 100, 100
    local g = codec.decode(text, signed)
    local a, list, nothing = g()
    assert.equal(2, a)
    assert.equal(1, list[1])
    assert.is_nil(nothing)
    assert.equal(3, (g()))
    assert.equal(100, n)
  end)

  it("calls itself and others that call it", function()
    local function fact(n) return n < 2 and 1 or n * fact(n - 1) end
    local even, odd
    function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    assert.equal(3628800, call(fact, 10))
    assert.is_true(call(even, 100))
    assert.is_false(copy { odd }[1](100))
  end)

  it("shares an upvalue with the functions that travel with it, in one message only", function()
    local n = 0
    local pair = { up = function() n = n + 1 end, get = function() return n end }
    local function both()
      pair.up()
      return n
    end
    local got = copy(pair)
    got.up()
    got.up()
    assert.equal(2, got.get())
    assert.equal(0, n)
    assert.equal(1, call(both))
    local a, b = copy(pair.up), copy(pair.get)
    a()
    assert.equal(0, b())
    local first, second = copy { function() return n end, function() return n end }[1], copy(pair.get)
    assert.equal(first(), second())
  end)

  it("joins an upvalue that is still on its way when the second function comes", function()
    local a, b, log
    log = {}
    function a(n) log[#log + 1] = "a" .. n; if n > 0 then return b(n - 1) end return log end
    function b(n) log[#log + 1] = "b" .. n; if n > 0 then return a(n - 1) end return log end
    local got = copy { a = a, b = b }
    assert.same({ "a2", "b1", "a0" }, got.a(2))
    assert.same({ "a2", "b1", "a0", "b0" }, got.b(0))
    assert.same({}, log)
    local _, id = debug.getupvalue(got.a, 1), debug.upvalueid(got.a, 1)
    assert.equal(id, debug.upvalueid(got.b, 1))
  end)

  it("takes closures in closures, varargs and methods with it", function()
    local function counter(start)
      local n = start
      return function(...)
        n = n + select("#", ...)
        return function() n = n * 2; return n end
      end
    end
    assert.equal(8, call(counter(1), "a", "b", "c")())
    local account = { balance = 10 }
    function account:pay(sum) self.balance = self.balance - sum; return self.balance end
    local got = copy(account)
    assert.equal(7, got:pay(3))
    assert.equal(10, account.balance)
    local object = copy(account.pay)
    assert.equal(1, object({ balance = 2 }, 1))
  end)

  it("keeps the identity of functions and tables that it meets twice", function()
    local t = {}
    local function f() return t end
    local got = copy { f, f, t, { [f] = true } }
    assert.equal(got[1], got[2])
    assert.equal(got[3], got[1]())
    assert.is_true(got[4][got[1]])
  end)

  it("has the receiver's globals", function()
    local function f()
      _G.spec_seen = (_G.spec_seen or 0) + 1
      return spec_seen -- luacheck: ignore
    end
    finally(function() _G.spec_seen = nil end)
    assert.equal(1, call(f))
    assert.equal(1, _G.spec_seen)
    assert.equal(_G, call(function() return _ENV end))
    local function boxed()
      local _ENV <const> = { x = 5 } -- luacheck: ignore
      return function() return x end -- luacheck: ignore
    end
    assert.equal(5, copy(boxed())())
  end)

  it("finds modules and C functions by name", function()
    local m = module_of("spec.module", { value = 1, insert = table.insert })
    local fmt, ins = string.format, table.insert
    local function f()
      local t = {}
      ins(t, fmt("%d", m.value))
      return t[1], m, ins, print
    end
    local text, module, insert, p = call(f)
    assert.equal("1", text)
    assert.equal(m, module)
    assert.equal(table.insert, insert)
    assert.equal(print, p)
    assert.equal(string.format, copy { string.format }[1])
    assert.truthy(codec.encode_call(nil, print):find('{"$g":["_G","print"]}', 1, true))
  end)

  it("is refused by name when the receiver has no such module, or another", function()
    local text = codec.encode(module_of("spec.gone", { f = string.rep, g = {} }), signed)
    package.loaded["spec.gone"] = nil
    assert.error_matches(function() codec.decode(text, signed) end, "module 'spec.gone' not found")
    local c = codec.encode_call(nil, print):gsub('"print"', '"no such"')
    assert.error_matches(function() codec.decode_call(c) end,
      "^call: message needs 'no such' of module '_G', which is not there$")
    assert.error_matches(function() codec.decode_call '[{"$g":["_G"]}]' end,
      "^call: message has a table where the function of a call belongs$")
    assert.error_matches(function() codec.decode_call '[{"$m":["string","rep"],"$t":[]}]' end,
      "^call: message has a metatable that is a function here$")
  end)

  it("from awsync's own modules is found there, whatever it holds", function()
    local hidden = io.stdout
    local own = module_of("awsync.spec", { f = function() return hidden end })
    assert.equal(own.f, copy { own.f }[1])
    assert.equal(own.f, copy(function() return own.f end)())
  end)

  it("keeps file, line and names for tracebacks", function()
    local function failing(argument)
      local inside = argument
      error("broken " .. inside)
    end
    local line = debug.getinfo(failing, "S").linedefined
    local good, err = pcall(copy(failing), "x")
    assert.is_false(good)
    assert.matches("codec_function_spec.lua:" .. line + 2 .. ": broken x$", err)
    assert.equal("argument", debug.getlocal(copy(failing), 1))
    assert.same(debug.getinfo(failing, "S").source, debug.getinfo(copy(failing), "S").source)
    local n = 1
    assert.equal("n", (debug.getupvalue(copy(function() return n end), 1)))
  end)

  it("can be sent on by who received it", function()
    local n = 1
    local function f() n = n + 1; return n end
    local second = copy(copy(f))
    assert.equal(2, second())
    assert.equal(3, copy(second)())
    assert.equal(3, second())
  end)

  it("sends the code of many closures once", function()
    local function make(i) return function() return i end end
    local list = {}
    for i = 1, 100 do list[i] = make(i) end
    local text = codec.encode(list, signed)
    assert.is_true(#text < 6000)
    for i, f in ipairs(codec.decode(text, signed)) do assert.equal(i, f()) end
  end)

  it("may have 255 upvalues and no debug names", function()
    local source = {}
    for i = 1, 180 do source[#source + 1] = ("local v%d = %d"):format(i, i) end
    source[#source + 1] = "return function() return 0"
    for i = 1, 180 do source[#source + 1] = (" + v%d"):format(i) end
    source[#source + 1] = " end"
    assert.equal(16290, copy(assert(load(table.concat(source, "\n")))())())
    local x = 5
    local stripped = load(string.dump(function() return x end, true))
    debug.setupvalue(stripped, 1, 7)
    assert.equal(7, copy(stripped)())
  end)

  it("is called in messages by its global, its module, itself, or its place", function()
    local function own() return own end
    _G.spec_global = function() end
    module_of("spec.named", { f = function() end })
    finally(function() _G.spec_global = nil end)
    local nameless = function() end
    assert.equal("spec_global", codec.function_name(_G.spec_global))
    assert.equal("spec.named.f", codec.function_name(package.loaded["spec.named"].f))
    assert.equal("own", codec.function_name(own))
    assert.equal("string.format", codec.function_name(string.format))
    assert.equal("codec_function_spec.lua:" .. debug.getinfo(nameless, "S").linedefined, codec.function_name(nameless))
    assert.equal('[string "return function() end"]:1', codec.function_name(load "return function() end"()))
  end)
end)
