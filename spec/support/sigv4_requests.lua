-- Requests to sign and to verify, with what botocore makes of some of them.
local sigv4 = require "probe.sigv4"

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

return {
  KEY = KEY, SECRET = SECRET, AMZ_DATE = AMZ_DATE, WALL_MS = WALL_MS,
  HOST = HOST, MINUTE_MS = MINUTE_MS, EMPTY_HASH = EMPTY_HASH, FACTS = FACTS,
  copy = copy, request = request, rules = rules, signed = signed,
  presigned = presigned, header = header, authorization = authorization, change = change,
}
