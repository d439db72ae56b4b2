-- docs/getting-started.md is followed word for word, as far as no account is needed. The steps on AWS are followed on
-- moto by spec/conformance/deploy.py.
local docs = require "spec.support.docs"
local elf = require "spec.support.elf"
local shell = require "spec.support.shell"

local PAGE = "docs/getting-started.md"

-- Under sanitizers the Lua modules are for an interpreter of their own, which busted does not start.
local plain = (os.getenv "SANITIZE" or "") == ""

-- What the page shows below a command, as a pattern: `...` is what varies, alone on a line any lines.
local function pattern_of(lines)
  local text = table.concat(lines, "\n"):gsub("%f[^\n\0]%.%.%.\n", "\1"):gsub("%.%.%.", "\2")
  text = text:gsub("%p", "%%%0"):gsub("\1", ".-"):gsub("\2", "[^\n]-")
  return "^" .. text .. "\n*$"
end

-- The commands of the blocks before the account is needed: { command, output lines }.
local function steps()
  local list, step = {}, nil
  for _, block in ipairs(docs.blocks(PAGE, "console")) do
    for line in block.text:gmatch "[^\n]+" do
      local command = line:match "^%$ (.*)$"
      if command and command:find "^awsync doctor" then return list end
      if command then
        step = { command = command, shown = {}, line = block.line }
        list[#list + 1] = step
      else
        table.insert(step.shown, line)
      end
    end
  end
end

describe("getting started", function()
  if plain then
    it("is true, step by step", function()
      local folder, remove = shell.folder()
      finally(remove)
      os.execute(("mkdir -p %s/awsync/build/static"):format(folder))
      shell.write(folder .. "/awsync/build/static/bootstrap", elf.make())
      local here, done = folder, 0
      local settings = ("export PATH=%s:$PATH; unset LUA_PATH LUA_CPATH AWSYNC_KEY"):format(shell.build)
      for _, step in ipairs(steps()) do
        local to = step.command:match "^cd (%S+)$"
        if to then
          here = here .. "/" .. to
        else
          local out, _, status = shell.run(("cd %s; %s; { %s; } 2>&1"):format(here, settings, step.command))
          assert.equal(0, status, step.command .. "\n" .. out)
          assert.truthy(out:find(pattern_of(step.shown)), ("%s:%d: %s\n%s"):format(PAGE, step.line, step.command, out))
          done = done + 1
        end
      end
      assert.equal(7, done)
    end)

    it("shows the program that awsync new makes", function()
      local program = shell.read "host/cli/share/new/program.lua"
      assert.equal(program, docs.blocks(PAGE, "lua")[1].text)
    end)
  end
end)
