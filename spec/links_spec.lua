-- The pages lead to each other: every link of README, CONTRIBUTING and docs/ arrives, and README leads to every page.
local docs = require "spec.support.docs"
local shell = require "spec.support.shell"

local pages = docs.files("docs", ".md")
table.insert(pages, "README.md")
table.insert(pages, "CONTRIBUTING.md")

-- A page's headings as the anchors that they become.
local function anchors_of(path)
  local anchors = {}
  local text = ("\n" .. shell.read(path)):gsub("\n```.-\n```", "")
  for heading in text:gmatch "\n#+ ([^\n]+)" do
    anchors[heading:lower():gsub("[^%w _-]", ""):gsub(" ", "-")] = true
  end
  return anchors
end

local function exists(path)
  return os.execute("test -e " .. shell.quote(path)) == true
end

describe("links", function()
  it("arrive", function()
    local count = 0
    for _, page in ipairs(pages) do
      local folder = page:match "^(.*/)" or ""
      for target in shell.read(page):gmatch "%]%(([^)%s]+)%)" do
        local path, anchor = target:match "^([^#]*)#?(.*)$"
        if not target:find "^https?:" then
          local file = path == "" and page or folder .. path
          assert.truthy(exists(file), ("%s: %s"):format(page, target))
          assert.truthy(anchor == "" or anchors_of(file)[anchor], ("%s: %s has no such heading"):format(page, target))
          count = count + 1
        end
      end
    end
    assert.truthy(count > 50)
  end)

  it("lead from README to every page", function()
    local readme = shell.read "README.md"
    for _, page in ipairs(docs.files("docs", ".md")) do
      assert.truthy(readme:find("](" .. page .. ")", 1, true), page)
    end
  end)
end)

describe("the page of deployment", function()
  it("has the rights of the policy, and no other", function()
    local policy = shell.read "packaging/policy.json"
    local wanted, named = {}, {}
    for right in policy:gmatch '"(%l+:%u%a+)"' do wanted[right] = true end
    for _, row in ipairs(docs.rows "docs/deployment.md") do
      for _, right in ipairs(docs.spans(row.permission or "")) do named[right] = true end
    end
    assert.same(wanted, named)
  end)
end)
