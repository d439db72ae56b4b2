-- Which runtime `awsync run` takes from beside itself.
local shell = require "spec.support.shell"

-- A folder with a copy of awsync and runtimes that say who they are and fail.
local function install(runtimes)
  local folder, remove = shell.folder()
  finally(remove)
  assert(os.execute(("mkdir -p %s/static/lua && cp %s %s/awsync"):format(folder, shell.quote(shell.awsync), folder)))
  shell.write(folder .. "/main.lua", "function main() return 1 end\n")
  local now = os.time()
  for name, age in pairs(runtimes) do
    shell.write(folder .. "/" .. name, "#!/bin/sh\necho this is " .. name .. "\nexit 3\n")
    assert(os.execute(("chmod +x %s/%s && touch -d @%d %s/%s"):format(folder, name, now - 3600 * age, folder, name)))
  end
  return function()
    local out, err, status = shell.run(("%s/awsync run %s/main.lua"):format(folder, folder), 60)
    assert.equal(1, status)
    return (out .. err):match "this is (%S+)" or err
  end
end

describe("awsync run", function()
  it("takes the static runtime where it is as new as the other, with its modules", function()
    for age = 1, 2 do
      assert.equal("static/bootstrap",
        install { bootstrap = 2, ["static/bootstrap"] = age, ["static/lua/awsync.lua"] = 2 } ())
    end
  end)

  it("takes it where it is alone", function()
    assert.equal("static/bootstrap", install { ["static/bootstrap"] = 1, ["static/lua/awsync.lua"] = 1 } ())
  end)

  it("does not take a static runtime that is older, or has no modules", function()
    assert.equal("bootstrap", install { bootstrap = 1, ["static/bootstrap"] = 2, ["static/lua/awsync.lua"] = 2 } ())
    assert.equal("bootstrap", install { bootstrap = 2, ["static/bootstrap"] = 1 } ())
    assert.equal("bootstrap", install { bootstrap = 2 } ())
  end)

  it("says which runtime is missing", function()
    local folder, remove = shell.folder()
    finally(remove)
    assert(os.execute(("cp %s %s/awsync"):format(shell.quote(shell.awsync), folder)))
    shell.write(folder .. "/main.lua", "function main() return 1 end\n")
    local _, err, status = shell.run(("%s/awsync run %s/main.lua"):format(folder, folder), 60)
    assert.equal(2, status)
    assert.truthy(err:find(folder .. "/bootstrap: the runtime is not there: No such file", 1, true), err)
  end)
end)
