local aws = require "support.aws"
local parts = require "probe.aws_parts"
local shell = require "support.shell"

local ini = parts.ini

describe("shared configuration files", function()
  it("have sections, keys and values", function()
    assert.equal("eu-west-1", (ini("[default]\nregion = eu-west-1\n", "default", "region")))
    assert.equal("x", (ini("[profile dev]\nregion=x", "profile dev", "region")))
    assert.equal("x", (ini("[ profile   dev ]\r\nRegion = x\r\n", "profile dev", "region")))
    assert.equal("x", (ini('[profile "my dev"]\nregion=x', "profile my dev", "region")))
    assert.is_nil((ini("[a]\nregion=x", "b", "region")))
    assert.is_nil((ini("region=x\n[a]\n", "a", "region")))
    assert.equal("a=b", (ini("[a]\nk = a=b\n", "a", "k")))
    assert.equal("", (ini("[a]\nk =\n", "a", "k")))
    assert.equal("x", (ini("\xEF\xBB\xBF[a]\nk=x", "a", "k")))
  end)

  it("let the last of two values count and join sections of one name", function()
    assert.equal("2", (ini("[a]\nk=1\n[b]\nk=9\n[a]\nk=2\n", "a", "k")))
    assert.equal("1", (ini("[a]\nk=1\n[b]\n[a]\nj=2\n", "a", "k")))
  end)

  it("have comments on lines of their own and behind blanks", function()
    local text = "# c\n; c\n[a] # c\nk = v # c\nj = v;c#d\n  # c\nl = v ;c\n"
    assert.equal("v", (ini(text, "a", "k")))
    assert.equal("v;c#d", (ini(text, "a", "j")))
    assert.equal("v", (ini(text, "a", "l")))
  end)

  it("nest indented lines below a key without value", function()
    local text = "[services s]\nsqs =\n  endpoint_url = http://a\n\tother = 1\nlambda = \n" ..
      "  endpoint_url = http://b\nk = 1\n  endpoint_url = http://c\n"
    assert.equal("http://a", (ini(text, "services s", "endpoint_url", "sqs")))
    assert.equal("1", (ini(text, "services s", "other", "sqs")))
    assert.equal("http://b", (ini(text, "services s", "endpoint_url", "lambda")))
    assert.is_nil((ini(text, "services s", "endpoint_url")))
    assert.is_nil((ini(text, "services s", "endpoint_url", "k")))
    assert.equal("1", (ini(text, "services s", "k")))
    assert.equal("x", (ini("[a]\n  k = x\n", "a", "k")))
  end)

  it("are read leniently, whatever they hold", function()
    for _, text in ipairs { "", "[", "]", "[]", "[a", "=", "[a]\n=", "[a]\n = \n", "\0", "[a]\n\0k=v\n", "[a\0]\nk=v",
      "\xEF\xBB", ("["):rep(1000), ("[a]\n"):rep(1000), "[a]\n" .. ("x"):rep(100000), " ", "\r", "[a]\n\t=\n[" } do
      assert.is_nil((ini(text, "a", "k")))
    end
    assert.equal(("v"):rep(100000), (ini("[a]\nk=" .. ("v"):rep(100000), "a", "k")))
    assert.equal("v", (ini("[a]\nbad\0line=1\nk=v\n", "a", "k")))
    local name = ("n"):rep(5000)
    assert.equal("v", (ini("[profile " .. name .. "]\nk=v", "profile " .. name, "k")))
  end)

  it("may be absent, but must be readable and not endless", function()
    assert.is_true((parts.ini_read("/nonexistent/config")))
    local ok, message = parts.ini_read("/")
    assert.is_false(ok)
    assert.matches("cannot read /: ", message, 1, true)
    ok, message = parts.ini_read("/dev/zero")
    assert.is_false(ok)
    assert.matches("/dev/zero is longer than 4194304 bytes", message, 1, true)
  end)
end)

describe("the configuration", function()
  local folder, remove

  setup(function()
    folder, remove = shell.folder()
  end)
  teardown(function()
    aws.restore()
    remove()
  end)

  --- The configuration for an environment, a config file and options.
  local function config(variables, file, options, credentials)
    variables = variables or {}
    shell.write(folder .. "/config", file or "")
    shell.write(folder .. "/credentials", credentials or "")
    variables.AWS_CONFIG_FILE = variables.AWS_CONFIG_FILE or folder .. "/config"
    variables.AWS_SHARED_CREDENTIALS_FILE = folder .. "/credentials"
    aws.environment(variables)
    return parts.config(options or {})
  end

  it("takes the region from option, AWS_REGION, AWS_DEFAULT_REGION, profile, in this order", function()
    local file = "[default]\nregion = r4\n[profile dev]\nregion = r5\n"
    local both = { AWS_REGION = "r2", AWS_DEFAULT_REGION = "r3" }
    assert.equal("r1", config(both, file, { region = "r1" }).region)
    assert.equal("r2", config(both, file).region)
    assert.equal("r3", config({ AWS_DEFAULT_REGION = "r3" }, file).region)
    assert.equal("r4", config({}, file).region)
    assert.equal("r5", config({ AWS_PROFILE = "dev" }, file).region)
    assert.equal("r4", config({ AWS_REGION = "" }, file).region)
  end)

  it("takes the profile from option, AWS_PROFILE, AWS_DEFAULT_PROFILE, else default", function()
    local file = "[profile a]\n[profile b]\n[profile c]\n[profile default]\nregion = x\n[default]\nregion = y\n"
    local both = { AWS_PROFILE = "b", AWS_DEFAULT_PROFILE = "c" }
    assert.equal("a", config(both, file, { profile = "a" }).profile)
    assert.equal("b", config(both, file).profile)
    assert.equal("c", config({ AWS_DEFAULT_PROFILE = "c" }, file).profile)
    assert.equal("default", config({}, file).profile)
    assert.equal("x", config({}, file).region)
  end)

  it("wants a profile that was asked for in one of the files", function()
    local none, message = config({ AWS_PROFILE = "gone" }, "[profile dev]\n")
    assert.is_nil(none)
    assert.matches('profile "gone" is neither in ' .. folder .. "/config nor in ", message, 1, true)
    assert.is_table(config({ AWS_PROFILE = "keys" }, "", {}, "[keys]\naws_access_key_id = a\n"))
    assert.is_table(config({}, ""))
  end)

  it("says that there is no region where a service is asked for", function()
    local c = config({}, "")
    assert.is_nil(c.region)
    assert.matches('no region: set AWS_REGION, or region in profile "default" of ', c.sqs, 1, true)
  end)

  it("finds the files in the home directory", function()
    shell.write(folder .. "/config", "[default]\nregion = here\n")
    assert(os.execute("mkdir -p " .. folder .. "/.aws && cp " .. folder .. "/config " .. folder .. "/.aws/config"))
    aws.environment { HOME = folder }
    assert.equal("here", parts.config({}).region)
    aws.environment { HOME = folder, AWS_CONFIG_FILE = "~/config" }
    assert.equal("here", parts.config({}).region)
  end)

  it("is an error when a file cannot be read", function()
    local none, message = config({ AWS_CONFIG_FILE = folder })
    assert.is_nil(none)
    assert.matches("cannot read " .. folder, message, 1, true)
  end)

  it("knows AWS's own endpoints in every partition", function()
    local function urls(region, variables)
      local c = config(variables, "", { region = region })
      return c.sqs.url, c.lambda.url, c.sts.url, c.iam.url, c.iam.region
    end
    assert.same({ "https://sqs.eu-west-1.amazonaws.com", "https://lambda.eu-west-1.amazonaws.com",
      "https://sts.eu-west-1.amazonaws.com", "https://iam.amazonaws.com", "us-east-1" }, { urls("eu-west-1") })
    assert.same({ "https://sqs.cn-north-1.amazonaws.com.cn", "https://lambda.cn-north-1.amazonaws.com.cn",
      "https://sts.cn-north-1.amazonaws.com.cn", "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1" },
      { urls("cn-north-1") })
    assert.same({ "https://sqs.us-gov-east-1.amazonaws.com", "https://lambda.us-gov-east-1.amazonaws.com",
      "https://sts.us-gov-east-1.amazonaws.com", "https://iam.us-gov.amazonaws.com", "us-gov-west-1" },
      { urls("us-gov-east-1") })
    assert.equal("https://sqs.us-iso-east-1.c2s.ic.gov", (urls("us-iso-east-1")))
    assert.equal("https://sqs.us-isob-east-1.sc2s.sgov.gov", (urls("us-isob-east-1")))
    assert.equal("https://sqs.eusc-de-east-1.amazonaws.eu", (urls("eusc-de-east-1")))
    assert.equal("https://sqs-fips.us-east-1.amazonaws.com", (urls("us-east-1", { AWS_USE_FIPS_ENDPOINT = "true" })))
    assert.equal("https://sqs.us-gov-west-1.amazonaws.com", (urls("us-gov-west-1", { AWS_USE_FIPS_ENDPOINT = "true" })))
    assert.equal("https://lambda-fips.us-gov-west-1.amazonaws.com",
      (select(2, urls("us-gov-west-1", { AWS_USE_FIPS_ENDPOINT = "true" }))))
    assert.equal("https://sqs.us-east-1.api.aws", (urls("us-east-1", { AWS_USE_DUALSTACK_ENDPOINT = "TRUE" })))
    assert.equal("https://sqs.cn-north-1.api.amazonwebservices.com.cn",
      (urls("cn-north-1", { AWS_USE_DUALSTACK_ENDPOINT = "true" })))
    assert.equal("https://sqs-fips.us-east-1.api.aws",
      (urls("us-east-1", { AWS_USE_DUALSTACK_ENDPOINT = "true", AWS_USE_FIPS_ENDPOINT = "true" })))
    assert.equal("https://sqs.us-east-1.amazonaws.com", (urls("us-east-1", { AWS_USE_FIPS_ENDPOINT = "false" })))
    assert.equal("https://sqs-fips.us-east-1.amazonaws.com",
      config({}, "[default]\nregion=us-east-1\nuse_fips_endpoint = true").sqs.url)
  end)

  it("refuses regions that are none", function()
    for _, region in ipairs { "eu west", "eu-west-1.evil.com", "x/y", "-a", "a-", ("a"):rep(64), "EU-WEST-1" } do
      assert.matches("is no name of a region", config({}, "", { region = region }).sqs, 1, true)
      assert.matches("is no name of a region", config({}, "", { region = region, endpoint = "http://h" }).sqs, 1, true)
    end
  end)

  it("takes endpoints from option, service variable, variable, services section, profile, in this order", function()
    local file = [[
[default]
region = eu-west-1
services = local
endpoint_url = http://profile
[services local]
sqs =
  endpoint_url = http://services-sqs
[profile plain]
region = eu-west-1
]]
    local all = { AWS_ENDPOINT_URL_SQS = "http://env-sqs", AWS_ENDPOINT_URL = "http://env" }
    local c = config(all, file, { endpoint = "http://code" })
    assert.equal("http://code", c.sqs.url)
    assert.equal("http://code", c.lambda.url)
    c = config(all, file)
    assert.equal("http://env-sqs", c.sqs.url)
    assert.equal("http://env", c.lambda.url)
    c = config({ AWS_ENDPOINT_URL_LAMBDA = "http://env-lambda" }, file)
    assert.equal("http://services-sqs", c.sqs.url)
    assert.equal("http://env-lambda", c.lambda.url)
    assert.equal("http://profile", c.sts.url)
    all.AWS_PROFILE = "plain"
    assert.equal("http://env-sqs", config(all, file).sqs.url)
    all.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = "true"
    all.AWS_PROFILE = nil
    assert.equal("https://sqs.eu-west-1.amazonaws.com", config(all, file).sqs.url)
    assert.equal("http://code", config(all, file, { endpoint = "http://code" }).sqs.url)
    assert.equal("https://sqs.eu-west-1.amazonaws.com",
      config({}, file .. "[default]\nignore_configured_endpoint_urls = true\n").sqs.url)
  end)

  it("refuses an endpoint of one's own beside FIPS or dual-stack", function()
    local variables = { AWS_ENDPOINT_URL = "http://h", AWS_REGION = "us-east-1", AWS_USE_FIPS_ENDPOINT = "true" }
    assert.matches("(http://h) and a FIPS endpoint exclude each other", config(variables).sqs, 1, true)
    variables.AWS_USE_FIPS_ENDPOINT, variables.AWS_USE_DUALSTACK_ENDPOINT = nil, "true"
    assert.matches("a dual-stack endpoint exclude", config(variables).sqs, 1, true)
  end)

  it("takes attempts, CA file and application from the environment", function()
    assert.equal(3, config().max_attempts)
    assert.equal(7, config({ AWS_MAX_ATTEMPTS = "7" }).max_attempts)
    assert.equal(3, config({ AWS_MAX_ATTEMPTS = "0" }).max_attempts)
    assert.equal(3, config({ AWS_MAX_ATTEMPTS = "many" }).max_attempts)
    assert.equal(5, config({}, "[default]\nmax_attempts = 5\n").max_attempts)
    assert.equal(1, config({ AWS_MAX_ATTEMPTS = "7" }, "", { max_attempts = 1 }).max_attempts)
    assert.equal("/env", config({ AWS_CA_BUNDLE = "/env" }, "[default]\nca_bundle = /file").ca_bundle)
    assert.equal("/file", config({}, "[default]\nca_bundle = /file").ca_bundle)
    assert.equal("/code", config({ AWS_CA_BUNDLE = "/env" }, "", { ca_bundle = "/code" }).ca_bundle)
    assert.is_nil(config().ca_bundle)
    assert.matches("^awsync%-lua/[%d.]+$", config().user_agent)
    assert.matches("^awsync%-lua/[%d.]+ exec%-env/AWS_Lambda app/my%-%-app$",
      config({ AWS_EXECUTION_ENV = "AWS_Lambda", AWS_SDK_UA_APP_ID = "my\r\napp" }).user_agent)
  end)
end)

describe("an endpoint", function()
  it("may have a port, a path and slashes at its end", function()
    local e = parts.endpoint("http://127.0.0.1:4566/")
    assert.same({ url = "http://127.0.0.1:4566", host = "127.0.0.1:4566", prefix = "", region = "eu-west-1" }, e)
    e = parts.endpoint("https://h.example:443/a/b//")
    assert.same({ url = "https://h.example:443/a/b", host = "h.example", prefix = "/a/b", region = "eu-west-1" }, e)
    assert.equal("h:80", parts.endpoint("https://h:80").host)
    assert.equal("h", parts.endpoint("http://h:80").host)
    assert.equal("[::1]:99", parts.endpoint("http://[::1]:99/x").host)
    assert.equal("h", parts.endpoint("HTTP://h").host)
  end)

  it("is refused with a reason when it is no URL", function()
    for _, url in ipairs { "", "h", "ftp://h", "file:///etc/passwd", "//h", "http:/h", "https:" } do
      local e, message = parts.endpoint(url)
      assert.is_nil(e)
      assert.matches("begins with neither http:// nor https://", message, 1, true)
    end
    for _, url in ipairs { "http://", "http:///x", "http://user:pw@h", "http://h:", "http://h:0", "http://h:65536",
      "http://h:1x", "http://:80", "http://[::1", "http://[]", "http://[::1]x",
      "http://h%41", "http://h:99999999999999" } do
      assert.matches("has no valid host", (select(2, parts.endpoint(url))), 1, true)
    end
    for _, url in ipairs { "http://h?x", "http://h/#f", "http://h /", "http://h\n", "http://h\\x", "http://h/\xff" } do
      assert.matches("has a character that it cannot have", (select(2, parts.endpoint(url))), 1, true)
    end
    assert.is_nil(parts.endpoint("http://" .. ("/"):rep(10000)))
  end)
end)

describe("the container endpoint", function()
  teardown(aws.restore)

  local function url(relative, full)
    aws.environment { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = relative, AWS_CONTAINER_CREDENTIALS_FULL_URI = full }
    return parts.container_url()
  end

  it("is relative to the address of ECS, which goes before a full one", function()
    assert.equal("http://169.254.170.2/v2/x?a=b", url("/v2/x?a=b"))
    assert.equal("http://169.254.170.2/v2/x", url("/v2/x", "http://localhost/y"))
    assert.matches("does not begin with /", (select(2, url("v2"))), 1, true)
    assert.matches("does not begin with /", (select(2, url("@evil/v2"))), 1, true)
  end)

  it("may be any host by https, by http only those of the machine and of ECS and EKS", function()
    for _, good in ipairs { "https://any.example/x?y=1", "http://localhost/x", "http://127.0.0.1:99/x",
      "http://127.9.8.7/",
      "http://169.254.170.2/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1",
      "http://[::1]:80/" } do
      assert.equal(good, url(nil, good))
    end
    for _, bad in ipairs { "http://example.com/", "http://169.254.169.254/", "http://127.0.0.1.evil.com/",
      "http://127.0.0.256/", "http://128.0.0.1/", "http://[::2]/", "http://localhost.evil/" } do
      local none, message = url(nil, bad)
      assert.is_nil(none)
      assert.matches("may be asked by https only", message, 1, true)
    end
    for _, bad in ipairs { "ftp://localhost", "http://localhost\r\nX: y/", "http://a@localhost/", "/x",
      "http://local host/",
      "http://localhost/" .. ("x"):rep(3000) } do
      assert.is_nil((url(nil, bad)))
    end
  end)
end)

describe("the address of instance metadata", function()
  teardown(aws.restore)

  it("is the usual one, that of IPv6, or one's own", function()
    aws.environment {}
    assert.equal("http://169.254.169.254", parts.instance_endpoint())
    aws.environment { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "IPv6" }
    assert.equal("http://[fd00:ec2::254]", parts.instance_endpoint())
    aws.environment { AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://h:1//" }
    assert.equal("http://h:1", parts.instance_endpoint())
  end)
end)

describe("fetched credentials", function()
  it("are read from JSON", function()
    assert.same({ "A", "T", 1767323045000 }, { parts.credentials(
      [[{"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2026-01-02T03:04:05Z","Code":"Success"}]]) })
    assert.same({ "A", nil, math.maxinteger }, { parts.credentials [[{"AccessKeyId":"A","SecretAccessKey":"S"}]] })
  end)

  it("are refused without their parts, and the message has no secret", function()
    local cases = {
      [""] = "is no JSON", ["x"] = "is no JSON", ["[]"] = "no AccessKeyId",
      [ [[{"AccessKeyId":"A"}]] ] = "no AccessKeyId or no SecretAccessKey",
      [ [[{"AccessKeyId":"A","SecretAccessKey":7}]] ] = "no AccessKeyId or no SecretAccessKey",
      [ [[{"AccessKeyId":"A","SecretAccessKey":"TOPSECRET","Expiration":"soon"}]] ] = "Expiration is no time",
      [ [[{"Code":"Failed","AccessKeyId":"A","SecretAccessKey":"TOPSECRET"}]] ] = 'code is "Failed"',
    }
    for text, part in pairs(cases) do
      local none, message = parts.credentials(text)
      assert.is_nil(none)
      assert.matches(part, message, 1, true)
      assert.is_nil(message:find("TOPSECRET", 1, true))
    end
  end)
end)
