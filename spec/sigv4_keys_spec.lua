local sigv4 = require "probe.sigv4"
local requests = require "spec.support.sigv4_requests"

local KEY, WALL_MS, FACTS = requests.KEY, requests.WALL_MS, requests.FACTS
local request, rules, signed = requests.request, requests.rules, requests.signed

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
