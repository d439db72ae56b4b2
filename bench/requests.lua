-- What 1,000 values cost in requests (SendMessageBatch, ReceiveMessage and DeleteMessageBatch of the channel) from one
-- lambda to another, both as quick as they can: as `awsync run --stats` counts what AWS would bill. Goals: at most 0.3
-- requests for a value, on a stream at most 0.02.
-- Usage: lua5.4 bench/requests.lua
local frame = require "bench.support.frame"

local COUNT = 1000

local function contestant(name, stream)
  return { name = name, run = function()
    local event = ('{"n":%d,"stream":%s}'):format(COUNT, stream)
    local text = frame.output(("%s/awsync run bench/programs/quick.lua --quiet --stats --event '%s' 2>&1"):format(
      frame.build, event))
    local sum = 0
    for operation in ("SendMessageBatch ReceiveMessage DeleteMessageBatch"):gmatch "%a+" do
      -- The last column but one has the requests to FIFO queues; an operation that was not used has no line.
      sum = sum + tonumber(text:match("\n  " .. operation .. "%s+%d+%s+%d+%s+(%d+)") or 0)
    end
    assert(sum > 0, text)
    return { each = sum / COUNT }
  end }
end

local figures = frame.race { contestant("channel", false), contestant("stream", true) }
frame.row { bench = "1000 values, quick to quick", unit = "requests each", ours = figures.channel.each,
  goal = { at_most = 0.3 } }
frame.row { bench = "1000 values on a stream", unit = "requests each", ours = figures.stream.each,
  goal = { at_most = 0.02 } }
frame.finish()
