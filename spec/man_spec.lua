-- man/awsync.1 has every command and every option, as `awsync --help` and `awsync COMMAND --help` have them.
local shell = require "spec.support.shell"

local PAGE = "man/awsync.1"

local function names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " ")
end

-- The page's commands with their options, as `.Ss awsync run` and `.It Fl -event Ar json` say them.
local function of_page()
  local commands, here = {}, nil
  for line in shell.read(PAGE):gmatch "[^\n]+" do
    local command = line:match "^%.Ss awsync (%l[%l-]+)"
    if command then
      here = command
      commands[here] = {}
    elseif line:find "^%.Sh " then
      here = nil
    end
    local option = line:match "^%.It Fl %-([%w-]+)"
    if option then commands[here][option] = true end
  end
  return commands
end

local function commands_of_help()
  local out, _, status = shell.run_awsync "--help"
  assert.equal(0, status)
  local commands = {}
  for command in out:match "\ncommands:\n(.-)\n\n":gmatch "  (%l[%l-]+) +[^\n]*" do commands[command] = true end
  return commands
end

-- What the usage and the list of options name; other text may speak of other commands' options.
local function options_of_help(command)
  local out, err, status = shell.run_awsync(command, "--help")
  assert.equal(0, status, err)
  local options = {}
  local function add(text)
    for option in text:gmatch "%-%-([%l][%l-]*)" do options[option] = true end
  end
  add(out:match "^usage: (.-)\n\n")
  for line in out:gmatch "\n  (%-%-[^\n]*)" do add(line:match "^(.-)  " or line) end
  return options
end

describe("the manual page", function()
  it("has every command, and no other", function()
    assert.equal(names(commands_of_help()), names(of_page()))
  end)

  it("has every option of every command, and no other", function()
    for command, options in pairs(of_page()) do
      assert.equal(names(options_of_help(command)), names(options), command)
    end
  end)

  it("has figures that the programs hold to", function()
    local page = shell.read(PAGE):gsub("\n", " ")
    for words, option in pairs {
      ["run x.lua --concurrency 0"] = "concurrency", ["run x.lua --memory 0"] = "memory",
      ["run x.lua --timeout 0"] = "timeout", ["serve x.lua --retries 3"] = "retries",
      ["serve x.lua --event-age 0"] = "event-age", ["serve x.lua --reserved 0"] = "reserved",
    } do
      local _, err = shell.run(shell.quote(shell.awsync) .. " " .. words)
      local least, most = err:match "a whole number from (%d+) to (%d+)"
      assert.truthy(least, err)
      local said = page:match("%.It Fl %-" .. option:gsub("%-", "%%-") .. " Ar %w+ ([^.].-)%.It ")
      assert.truthy(said, option)
      assert.truthy(said:find(least .. " to " .. most, 1, true), ("%s: %s to %s"):format(option, least, most))
    end
  end)
end)
