local aws = require "support.aws"
local http_server = require "support.http_server"
local shell = require "support.shell"
local socket = require "socket"
local tls_server = require "spec.support.tls_server"

describe("credentials", function()
  local folder, remove
  local servers, clients = {}, {}

  local function serve(handler)
    local server = http_server.start(handler)
    servers[#servers + 1] = server
    return server
  end

  --- A client of the chain, whose requests go to the server.
  local function connect(server, options)
    options = options or {}
    options.endpoint = server.url
    options.access_key_id, options.secret_access_key = false, false
    local client = aws.client(options)
    clients[#clients + 1] = client
    return client
  end

  --- A service that answers with the key id that it was asked with.
  local function echo()
    return serve(function(request)
      return { body = request.headers.authorization:match("Credential=([^/]+)") .. " " ..
        (request.headers["x-amz-security-token"] or "-") }
    end)
  end

  setup(function()
    folder, remove = shell.folder()
  end)
  teardown(function()
    aws.restore()
    remove()
  end)
  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    for _, server in ipairs(servers) do server:close() end
    servers, clients = {}, {}
  end)

  it("come from the environment, read anew for each request", function()
    aws.environment { AWS_ACCESS_KEY_ID = "E1", AWS_SECRET_ACCESS_KEY = "s", AWS_SESSION_TOKEN = "T1" }
    local client = connect(echo())
    assert.equal("E1 T1", client:request {}.body)
    aws.environment { AWS_ACCESS_KEY_ID = "E2", AWS_SECRET_ACCESS_KEY = "s" }
    assert.equal("E2 -", client:request {}.body)
  end)

  it("of the environment are refused by halves", function()
    aws.environment { AWS_ACCESS_KEY_ID = "E1" }
    local error = connect(echo()):request {}.error
    assert.same({ "NoCredentials", "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not", 0 },
      { error.code, error.message, error.attempts })
  end)

  it("come from the shared files: the credentials file first, then the config file", function()
    shell.write(folder .. "/config", "[profile a]\naws_access_key_id=CA\naws_secret_access_key=s\n" ..
      "[profile b]\naws_access_key_id=CB\naws_secret_access_key=s\n[profile sso]\nsso_session = x\n")
    shell.write(folder .. "/credentials", "[a]\naws_access_key_id=KA\naws_secret_access_key=s\naws_session_token=T\n")
    local files = { AWS_CONFIG_FILE = folder .. "/config", AWS_SHARED_CREDENTIALS_FILE = folder .. "/credentials" }
    local server = echo()
    local function with(variables, options)
      for name, value in pairs(files) do variables[name] = value end
      aws.environment(variables)
      return connect(server, options):request {}
    end
    assert.equal("KA T", with({ AWS_PROFILE = "a" }).body)
    assert.equal("CB -", with({ AWS_PROFILE = "b" }).body)
    -- Keys in the environment go before a profile named there, not before one named by the program.
    local keys = { AWS_ACCESS_KEY_ID = "E", AWS_SECRET_ACCESS_KEY = "s", AWS_PROFILE = "b" }
    assert.equal("E -", with(keys).body)
    assert.equal("KA T", with(keys, { profile = "a" }).body)
    local error = with({ AWS_PROFILE = "sso" }).error
    assert.equal("NoCredentials", error.code)
    assert.matches('profile "sso" gets its keys by sso_session, which is not supported here', error.message, 1, true)
    error = with({ AWS_PROFILE = "gone" }).error
    assert.equal("BadConfiguration", error.code)
    error = with({}).error
    assert.equal("NoCredentials", error.code)
    assert.matches("no credentials: set AWS_ACCESS_KEY_ID", error.message, 1, true)
  end)

  it("that are expired are read anew, and the request is sent once more", function()
    local server = serve(function(request)
      if request.headers.authorization:find("NEW", 1, true) then
        return { body = "ok" }
      end
      local file <close> = io.open(request.target, "w")
      file:write("[default]\naws_access_key_id=NEW\naws_secret_access_key=s\n")
      return { status = 403, body = [[{"__type":"ExpiredTokenException"}]] }
    end)
    shell.write(folder .. "/expiring", "[default]\naws_access_key_id=OLD\naws_secret_access_key=s\n")
    aws.environment { AWS_SHARED_CREDENTIALS_FILE = folder .. "/expiring" }
    assert.equal("ok", connect(server):request({ target = folder .. "/expiring" }).body)
    aws.environment { AWS_ACCESS_KEY_ID = "E1", AWS_SECRET_ACCESS_KEY = "s" }
    local error = connect(server):request({ target = folder .. "/expiring" }).error
    assert.same({ "ExpiredTokenException", 1 }, { error.code, error.attempts })
  end)

  describe("of a container", function()
    it("are fetched with the token as its file has it, once for many requests", function()
      local source = serve(function(request)
        if request.headers.authorization ~= "Bearer 1" then
          return { status = 401 }
        end
        return { delay = 0.1, body = [[{"AccessKeyId":"C1","SecretAccessKey":"s","Token":"T1",
          "Expiration":"2099-01-01T00:00:00Z"}]] }
      end)
      shell.write(folder .. "/token", "Bearer 1\n")
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = source.url .. "/creds?x=1",
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "other", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = folder .. "/token" }
      local client = connect(echo())
      local tags = {}
      for i = 1, 20 do
        tags[i] = client:begin {}
      end
      for i = 1, 20 do
        assert.equal("C1 T1", client:take(tags[i]).body)
      end
      local requests = source:log().requests
      assert.equal(1, #requests)
      assert.equal("/creds?x=1", requests[1].target)
      assert.is_nil(requests[1].headers["x-amz-date"])
    end)

    it("are fetched by TLS from a server that the CA bundle vouches for", function()
      local source <close> = tls_server.start("-HTTP", 1)
      shell.write(source.folder .. "/creds", 'HTTP/1.0 200 OK\r\n\r\n{"AccessKeyId":"C1","SecretAccessKey":"s"}')
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = source.url .. "/creds", AWS_CA_BUNDLE = source.cert }
      assert.equal("C1 -", connect(echo()):request {}.body)
    end)

    it("are fetched anew shortly before their end, and when the service calls them expired", function()
      local source = serve(function(request)
        local soon = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + (request.number == 1 and 30 or 3600))
        return { body = ([[{"AccessKeyId":"C%d","SecretAccessKey":"s","Expiration":"%s"}]]):format(request.number,
          soon) }
      end)
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = source.url .. "/" }
      local client = connect(serve(function(request)
        local key = request.headers.authorization:match("Credential=([^/]+)")
        if request.target == "/strict" and key == "C2" then
          return { status = 403, body = [[{"__type":"ns#ExpiredTokenException"}]] }
        end
        return { body = key }
      end))
      assert.equal("C1", client:request {}.body)
      assert.equal("C2", client:request {}.body)
      assert.equal("C2", client:request {}.body)
      assert.equal("C3", client:request({ target = "/strict" }).body)
      assert.equal("C3", client:request {}.body)
      assert.equal(3, #source:log().requests)
    end)

    it("are renewed in the background while they still hold", function()
      local source = serve(function(request)
        local soon = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + (request.number == 1 and 200 or 3600))
        return { delay = request.number > 1 and 0.3 or 0,
          body = ([[{"AccessKeyId":"C%d","SecretAccessKey":"s","Expiration":"%s"}]]):format(request.number, soon) }
      end)
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = source.url .. "/" }
      local client = connect(echo())
      assert.equal("C1 -", client:request {}.body)
      assert.equal("C1 -", client:request {}.body)
      local body
      for _ = 1, 200 do
        body = client:request {}.body
        if body ~= "C1 -" then break end
        socket.sleep(0.05)
      end
      assert.equal("C2 -", body)
      assert.equal(2, #source:log().requests)
    end)

    it("are tried three times, and a failure says why without secrets", function()
      local source = serve(function(request)
        return request.number < 3 and { status = 500 } or
          { body = [[{"AccessKeyId":"C3","SecretAccessKey":"s"}]] }
      end)
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = source.url .. "/" }
      assert.equal("C3 -", connect(echo()):request {}.body)
      local refusing = serve(function() return { status = 403 } end)
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = refusing.url .. "/",
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "TOPSECRET" }
      local error = connect(echo()):request {}.error
      assert.same({ "NoCredentials", "the container endpoint answers with HTTP status 403" },
        { error.code, error.message })
      assert.equal("TOPSECRET", refusing:log().requests[1].headers.authorization)
    end)

    it("are not asked for with a token of two lines, nor at a stranger's", function()
      local source = serve(function() return {} end)
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = source.url .. "/",
        AWS_CONTAINER_AUTHORIZATION_TOKEN = "a\r\nX-Evil: b" }
      local server = echo()
      assert.matches("token has a line break", connect(server):request {}.error.message, 1, true)
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = source.url .. "/",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = folder .. "/none" }
      assert.matches("cannot read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", connect(server):request {}.error.message, 1,
        true)
      aws.environment { AWS_CONTAINER_CREDENTIALS_FULL_URI = "http://192.0.2.1/" }
      assert.matches("may be asked by https only", connect(server):request {}.error.message, 1, true)
      assert.equal(0, #source:log().requests)
    end)
  end)

  describe("of an instance", function()
    --- The metadata service; mode is the path before /latest.
    local function metadata()
      return serve(function(request, state)
        local mode, path = request.target:match("^/(%w+)(/latest/.*)$")
        local token = request.headers["x-aws-ec2-metadata-token"]
        if path == "/latest/api/token" then
          state.tokens = (state.tokens or 0) + 1
          return ({ v1 = { status = 404 }, broken = { status = 400 }, slow = { action = "hang" } })[mode] or
            { body = "TOKEN" .. state.tokens }
        elseif mode == "renew" and token == "TOKEN1" or mode == "v2" and not token then
          return { status = 401 }
        elseif path:sub(-1) == "/" then
          return mode == "norole" and { status = 404 } or { body = "my-role\nother" }
        elseif mode == "flaky" and request.number < 5 then
          return { status = 500 }
        end
        local time = os.time() + (mode == "stale" and -60 or 3600)
        return { body = ([[{"Code":"Success","AccessKeyId":"%s","SecretAccessKey":"s","Token":"%s","Expiration":"%s"}]])
          :format("I" .. request.number, path:match("[^/]*$") .. "-" .. (token or "v1"),
            os.date("!%Y-%m-%dT%H:%M:%SZ", time)) }
      end)
    end

    local function ask(mode, variables)
      local source = metadata()
      variables = variables or {}
      variables.AWS_EC2_METADATA_SERVICE_ENDPOINT = source.url .. "/" .. mode .. "/"
      variables.AWS_EC2_METADATA_DISABLED = variables.AWS_EC2_METADATA_DISABLED or false
      aws.environment(variables)
      local client = connect(echo())
      return client:request {}, source, client
    end

    it("are fetched in three steps", function()
      local answer, source, client = ask("v2")
      assert.equal("I3 my-role-TOKEN1", answer.body)
      local requests = source:log().requests
      assert.same({ "PUT", "GET", "GET" }, { requests[1].method, requests[2].method, requests[3].method })
      assert.equal("21600", requests[1].headers["x-aws-ec2-metadata-token-ttl-seconds"])
      assert.equal("/v2/latest/meta-data/iam/security-credentials/my-role", requests[3].target)
      assert.equal("I3 my-role-TOKEN1", client:request {}.body)
      assert.equal(3, #source:log().requests)
    end)

    it("are fetched by version 1 where there is no token, unless that is disabled", function()
      assert.equal("I3 my-role-v1", ask("v1").body)
      assert.equal("I3 my-role-v1", ask("slow").body)
      local error = ask("v1", { AWS_EC2_METADATA_V1_DISABLED = "true" }).error
      assert.equal("NoCredentials", error.code)
      assert.matches("version 1 is disabled", error.message, 1, true)
      assert.matches("no session token (HTTP status 400)", ask("broken").error.message, 1, true)
    end)

    it("are fetched with a new token when the old one is refused, and again after faults", function()
      assert.equal("I5 my-role-TOKEN2", ask("renew").body)
      assert.equal("I5 my-role-TOKEN1", ask("flaky").body)
    end)

    it("go on being used when the service gives expired ones", function()
      local answer, source, client = ask("stale")
      assert.equal("I3 my-role-TOKEN1", answer.body)
      assert.equal("I3 my-role-TOKEN1", client:request {}.body)
      assert.equal(3, #source:log().requests)
    end)

    it("are not asked for when disabled, and a failure says why", function()
      local answer, source = ask("v2", { AWS_EC2_METADATA_DISABLED = "TRUE" })
      assert.equal("NoCredentials", answer.error.code)
      assert.equal(0, #source:log().requests)
      assert.matches("the instance has no role (HTTP status 404)", ask("norole").error.message, 1, true)
      aws.environment { AWS_EC2_METADATA_DISABLED = false,
        AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://127.0.0.1:" .. http_server.dead_port() }
      assert.matches("instance metadata does not answer", connect(echo()):request {}.error.message, 1, true)
      aws.environment { AWS_EC2_METADATA_DISABLED = false, AWS_WEB_IDENTITY_TOKEN_FILE = "/x" }
      assert.matches("web identities are not supported", connect(echo()):request {}.error.message, 1, true)
    end)

    it("end with the client that fetches them", function()
      local source = metadata()
      aws.environment { AWS_EC2_METADATA_DISABLED = false, AWS_EC2_METADATA_SERVICE_ENDPOINT = source.url .. "/slow" }
      local client = connect(echo())
      local tag, id = client:begin {}
      client:begin {}
      client.raw:cancel(id)
      assert.equal("Cancelled", client:take(tag).error.code)
      assert.equal(1, client:close())
      clients = {}
    end)
  end)
end)
