-- docs/limits.md: the figures are those of the sources' constants, and the texts theirs.
local docs = require "spec.support.docs"
local shell = require "spec.support.shell"

local PAGE = "docs/limits.md"

local function all(folders, ending)
  local texts = {}
  for _, path in ipairs(docs.files(folders, ending)) do texts[#texts + 1] = shell.read(path) end
  return table.concat(texts, "\n")
end

-- Every value that a constant has in the sources: `NAME = 4 * 1024` in an enum, `#define NAME 16`, `local NAME = 1000`.
local function values_of(name, c_source, lua_source)
  local values = {}
  local function add(text)
    local plain = text:gsub("INT64_C(%b())", "%1")
    local value = plain:find "^[%d%s%(%)*<+-]+$" and load("return " .. plain)
    if value then values[value()] = true end
  end
  for _, source in ipairs { c_source, lua_source } do
    local from, to = source:find(name, 1, true)
    while from do
      local whole = not source:find("^[%w_]", from - 1)
      local is_define = source:sub(from - 8, from - 1) == "#define "
      local text = source:match(is_define and "^%s+([^\n]+)" or "^ = ([^,};/\n]+)", to + 1)
      if whole and text then add(text) end
      from, to = source:find(name, to + 1, true)
    end
  end
  return values
end

-- The figures of a cell in the constant's unit: "16 MB" as bytes, "5 s" of a constant in _MS as milliseconds.
local units = { KB = 1 << 10, MB = 1 << 20, s = 1, h = 3600, minutes = 60 }

local function figures_of(cell, constant)
  local figures = {}
  for number, unit in cell:gsub("(%d),(%d)", "%1%2"):gsub("(%d),(%d)", "%1%2"):gmatch "(%d+)%s*(%a*)" do
    number = tonumber(number)
    figures[number] = true
    if units[unit] and not constant:find "_MB$" then
      figures[number * units[unit] * (constant:find "_MS$" and 1000 or 1)] = true
    end
  end
  return figures
end

describe("limits", function()
  it("are what the sources have", function()
    local count, c_source, lua_source = 0, all("host", ".[ch]"), all("lua", ".lua")
    for _, row in ipairs(docs.rows(PAGE)) do
      for _, name in ipairs(docs.spans(row.where)) do
        local values = values_of(name, c_source, lua_source)
        -- Variables without a figure of their own.
        if name ~= "AWSYNC_MAX_COST" and name ~= "AWS_MAX_ATTEMPTS" then
          assert.truthy(next(values), ("%s:%d: no constant %s"):format(PAGE, row.line, name))
          local there = false
          for figure in pairs(figures_of(row.figure, name)) do there = there or values[figure] end
          assert.truthy(there, ("%s:%d: %s: %s is another"):format(PAGE, row.line, row.figure, name))
          count = count + 1
        end
      end
    end
    assert.truthy(count > 30)
  end)

  it("are told in the sources' own words", function()
    for _, row in ipairs(docs.rows(PAGE)) do
      for _, message in ipairs(docs.spans(row["at it"])) do
        if message:find " " then docs.own_words(PAGE, row.line, message) end
      end
    end
  end)
end)
