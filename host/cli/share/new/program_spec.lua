local testing = require "awsync.testing"

describe("@NAME@", function()
  local app
  setup(function() app = testing.start "@NAME@.lua" end)
  teardown(function() app:stop() end)

  it("adds up the squares of five numbers when nobody says how many", function()
    assert.equal(30, app:call {})
  end)

  it("adds up as many as it is asked for", function()
    assert.equal(5, app:call { n = 3 })
    assert.equal(0, app:call { n = 0 })
  end)

  it("answers as Lambda does", function()
    assert.same({ statusCode = 200, body = "30" }, app:invoke { n = 5 })
  end)
end)
