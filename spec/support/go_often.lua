-- Runs the rows of go_rows.lua often, in both modes, and prints a table: row -> passed and failed, and the slowest run.
-- Usage: go_often.lua RUNS [PART]; with a part of their names, only some rows.
-- A run that takes ten seconds, and three times as long as the row mostly takes, has waited for something that did not
-- come: it has failed, too.
local system = require "system"
local rows = require "spec.support.go_rows"

local STALL = 10 -- seconds

local runs = assert(math.tointeger(tonumber(arg[1])), "usage: go_often.lua RUNS [PATTERN]")
local part = arg[2] or ""

local function run(row, mode)
  local began = system.monotime()
  local ok, message = pcall(rows.run, row, mode)
  return ok, system.monotime() - began, message
end

local function text(message)
  return type(message) == "table" and tostring(message.message or require("pl.pretty").write(message))
    or tostring(message)
end

-- The runs of a row in a mode: how many were good, the slowest, and what is to be said of the others.
local function run_often(row, mode)
  local good, times, failures = {}, {}, {}
  for n = 1, runs do
    local ok, took, message = run(row, mode)
    times[n] = took
    if ok then
      good[#good + 1] = took
    else
      failures[#failures + 1] = ("run %d: %s"):format(n, text(message))
    end
  end
  table.sort(times)
  table.sort(good)
  local limit = math.max(STALL, 3 * times[(#times + 1) // 2])
  while #good > 0 and good[#good] > limit do
    failures[#failures + 1] = ("a run took %.1f s: something did not come"):format(table.remove(good))
  end
  return #good, times[#times], failures
end

local function print_line(name, columns, note)
  io.write(("%-36s"):format(name))
  for _, cell in ipairs(columns) do io.write((" %18s"):format(cell)) end
  io.write(note ~= "" and "  " .. note or "", "\n")
  io.flush()
end

local modes = {}
for i, mode in ipairs(rows.modes) do modes[i] = mode.name end
print_line("passed/failed, slowest run", modes, "")

local passed, failed = 0, 0
for _, row in ipairs(rows) do
  if row.row:find(part, 1, true) then
    local cells, notes, failures = {}, {}, {}
    for i, mode in ipairs(rows.modes) do
      local good, slowest, bad = run_often(row, mode)
      for _, failure in ipairs(bad) do
        failures[#failures + 1] = ("FAILED: %s (%s), %s"):format(row.row, mode.name, failure)
      end
      passed, failed = passed + good, failed + runs - good
      cells[i] = ("%d/%d %7.1f s"):format(good, runs - good, slowest)
      notes[#notes + 1] = rows.of(row, mode).note and ("%s: %s"):format(mode.name, rows.of(row, mode).note)
    end
    print_line(row.row, cells, table.concat(notes, "; "))
    for _, failure in ipairs(failures) do io.write((failure:gsub("\n", "\n  ")), "\n") end
  end
end
assert(passed + failed > 0, "no row has this name")
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
