-- docs/troubleshooting.md: every error text stands in the sources, and those that a user may meet are all there.
local docs = require "spec.support.docs"

local PAGE = "docs/troubleshooting.md"

local function messages()
  local list = {}
  for _, row in ipairs(docs.rows(PAGE)) do
    for _, message in ipairs(docs.spans(row.message or "")) do
      list[#list + 1] = { text = message, line = row.line }
    end
  end
  assert.truthy(#list > 100)
  return list
end

-- What says by itself what is right: "deploy needs a --name; see `awsync deploy --help`".
local usage = { "see `awsync ", " needs a value$", " has no option ", " not both$", " is one too many$",
  " takes no argument, " }

local function is_usage(text)
  for _, pattern in ipairs(usage) do
    if text:find(pattern) then return true end
  end
  return false
end

describe("troubleshooting", function()
  it("has the sources' own words", function()
    for _, message in ipairs(messages()) do docs.own_words(PAGE, message.line, message.text) end
  end)

  it("has every error that programs and commands raise", function()
    local said, missing = {}, {}
    for _, message in ipairs(messages()) do said[#said + 1] = message.text end
    for _, folder in ipairs { "host/binding", "host/runtime", "host/channel", "host/cli" } do
      for _, raised in ipairs(docs.raised(folder)) do
        if not is_usage(raised.text) and not docs.says(said, raised.text) then
          missing[#missing + 1] = ("%s: %s"):format(raised.place, raised.text)
        end
      end
    end
    assert.equal("", table.concat(missing, "\n"), "a row for each in " .. PAGE)
  end)
end)
