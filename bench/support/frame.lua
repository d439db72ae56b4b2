-- What every bench shares: interleaved runs, medians, the machine's line, rows of one form.
--
--   local frame = require "bench.support.frame"
--   local figures = frame.race {
--     { name = "ours", run = function() return { ms = 12.5 } end },
--     { name = "floor", run = function() return { ms = 10 } end },
--   }
--   frame.row { bench = "start", unit = "ms", ours = figures.ours.ms, peer = figures.floor.ms,
--     peer_name = "floor", goal = { most = 2 } }
--   frame.finish()
--
-- A bench runs alone from the root of the tree (`lua5.4 bench/start.lua`) and prints its rows; `tools/bench` runs
-- many and prints their rows as one table. Variables: AWSYNC_BUILD (build), BENCH_RUNS (5), BENCH_PEERS=1: peers that
-- were installed into build/peers take part, BENCH_ROWS: a file to which finish() adds the rows instead.
local frame = {}

frame.build = os.getenv "AWSYNC_BUILD" or "build"
frame.peers = os.getenv "BENCH_PEERS" == "1"
frame.peer_folder = "build/peers"
frame.runs = tonumber(os.getenv "BENCH_RUNS") or 5

local rows = {}

--- Says what goes on, on stderr: stdout has nothing but figures.
function frame.note(text, ...)
  io.stderr:write("  ", text:format(...), "\n")
end

--- { median =, low =, high =, list = } of a list of numbers.
function frame.figure(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local n = #sorted
  assert(n > 0, "no runs")
  return { median = (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2, low = sorted[1], high = sorted[n], list = list }
end

--- Runs the contestants in turn, so often, and beginning with another one each time: what disturbs the machine
--- disturbs all of them. Each is { name =, run = function(round) return { key = number, ... } end }, with runs = of so
--- many rounds only; an error ends the bench. Returns figures: by name, by key, as frame.figure has them.
function frame.race(contestants, runs)
  local lists = {}
  for _, contestant in ipairs(contestants) do lists[contestant.name] = {} end
  for round = 1, runs or frame.runs do
    for turn = 0, #contestants - 1 do
      local contestant = contestants[(round + turn - 1) % #contestants + 1]
      for key, number in pairs(round <= (contestant.runs or round) and contestant.run(round) or {}) do
        local list = lists[contestant.name]
        list[key] = list[key] or {}
        table.insert(list[key], number)
      end
    end
  end
  for _, list in pairs(lists) do
    for key, numbers in pairs(list) do list[key] = frame.figure(numbers) end
  end
  return lists
end

--- Three digits that count.
local function short(number)
  local size = math.abs(number)
  local form = (size >= 100 or size == 0) and "%.0f" or size >= 10 and "%.1f" or size >= 1 and "%.2f" or "%.3g"
  return form:format(number)
end

local function shown(figure, unit)
  if not figure then return "" end
  local text = short(figure.median) .. " " .. unit
  if #figure.list > 1 then text = text .. (" (%s to %s)"):format(short(figure.low), short(figure.high)) end
  return text
end

local words = { less = { "quicker", "slower" }, more = { "more", "less" } }

-- The ratio in words, and the goal with what became of it.
local function judge(row)
  local more = row.better == "more"
  local ours, peer = row.ours.median, row.peer and row.peer.median
  local ratio = peer and (more and peer / ours or ours / peer)
  local good, bad = table.unpack(row.words or words[more and "more" or "less"])
  local ratio_text = ""
  if ratio then
    local factor = ratio <= 1 and 1 / ratio or ratio
    local form = factor >= 100 and "%.0fx %s" or factor >= 10 and "%.1fx %s" or "%.2fx %s"
    ratio_text = form:format(factor, ratio <= 1 and good or bad)
  end
  local goal, text, met = row.goal or {}, {}, true
  local function wanted(met_now, form, ...)
    text[#text + 1] = form:format(...)
    met = met and met_now
  end
  if goal.most then wanted(ratio <= goal.most, "at most %gx", goal.most) end
  if goal.least then wanted(1 / ratio >= goal.least, "at least %gx", goal.least) end
  if goal.at_most then wanted(row.ours.median <= goal.at_most, "at most %g %s", goal.at_most, row.unit) end
  if goal.at_least then wanted(row.ours.median >= goal.at_least, "at least %g %s", goal.at_least, row.unit) end
  if goal.ahead then wanted(ratio <= 1, "ahead") end
  return ratio_text, #text == 0 and "" or table.concat(text, ", ") .. (met and ": met" or ": missed")
end

--- Adds a row. bench: its name; ours, peer: figures (or plain numbers); peer_name; unit; better: "less" (the rule) or
--- "more"; words: what a good and a bad ratio are called instead of quicker and slower (more and less).
--- goal: most (so many times the peer's figure at the most), least (so many times better at the least), ahead (of
--- the peer), at_most, at_least (in the unit).
function frame.row(row)
  local function figure(value)
    return type(value) == "number" and frame.figure { value } or value
  end
  row.ours, row.peer = figure(row.ours), figure(row.peer)
  local ratio, goal = judge(row)
  local peer = row.peer and row.peer_name .. ": " .. shown(row.peer, row.unit) or ""
  rows[#rows + 1] = { row.bench, shown(row.ours, row.unit), peer, ratio, goal }
end

local function first_line(path, pattern)
  local file = io.open(path)
  local found
  for line in file and file:lines() or function() end do
    found = line:match(pattern)
    if found then break end
  end
  if file then file:close() end
  return found
end

--- One line: processor, cores, memory, kernel, load.
function frame.machine()
  local cores = 0
  for line in io.lines "/proc/cpuinfo" do
    if line:match "^processor" then cores = cores + 1 end
  end
  return ("%s, %d cores, %.1f GB; Linux %s; load %s; %s"):format(
    first_line("/proc/cpuinfo", "^model name%s*:%s*(.*)") or "unknown processor", cores,
    (tonumber(first_line("/proc/meminfo", "^MemTotal:%s*(%d+)")) or 0) / 1048576,
    first_line("/proc/sys/kernel/osrelease", "(.*)") or "?", first_line("/proc/loadavg", "^(%S+)") or "?",
    os.date "!%Y-%m-%d")
end

local heading = { "bench", "ours", "peer", "ratio", "goal" }

--- Prints rows as a table that is Markdown and can be read as it is.
function frame.print(list)
  local widths = {}
  for _, row in ipairs { heading, table.unpack(list) } do
    for i = 1, #heading do widths[i] = math.max(widths[i] or 0, utf8.len(row[i])) end
  end
  local function line(row, blank)
    local cells = {}
    for i, cell in ipairs(row) do cells[i] = cell .. blank:rep(widths[i] - utf8.len(cell)) end
    print("| " .. table.concat(cells, " | ") .. " |")
  end
  line(heading, " ")
  line({ "", "", "", "", "" }, "-")
  for _, row in ipairs(list) do line(row, " ") end
end

--- The end of a bench: prints its rows, or hands them on.
function frame.finish()
  local path = os.getenv "BENCH_ROWS"
  if not path then
    print(frame.machine())
    print(("median (least to most) of at least %d interleaved runs\n"):format(frame.runs))
    return frame.print(rows)
  end
  local file = assert(io.open(path, "a"))
  for _, row in ipairs(rows) do file:write(table.concat(row, "\t"), "\n") end
  assert(file:close())
end

--- Rows that finish() has added to a file.
function frame.read(path)
  local list = {}
  for line in io.lines(path) do
    local row = {}
    for cell in (line .. "\t"):gmatch "([^\t]*)\t" do row[#row + 1] = cell end
    list[#list + 1] = row
  end
  return list
end

--- A word for the shell.
function frame.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

--- What a command prints; an error if it fails.
function frame.output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  local good, how, status = pipe:close()
  if not good then error(("%s: %s %d"):format(command, how, status), 2) end
  return text
end

--- Milliseconds, with fractions, on the wall clock.
function frame.now_ms()
  return require("socket").gettime() * 1000
end

return frame
