local sigv4 = require "probe.sigv4"
local vectors = require "spec.support.sigv4_vectors"

local KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
local AMZ_DATE, WALL_MS = "20260102T030405Z", 1767323045000
local HOST = "sqs.us-east-1.amazonaws.com"
local MINUTE_MS = 60 * 1000

local function copy(t)
  local c = {}
  for k, v in pairs(t) do c[k] = type(v) == "table" and copy(v) or v end
  return c
end

-- A request with what is needed to sign it; fields replace the defaults.
local function request(fields)
  local t = {
    method = "POST", target = "/", headers = { { "Host", HOST } }, body = "",
    key = KEY, secret = SECRET, region = "us-east-1", service = "sqs", wall_ms = WALL_MS,
  }
  for k, v in pairs(fields or {}) do t[k] = v end
  return t
end

local function rules(fields)
  local t = {
    region = "us-east-1", service = "sqs", now_ms = WALL_MS, skew_ms = 15 * MINUTE_MS,
    keys = { [KEY] = { secret = SECRET } },
  }
  for k, v in pairs(fields or {}) do t[k] = v end
  return t
end

-- The request as it goes over the wire once it is signed.
local function signed(t)
  local out = assert(sigv4.sign(t))
  local sent = copy(t)
  sent.cache = nil
  sent.headers[#sent.headers + 1] = { "X-Amz-Date", out.amz_date }
  if t.token then sent.headers[#sent.headers + 1] = { "X-Amz-Security-Token", t.token } end
  sent.headers[#sent.headers + 1] = { "Authorization", out.authorization }
  return sent, out
end

local function presigned(t)
  local out = assert(sigv4.presign(t))
  local sent = copy(t)
  sent.target = out.target
  return sent, out
end

local function header(t, name)
  for i, pair in ipairs(t.headers) do
    if pair[1]:lower() == name:lower() then return pair, i end
  end
end

local function authorization(t, text)
  local sent = copy(t)
  header(sent, "Authorization")[2] = text
  return sent
end

local function change(text, from, to)
  local at, stop = text:find(from, 1, true)
  assert(at, from)
  return text:sub(1, at - 1) .. to .. text:sub(stop + 1)
end

local EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

-- Vectors computed with botocore 1.29 (the project's facts sheet has where they come from).
local FACTS = {
  {
    name = "SQS CreateQueue",
    request = {
      headers = {
        { "Host", HOST },
        { "Content-Type", "application/x-amz-json-1.0" },
        { "X-Amz-Target", "AmazonSQS.CreateQueue" },
      },
      body = '{"QueueName":"demo"}',
    },
    canonical = [[
POST
/

content-type:application/x-amz-json-1.0
host:sqs.us-east-1.amazonaws.com
x-amz-date:20260102T030405Z
x-amz-target:AmazonSQS.CreateQueue

content-type;host;x-amz-date;x-amz-target
2863f6594f6e47fb2ddf2ba9a1370b986d7fd3b2cf1ee69ffc14b03d5d6a6fff]],
    signed_headers = "content-type;host;x-amz-date;x-amz-target",
    hash = "0b7f4f4c24e0cb37d8b0fe40851c0f5b5c4bbc482f3d2b009aa5b994cf2a79e2",
    signature = "2269e7a6978ec63945c051facf2dfde60acef2ac14b5282799fb68a5e8be01d8",
  },
  {
    name = "SQS CreateQueue with a session token",
    request = {
      headers = {
        { "Host", HOST },
        { "Content-Type", "application/x-amz-json-1.0" },
        { "X-Amz-Target", "AmazonSQS.CreateQueue" },
      },
      body = '{"QueueName":"demo"}',
      token = "TOKEN/EXAMPLE+==",
    },
    canonical = [[
POST
/

content-type:application/x-amz-json-1.0
host:sqs.us-east-1.amazonaws.com
x-amz-date:20260102T030405Z
x-amz-security-token:TOKEN/EXAMPLE+==
x-amz-target:AmazonSQS.CreateQueue

content-type;host;x-amz-date;x-amz-security-token;x-amz-target
2863f6594f6e47fb2ddf2ba9a1370b986d7fd3b2cf1ee69ffc14b03d5d6a6fff]],
    signed_headers = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
    hash = "f9b841fb26d76410b4dff43f97bbe4a3433e77069e1fbe8781b29e9164f70bcc",
    signature = "35e78db31798d7028a0234d9e586e56707351d64dad7a2ae125ecf0eb53993ec",
  },
  {
    name = "Lambda Invoke with a qualified name in the path",
    request = {
      target = "/2015-03-31/functions/work%3Alive/invocations?Qualifier=1",
      headers = { { "Host", "lambda.us-east-1.amazonaws.com" }, { "X-Amz-Invocation-Type", "Event" } },
      body = "{}",
      service = "lambda",
    },
    canonical = [[
POST
/2015-03-31/functions/work%253Alive/invocations
Qualifier=1
host:lambda.us-east-1.amazonaws.com
x-amz-date:20260102T030405Z
x-amz-invocation-type:Event

host;x-amz-date;x-amz-invocation-type
44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a]],
    signed_headers = "host;x-amz-date;x-amz-invocation-type",
    hash = "7f67bf491cdc7fd6faa1de393b029b5d3ece38c99308872dbccfe65e45457a77",
    signature = "b6db8cf106cff54c51df6474f2a4d9c7801f33cbb72628040a50bc36d3399e51",
  },
  {
    name = "Lambda GetAccountSettings, a GET without body",
    request = {
      method = "GET",
      target = "/2016-08-19/account-settings",
      headers = { { "Host", "lambda.us-east-1.amazonaws.com" } },
      service = "lambda",
    },
    canonical = [[
GET
/2016-08-19/account-settings

host:lambda.us-east-1.amazonaws.com
x-amz-date:20260102T030405Z

host;x-amz-date
]] .. EMPTY_HASH,
    signed_headers = "host;x-amz-date",
    hash = "e426291189e745f4e3de79d5cd8d096ca1fcda209ab8d0b205714ad4fd40f9a4",
    signature = "092f9526b185c9a2c75b9302c01987a1fc910339d8d5586ca608e1f45da50676",
  },
}

describe("sigv4 signs a request in the header form:", function()
  for _, v in ipairs(FACTS) do
    it(v.name .. " has every stage of the known vector", function()
      local t = request(v.request)
      local scope = ("20260102/us-east-1/%s/aws4_request"):format(t.service)
      local out = assert(sigv4.sign(t))
      assert.equal(v.canonical, out.canonical_request)
      assert.equal(v.hash, out.canonical_hash)
      assert.equal(v.signed_headers, out.signed_headers)
      assert.equal("AWS4-HMAC-SHA256\n20260102T030405Z\n" .. scope .. "\n" .. v.hash, out.string_to_sign)
      assert.equal(v.signature, out.signature)
      assert.equal(AMZ_DATE, out.amz_date)
      assert.equal(("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%s, SignedHeaders=%s, Signature=%s")
        :format(scope, v.signed_headers, v.signature), out.authorization)
    end)
  end

  for _, v in ipairs(vectors.headers) do
    it(v.name, function()
      local t = request(v)
      local out = assert(sigv4.sign(t))
      assert.equal(table.concat(v.canonical, "\n"), out.canonical_request)
      assert.equal(v.signature, out.signature)
      assert.equal("ok", (sigv4.verify(signed(t),
        rules { service = t.service, raw_path = t.raw_path, keys = { [KEY] = { secret = SECRET, token = t.token } } })))
    end)
  end

  it("never signs what proxies and connections change, nor headers of no meaning to AWS", function()
    local t = request()
    for _, name in ipairs { "Authorization", "Cache-Control", "Connection", "Expect", "From", "Keep-Alive",
      "Max-Forwards", "Pragma", "Referer", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent",
      "X-Amzn-Trace-Id", "Proxy-Authorization", "Sec-Fetch-Mode", "Content-Length", "Accept", "amz-sdk-request",
      "x-amzn-query-mode" } do
      t.headers[#t.headers + 1] = { name, "value" }
    end
    local out = assert(sigv4.sign(t))
    assert.equal("host;x-amz-date", out.signed_headers)
    assert.equal(assert(sigv4.sign(request())).signature, out.signature)
  end)

  it("takes date and token headers that the request has already, once", function()
    local plain = assert(sigv4.sign(request { token = "TOKEN" }))
    local given = assert(sigv4.sign(request {
      token = "TOKEN",
      headers = { { "x-amz-security-token", "TOKEN" }, { "X-AMZ-DATE", AMZ_DATE }, { "Host", HOST } },
    }))
    assert.equal(plain.canonical_request, given.canonical_request)
  end)

  it("rounds the time of signing down to the second", function()
    assert.equal(AMZ_DATE, assert(sigv4.sign(request { wall_ms = WALL_MS + 999 })).amz_date)
    assert.equal("20260102T030406Z", assert(sigv4.sign(request { wall_ms = WALL_MS + 1000 })).amz_date)
  end)

  it("counts an empty session token as none", function()
    local out = assert(sigv4.sign(request { token = "" }))
    assert.equal("host;x-amz-date", out.signed_headers)
  end)

  it("signs the same when nobody looks at the stages", function()
    local seen, blind = sigv4.sign(request()), sigv4.sign(request { blind = true })
    assert.equal(seen.authorization, blind.authorization)
  end)

  local host = { "Host", HOST }
  for name, fields in pairs {
    ["no host"] = { headers = { { "X-Amz-A", "1" } } },
    ["an empty host"] = { headers = { { "Host", " " } } },
    ["two hosts"] = { headers = { host, host } },
    ["a line end in a value"] = { headers = { host, { "X-Amz-A", "1\r\nX-Amz-B: 2" } } },
    ["a lone line feed at the end of a value"] = { headers = { host, { "X-Amz-A", "1\n" } } },
    ["a control character in a value"] = { headers = { host, { "X-Amz-A", "a\1b" } } },
    ["a header name with a blank"] = { headers = { host, { "X-Amz A", "1" } } },
    ["an empty header name"] = { headers = { host, { "", "1" } } },
    ["a date header of another second"] = { headers = { host, { "X-Amz-Date", "20260102T030406Z" } } },
    ["two date headers"] = { headers = { host, { "X-Amz-Date", AMZ_DATE }, { "X-Amz-Date", AMZ_DATE } } },
    ["a token header without a token"] = { headers = { host, { "X-Amz-Security-Token", "T" } } },
    ["another token in the header"] = { headers = { host, { "X-Amz-Security-Token", "T" } }, token = "U" },
    ["a payload hash of another body"] = { headers = { host, { "X-Amz-Content-Sha256", EMPTY_HASH } }, body = "{}" },
    ["an unsigned payload"] = { headers = { host, { "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD" } } },
    ["a signature in the query"] = { target = "/?X-Amz-Signature=00" },
    ["an algorithm in the query"] = { target = "/?X-Amz%2DAlgorithm" },
    ["an absolute target"] = { target = "http://host/" },
    ["a target without a slash"] = { target = "*" },
    ["a line end in the target"] = { target = "/a\r\nb" },
    ["a fragment"] = { target = "/a#b" },
    ["a target over 128 KiB"] = { target = "/" .. ("a"):rep(128 * 1024) },
    ["an empty method"] = { method = "" },
    ["a method with a blank"] = { method = "GET /" },
    ["no region"] = { region = "" },
    ["a region with a slash"] = { region = "us/east" },
    ["a region of 65 characters"] = { region = ("r"):rep(65) },
    ["no service"] = { service = "" },
    ["an empty key id"] = { key = "" },
    ["a key id with a comma"] = { key = "AKID,X" },
    ["an empty secret"] = { secret = "" },
    ["a secret of 1025 bytes"] = { secret = ("s"):rep(1025) },
    ["a token with a line end"] = { token = "T\r\n" },
    ["a time before 1970"] = { wall_ms = -1 },
    ["a time after the year 9999"] = { wall_ms = 253402300800000 },
  } do
    it("refuses " .. name, function()
      local out, result, text = sigv4.sign(request(fields))
      assert.is_nil(out)
      assert.equal("bad_input", result)
      assert.equal("the request cannot be signed", text)
    end)
  end

  it("takes the longest of everything", function()
    local t = request { key = ("K"):rep(128), region = ("r"):rep(64), service = ("s"):rep(64), secret = ("x"):rep(1024),
      target = "/" .. ("%"):rep(64 * 1024 - 1) .. "?" .. (" "):rep(64 * 1024 - 1) }
    t.headers[2] = { "X-Amz-A", ("v"):rep(1000 * 1000) }
    assert.equal("ok", (sigv4.verify(signed(t), rules { region = t.region, service = t.service,
      keys = { [t.key] = { secret = t.secret } } })))
    t.headers[3] = { "X-Amz-B", ("v"):rep(100 * 1000) }
    assert.equal("bad_input", select(2, sigv4.sign(t)))
  end)
end)

describe("sigv4 presigns a request:", function()
  for _, v in ipairs(vectors.presigned) do
    it(v.name, function()
      local t = request(v)
      local sent, out = presigned(t)
      assert.equal(table.concat(v.canonical, "\n"), out.canonical_request)
      assert.equal(v.signature, out.signature)
      assert.equal(v.target, out.target:sub(1, #v.target))
      assert.matches("&X%-Amz%-Signature=" .. v.signature .. "$", out.target)
      assert.equal("ok", (sigv4.verify(sent, rules { keys = { [KEY] = { secret = SECRET, token = t.token } } })))
    end)
  end

  it("writes the parameters in AWS's order behind the query of the caller", function()
    local out = assert(sigv4.presign(request { target = "?b=1&a=x+y", token = "T/=", expires_s = 60 }))
    assert.equal("/?b=1&a=x+y&X-Amz-Algorithm=AWS4-HMAC-SHA256" ..
      "&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20260102T030405Z" ..
      "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=T%2F%3D&X-Amz-Signature=" .. out.signature,
      out.target)
  end)

  it("keeps any query of the caller apart from its own parameters", function()
    for _, target in ipairs { "/?", "/??", "/?a=1?", "/?a&", "/?&", "/?a=1&&" } do
      local sent, out = presigned(request { target = target, expires_s = 60 })
      assert.equal(target, out.target:sub(1, #target))
      assert.equal("ok", (sigv4.verify(sent, rules())), target)
    end
  end)

  it("leaves the payload of a raw path (S3) unsigned", function()
    local sent, out = presigned(request { target = "/a//b", raw_path = true, service = "s3", expires_s = 1 })
    assert.matches("\nUNSIGNED%-PAYLOAD$", out.canonical_request)
    sent.body = "another"
    assert.equal("ok", (sigv4.verify(sent, rules { service = "s3", raw_path = true })))
  end)

  it("holds from the allowed skew before its time until its last second", function()
    local sent = presigned(request { expires_s = 3600 })
    local function at(offset_ms) return (sigv4.verify(sent, rules { now_ms = WALL_MS + offset_ms })) end
    assert.equal("ok", at(3600 * 1000))
    assert.equal("expired", at(3600 * 1000 + 1))
    assert.equal("ok", at(-15 * MINUTE_MS))
    assert.equal("not_yet_valid", at(-15 * MINUTE_MS - 1))
  end)

  for name, fields in pairs {
    ["no time to live"] = { expires_s = 0 },
    ["more than seven days"] = { expires_s = 604801 },
    ["a target that is presigned already"] = { expires_s = 1, target = "/?X-Amz-Date=" .. AMZ_DATE },
    ["a target with an encoded name of ours"] = { expires_s = 1, target = "/?X%2DAmz-Signature=0" },
    ["no host"] = { expires_s = 1, headers = {} },
  } do
    it("refuses " .. name, function()
      assert.equal("bad_input", select(2, sigv4.presign(request(fields))))
    end)
  end

  local sent = presigned(request { expires_s = 60, target = "/q?a=1", body = "{}" })
  for name, c in pairs {
    ["another method"] = { "mismatch", function(t) t.method = "GET" end },
    ["another path"] = { "mismatch", function(t) t.target = change(t.target, "/q?", "/p?") end },
    ["another parameter"] = { "mismatch", function(t) t.target = change(t.target, "a=1", "a=2") end },
    ["one parameter more"] = { "mismatch", function(t) t.target = t.target .. "&b=1" end },
    ["another body"] = { "mismatch", function(t) t.body = "{ }" end },
    ["another host"] = { "mismatch", function(t) t.headers[1][2] = "other" end },
    ["a longer life"] = { "mismatch", function(t) t.target = change(t.target, "Expires=60", "Expires=61") end },
    ["a life over seven days"] = {
      "incomplete", function(t) t.target = change(t.target, "Expires=60", "Expires=604801") end },
    ["a life without end"] = {
      "incomplete", function(t) t.target = change(t.target, "Expires=60", "Expires=" .. ("9"):rep(40)) end },
    ["a life that is no number"] = {
      "incomplete", function(t) t.target = change(t.target, "Expires=60", "Expires=-1") end },
    ["no life"] = { "incomplete", function(t) t.target = change(t.target, "&X-Amz-Expires=60", "") end },
    ["no date"] = { "incomplete", function(t) t.target = change(t.target, "&X-Amz-Date=" .. AMZ_DATE, "") end },
    ["a later date"] = { "mismatch", function(t) t.target = change(t.target, AMZ_DATE, "20260102T030406Z") end },
    ["the date of another day"] = {
      "wrong_scope", function(t) t.target = change(t.target, AMZ_DATE, "20260101T235959Z") end },
    ["a date of month 13"] = {
      "incomplete", function(t) t.target = change(t.target, AMZ_DATE, "20261302T030405Z") end },
    ["another algorithm"] = { "incomplete", function(t) t.target = change(t.target, "SHA256", "SHA1") end },
    ["another region"] = { "wrong_scope", function(t) t.target = change(t.target, "us-east-1", "us-east-2") end },
    ["an unknown key"] = { "unknown_key", function(t) t.target = change(t.target, KEY, "AKIDOTHER") end },
    ["a token that the key does not have"] = {
      "bad_token", function(t) t.target = t.target .. "&X-Amz-Security-Token=T" end },
    ["a parameter twice"] = { "incomplete", function(t) t.target = t.target .. "&X-Amz-Expires=60" end },
    ["a NUL in the credential"] = { "incomplete", function(t) t.target = change(t.target, KEY, KEY .. "%00") end },
    ["no signature"] = { "incomplete", function(t) t.target = t.target:gsub("&X%-Amz%-Signature=%x+", "") end },
    ["an empty signature"] = { "incomplete", function(t) t.target = t.target:gsub("(Signature=)%x+", "%1") end },
    ["half a signature"] = { "mismatch", function(t) t.target = t.target:sub(1, -33) end },
    ["an Authorization header besides"] = {
      "incomplete", function(t) t.headers[2] = { "Authorization", "AWS4-HMAC-SHA256 Credential=a" } end },
  } do
    it("refuses " .. name .. " when it verifies", function()
      local t = copy(sent)
      c[2](t)
      assert.equal(c[1], (sigv4.verify(t, rules())))
    end)
  end

  it("compares the session token", function()
    local t = presigned(request { expires_s = 60, token = "RIGHT" })
    local function with(token) return rules { keys = { [KEY] = { secret = SECRET, token = token } } } end
    assert.equal("ok", (sigv4.verify(t, with "RIGHT")))
    assert.equal("bad_token", (sigv4.verify(t, with "WRONG")))
    assert.equal("bad_token", (sigv4.verify(t, with(nil))))
    t.target = change(t.target, "&X-Amz-Security-Token=RIGHT", "")
    assert.equal("bad_token", (sigv4.verify(t, with "RIGHT")))
  end)
end)

describe("sigv4 verifies a request in the header form:", function()
  local given = request {
    target = "/q?a=1", body = "{}",
    headers = { { "Host", HOST }, { "Content-Type", "application/x-amz-json-1.0" }, { "X-Amz-Target", "AmazonSQS.X" } },
  }
  local sent, out = signed(given)
  local AUTH = out.authorization

  it("says whose it is and what was computed", function()
    local result, identity, stages = sigv4.verify(sent, rules())
    assert.equal("ok", result)
    assert.same({ access_key_id = KEY, region = "us-east-1", service = "sqs", amz_date = AMZ_DATE }, identity)
    assert.equal(out.canonical_request, stages.canonical_request)
    assert.equal(out.string_to_sign, stages.string_to_sign)
    assert.equal(out.signature, stages.signature)
    assert.equal("ok", (sigv4.verify(sent, rules { blind = true })))
  end)

  it("says whose it is also when it refuses", function()
    local result, identity, stages = sigv4.verify(sent, rules { keys = {} })
    assert.equal("unknown_key", result)
    assert.same({ access_key_id = KEY, region = "us-east-1", service = "sqs", amz_date = AMZ_DATE }, identity)
    assert.is_nil(stages.canonical_request)
  end)

  it("leaves region and service open when no rule names them", function()
    local open = rules { region = false, service = false }
    open.region, open.service = nil, nil
    local t = signed(request { region = "eu-west-3", service = "lambda" })
    assert.equal("wrong_scope", (sigv4.verify(t, rules())))
    local result, identity = sigv4.verify(t, open)
    assert.equal("ok", result)
    assert.equal("eu-west-3", identity.region)
    assert.equal("lambda", identity.service)
  end)

  it("does not mind headers that are not signed, nor the order and spelling of those that are", function()
    local t = copy(sent)
    table.insert(t.headers, 1, { "User-Agent", "curl" })
    table.insert(t.headers, 1, table.remove(t.headers))
    header(t, "X-Amz-Target")[1] = "x-AMZ-target"
    header(t, "Content-Type")[2] = "  application/x-amz-json-1.0\t"
    t.target = "/./q?a=%31"
    assert.equal("ok", (sigv4.verify(t, rules())))
  end)

  it("accepts the Authorization header without blanks behind its commas", function()
    assert.equal("ok", (sigv4.verify(authorization(sent, (AUTH:gsub(", ", ","))), rules())))
    assert.equal("ok", (sigv4.verify(authorization(sent, (AUTH:gsub(", ", "  ,  "))), rules())))
  end)

  it("takes any order of the Authorization header's parts", function()
    local c, h, s = AUTH:match("(Cred%S+), (Signed%S+), (Sig%S+)")
    assert.equal("ok", (sigv4.verify(authorization(sent, ("AWS4-HMAC-SHA256 %s,%s,%s"):format(s, c, h)), rules())))
  end)

  for name, c in pairs {
    ["another method"] = { "mismatch", function(t) t.method = "PUT" end },
    ["another path"] = { "mismatch", function(t) t.target = "/p?a=1" end },
    ["a path in another case"] = { "mismatch", function(t) t.target = "/Q?a=1" end },
    ["another parameter"] = { "mismatch", function(t) t.target = "/q?a=2" end },
    ["one parameter more"] = { "mismatch", function(t) t.target = "/q?a=1&b" end },
    ["one parameter less"] = { "mismatch", function(t) t.target = "/q" end },
    ["another body"] = { "mismatch", function(t) t.body = "{} " end },
    ["another value of a signed header"] = { "mismatch", function(t) header(t, "X-Amz-Target")[2] = "AmazonSQS.Y" end },
    ["a second value of a signed header"] = {
      "mismatch", function(t) t.headers[#t.headers + 1] = { "X-Amz-Target", "AmazonSQS.Y" } end },
    ["a signed header that is gone"] = {
      "incomplete", function(t) table.remove(t.headers, select(2, header(t, "Content-Type"))) end },
    ["an x-amz- header that is not signed"] = {
      "mismatch", function(t) t.headers[#t.headers + 1] = { "X-Amz-Extra", "1" } end },
    ["another host"] = { "mismatch", function(t) t.headers[1][2] = HOST .. ":8080" end },
    ["a second host"] = { "mismatch", function(t) t.headers[#t.headers + 1] = { "Host", HOST } end },
    ["a later date"] = { "mismatch", function(t) header(t, "X-Amz-Date")[2] = "20260102T030406Z" end },
    ["the date of another day"] = { "wrong_scope", function(t) header(t, "X-Amz-Date")[2] = "20260101T235959Z" end },
    ["a date that is none"] = { "incomplete", function(t) header(t, "X-Amz-Date")[2] = "2026-01-02T03:04:05Z" end },
    ["an empty date"] = { "incomplete", function(t) header(t, "X-Amz-Date")[2] = "" end },
    ["two dates"] = { "incomplete", function(t) t.headers[#t.headers + 1] = { "X-Amz-Date", AMZ_DATE } end },
    ["no date"] = { "incomplete", function(t) table.remove(t.headers, select(2, header(t, "X-Amz-Date"))) end },
    ["a token that the key does not have"] = {
      "mismatch", function(t) t.headers[#t.headers + 1] = { "X-Amz-Security-Token", "T" } end },
    ["a signature in the query besides"] = {
      "incomplete", function(t) t.target = t.target .. "&X-Amz-Signature=0" end },
    ["two Authorization headers"] = {
      "incomplete", function(t) t.headers[#t.headers + 1] = { "authorization", AUTH } end },
    ["a header name that is none"] = { "bad_input", function(t) t.headers[#t.headers + 1] = { "a b", "" } end },
    ["a target that is none"] = { "bad_input", function(t) t.target = "q" end },
  } do
    it("refuses " .. name, function()
      local t = copy(sent)
      c[2](t)
      assert.equal(c[1], (sigv4.verify(t, rules())))
    end)
  end

  local SCOPE = "AKIDEXAMPLE/20260102/us-east-1/sqs/aws4_request"
  local NAMES = out.signed_headers
  for name, c in pairs {
    ["another scheme"] = { "incomplete", "Bearer abc" },
    ["nothing at all"] = { "incomplete", "" },
    ["the scheme alone"] = { "incomplete", "AWS4-HMAC-SHA256" },
    ["the scheme and a blank"] = { "incomplete", "AWS4-HMAC-SHA256 " },
    ["no blank behind the scheme"] = { "incomplete", change(AUTH, "SHA256 ", "SHA256") },
    ["no Credential"] = { "incomplete", change(AUTH, "Credential=" .. SCOPE .. ", ", "") },
    ["no SignedHeaders"] = { "incomplete", change(AUTH, "SignedHeaders=" .. NAMES .. ", ", "") },
    ["no Signature"] = { "incomplete", AUTH:gsub(", Signature=%x+", "") },
    ["an empty Signature"] = { "incomplete", AUTH:gsub("(Signature=)%x+", "%1") },
    ["an empty Credential"] = { "incomplete", change(AUTH, SCOPE, "") },
    ["a part twice"] = { "incomplete", AUTH .. ", Signature=00" },
    ["an unknown part"] = { "incomplete", AUTH .. ", Extra=00" },
    ["a part without ="] = { "incomplete", AUTH .. ", Extra" },
    ["a trailing comma"] = { "incomplete", AUTH .. "," },
    ["odd bytes"] = { "incomplete", AUTH .. "\1\255" },
    ["a folded line"] = { "incomplete", change(AUTH, ", ", ",\r\n ") },
    ["17 KiB"] = { "incomplete", AUTH .. (" "):rep(17 * 1024) },
    ["a credential of four parts"] = { "incomplete", change(AUTH, "/sqs", "") },
    ["a credential of six parts"] = { "incomplete", change(AUTH, "/sqs", "/sqs/x") },
    ["an empty region"] = { "incomplete", change(AUTH, "us-east-1", "") },
    ["a slash behind the credential"] = { "incomplete", change(AUTH, "aws4_request", "aws4_request/") },
    ["another day"] = { "wrong_scope", change(AUTH, "20260102/", "20260103/") },
    ["a day of nine digits"] = { "wrong_scope", change(AUTH, "20260102/", "202601021/") },
    ["another region"] = { "wrong_scope", change(AUTH, "us-east-1", "us-east-2") },
    ["a region of 65 characters"] = { "wrong_scope", change(AUTH, "us-east-1", ("r"):rep(65)) },
    ["another service"] = { "wrong_scope", change(AUTH, "/sqs/", "/lambda/") },
    ["another terminator"] = { "wrong_scope", change(AUTH, "aws4_request", "aws5_request") },
    ["another key"] = { "unknown_key", change(AUTH, KEY, "AKIDOTHER") },
    ["a key id of 129 characters"] = { "unknown_key", change(AUTH, KEY, ("K"):rep(129)) },
    ["a signature that differs in its last digit"] = {
      "mismatch", AUTH:sub(1, -2) .. (AUTH:sub(-1) == "0" and "1" or "0") },
    ["a signature in upper case"] = { "mismatch", (AUTH:gsub("%x+$", string.upper)) },
    ["half a signature"] = { "mismatch", AUTH:sub(1, -33) },
    ["a longer signature"] = { "mismatch", AUTH .. "00" },
    ["no signed header"] = { "mismatch", change(AUTH, NAMES, "") },
    ["host not signed"] = { "mismatch", change(AUTH, ";host", "") },
    ["x-amz-date not signed"] = { "mismatch", change(AUTH, ";x-amz-date", "") },
    ["a signed header that is not there"] = { "incomplete", change(AUTH, ";host", ";date;host") },
    ["signed headers in another order"] = { "mismatch", change(AUTH, "content-type;host", "host;content-type") },
    ["a signed header twice"] = { "mismatch", change(AUTH, ";host", ";host;host") },
    ["a signed header in upper case"] = { "mismatch", change(AUTH, ";host", ";Host") },
    ["an empty name among the signed headers"] = { "incomplete", change(AUTH, ";host", ";;host") },
    ["a semicolon behind the signed headers"] = { "incomplete", change(AUTH, NAMES, NAMES .. ";") },
    ["a signed header that is no name"] = { "incomplete", change(AUTH, ";host", ";host;i d") },
  } do
    it("refuses an Authorization header with " .. name, function()
      assert.equal(c[1], (sigv4.verify(authorization(sent, c[2]), rules())))
    end)
  end

  it("tells a request without any signature", function()
    assert.equal("not_signed", (sigv4.verify(given, rules())))
    assert.equal("not_signed", (sigv4.verify({ method = "GET", target = "" }, rules())))
  end)

  it("refuses a secret that differs, and a key whose secret nobody has", function()
    assert.equal("mismatch", (sigv4.verify(sent, rules { keys = { [KEY] = { secret = SECRET .. "x" } } })))
    assert.equal("unknown_key", (sigv4.verify(sent, rules { keys = { [KEY] = { secret = "" } } })))
    assert.equal("unknown_key", (sigv4.verify(sent, rules { keys = { [KEY] = {} } })))
  end)

  it("allows the skew both ways and not a millisecond more", function()
    for _, skew_ms in ipairs { 5 * MINUTE_MS, 15 * MINUTE_MS } do
      local function at(offset_ms)
        return (sigv4.verify(sent, rules { now_ms = WALL_MS + offset_ms, skew_ms = skew_ms }))
      end
      assert.equal("ok", at(skew_ms))
      assert.equal("ok", at(-skew_ms))
      assert.equal("expired", at(skew_ms + 1))
      assert.equal("not_yet_valid", at(-skew_ms - 1))
    end
  end)

  it("compares the session token of temporary keys", function()
    local t = signed(request { token = "TOKEN/EXAMPLE+==" })
    local function with(token) return rules { keys = { [KEY] = { secret = SECRET, token = token } } } end
    assert.equal("ok", (sigv4.verify(t, with "TOKEN/EXAMPLE+==")))
    assert.equal("bad_token", (sigv4.verify(t, with "TOKEN/EXAMPLE+=!")))
    assert.equal("bad_token", (sigv4.verify(t, with "TOKEN")))
    assert.equal("bad_token", (sigv4.verify(t, with(nil))))
    assert.equal("bad_token", (sigv4.verify(sent, with "TOKEN")))
    table.insert(t.headers, { "X-Amz-Security-Token", "TOKEN/EXAMPLE+==" })
    assert.equal("bad_token", (sigv4.verify(t, with "TOKEN/EXAMPLE+==")))
  end)

  it("takes the date from the Date header when there is no X-Amz-Date", function()
    -- Signature by hmac and hashlib of Python over the canonical request below, not by this library.
    local t = {
      method = "GET", target = "/",
      headers = {
        { "Host", HOST },
        { "Date", "Fri, 02 Jan 2026 03:04:05 GMT" },
        { "Authorization", "AWS4-HMAC-SHA256 Credential=" .. SCOPE .. ", SignedHeaders=date;host, Signature=" ..
          "44d72e1404de2cbbe704e4ecf7a44d9dbaea0e97c9443eee94679039c271a77d" },
      },
    }
    local result, identity, stages = sigv4.verify(t, rules())
    assert.equal("GET\n/\n\ndate:Fri, 02 Jan 2026 03:04:05 GMT\nhost:" .. HOST .. "\n\ndate;host\n" .. EMPTY_HASH,
      stages.canonical_request)
    assert.equal("ok", result)
    assert.equal(AMZ_DATE, identity.amz_date)
    t.headers[2][2] = "Friday"
    assert.equal("incomplete", (sigv4.verify(t, rules())))
  end)

  it("wants an announced payload hash to be the body's, and allows none for S3 alone", function()
    local t = signed(request {
      body = "{}", service = "s3", raw_path = true,
      headers = { { "Host", HOST }, { "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD" } },
    })
    t.body = "[]"
    assert.equal("ok", (sigv4.verify(t, rules { service = "s3", raw_path = true })))
    assert.equal("mismatch", (sigv4.verify(t, rules { service = "s3" })))
    header(t, "X-Amz-Content-Sha256")[2] = EMPTY_HASH
    assert.equal("mismatch", (sigv4.verify(t, rules { service = "s3", raw_path = true })))
  end)

  it("answers hostile requests at once", function()
    local started = os.clock()
    local t = copy(sent)
    for i = 1, 9000 do t.headers[#t.headers + 1] = { "X-Junk-" .. i, "v" } end
    assert.equal("ok", (sigv4.verify(t, rules())))
    for i = 1, 1500 do t.headers[#t.headers + 1] = { "X-Junk-" .. i, "v" } end
    assert.equal("bad_input", (sigv4.verify(t, rules())))

    t = copy(sent)
    t.headers[#t.headers + 1] = { "X-Amz-Target", ("v"):rep(2 * 1024 * 1024) }
    assert.equal("bad_input", (sigv4.verify(t, rules())))
    local names = {}
    for i = 1, 1000 do names[i] = ("a%04d"):format(i) end
    t = authorization(sent, change(AUTH, "content-type", table.concat(names, ";") .. ";content-type"))
    assert.equal("incomplete", (sigv4.verify(t, rules())))
    t = authorization(sent, "AWS4-HMAC-SHA256 " .. (","):rep(16000))
    assert.equal("incomplete", (sigv4.verify(t, rules())))
    t = copy(sent)
    t.target = "/" .. ("../"):rep(20000) .. "?" .. ("&="):rep(30000)
    assert.equal("mismatch", (sigv4.verify(t, rules())))
    t = authorization(sent, ("A"):rep(4 * 1024 * 1024))
    assert.equal("incomplete", (sigv4.verify(t, rules())))
    assert.is_true(os.clock() - started < 5)
  end)
end)

describe("sigv4's key cache", function()
  it("changes no signature", function()
    local cache = sigv4.cache()
    for _ = 1, 3 do
      for _, v in ipairs(FACTS) do
        local t = request(v.request)
        t.cache = cache
        assert.equal(v.signature, assert(sigv4.sign(t)).signature)
      end
    end
    assert.equal("ok", (sigv4.verify(signed(request()), rules { cache = cache })))
    cache:free()
  end)

  it("knows a rotated secret of the same key id from the old one", function()
    local cache = sigv4.cache()
    local old, new = request { cache = cache }, request { cache = cache, secret = "rotated" }
    local plain_new = assert(sigv4.sign(request { secret = "rotated" })).signature
    for _ = 1, 2 do
      assert.equal("9f745a048bcdd22cc7dd6862f885edaf821fc93439e5bbd90e26dd990e6dc141",
        assert(sigv4.sign(request { cache = cache, method = "GET" })).signature)
      assert.equal(plain_new, assert(sigv4.sign(new)).signature)
    end
    local sent = signed(old)
    assert.equal("ok", (sigv4.verify(sent, rules { cache = cache })))
    assert.equal("mismatch",
      (sigv4.verify(sent, rules { cache = cache, keys = { [KEY] = { secret = "rotated" } } })))
  end)

  it("tells key id, date, region and service apart, also where their texts run together", function()
    local cache = sigv4.cache()
    for _, fields in ipairs { {}, { key = "AKID" }, { region = "us-east-1s", service = "qs" }, { region = "us" },
      { service = "lambda" }, { wall_ms = WALL_MS + 86400000 } } do
      local plain = assert(sigv4.sign(request(fields))).authorization
      fields.cache = cache
      assert.equal(plain, assert(sigv4.sign(request(fields))).authorization)
      assert.equal(plain, assert(sigv4.sign(request(fields))).authorization)
    end
  end)

  it("is bounded and stays right when more keys pass than it holds", function()
    local cache = sigv4.cache()
    local first = assert(sigv4.sign(request { region = "r1" })).signature
    for round = 1, 2 do
      for i = 1, 1000 do assert(sigv4.sign(request { region = "r" .. i, cache = cache }), round) end
      assert.equal(first, assert(sigv4.sign(request { region = "r1", cache = cache })).signature)
    end
  end)

  it("is safe between threads", function()
    local t = request { cache = sigv4.cache() }
    local expected = assert(sigv4.sign(request())).authorization
    assert.equal(0, sigv4.hammer(t, 4, 300, expected))
  end)
end)

describe("sigv4 leaves no secret in memory:", function()
  -- A secret of its own: other specs keep caches. The chain for 20260102/us-east-1/sqs is by Python's hmac module.
  local OWN = "MemorySpec/7Qx+nobodyElseHasThisSecretKey0"
  local STEPS = {
    "6245dbf43fe7c1cfa9e5c64abe2c4bcbba26285b71f9e3c70a84a71d5cf966d3",
    "03435728c432cd71dc6b91e59d1081385b1ee11979aea43c1966bd609ba1e0f7",
    "2e8932fd47dae3393a3b9df27d34b8c43731dbae76e6a01a51cee02a8d275bde",
  }
  local SIGNING_KEY = "c3963f7557bdfccc1cbe346bf619190bb378097ed93d34bba5b403cd1cedbbdd"
  -- "AWS4" and the secret's beginning, never put together here.
  local PREFIXED = "415753344d656d6f7279537065632f3751782b6e6f626f6479456c73"
  local sanitized = (os.getenv("SANITIZE") or "") ~= "" -- a sanitizer's memory is too large to search

  before_each(function()
    collectgarbage() -- caches of other specs
    collectgarbage()
  end)

  local function test(name, f)
    (sanitized and pending or it)(name, f)
  end

  test("neither the secret nor a step of its chain outlives a signing", function()
    assert(sigv4.sign(request { secret = OWN, blind = true }))
    assert(sigv4.presign(request { secret = OWN, expires_s = 1 }))
    assert.equal("ok", (sigv4.verify(signed(request { secret = OWN }), rules { keys = { [KEY] = { secret = OWN } } })))
    for _, step in ipairs(STEPS) do assert.equal(0, sigv4.find(step)) end
    assert.equal(0, sigv4.find(SIGNING_KEY))
    assert.equal(0, sigv4.find(PREFIXED))
  end)

  test("the cache has the signing key and nothing else, and wipes it when it is freed", function()
    local cache = sigv4.cache()
    assert(sigv4.sign(request { secret = OWN, cache = cache, blind = true }))
    assert.equal(1, sigv4.find(SIGNING_KEY)) -- so the search finds what is there
    for _, step in ipairs(STEPS) do assert.equal(0, sigv4.find(step)) end
    assert.equal(0, sigv4.find(PREFIXED))
    cache:free()
    assert.equal(0, sigv4.find(SIGNING_KEY))
  end)
end)
