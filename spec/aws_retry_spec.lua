local parts = require "probe.aws_parts"

describe("a failure", function()
  it("is transient, a throttle, or final", function()
    local cases = {
      { 0, "", "", "transient" }, { 500, "", "", "transient" }, { 502, "X", "", "transient" },
      { 503, "", "", "transient" }, { 504, "", "", "transient" }, { 501, "", "", "never" },
      { 400, "RequestTimeout", "", "transient" }, { 408, "RequestTimeoutException", "", "transient" },
      { 429, "", "", "throttle" }, { 429, "Whatever", "", "throttle" }, { 400, "ThrottlingException", "", "throttle" },
      { 403, "RequestThrottled", "", "throttle" }, { 400, "X", "RequestThrottled", "throttle" },
      { 400, "Throttling", "", "throttle" }, { 503, "SlowDown", "", "throttle" },
      { 502, "EC2ThrottledException", "", "throttle" }, { 400, "KmsThrottled", "KMS.ThrottlingException", "throttle" },
      { 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "never" },
      { 403, "AccessDeniedException", "", "never" }, { 404, "ResourceNotFoundException", "", "never" },
      { 409, "ResourceConflictException", "", "never" }, { 413, "", "", "never" }, { 301, "", "", "never" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[4], parts.classify(case[1], case[2], case[3]), table.concat(case, " "))
    end
  end)

  it("says that nothing ran only where it was refused before", function()
    for _, case in ipairs { { 429, "" }, { 429, "TooManyRequestsException" }, { 502, "EC2ThrottledException" },
      { 503, "SlowDown" }, { 502, "ResourceNotReadyException" }, { 400, "ThrottlingException" } } do
      assert.is_true(parts.did_not_run(case[1], case[2]))
    end
    for _, case in ipairs { { 500, "ServiceException" }, { 502, "" }, { 503, "" }, { 504, "" },
      { 503, "ServiceUnavailable" }, { 500, "ResourceNotReadyException" } } do
      assert.is_false(parts.did_not_run(case[1], case[2]))
    end
  end)

  it("may come from a wrong clock", function()
    assert.is_true(parts.is_skew("InvalidSignatureException"))
    assert.is_true(parts.is_skew("RequestTimeTooSkewed"))
    assert.is_true(parts.is_skew("AccessDeniedException"))
    assert.is_false(parts.is_skew("QueueDoesNotExist"))
    assert.is_false(parts.is_skew(""))
  end)
end)

describe("the pause before a retry", function()
  it("doubles from 50 ms, or from 1 s for a throttle, up to 20 s", function()
    local most = 1 - 2 ^ -53
    for retry, limit in ipairs { 50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000 } do
      assert.equal(limit - 1, parts.delay("transient", retry - 1, most))
      assert.equal(limit // 2, parts.delay("transient", retry - 1, 0.5))
      assert.equal(0, parts.delay("transient", retry - 1, 0))
    end
    for retry, limit in ipairs { 1000, 2000, 4000, 8000, 16000, 20000, 20000 } do
      assert.equal(limit - 1, parts.delay("throttle", retry - 1, most))
    end
    assert.equal(10000, parts.delay("throttle", 1000000, 0.5))
  end)

  it("follows the server's wish within five seconds more", function()
    assert.equal(100, parts.hint(100, -1))
    assert.equal(100, parts.hint(100, 50))
    assert.equal(3000, parts.hint(100, 3000))
    assert.equal(5100, parts.hint(100, 60000))
  end)

  it("is read from both headers", function()
    assert.equal(-1, parts.read_hint())
    assert.equal(1500, parts.read_hint("1500"))
    assert.equal(1500, parts.read_hint("1500", "9"))
    assert.equal(9000, parts.read_hint(nil, "9"))
    assert.equal(9000, parts.read_hint("junk", "9"))
    assert.equal(5000, parts.read_hint(nil, "Fri, 02 Jan 2026 03:04:10 GMT", 1767323045000))
    assert.equal(0, parts.read_hint(nil, "Fri, 02 Jan 2026 03:04:00 GMT", 1767323045000))
    for _, junk in ipairs { "", "-1", "1.5", "99999999999999999999", "1 " } do
      assert.equal(-1, parts.read_hint(junk, junk))
    end
  end)
end)

describe("the token bucket", function()
  it("holds 500, pays 14 or 5 for a retry and gets back what led to success", function()
    local tokens, paid = parts.bucket("transient", "throttle", 5, 14, "never")
    assert.same({ 486, 481, 486, 500, 500 }, tokens)
    assert.same({ 14, 5, 0, 0, 0 }, paid)
    tokens = parts.bucket("transient", "never", "never")
    assert.same({ 486, 487, 488 }, tokens)
  end)

  it("refuses retries when it has too little", function()
    local steps = {}
    for i = 1, 36 do
      steps[i] = "transient"
    end
    local tokens, paid = parts.bucket(table.unpack(steps))
    assert.equal(14, paid[35])
    assert.equal(10, tokens[35])
    assert.equal(0, paid[36])
    assert.equal(10, tokens[36])
    steps[36], steps[37] = "throttle", "throttle"
    steps[38] = "throttle"
    tokens, paid = parts.bucket(table.unpack(steps))
    assert.same({ 5, 5, 0, 0 }, { paid[36], paid[37], paid[38], tokens[38] })
  end)
end)

describe("an error answer", function()
  local function read(status, headers, body)
    return { parts.error(status, #headers > 0 and table.concat(headers, "\0") .. "\0" or "", body) }
  end

  it("has its code from header, __type, code or XML, in this order", function()
    local sqs = [[{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}]]
    assert.same({ "QueueDoesNotExist", "", "m", "" }, read(400, {}, sqs))
    assert.same({ "Other", "", "m", "" }, read(400, { "X-Amzn-ErrorType: Other:http://internal/" }, sqs))
    assert.same({ "Name", "", "m", "" }, read(400, { "x-amzn-errortype:  ns#Name:http://x#y" }, sqs))
    assert.same({ "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "m", "id-1" }, read(400,
      { "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender", "x-amzn-RequestId: id-1" }, sqs))
    assert.same({ "Plain", "", "M", "" }, read(400, {}, [[{"code":"Plain","Message":"M"}]]))
    assert.same({ "Plain", "", "M", "r" }, read(403, { "x-amz-request-id: r" }, [[{"__type":"Plain","Message":"M"}]]))
    assert.same({ "InvalidClientTokenId", "", 'a < "b" & c', "r-9" }, read(403, {},
      "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>" ..
      "<Message>a &lt; &quot;b&quot; &amp; c</Message></Error><RequestId>r-9</RequestId></ErrorResponse>"))
  end)

  it("has one by its status where the body says nothing", function()
    for _, body in ipairs { "", "gone", "{}", "[]", "{", "null", "<html>", "<Code>", "{\"__type\":7}", "  ", "\0\0" } do
      local got = read(503, {}, body)
      assert.equal("HTTP503", got[1])
      assert.equal("the service answered with HTTP status 503", got[3])
    end
    assert.equal("Q", read(400, { "x-amzn-query-error: Q;Sender" }, "")[1])
  end)

  it("is cut to its room between characters, without control characters", function()
    local got = read(400, { "x-amzn-errortype: " .. ("E"):rep(300) }, [[{"message":"]] .. ("ü"):rep(1000) .. [["}]])
    assert.equal(("E"):rep(95), got[1])
    assert.equal(("ü"):rep(255), got[3])
    assert.equal("a b c", read(400, {}, [[{"message":"a\nb\tc"}]])[3])
  end)
end)

describe("ids", function()
  it("of objects that have gone are never valid again", function()
    assert.is_true(parts.handles(1))
    assert.is_true(parts.handles(5000))
  end)
end)
