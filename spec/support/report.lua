-- Output handler of busted: failures as they come, then `N passed, N failed[, N skipped]` as the last line.
local term_out = io.stdout

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local slow = {}

  local function place(element)
    local trace = element.trace or {}
    return ("%s:%s"):format(trace.short_src or "?", trace.currentline or "?")
  end

  function handler.testEnd(element, _, status)
    local took = element.duration or 0
    if took > 2 then
      slow[#slow + 1] = ("%6.1f s  %s"):format(took, handler.getFullName(element))
    end
    if status == "pending" then
      term_out:write("skipped: ", handler.getFullName(element), "\n")
    end
    if options.verbose then
      term_out:write(status, ": ", handler.getFullName(element), "\n")
    end
    return nil, true
  end

  local function failure(element, _, message, trace)
    local text = type(message) == "string" and message or require("pl.pretty").write(message)
    term_out:write("FAILED: ", handler.getFullName(element), "\n  at ", place(element), "\n  ",
      (text:gsub("\n", "\n  ")), "\n")
    if trace and trace.traceback then
      term_out:write("  ", (trace.traceback:gsub("\n", "\n  ")), "\n")
    end
    term_out:flush()
    return nil, true
  end

  function handler.suiteEnd()
    if #slow > 0 then
      table.sort(slow, function(a, b) return a > b end)
      term_out:write("slowest specs:\n", table.concat(slow, "\n", 1, math.min(#slow, 10)), "\n")
    end
    local failed = handler.failuresCount + handler.errorsCount
    term_out:write(("%d passed, %d failed%s\n"):format(handler.successesCount, failed,
      handler.pendingsCount > 0 and (", %d skipped"):format(handler.pendingsCount) or ""))
    term_out:flush()
    return nil, true
  end

  busted.subscribe({ "test", "end" }, handler.testEnd, { predicate = handler.cancelOnPending })
  busted.subscribe({ "failure", "it" }, failure)
  busted.subscribe({ "error", "it" }, failure)
  busted.subscribe({ "error" }, function(element, ...)
    if element.descriptor ~= "it" then
      return failure(element, ...)
    end
    return nil, true
  end)
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end
