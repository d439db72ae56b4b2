-- docs/reference.md and library/ say what there is: every public name, variable and error, and nothing else.
local docs = require "spec.support.docs"
local shell = require "spec.support.shell"

local REFERENCE = "docs/reference.md"

-- The upvalue of a function.
local function upvalue(f, wanted)
  for i = 1, 255 do
    local name, value = debug.getupvalue(f, i)
    if name == wanted then return value end
    if not name then error("no upvalue " .. wanted) end
  end
end

-- Every public name of the modules, as the reference writes it: "awsync.push", "c:push", "fut:await".
local function public_names()
  local awsync, testing = require "awsync", require "awsync.testing"
  local types = debug.getregistry()
  local names = {}
  local function add(prefix, members)
    for name in pairs(members) do names[prefix .. name] = true end
  end
  add("awsync.", awsync)
  for name in pairs(upvalue(getmetatable(awsync).__index, "homes")) do
    assert.truthy(awsync[name], name)
    names["awsync." .. name] = true
  end
  add("c:", types["awsync.Channel"].__index)
  add("lease:", types["awsync.Lease"].__index)
  add("fut:", upvalue(require "awsync.future".spawn, "Future_mt").__index)
  add("g:", upvalue(require "awsync.group".group, "Group_mt").__index)
  add("testing.", testing)
  add("app:", upvalue(testing.start, "App_mt").__index)
  -- What testing.start sets in an app.
  names["app.name"], names["app.variables"] = true, true
  return names
end

-- The names that the annotations define, written as above.
local function annotated_names()
  local prefixes = {
    ["awsync"] = "awsync.", ["Channel"] = "c:", ["Lease"] = "lease:", ["Future"] = "fut:", ["Group"] = "g:",
    ["testing"] = "testing.", ["App"] = "app:",
  }
  local names = {}
  for _, path in ipairs(docs.files("library", ".lua")) do
    local class
    for line in shell.read(path):gmatch "[^\n]+" do
      class = line:match "^%-%-%-@class ([%w_.]+)" or class
      local owner, name = line:match "^function ([%w_]+)[.:]([%w_]+)%("
      if not owner then owner, name = line:match "^([%w_]+)%.([%w_]+) = " end
      if owner then names[assert(prefixes[owner], owner) .. name] = true end
      local field = line:match "^%-%-%-@field ([%w_]+)"
      if field and class == "awsync.testing.App" then names["app." .. field] = true end
    end
  end
  return names
end

local function missing(wanted, there)
  local list = {}
  for name in pairs(wanted) do
    if not there[name] then list[#list + 1] = name end
  end
  table.sort(list)
  return table.concat(list, ", ")
end

describe("the reference", function()
  it("has every public name, and no other", function()
    local public, documented = public_names(), docs.headings(REFERENCE)
    assert.equal("", missing(public, documented), "not in " .. REFERENCE)
    assert.equal("", missing(documented, public), "in " .. REFERENCE .. ", and there is no such thing")
  end)

  it("agrees with the annotations in library/", function()
    local public, annotated = public_names(), annotated_names()
    assert.equal("", missing(public, annotated), "not in library/")
    assert.equal("", missing(annotated, public), "in library/, and there is no such thing")
  end)

  it("has annotations in library/ alone, so that they are true in one place", function()
    for _, path in ipairs(docs.files("lua", ".lua")) do
      assert.falsy(shell.read(path):find("%-%-%-%s*@"), path)
    end
  end)

  it("has the options of each function, with the sources' own names", function()
    local wanted = {}
    local function add(options)
      for name in pairs(options) do wanted[name] = true end
    end
    local ok, message = pcall(require "awsync".Channel, { [" "] = true })
    assert.falsy(ok)
    for name in message:match "there are: ([^)]*)":gmatch "[%w_]+" do wanted[name] = true end
    add(upvalue(require "awsync.future".wait, "wait_options"))
    add(upvalue(require "awsync.group".group, "options_known"))
    add(upvalue(require "awsync.map".map_reduce, "options_known"))
    local text = shell.read(REFERENCE)
    for name in pairs(wanted) do
      assert.truthy(text:find("`" .. name .. "`", 1, true), name .. " is not in " .. REFERENCE)
    end
    local library = shell.read "library/awsync.lua"
    wanted.count = nil -- of wait: in the annotation's own type
    for name in pairs(wanted) do
      assert.truthy(library:find("---@field " .. name .. "?", 1, true), name .. " is not in library/awsync.lua")
    end
  end)

  it("has the fields of the context and of the error object", function()
    local wanted = {}
    local context = shell.read "host/runtime/context.c"
    for name in context:gmatch 'set_[a-z]+%(L, "([%w_]+)"' do wanted[name] = true end
    for name in context:gmatch 'lua_setfield%(L, %-2, "([%w_]+)"%)' do wanted[name] = true end
    wanted.getenv = nil -- os.getenv
    assert.truthy(wanted.remaining and wanted.request_id and wanted.tenant_id)
    for _, path in ipairs { "host/binding/family.c", "host/binding/failed.c" } do
      for name in shell.read(path):gmatch 'failed_set%(L, "([%w_]+)"' do wanted[name] = true end
    end
    wanted.message, wanted.others = true, true
    local text = shell.read(REFERENCE)
    local library = shell.read "library/awsync.lua"
    for name in pairs(wanted) do
      assert.truthy(text:find("`" .. name .. "[`(]"), name .. " is not in " .. REFERENCE)
      assert.truthy(library:find("---@field " .. name .. "[? ]"), name .. " is not in library/awsync.lua")
    end
  end)

  it("has the kinds of errors", function()
    local text, library = shell.read(REFERENCE), shell.read "library/awsync.lua"
    local listed = library:match "%-%-%-@field kind ([^\n]+)"
    local count = 0
    for kind in shell.read "host/binding/failed.h":gmatch '#define FAILED_%u+%s+("%l+")' do
      assert.truthy(text:find("`" .. kind .. "`", 1, true), kind .. " is not in " .. REFERENCE)
      assert.truthy(listed:find(kind, 1, true), kind .. " is not in library/awsync.lua")
      count = count + 1
    end
    assert.equal(count, select(2, listed:gsub('"%l+"', "")))
  end)

  it("has every environment variable that the programs name, and no other", function()
    local named, documented = {}, {}
    for _, path in ipairs(docs.files("host", ".c")) do
      -- variable.c has the names that a function may not set, whoever reads them.
      local source = path:find "/variable%.c$" and "" or shell.read(path)
      for name in source:gmatch '"([A-Z_]+[A-Z])"' do
        if name:find "^AWSYNC_" or name:find "^AWS_" or name:find "^LAMBDA_" or name == "_HANDLER"
          or name == "_X_AMZN_TRACE_ID" then
          named[name] = true
        end
      end
    end
    named.AWS_IAM = nil -- an AuthType of function URLs
    assert.truthy(named.AWSYNC_KEY and named.AWS_REGION)
    for _, row in ipairs(docs.rows(REFERENCE)) do
      for _, name in ipairs(docs.spans(row.variable or "")) do documented[name] = true end
    end
    assert.equal("", missing(named, documented), "not in " .. REFERENCE)
    for name in pairs(documented) do
      local found = os.execute(("grep -rqwF '\"%s\"' host"):format(name))
      assert.truthy(found, name .. " is in " .. REFERENCE .. ", and nothing reads it")
    end
  end)

  it("raises in the sources' own words", function()
    for _, row in ipairs(docs.rows(REFERENCE)) do
      for _, message in ipairs(docs.spans(row.raises or row.message or "")) do
        if not message:find "^awsync%." and message:find " " then docs.own_words(REFERENCE, row.line, message) end
      end
    end
  end)
end)

describe("code in", function()
  for _, path in ipairs { "README.md", REFERENCE } do
    it(path .. " compiles; programs give the answer that they state", function()
      local folder, remove = shell.folder()
      finally(remove)
      for _, block in ipairs(docs.blocks(path, "lua")) do
        local place = ("%s:%d"):format(path, block.line)
        assert(load(block.text, "=" .. place))
        if block.text:find "\nfunction main%(" then
          local wanted = assert(block.text:match '%-%- ({"statusCode".-)\n', place .. ": a program states its answer")
          shell.write(folder .. "/program.lua", block.text)
          local out, err, status = shell.run_awsync("run", "--quiet", folder .. "/program.lua")
          assert.equal(0, status, place .. ": " .. err)
          assert.equal(wanted, (out:gsub("%s+$", "")), place)
        end
      end
    end)
  end
end)
