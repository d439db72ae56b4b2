-- Counts the words of a text file that lies beside the program: the text is split over lambdas, the counts are merged.
-- Event: {"file": "wordcount.txt", "lambdas": 4, "top": 10}. Answer: the most frequent words with their counts.
local awsync = require "awsync"
local Channel, invoke = awsync.Channel, awsync.invoke

local function count(counts, text)
  local found = {}
  for word in text:lower():gmatch("%a+") do
    found[word] = (found[word] or 0) + 1
  end
  counts:push(found)
end

-- The text in at most n pieces, each ending at the end of a line.
local function pieces(text, n)
  local size, from, list = math.ceil(#text / n), 1, {}
  while from <= #text do
    local to = text:find("\n", math.min(from + size - 1, #text), true) or #text
    list[#list + 1] = text:sub(from, to)
    from = to + 1
  end
  return list
end

function main(event)
  local path = os.getenv("LAMBDA_TASK_ROOT") .. "/" .. (event.file or "wordcount.txt")
  local file <close> = assert(io.open(path))
  local list = pieces(file:read("a"), event.lambdas or 4)

  local counts <close> = Channel()
  for _, piece in ipairs(list) do invoke(count, counts, piece) end

  local total = {}
  for _ = 1, #list do
    for word, n in pairs(counts:pop()) do total[word] = (total[word] or 0) + n end
  end

  local words = {}
  for word, n in pairs(total) do words[#words + 1] = { word = word, count = n } end
  table.sort(words, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.word < b.word
  end)
  return table.move(words, 1, math.min(event.top or 10, #words), 1, {})
end
