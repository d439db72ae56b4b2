-- What people get wrong at the command line: each is one line that names the thing, and a status that is not 0.
local shell = require "spec.support.shell"

local clean = "env -u AWS_REGION -u AWS_DEFAULT_REGION -u AWS_PROFILE -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY "
  .. "-u AWSYNC_KEY HOME=/nonexistent AWS_EC2_METADATA_DISABLED=true "
local keys = "AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b "
local nobody_there = keys .. "AWS_MAX_ATTEMPTS=1 AWS_ENDPOINT_URL=http://127.0.0.1:1 "
-- Root may read everything but without these capabilities.
local mortal = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search "

local folder, remove
setup(function()
  folder, remove = shell.folder()
  shell.write(folder .. "/app.lua", "function main(e) return e.n or 1 end\n")
  shell.write(folder .. "/notes.txt", "no program\n")
  shell.write(folder .. "/bad.json", '{"n": }')
  shell.write(folder .. "/bad.key", "no key\n")
  shell.write(folder .. "/closed.lua", "function main() end\n")
  os.execute(("cd %s && mkdir folder other && chmod 000 closed.lua && cp app.lua other/ && cp bad.key other/awsync.key")
    :format(folder))
end)
teardown(function() remove() end)

local function run(words, variables, before)
  local awsync = shell.awsync:gsub("^([^/])", os.getenv "PWD" .. "/%1")
  return shell.run(("cd %s && %s%s %s%s %s"):format(folder, clean, variables or "", before or "", awsync, words))
end

local function says(text, status, words, variables, before)
  local _, err, got = run(words, variables, before)
  assert.equal(status, got, words .. ": " .. err)
  assert.truthy(err:find("^awsync: [^\n]+\n$"), words .. ": " .. err)
  assert.truthy(err:find(text, 1, true), words .. ": " .. err)
end

describe("a mistake in", function()
  it("a file's name is told with the name", function()
    says("nowhere.lua: No such file or directory", 2, "run nowhere.lua")
    says("nowhere.lua: No such file or directory", 2, "run --watch nowhere.lua")
    says("nowhere.lua: No such file or directory", 2, "serve nowhere.lua")
    says("nowhere.lua: No such file or directory", 1, "package nowhere.lua")
    says("folder: Is a directory", 2, "run folder")
    says("notes.txt: not a Lua file; its name has to end in .lua", 2, "run notes.txt")
    says("closed.lua: Permission denied", 2, "run closed.lua", "", mortal)
  end)

  it("an event is told with the event's file", function()
    says("--event: nowhere.json: No such file or directory", 2, "run app.lua --event @nowhere.json")
    says("--event: folder: Is a directory", 2, "run app.lua --event @folder")
    says("--event: closed.lua: Permission denied", 2, "run app.lua --event @closed.lua", "", mortal)
    says("--event: bad.json is no JSON: ", 2, "run app.lua --event @bad.json")
    says("--event is no JSON: ", 2, "run app.lua --event '{n: 5}'")
    says("--event is no JSON: ", 2, "run app.lua --event ''")
    says("one too many", 2, "run app.lua --event {\"n\": 5}")
  end)

  it("a command or an option is told with its name", function()
    says('there is no command "rnu"', 2, "rnu")
    says('there is no command "rnu"', 2, "help rnu")
    says('there is no option "--verbose"', 2, "--verbose run")
    says("run has no option --evnt", 2, "run --evnt '{}' app.lua")
    says("--memory takes a whole number from 128 to 10240, not \"1GB\"", 2, "run app.lua --memory 1GB")
    says("--env takes NAME=VALUE, not \"DEBUG\"", 2, "run app.lua --env DEBUG")
    says("--env: AWS_REGION is reserved", 2, "run app.lua --env AWS_REGION=eu-west-1")
    says("--bootstrap: nosuch is not in the PATH", 2, "run app.lua --bootstrap nosuch")
    says("--bootstrap: ./notes.txt: Permission denied", 2, "run app.lua --bootstrap ./notes.txt")
    says("--fault: drop is a rate from 0 to 1", 2, "run app.lua --fault drop=5%")
    says("run needs a FILE", 2, "run --bootstrap true")
    says('"a b" is no name of a Lambda function', 2, "deploy app.lua --name 'a b'")
  end)

  it("the configuration of AWS is told with what is missing", function()
    for _, words in ipairs { "invoke app", "logs app", "delete app", "gc", "dead-letters" } do
      says("no region: set AWS_REGION", 1, words)
      says("no credentials: set AWS_ACCESS_KEY_ID", 1, words, "AWS_REGION=us-east-1 ")
      says('profile "nope" is neither in ', 1, words, "AWS_PROFILE=nope ")
    end
    for _, words in ipairs { "invoke app", "logs app", "delete app" } do
      says("Failed to connect to 127.0.0.1 port 1 ", 1, words, nobody_there)
    end
    says("AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not", 1, "invoke app",
      "AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=a ")
    says('endpoint "ftp://x" begins with neither http:// nor https://', 1, "invoke app",
      keys .. "AWS_ENDPOINT_URL=ftp://x ")
  end)

  it("the key is told with where it is", function()
    local out, _, status = run("doctor --offline other/app.lua")
    assert.equal(1, status)
    assert.truthy(out:find("problem  key: " .. folder .. "/other/awsync.key is no key", 1, true), out)
    out, _, status = run("doctor --offline app.lua", "AWSYNC_KEY=secret ")
    assert.equal(1, status)
    assert.truthy(out:find("problem  key: AWSYNC_KEY is no key", 1, true), out)
    assert.falsy(out:find("secret", 1, true))
  end)

  it("what is around is told", function()
    says("there is no spec/ here", 1, "test")
    says("standard output cannot be written", 1, "run --quiet app.lua >/dev/full")
    says("standard output cannot be written", 1, "serve app.lua >/dev/full")
    says("standard output cannot be written", 1, "--help >/dev/full")
    says("standard output cannot be written", 1, "run --help >/dev/full")
    local id, out = shell.start(clean .. shell.awsync .. " serve --port 0 " .. folder .. "/app.lua")
    local port = shell.wait_for("the port", function() return shell.read(out):match "http://127%.0%.0%.1:(%d+)" end)
    says("the engine cannot start: port " .. port .. " is in use", 1, "serve app.lua --port " .. port)
    os.execute("kill " .. id)
  end)
end)

describe("awsync without a FILE", function()
  local place
  before_each(function()
    place = folder .. "/squares"
    os.execute(("rm -rf %s && mkdir %s"):format(place, place))
  end)

  local function program(name)
    shell.write(place .. "/" .. name, ("function main() return %q end\n"):format(name))
  end

  local function answers(name)
    local out, err, status = run("run --quiet", "sh -c 'cd squares && exec \"$0\" \"$@\"' ")
    assert.equal(0, status, err)
    assert.equal(('{"statusCode":200,"body":"\\"%s\\""}\n'):format(name), out)
  end

  local function refuses(text, command)
    says(text, 2, command, "sh -c 'cd squares && exec \"$0\" \"$@\"' ")
  end

  it("takes the folder's only Lua file, else the one with the folder's name, else main.lua", function()
    program "util.lua"
    program ".hidden.lua"
    shell.write(place .. "/notes.txt", "")
    os.execute(("mkdir %s/dir.lua"):format(place))
    answers "util.lua"
    program "squares.lua"
    answers "squares.lua"
    program "main.lua"
    answers "main.lua"
  end)

  it("says which there are when it cannot tell", function()
    for _, command in ipairs { "run", "serve", "run --watch", "package", "deploy --name x" } do
      refuses("needs a FILE: there is no Lua file here; `awsync new NAME` makes a program", command)
    end
    program "a.lua"
    program "b.lua"
    for _, command in ipairs { "run", "serve", "run --watch", "package", "deploy --name x" } do
      refuses("needs a FILE: which of a.lua, b.lua?", command)
    end
    for i = 1, 9 do program("c" .. i .. ".lua") end
    refuses("run needs a FILE: which of a.lua, b.lua, c1.lua, c2.lua, c3.lua, c4.lua, ...?", "run")
  end)

  it("runs what awsync new has made", function()
    run "new fresh"
    local out, err, status = run("run --quiet", "sh -c 'cd fresh && exec \"$0\" \"$@\"' ")
    assert.equal(0, status, err)
    assert.equal('{"statusCode":200,"body":"30"}\n', out)
    os.execute("rm -rf " .. folder .. "/fresh")
  end)
end)

describe("awsync run", function()
  it("does without a home that is somebody else's, and without a proxy", function()
    local home = folder .. "/home"
    os.execute(("mkdir -p %s/.aws && echo x >%s/.aws/config && chmod 000 %s/.aws"):format(home, home, home))
    local out, err, status = run("run --quiet app.lua", "HOME=" .. home .. " ", mortal)
    assert.equal(0, status, err)
    assert.equal('{"statusCode":200,"body":"1"}\n', out)
    says("no region: set AWS_REGION; " .. home .. "/.aws/config cannot be read: Permission denied", 1, "invoke app",
      "HOME=" .. home .. " ", mortal)
    out, err, status = run("run --quiet app.lua", "http_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1 ")
    assert.equal(0, status, err)
    assert.equal('{"statusCode":200,"body":"1"}\n', out)
  end)

  it("does without what the user's configuration says of AWS's endpoints", function()
    local home = folder .. "/endpoints"
    os.execute(("mkdir -p %s/.aws"):format(home))
    shell.write(home .. "/.aws/config", "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n"
      .. "endpoint_url = http://127.0.0.1:1\nignore_configured_endpoint_urls = true\nca_bundle = /nowhere.pem\n")
    shell.write(folder .. "/spawns.lua", 'local awsync = require "awsync"\n'
      .. "function main() return awsync.async(function() return 7 end):await() end\n")
    local out, err, status = run("run --quiet spawns.lua", "HOME=" .. home .. " ")
    assert.equal(0, status, err)
    assert.equal('{"statusCode":200,"body":"7"}\n', out)
  end)
end)
