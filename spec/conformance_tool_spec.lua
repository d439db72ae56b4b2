-- tools/conformance: what it makes of a party that is not there, that fails, or that says nothing. No outside party is
-- needed: node and npm are little scripts of ours here.
local shell = require "spec.support.shell"

describe("tools/conformance", function()
  local folder, remove
  before_each(function()
    folder, remove = shell.folder()
    os.execute(([[cd %s && mkdir -p bin spec/conformance && echo '{}' >spec/conformance/package.json
      for tool in sh mkdir cat cp rm tee awk cmp; do ln -s "$(command -v $tool)" bin/$tool; done]]):format(folder))
  end)
  after_each(function() remove() end)

  local function program(name, source)
    shell.write(folder .. "/bin/" .. name, "#!/bin/sh\n" .. source)
    os.execute("chmod +x " .. folder .. "/bin/" .. name)
  end

  local function conformance(party)
    return shell.run(("cd %s && PATH=%s/bin sh %s/tools/conformance %s"):format(folder, folder, os.getenv "PWD", party))
  end

  local function ends(text, out)
    assert.equal(text, out:sub(-#text), out)
  end

  it("counts a party that cannot be installed as failed, by its name", function()
    local out, err, status = conformance "javascript"
    assert.equal(1, status, err)
    assert.truthy(out:find("node is not installed\n", 1, true), out)
    ends("conformance: javascript cannot be installed\nconformance: failed: javascript\n0 passed, 1 failed\n", out)
    program("node", "echo '3 passed, 0 failed'\n")
    program("npm", "echo no such package >&2; exit 1\n")
    out, err, status = conformance "javascript"
    assert.equal(1, status, err)
    assert.truthy(out:find("no such package\n", 1, true), out)
    ends("conformance: javascript cannot be installed\nconformance: failed: javascript\n0 passed, 1 failed\n", out)
  end)

  it("adds up the figures", function()
    program("npm", "mkdir node_modules\n")
    program("node", "echo '2 passed, 0 failed'; echo more; echo '3 passed, 0 failed'\n")
    local out, err, status = conformance "javascript"
    assert.equal(0, status, err)
    assert.equal("== javascript\n2 passed, 0 failed\nmore\n3 passed, 0 failed\n5 passed, 0 failed\n", out)
    program("node", "echo '2 passed, 1 failed'; exit 1\n")
    out, err, status = conformance "javascript"
    assert.equal(1, status, err)
    ends("conformance: failed: javascript\n2 passed, 1 failed\n", out)
  end)

  it("believes no figures of a party that failed otherwise", function()
    program("npm", "mkdir node_modules\n")
    program("node", "echo '2 passed, 0 failed'; exit 3\n")
    local out, err, status = conformance "javascript"
    assert.equal(1, status, err)
    ends("conformance: javascript ended with status 3\nconformance: failed: javascript\n2 passed, 1 failed\n", out)
    program("node", "echo '2 passed, 0 failed'; echo Traceback; exit 1\n")
    out, err, status = conformance "javascript"
    assert.equal(1, status, err)
    ends("conformance: javascript ended before its figures, with status 1\nconformance: failed: javascript\n" ..
      "0 passed, 1 failed\n", out)
  end)

  it("knows its parties", function()
    local _, err, status = conformance "fax"
    assert.equal(2, status)
    assert.truthy(err:find("no party is called fax; there are: clients ", 1, true), err)
  end)
end)
