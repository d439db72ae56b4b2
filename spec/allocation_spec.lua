-- Every allocation below Lua fails in turn: a failure that is told, nothing left behind, and all works again.
-- What happens when Lua's own memory runs out is in codec_memory_spec.lua.
local names = require "spec.support.starving"
local shell = require "spec.support.shell"

describe("without memory below Lua", function()
  for _, name in ipairs(names) do
    it("each allocation may fail: " .. name, function()
      local stdout, stderr, status = shell.run(("%s spec/support/starving.lua %s"):format(
        os.getenv "SPEC_LUA" or "lua5.4", shell.quote(name)), 300)
      assert.equal(0, status, stdout .. stderr)
      assert.is_truthy(stdout:find "^%d+ allocations, %d+ failures told\n%d+ allocations, %d+ failures told\n$")
    end)
  end
end)

describe("with memory that is looked at when it is freed", function()
  it("buffers of secrets and the bodies of requests are wiped", function()
    local stdout, stderr, status = shell.run((os.getenv "SPEC_LUA" or "lua5.4") .. " spec/support/wiping.lua", 120)
    assert.equal("request 0, buffer of secrets 0, buffer 1\n", stdout, stderr)
    assert.equal(0, status, stderr)
  end)
end)
