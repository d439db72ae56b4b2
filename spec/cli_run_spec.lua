-- `awsync run`: events as AWS's services send them, and runs after each change.
local cjson = require "cjson"
local shell = require "spec.support.shell"

describe("awsync run --event-from", function()
  local folder, remove
  setup(function()
    folder, remove = shell.folder()
    shell.write(folder .. "/echo.lua", "local awsync = require 'awsync'\nfunction main(e) return awsync.raw(e) end")
  end)
  teardown(function() remove() end)

  local function event(name)
    local out, err, status = shell.run_awsync("run", "--quiet", folder .. "/echo.lua", "--event-from", name)
    assert.equal(0, status, err)
    return cjson.decode(out)
  end

  it("gives an HTTP API's request, version 2.0 of its payload", function()
    local e = event "apigateway"
    assert.equal("2.0", e.version)
    assert.equal("GET", e.requestContext.http.method)
    assert.equal("GET " .. "/orders/{id}", e.routeKey)
    assert.equal("17", e.pathParameters.id)
    assert.equal(e.rawPath, e.requestContext.http.path)
  end)

  it("gives a function URL's request, whose body is as long as it says", function()
    local e = event "url"
    assert.equal("$default", e.routeKey)
    assert.equal(tonumber(e.headers["content-length"]), #e.body)
    assert.equal("teapot", cjson.decode(e.body).item)
    assert.falsy(e.isBase64Encoded)
  end)

  it("gives messages of SQS", function()
    local records = event "sqs".Records
    assert.equal(2, #records)
    for _, record in ipairs(records) do
      assert.equal("aws:sqs", record.eventSource)
      assert.truthy(record.messageId and record.receiptHandle and record.attributes.SentTimestamp)
      local pipe <close> = io.popen(("printf %%s %s | md5sum"):format(shell.quote(record.body)))
      assert.equal(pipe:read("a"):sub(1, 32), record.md5OfBody)
    end
  end)

  it("gives a new object of S3 and an event of EventBridge", function()
    local record = event "s3".Records[1]
    assert.equal("ObjectCreated:Put", record.eventName)
    assert.equal("example-orders", record.s3.bucket.name)
    local e = event "eventbridge"
    assert.equal("Scheduled Event", e["detail-type"])
    assert.equal("table", type(e.detail))
  end)

  it("refuses other names, two events, and commands that have no event", function()
    for _, case in ipairs {
      { "--event-from takes apigateway, url, sqs, s3 or eventbridge", "run", "--event-from", "fax" },
      { "--event-from takes", "run", "--event-from", "../new/README" },
      { "not both", "run", "--event-from", "sqs", "--event", "{}" },
      { "serve has no option --event-from", "serve", "--event-from", "sqs" },
      { "serve has no option --watch", "serve", "--watch" },
    } do
      local words = table.move(case, 2, #case, 1, {})
      words[#words + 1] = folder .. "/echo.lua"
      local _, err, status = shell.run_awsync(table.unpack(words))
      assert.equal(2, status, err)
      assert.truthy(err:find(case[1], 1, true), err)
    end
  end)
end)

describe("awsync run --watch", function()
  local folder, remove, pid, out, err

  local function program(source)
    shell.write(folder .. "/app.lua", source)
  end

  before_each(function() folder, remove = shell.folder() end)
  after_each(function()
    if pid then os.execute(("kill -9 %d 2>/dev/null"):format(pid)) end
    pid = nil
    remove()
  end)

  local function start(words)
    pid, out, err = shell.start(("%s run --quiet --watch %s/app.lua %s"):format(shell.awsync, folder, words or ""))
    finally(function()
      os.remove(out)
      os.remove(err)
    end)
  end

  local function wait_out(text)
    shell.wait_for(text, function() return shell.read(out):find(text, 1, true) end)
  end

  local function stop(signal)
    os.execute(("kill -%s %d"):format(signal, pid))
    shell.wait_for("its end", function() return not os.execute(("kill -0 %d 2>/dev/null"):format(pid)) end, 10)
    pid = nil
  end

  it("runs again when the program or a module below its folder changes, and after a failure too", function()
    program "function main() return 'one' end"
    start()
    wait_out '"\\"one\\""'
    shell.wait_for("rest", function() return shell.read(err):find("waiting for a change", 1, true) end)
    program "function main() return 'broken' "
    shell.wait_for("failure", function() return shell.read(err):find("status 1", 1, true) end)
    program "function main() return 'two' end"
    wait_out '"\\"two\\""'
    stop "INT"
  end)

  it("watches folders below, but not files that are no part of a program", function()
    os.execute("mkdir " .. folder .. "/lib")
    shell.write(folder .. "/lib/part.lua", "return 1")
    program "function main() return require 'lib.part' end"
    start()
    shell.wait_for("rest", function() return shell.read(err):find("waiting for a change", 1, true) end)
    shell.write(folder .. "/output.txt", "not a program")
    shell.write(folder .. "/.app.lua.swp.lua", "an editor's")
    shell.write(folder .. "/lib/part.lua", "return 'part'")
    wait_out "part"
    local _, runs = shell.read(err):gsub("running again", "")
    assert.equal(1, runs)
    os.execute(("mkdir -p %s/later/deep"):format(folder))
    shell.wait_for("the folder", function() return select(2, shell.read(err):gsub("waiting for", "")) >= 3 end)
    shell.write(folder .. "/later/deep/other.lua", "return 'other'")
    program "function main() return require 'later.deep.other' end"
    wait_out "other"
    shell.wait_for("rest", function() return select(2, shell.read(err):gsub("waiting for", "")) >= 4 end)
    shell.write(folder .. "/later/deep/other.lua", "return 'changed'")
    wait_out "changed"
    stop "TERM"
  end)

  it("takes the option's beginning, as all options", function()
    program "function main() return 'once' end"
    pid, out, err = shell.start(("%s run --quiet --wat %s/app.lua"):format(shell.awsync, folder))
    wait_out "once"
    shell.wait_for("rest", function() return shell.read(err):find("waiting for a change", 1, true) end)
    stop "TERM"
  end)

  it("ends a run that is under way, and at a signal all its processes", function()
    program "function main() while true do end end"
    local mark = ("WATCH_MARK=%d"):format(math.random(1 << 40))
    pid, out, err = shell.start(("env %s %s run --quiet --watch %s/app.lua"):format(mark, shell.awsync, folder))
    shell.wait_for("the run", function() return shell.count_processes(mark) >= 3 end)
    program "function main() return 'quick' end"
    wait_out "quick"
    program "function main() while true do end end"
    shell.wait_for("the run", function() return shell.count_processes(mark) >= 3 end)
    stop "TERM"
    shell.wait_for("the end of all", function() return shell.count_processes(mark) == 0 end, 10)
  end)
end)
