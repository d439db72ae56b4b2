-- Go programs with known output, each once: spec/support/go_rows.lua. `make go-conformance` runs them often.
local rows = require "spec.support.go_rows"

for _, mode in ipairs(rows.modes) do
  describe(("a Go program (%s)"):format(mode.name), function()
    for _, row in ipairs(rows) do
      local note = rows.of(row, mode).note
      it(("%s: %s%s"):format(row.row, row.property, note and (" (%s)"):format(note) or ""), function()
        rows.run(row, mode)
      end)
    end
  end)
end
