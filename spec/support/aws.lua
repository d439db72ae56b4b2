-- What the specs of the AWS client share: an environment of their own, clients whose answers are tables.
local cjson = require "cjson"
local parts = require "probe.aws_parts"
local probe = require "probe.aws"

local aws = {}

local names = { "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
  "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_STS",
  "AWS_ENDPOINT_URL_IAM", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS",
  "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_SDK_UA_APP_ID", "AWS_EXECUTION_ENV",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
  "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_EC2_METADATA_V1_DISABLED",
  "AWS_WEB_IDENTITY_TOKEN_FILE", "HOME", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
  "no_proxy", "NO_PROXY" }
local before = {}
for _, name in ipairs(names) do
  before[name] = os.getenv(name)
end

--- Sets the variables of the table and removes all others that the client reads.
function aws.environment(variables)
  for _, name in ipairs(names) do
    parts.setenv(name, nil)
  end
  parts.setenv("HOME", "/nonexistent")
  parts.setenv("AWS_EC2_METADATA_DISABLED", "true")
  for name, value in pairs(variables or {}) do
    parts.setenv(name, value or nil)
  end
end

--- As it was before the specs.
function aws.restore()
  for _, name in ipairs(names) do
    parts.setenv(name, before[name])
  end
end

local Client = {}
Client.__index = Client

--- A client with keys and region, which the options may replace.
function aws.client(options)
  local given = { region = "eu-west-1", access_key_id = "AKIDEXAMPLE", secret_access_key = "secret" }
  for name, value in pairs(options or {}) do
    given[name] = value or nil
  end
  return setmetatable({ raw = probe.client(given), tag = 0, kept = {} }, Client)
end

function Client:close()
  return self.raw:close()
end
Client.__close = Client.close

function Client:next_tag()
  self.tag = self.tag + 1
  return self.tag
end

--- Waits for the answer of a tag; others that come before are kept. nil: it did not come in time.
function Client:take(tag, seconds)
  while not self.kept[tag] do
    local got, text = self.raw:take(seconds)
    if not got then
      return nil
    end
    self.kept[got] = cjson.decode(text)
  end
  local answer = self.kept[tag]
  self.kept[tag] = nil
  return answer
end

--- Begins a request. Returns its tag and its id.
function Client:begin(request)
  local tag = self:next_tag()
  return tag, self.raw:submit(tag, request)
end

--- Sends a request and waits.
function Client:request(request)
  return assert(self:take((self:begin(request))))
end

function Client:begin_sqs(operation, arguments)
  local tag = self:next_tag()
  return tag, self.raw:sqs(tag, operation, arguments)
end

function Client:sqs(operation, arguments)
  return assert(self:take((self:begin_sqs(operation, arguments))))
end

function Client:begin_lambda(arguments)
  local tag = self:next_tag()
  return tag, self.raw:lambda(tag, arguments)
end

function Client:lambda(arguments)
  return assert(self:take((self:begin_lambda(arguments))))
end

return aws
