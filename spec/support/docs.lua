-- Reads the documentation and the sources, so that specs can hold one against the other.
local shell = require "spec.support.shell"

local docs = {}

local function lines_of(text)
  return (text .. "\n"):gmatch "(.-)\n"
end

--- Files below the folders whose names end so, in order.
function docs.files(folders, ending)
  local pipe <close> = assert(io.popen(("find %s -type f -name '*%s' | sort"):format(folders, ending)))
  local names = {}
  for name in pipe:lines() do names[#names + 1] = name end
  assert(#names > 0, folders .. " has no *" .. ending)
  return names
end

--- Names in the headings of level 3: `### c:push(v), awsync.push(c, v)` gives "c:push", "awsync.push".
function docs.headings(path)
  local names = {}
  for line in lines_of(shell.read(path)) do
    local heading = line:match "^### (.*)$"
    for name in (heading or ""):gmatch "%a+[.:][%a_]+" do names[name] = true end
  end
  return names
end

--- Every row of the tables: { column = text }, with the number of its line.
function docs.rows(path)
  local rows, columns, number = {}, nil, 0
  for line in lines_of(shell.read(path)) do
    number = number + 1
    local cells = {}
    if line:find "^|" then
      for cell in line:gsub("\\|", "\1"):sub(2):gmatch "%s*(.-)%s*|" do cells[#cells + 1] = (cell:gsub("\1", "|")) end
      if not columns then
        columns = cells
      elseif not line:find "^|%-" then
        local row = { line = number }
        for i, name in ipairs(columns) do row[name] = cells[i] or "" end
        rows[#rows + 1] = row
      end
    else
      columns = nil
    end
  end
  return rows
end

--- What stands between backticks in a text, also between two and two of them.
function docs.spans(text)
  local spans = {}
  text = text:gsub("``%s?(.-)%s?``", function(span)
    spans[#spans + 1] = span
    return ""
  end)
  for span in text:gmatch "`([^`]+)`" do spans[#spans + 1] = span end
  return spans
end

--- The fenced blocks of a language: { text, line }.
function docs.blocks(path, language)
  local blocks, block, number = {}, nil, 0
  for line in lines_of(shell.read(path)) do
    number = number + 1
    if block and line:find "^%s*```%s*$" then
      blocks[#blocks + 1] = { text = table.concat(block, "\n") .. "\n", line = block.line }
      block = nil
    elseif block then
      block[#block + 1] = line
    elseif line:find("^%s*```" .. language .. "%s*$") then
      block = { line = number }
    end
  end
  return blocks
end

-- --- the sources' texts ----------------------------------------------------------------------------------------------

local function unescape(text)
  return (text:gsub("\\(.)", { n = "\n", t = "\t" }):gsub("\\", ""))
end

-- Where the string that begins at from ends: the place of its closing quote.
local function closing_quote(source, from)
  local at = from + 1
  while true do
    at = assert(source:find('["\\]', at), "a string without its end")
    if source:sub(at, at) == '"' then return at end
    at = at + 2
  end
end

-- String literals of C; those with nothing but blanks, or one of the macros of <inttypes.h>, between them are one.
local function c_texts(source, texts)
  local at, text, behind = 1, nil, 1
  while true do
    local from = source:find("[\"'/]", at)
    if not from then break end
    local c = source:sub(from, from)
    if c == "/" then
      at = source:match("^/%*.-%*/()", from) or source:match("^//[^\n]*()", from) or from + 1
    elseif c == "'" then
      at = source:match("^'\\.[^']*'()", from) or source:match("^'[^']'()", from) or from + 1
    else
      local to = closing_quote(source, from)
      local piece, gap = unescape(source:sub(from + 1, to - 1)), source:sub(behind, from - 1)
      if text and gap:find "^%s*$" then
        text = text .. piece
      elseif text and gap:find "^%s*PRI%w+%s*$" then
        text = text .. "d" .. piece
      else
        texts[#texts + 1] = text
        text = piece
      end
      at, behind = to + 1, to + 1
    end
  end
  texts[#texts + 1] = text
end

-- Functions whose text a user may meet.
local raising = {
  "luaL_error", "luaL_argerror", "luaL_argcheck", "codec_refuse", "codec_fail", "fault_text", "fault_remember",
  "cli_error",
}

--- What the C files of a folder raise or print as errors: { text, place }.
function docs.raised(folder)
  local list = {}
  for _, path in ipairs(docs.files(folder, ".c")) do
    local source = shell.read(path)
    for _, name in ipairs(raising) do
      for from, call in source:gmatch("%f[%w_]()" .. name .. "(%b())") do
        local texts = {}
        c_texts(call, texts)
        local _, line = source:sub(1, from):gsub("\n", "")
        for _, text in ipairs(texts) do list[#list + 1] = { text = text, place = ("%s:%d"):format(path, line + 1) } end
      end
    end
  end
  return list
end

local function lua_texts(source, texts)
  for piece in source:gsub("\\'", "'"):gmatch "\"([^\"\n]*)\"" do texts[#texts + 1] = unescape(piece) end
  for piece in source:gmatch "'([^'\n]*)'" do texts[#texts + 1] = unescape(piece) end
end

-- The parts of a text between its directives (%s, %.200s, %zu, %I), when there is enough of it to be told: one word of
-- eight letters, or several words.
local function parts_of(text)
  local parts, letters, several = {}, 0, false
  text = text:gsub("%%%%", "\1"):gsub("%%[-+ #0]*[%d*]*%.?[%d*]*[hlzjt]*[%a]", "\2") .. "\2"
  for part in text:gmatch "([^\2]*)\2" do
    part = part:gsub("\1", "%%"):gsub("^[%s:;]+", ""):gsub("%s+$", "")
    letters = letters + select(2, part:gsub("%a", ""))
    several = several or part:find "%a%s+%a" ~= nil
    if part:find "%a" then parts[#parts + 1] = part end
  end
  return (letters >= 8 or several and letters >= 5) and parts or nil
end

local known

--- Every text of the program's sources as a list of its fixed parts.
function docs.texts()
  if known then return known end
  local texts = {}
  for _, path in ipairs(docs.files("host sigv4", ".[ch]")) do c_texts(shell.read(path), texts) end
  for _, path in ipairs(docs.files("lua", ".lua")) do lua_texts(shell.read(path), texts) end
  known = {}
  for _, text in ipairs(texts) do
    local parts = parts_of(text)
    if parts then known[#known + 1] = parts end
  end
  return known
end

-- Where the rest of the message, from at on, ends with the beginning of the part: for a message that the docs cut.
local function find_beginning(message, part, at)
  local head = part:sub(1, 10)
  local from = message:find(head, at, true)
  while from do
    if message:sub(from) == part:sub(1, #message - from + 1) then return from, #message end
    from = message:find(head, from + 1, true)
  end
end

-- Marks in `covered` where the parts stand in the message, one behind the other. False when not all do. A message that
-- ends with `...` may end in the middle of a text.
local function cover(message, parts, covered)
  local whole, cut = message:gsub("%.%.%.$", "")
  local at, places = 1, {}
  for _, part in ipairs(parts) do
    local from, to = whole:find(part, at, true)
    if not from and cut > 0 then
      from, to = find_beginning(whole, part, at)
      if not from and #places > 0 then break end
      cut = from and 2 or cut
    end
    if not from then return false end
    places[#places + 1] = { from, to }
    at = to + 1
    if cut == 2 then break end
  end
  for _, place in ipairs(places) do
    for i = place[1], place[2] do covered[i] = true end
  end
  return true
end

local operations = {}
for word in ([[push pop range lease select close len delete sender receiver invoke detach async map starmap map_reduce
  done give_back return call error testing start value message event next response]]):gmatch "%S+" do
  operations[word] = true
end

--- The words of a documented message that no source has; nil when all are there. Words in capitals, names in quotes,
--- options, figures and the operation's name in front stand for what varies; words of three letters are not looked at.
function docs.foreign(message)
  local covered = {}
  for _, parts in ipairs(docs.texts()) do cover(message, parts, covered) end
  local start = 1
  while true do
    local word, behind = message:match("^([%a_]+)[:.%s]%s?()", start)
    if not operations[word] then break end
    start = behind
  end
  local words = {}
  local list, list_end = message:match "there are: ()[^)]*()" -- of names
  for from, word in message:gmatch "()(%a+)" do
    local varies = list and from >= list and from < list_end or message:find("^'%a+'", from - 1)
      or message:find("^%-%-%l", from - 2)
    if from >= start and word:find "%l%l%l%l" and not covered[from] and not varies then words[#words + 1] = word end
  end
  return #words > 0 and table.concat(words, " ") or nil
end

--- Raises, with the place, when a message of a page is not in the sources' own words.
function docs.own_words(page, line, message)
  local foreign = docs.foreign(message)
  if foreign then error(("%s:%d: %s: not in the sources: %s"):format(page, line, message, foreign), 0) end
end

--- Whether some message of the list says this text of the sources.
function docs.says(messages, text)
  local parts = parts_of(text)
  if not parts then return true end
  for _, message in ipairs(messages) do
    if cover(message, parts, {}) then return true end
  end
  return false
end

return docs
