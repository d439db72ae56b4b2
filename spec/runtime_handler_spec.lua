-- From the event to the answer: loading the program, results, errors, logs, memory, and what AWS refuses.
local fake = require "spec.support.runtime_api"
local small_sqs = require "spec.support.small_sqs"
local cjson = require "cjson"

local function start(options)
  if type(options) == "string" then options = { files = { ["main.lua"] = options } } end
  local lambda = fake.start(options)
  finally(function() lambda:clean() end)
  return lambda
end

-- What one program answers to one event.
local function answer(program, event)
  local lambda = start(program)
  local post = lambda:invoke(event or "null")
  lambda:stop()
  return post.body, post
end

local function has(text, part)
  assert.truthy(tostring(text):find(part, 1, true), ("%q is not in:\n%s"):format(part, tostring(text)))
end

describe("a program that cannot be loaded", function()
  -- The error that is told to Lambda; the log has it too, and the program ends non-zero.
  local function init_error(options)
    local lambda = start(options)
    local post = assert(lambda:request(), lambda:err())
    assert.equal("POST", post.method)
    assert.equal("/2018-06-01/runtime/init/error", post.path)
    lambda:reply(post, 202)
    assert.equal(1, lambda:wait())
    local body = cjson.decode(post.body)
    assert.equal(body.errorType, post.headers["lambda-runtime-function-error-type"])
    assert.truthy(body.errorType:find "^Runtime%.%u%a+$")
    assert.equal("table", type(body.stackTrace))
    has(lambda:err(), body.errorMessage)
    return body
  end

  it("because its file is missing", function()
    local body = init_error { files = {}, handler = "lost.main" }
    assert.equal("Runtime.ImportModuleError", body.errorType)
    has(body.errorMessage, "lost.lua")
    has(body.errorMessage, "No such file")
  end)

  it("because of its syntax", function()
    local body = init_error { files = { ["main.lua"] = "x = = 1" } }
    assert.equal("Runtime.UserCodeSyntaxError", body.errorType)
    has(body.errorMessage, "main.lua:1:")
  end)

  it("because it defines no such function", function()
    local body = init_error { files = { ["main.lua"] = "x = 1" } }
    assert.equal("Runtime.HandlerNotFound", body.errorType)
    has(body.errorMessage, 'main.lua defines no function "main"')
  end)

  it("because its handler is no function", function()
    has(init_error { files = { ["main.lua"] = "main = 1" } }.errorMessage, '"main" is a number')
  end)

  it("because it raises, with the traceback", function()
    local body = init_error { files = { ["main.lua"] = "local function f() error 'early' end\nf()" } }
    assert.equal("Runtime.ImportModuleError", body.errorType)
    assert.equal("main.lua:1: early", body.errorMessage)
    local trace = table.concat(body.stackTrace, "\n")
    has(trace, "main.lua:1: in")
    has(trace, "main.lua:2: in main chunk")
  end)

  it("because a module that it needs is not there", function()
    has(init_error { files = { ["main.lua"] = "require 'nowhere'" } }.errorMessage, "module 'nowhere' not found")
  end)

  it("because _HANDLER is not set or no file.function", function()
    local body = init_error { files = {}, env = { _HANDLER = false } }
    assert.equal("Runtime.MalformedHandlerName", body.errorType)
    has(body.errorMessage, "_HANDLER is not set")
    for _, handler in ipairs { "main", ".main", "main." } do
      has(init_error { files = {}, handler = handler }.errorMessage, ('_HANDLER is "%s"'):format(handler))
    end
  end)

  it("because a limit is no number", function()
    local body = init_error { files = {}, env = { AWSYNC_MAX_DEPTH = "deep" } }
    has(body.errorMessage, 'AWSYNC_MAX_DEPTH is "deep"')
  end)

  it("although the Runtime API refuses to hear it", function()
    local lambda = start { files = {} }
    lambda:reply(assert(lambda:request()), 403)
    assert.equal(1, lambda:wait())
    has(lambda:err(), "init/error: the Runtime API answered with status 403")
  end)
end)

describe("a handler", function()
  it("is a global function, or a field of the table that the file returns", function()
    assert.equal('{"statusCode":200,"body":"1"}', answer "function main() return 1 end")
    assert.equal('{"statusCode":200,"body":"2"}', answer "local m = {} function m.main() return 2 end return m")
    assert.equal('{"statusCode":200,"body":"3"}', answer "function main() return 3 end return { other = 1 }")
  end)

  it("lies in a folder, and finds its modules beside it, in lua/ and ours", function()
    local lambda = start {
      handler = "src/app.v2.run",
      files = {
        ["src/app.v2.lua"] = [[
          local a, b, c = require "one", require "two.sub", require "awsync"
          function run() return { a, b, c._VERSION, (debug.getinfo(1, "S").source), require "three" } end]],
        ["one.lua"] = "return 'one'", ["two/sub/init.lua"] = "return 'two'", ["lua/three.lua"] = "return 'three'",
      },
    }
    local body = cjson.decode(cjson.decode(lambda:invoke("null").body).body)
    assert.equal("one two @src/app.v2.lua three", ("%s %s %s %s"):format(body[1], body[2], body[4], body[5]))
    assert.truthy(body[3]:find "^awsync %d")
    lambda:stop()
  end)

  it("may begin with a byte order mark and a line for the shell, which keeps its number", function()
    assert.equal('{"statusCode":200,"body":"2"}', answer(
      "\xEF\xBB\xBF#!/usr/bin/lua\nfunction main() return debug.getinfo(1, 'l').currentline end"))
  end)

  it("is loaded once; the state lives on between invocations", function()
    local lambda = start "print 'loading' local n = 0 function main() n = n + 1 return n end"
    for i = 1, 5 do assert.equal(('{"statusCode":200,"body":"%d"}'):format(i), lambda:invoke("null").body) end
    assert.equal("loading\n", lambda:out())
    lambda:stop()
  end)

  it("is found as a module by the modules that it requires", function()
    local lambda = start {
      files = {
        ["main.lua"] = "local m = {} function m.main() return require 'late'() end return m",
        ["late.lua"] = "local main = require 'main' return function() return type(main.main) end",
      },
    }
    assert.equal([[{"statusCode":200,"body":"\"function\""}]], lambda:invoke("null").body)
    lambda:stop()
  end)

  it("is called with the event exactly as it came", function()
    local text = [=[{"n":9007199254740993,"f":0.1,"min":-9223372036854775808,"one":1.0,"l":[1,null,[]],"e":{}}]=]
    local lambda = start [[
      local awsync = require "awsync"
      function main(event)
        assert(math.type(event.n) == "integer" and math.type(event.one) == "float" and event.l[2] == awsync.null)
        return awsync.raw { n = event.n, f = event.f }
      end]]
    local body = lambda:invoke(text).body
    assert.truthy(body == '{"n":9007199254740993,"f":0.1}' or body == '{"f":0.1,"n":9007199254740993}', body)
    lambda:stop()
  end)

  it("gets the context wherever it has a place for it", function()
    local seen = '{"statusCode":200,"body":"[\\"table\\",2]"}'
    assert.equal(seen, answer "function main(event, context) return { type(context), 2 } end")
    assert.equal(seen, answer "function main(...) return { type((select(2, ...))), select('#', ...) } end")
    assert.equal(seen, answer "function main(event, ...) return { type(...), 1 + select('#', ...) } end")
    assert.equal(seen, answer "main = setmetatable({}, { __call = function(_, _, c) return { type(c), 2 } end })")
    assert.equal('{"statusCode":200,"body":"[2,\\"table\\"]"}', answer("main = coroutine.wrap(" ..
      "function(...) local n, c = select('#', ...), select(2, ...) coroutine.yield { n, type(c) } end)"))
    assert.equal('{"statusCode":200,"body":"\\"nil\\""}', answer(
      "function main(event) local name, value = debug.getlocal(1, 2) return type(value) end"))
  end)

  it("may use coroutines, but has none to yield to", function()
    assert.equal('{"statusCode":200,"body":"6"}', answer [[
      function main()
        local sum = 0
        for v in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do sum = sum + v end
        return sum
      end]])
    has(answer "function main() coroutine.yield() end", "attempt to yield from outside a coroutine")
  end)
end)

describe("a result", function()
  for _, case in ipairs {
    { "nil", '{"statusCode":200,"body":"null"}' },
    { "false", '{"statusCode":200,"body":"false"}' },
    { "9007199254740993", '{"statusCode":200,"body":"9007199254740993"}' },
    { "0.1", '{"statusCode":200,"body":"0.1"}' },
    { "'say \"hi\"'", [[{"statusCode":200,"body":"\"say \\\"hi\\\"\""}]] },
    { "{1, 2, {a = true}}", [[{"statusCode":200,"body":"[1,2,{\"a\":true}]"}]] },
    { "{statusCode = 404}", '{"statusCode":404}' },
    { "awsync.raw(nil)", "null" },
    { "awsync.raw('x')", '"x"' },
    { "awsync.raw {statusCode = 1}", '{"statusCode":1}' },
    { "awsync.null", '{"statusCode":200,"body":"null"}' },
    { "1, 2, 3", '{"statusCode":200,"body":"1"}' },
  } do
    it(case[1] .. " is answered by " .. case[2], function()
      local body, post = answer("local awsync = require 'awsync' function main() return " .. case[1] .. " end")
      assert.equal(case[2], body)
      assert.equal("response", post.kind)
    end)
  end

  it("of nearly six megabytes goes out whole; over it is an error that says both figures", function()
    local lambda = start "local awsync = require 'awsync' function main(n) return awsync.raw(('x'):rep(n)) end"
    local post = lambda:invoke "6291454"
    assert.equal("response", post.kind)
    assert.equal(6291456, #post.body)
    post = lambda:invoke "6291455"
    assert.equal("error", post.kind)
    assert.equal("Function.ResponseSizeTooLarge", post.headers["lambda-runtime-function-error-type"])
    has(post.body, "6291457")
    has(post.body, "6291456")
    assert.equal("error", lambda:invoke("50000000").kind)
    assert.equal('"x"', lambda:invoke("1").body)
    lambda:stop()
  end)

  it("that has no JSON form is an error that names the place", function()
    local lambda = start [[
      local values = { { a = { b = print } }, 0/0, { [{}] = 1 } }
      values[4] = {} values[4].me = values[4]
      function main(n) return values[n] end]]
    for i = 1, 4 do
      local post = lambda:invoke(tostring(i))
      assert.equal("error", post.kind)
      assert.equal("Runtime.MarshalError", post.headers["lambda-runtime-function-error-type"])
    end
    has(lambda:invoke("1").body, "a.b")
    lambda:stop()
  end)
end)

describe("an error of the handler", function()
  it("is answered with message, type and stack, and logged once", function()
    local lambda = start "local function inner() error 'boom' end\nfunction main()\n inner()\nend"
    local post = lambda:invoke("null", { id = "req-9" })
    assert.equal("error", post.kind)
    assert.equal("Function.Error", post.headers["lambda-runtime-function-error-type"])
    local body = cjson.decode(post.body)
    assert.equal("main.lua:1: boom", body.errorMessage)
    assert.equal("Function.Error", body.errorType)
    local trace = table.concat(body.stackTrace, "\n")
    has(trace, "main.lua:1: in")
    has(trace, "main.lua:3: in function 'main'")
    assert.is_nil(trace:find "\t")
    assert.is_nil(body.stackTrace[#body.stackTrace]:find("[C]: in ?", 1, true))
    local err = lambda:err()
    has(err, "[ERROR] req-9 main.lua:1: boom\nstack traceback:\n\t")
    assert.equal(1, select(2, err:gsub("boom", "")))
    lambda:stop()
  end)

  for name, case in pairs {
    ["a table with __tostring"] = { "setmetatable({}, {__tostring = function() return 'I am' end})", "I am" },
    ["plain data"] = { "{code = 7}", '{"code":7}' },
    ["nil"] = { "nil", "nil" },
    ["a number"] = { "42", "42" },
    ["a table of functions"] = { "{print}", "(error object is a table that has no __tostring)" },
    ["no UTF-8"] = { "'a\\xFFb'", "a?b", 0 },
    ["an error in __tostring"] = {
      "setmetatable({}, {__tostring = function() error 'no' end})", "(an error whose text cannot be made)" },
  } do
    it("may be " .. name, function()
      local lambda = start("function main() error(" .. case[1] .. ", 0) end")
      assert.equal(case[2], cjson.decode(lambda:invoke("null").body).errorMessage)
      assert.equal("error", lambda:invoke("null").kind)
      lambda:stop()
    end)
  end

  it("goes to X-Ray with its frames where the invocation is traced", function()
    local lambda = start "function main() error 'boom' end"
    local post = lambda:invoke("null", { ["Lambda-Runtime-Trace-Id"] = "Root=1-0-0" })
    local cause = cjson.decode(post.headers["lambda-runtime-function-xray-error-cause"])
    assert.equal("main.lua:1: boom", cause.exceptions[1].message)
    assert.equal("Function.Error", cause.exceptions[1].type)
    local frames = {}
    for _, f in ipairs(cause.exceptions[1].stack) do frames[#frames + 1] = f.path .. ":" .. f.line end
    has(table.concat(frames, " "), "main.lua:1")
    assert.is_nil(lambda:invoke("null").headers["lambda-runtime-function-xray-error-cause"])
    lambda:stop()
  end)

  it("of endless recursion is one like any other", function()
    local lambda = start "local function f() return 1 + f() end function main(deep) return deep and f() or 1 end"
    has(lambda:invoke("true").body, "stack overflow")
    assert.equal("response", lambda:invoke("false").kind)
    lambda:stop()
  end)

  it("is an event that is no JSON: nothing runs", function()
    local lambda = start "function main() print 'ran' end"
    for _, event in ipairs { "{oops", "", "[1] x", '"\xFF"' } do
      local post = lambda:invoke(event)
      assert.equal("error", post.kind)
      assert.equal("Runtime.UnmarshalError", post.headers["lambda-runtime-function-error-type"])
      has(cjson.decode(post.body).errorMessage, "event")
    end
    assert.equal("", lambda:out())
    lambda:stop()
  end)

  it("for lack of memory is reported, and the state stays usable", function()
    local lambda = start {
      env = { AWS_LAMBDA_FUNCTION_MEMORY_SIZE = "128" },
      files = { ["main.lua"] = [[
        function main(how)
          if how == "string" then return #("x"):rep(200 << 20) end
          if how == "table" then local t = {} for i = 1, 1e9 do t[i] = {} end end
          if how == "coroutine" then return coroutine.wrap(function() return ("x"):rep(200 << 20) end)() end
          if how == "caught" then return select(2, pcall(string.rep, "x", 200 << 20)) end
          return "fine"
        end]] },
    }
    for _, how in ipairs { "string", "table", "coroutine" } do
      local post = lambda:invoke('"' .. how .. '"')
      assert.equal("error", post.kind)
      assert.equal("Runtime.OutOfMemory", post.headers["lambda-runtime-function-error-type"], how)
      has(post.body, "not enough memory: Lua may use 80 MB of the function's 128 MB")
      assert.equal([[{"statusCode":200,"body":"\"fine\""}]], lambda:invoke("null").body)
    end
    has(lambda:invoke('"caught"').body, "not enough memory")
    lambda:stop()
  end)
end)

describe("what a program writes", function()
  it("arrives before the answer goes out, also without a newline", function()
    local lambda = start "function main(e) print('line', e) io.write 'no newline' return 1 end"
    lambda:invoke("7")
    assert.equal("line\t7\nno newline", lambda:out())
    lambda:stop()
  end)

  it("stays as it is where the log is JSON, and the runtime's lines are objects", function()
    local lambda = start {
      env = { AWS_LAMBDA_LOG_FORMAT = "JSON" },
      files = { ["main.lua"] = "function main() print 'plain' error 'a \"quoted\"\\nthing' end" },
    }
    lambda:invoke("null", { id = "req-3" })
    assert.equal("plain\n", lambda:out())
    local err = lambda:err()
    assert.equal(1, select(2, err:gsub("\n", "")))
    local line = cjson.decode(err)
    assert.equal("ERROR", line.level)
    assert.equal("req-3", line.requestId)
    assert.equal('main.lua:1: a "quoted"\nthing', line.message)
    assert.equal("Function.Error", line.errorType)
    assert.truthy(line.timestamp:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$")
    has(table.concat(line.stackTrace, "\n"), "main.lua:1: in function")
    lambda:stop()
  end)

  it("as warnings, errors in finalizers too, is logged", function()
    local program = [[
      function main()
        warn("one ", "line") warn("@off") warn("hidden") warn("@on")
        setmetatable({}, { __gc = function() error "in gc" end }) collectgarbage()
      end]]
    local lambda = start(program)
    lambda:invoke("null")
    has(lambda:err(), "one line\n")
    has(lambda:err(), "in gc")
    assert.is_nil(lambda:err():find("hidden", 1, true))
    lambda:stop()
    lambda = start { files = { ["main.lua"] = program }, env = { AWS_LAMBDA_LOG_LEVEL = "ERROR" } }
    lambda:invoke("null")
    assert.equal("", lambda:err())
    lambda:stop()
  end)
end)

describe("a signed call", function()
  local key = ("0123456789abcdef"):rep(4)
  local caller = [[
    local awsync = require "awsync"
    local word = "captured"
    local function work(a, b) print(word, a, b) return { got = a } end
    local function fails() error "in the call" end
    function main(how)
      if how == "work" then awsync.invoke(work, 1, "two") elseif how == "fails" then awsync.invoke(fails) end
      return 1
    end]]

  -- Runs main(how) and returns the envelopes that it sent to Lambda.
  local function envelopes(how, options)
    options = options or {}
    options.files = options.files or { ["main.lua"] = caller }
    local sent, sqs = {}, small_sqs()
    options.aws = options.aws or function(request)
      if not request.path:find "/invocations" then return sqs.serve(request) end
      sent[#sent + 1] = request
      return 202, "", {}
    end
    options.env = options.env or {}
    options.env.AWSYNC_KEY = options.env.AWSYNC_KEY == nil and key or options.env.AWSYNC_KEY
    options.env.AWS_LAMBDA_FUNCTION_NAME = options.env.AWS_LAMBDA_FUNCTION_NAME or "squares"
    local lambda = start(options)
    local post = lambda:invoke(how)
    return sent, post, lambda
  end

  it("goes to this very function as an asynchronous event before the answer, and runs with its upvalues", function()
    local sent, post, lambda = envelopes '"work"'
    assert.equal("response", post.kind)
    assert.equal(1, #sent)
    assert.equal("/2015-03-31/functions/squares/invocations", sent[1].path)
    assert.equal("Event", sent[1].headers["x-amz-invocation-type"])
    local answered = lambda:invoke(sent[1].body)
    assert.equal("response", answered.kind)
    assert.equal('{"got":1}', answered.body)
    assert.equal("captured\t1\ttwo\n", lambda:out())
    lambda:stop()
  end)

  it("goes to the version that runs", function()
    local sent, _, lambda = envelopes('"work"', { env = { AWS_LAMBDA_FUNCTION_VERSION = "3" } })
    assert.equal("/2015-03-31/functions/squares/invocations?Qualifier=3", sent[1].path)
    lambda:stop()
  end)

  it("that fails is an error answer with the file's own lines", function()
    local sent, _, lambda = envelopes '"fails"'
    local post = lambda:invoke(sent[1].body)
    assert.equal("error", post.kind)
    assert.equal("main.lua:4: in the call (in fails())", cjson.decode(post.body).errorMessage)
    lambda:stop()
  end)

  it("is refused when it was changed or comes under another key, and nothing runs", function()
    local sent, _, lambda = envelopes '"work"'
    local body = sent[1].body
    local forged = cjson.decode(body)
    forged.mac = forged.mac:gsub("^.", function(c) return c == "0" and "1" or "0" end)
    for _, event in ipairs { cjson.encode(forged), '{"awsync":1}', '{"awsync":99,"mac":"","body":""}' } do
      local post = lambda:invoke(event)
      assert.equal("error", post.kind)
      assert.equal("Runtime.EnvelopeRefused", post.headers["lambda-runtime-function-error-type"])
      has(post.body, "the call is refused: ")
    end
    assert.equal("", lambda:out())
    lambda:stop()
    for _, other in ipairs { key:reverse(), false } do
      local stranger = start { files = { ["main.lua"] = caller }, env = { AWSYNC_KEY = other or nil } }
      has(stranger:invoke(body).body, "the call is refused: ")
      assert.equal("", stranger:out())
      stranger:stop()
    end
  end)

  it("needs a key and a name, and says how to get them", function()
    local _, post, lambda = envelopes('"work"', { env = { AWSYNC_KEY = false } })
    has(post.body, "openssl rand -hex 32")
    lambda:stop()
    local nameless = start { files = { ["main.lua"] = caller }, env = { AWSYNC_KEY = key } }
    has(nameless:invoke('"work"').body, "set AWS_LAMBDA_FUNCTION_NAME")
    nameless:stop()
  end)

  it("is signed with the key file beside the program where AWSYNC_KEY is not set", function()
    local options = { files = { ["main.lua"] = caller, ["awsync.key"] = key .. "\n" }, env = { AWSYNC_KEY = false } }
    local sent, post, lambda = envelopes('"work"', options)
    assert.equal("response", post.kind)
    assert.equal('{"got":1}', lambda:invoke(sent[1].body).body)
    lambda:stop()
  end)

  it("that AWS refuses fails the invocation, with code and message", function()
    local _, post, lambda = envelopes('"work"', {
      aws = function()
        return 404, '{"Type":"User","Message":"Function not found: squares"}',
          { ["x-amzn-ErrorType"] = "ResourceNotFoundException", ["x-amzn-RequestId"] = "aws-req-1" }
      end,
    })
    assert.equal("error", post.kind)
    assert.equal("Runtime.DeliveryFailed", post.headers["lambda-runtime-function-error-type"])
    for _, part in ipairs { "'work'", "ResourceNotFoundException", "Function not found", "aws-req-1" } do
      has(post.body, part)
    end
    assert.equal("response", lambda:invoke('"nothing"').kind)
    lambda:stop()
  end)

  it("deeper or more often than the limits allow is an error that names the variable", function()
    local program = [[
      local awsync = require "awsync"
      local function deeper() awsync.invoke(deeper) end
      local function nothing() end
      function main(n)
        if n == 0 then deeper() end
        for _ = 1, n do awsync.invoke(nothing) end
      end]]
    local options = { files = { ["main.lua"] = program }, env = { AWSYNC_MAX_DEPTH = "1", AWSYNC_MAX_SPAWNS = "2" } }
    local sent, post, lambda = envelopes("0", options)
    assert.equal("response", post.kind)
    has(lambda:invoke(sent[1].body).body, "AWSYNC_MAX_DEPTH (1)")
    assert.equal("response", lambda:invoke("2").kind)
    assert.equal(3, #sent)
    has(lambda:invoke("3").body, "AWSYNC_MAX_SPAWNS")
    assert.equal(5, #sent)
    lambda:stop()
  end)

  it("that is too large is an error with both figures", function()
    local _, post, lambda = envelopes("null", { files = { ["main.lua"] = [[
      local awsync = require "awsync"
      local function f() end
      function main() awsync.invoke(f, ('"'):rep(300000)) end]] } })
    has(post.body, "1,200,")
    has(post.body, "1,048,576")
    lambda:stop()
  end)
end)

describe("queues of an invocation", function()
  -- Counts queues as a very small SQS would.
  local function sqs(counts)
    return function(request)
      local action = (request.headers["x-amz-target"] or "?"):match "%.(%a+)$"
      counts[action] = (counts[action] or 0) + 1
      if action == "CreateQueue" then
        local name = cjson.decode(request.body).QueueName
        return 200, cjson.encode { QueueUrl = "http://" .. request.headers.host .. "/123456789012/" .. name }, {}
      end
      return 200, "", {}
    end
  end

  it("are deleted before the answer, also after an error of the handler", function()
    local counts = {}
    local lambda = start {
      aws = sqs(counts),
      files = { ["main.lua"] = [[
        local awsync = require "awsync"
        function main(fails)
          kept = awsync.Channel()
          local scoped <close> = awsync.Channel { ordered = false }
          if fails then error "boom" end
          return tostring(kept)
        end]] },
    }
    local post = lambda:invoke("false")
    assert.equal("response", post.kind)
    has(post.body, "channel (awsync-")
    assert.equal(2, counts.CreateQueue)
    assert.equal(2, counts.DeleteQueue)
    assert.equal("error", lambda:invoke("true").kind)
    assert.equal(4, counts.CreateQueue)
    assert.equal(4, counts.DeleteQueue)
    lambda:stop()
  end)

  it("that AWS refuses to make fail the operation, with code, message and request id", function()
    local lambda = start {
      aws = function()
        return 403, '{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not yours"}',
          { ["x-amzn-RequestId"] = "aws-req-2" }
      end,
      files = { ["main.lua"] = [[
        local awsync = require "awsync"
        function main() local c <close> = awsync.Channel() c:push(1) return c:pop(5) end]] },
    }
    local post = lambda:invoke("null")
    assert.equal("error", post.kind)
    for _, part in ipairs { "AccessDenied", "not yours", "aws-req-2" } do has(post.body, part) end
    lambda:stop()
  end)

  it("do not outlive a wait without end: it raises before the deadline", function()
    local counts = {}
    local lambda = start {
      aws = sqs(counts),
      files = { ["main.lua"] = [[
        local awsync = require "awsync"
        function main() local c = awsync.Channel() return c:pop() end]] },
    }
    local deadline = ("%.0f"):format((require "socket".gettime() + 1.5) * 1000)
    local post = lambda:invoke("null", { ["Lambda-Runtime-Deadline-Ms"] = deadline })
    assert.equal("error", post.kind)
    has(post.body, "pop: the time of this invocation is almost over")
    assert.equal(1, counts.DeleteQueue)
    lambda:stop()
  end)
end)
