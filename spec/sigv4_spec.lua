local sigv4 = require "probe.sigv4"
local requests = require "spec.support.sigv4_requests"
local vectors = require "spec.support.sigv4_vectors"

local KEY, SECRET, AMZ_DATE, WALL_MS = requests.KEY, requests.SECRET, requests.AMZ_DATE, requests.WALL_MS
local HOST, MINUTE_MS, EMPTY_HASH, FACTS = requests.HOST, requests.MINUTE_MS, requests.EMPTY_HASH, requests.FACTS
local copy, request, rules = requests.copy, requests.request, requests.rules
local signed, presigned, change = requests.signed, requests.presigned, requests.change

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
