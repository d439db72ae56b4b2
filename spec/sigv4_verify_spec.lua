local sigv4 = require "probe.sigv4"
local requests = require "spec.support.sigv4_requests"

local KEY, SECRET, AMZ_DATE, WALL_MS = requests.KEY, requests.SECRET, requests.AMZ_DATE, requests.WALL_MS
local HOST, MINUTE_MS, EMPTY_HASH = requests.HOST, requests.MINUTE_MS, requests.EMPTY_HASH
local copy, request, rules, signed = requests.copy, requests.request, requests.rules, requests.signed
local header, authorization, change = requests.header, requests.authorization, requests.change

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
