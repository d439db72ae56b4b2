-- The README's program, whole: from the start of `awsync run` to its end, with the engine, main and five calls, each a
-- process of its own that starts cold. The peer is the same program in Python on the same engine, with AWS's runtime
-- client for Python and boto3. Goals: at most 60 ms, at least 20 times as quick as the peer.
-- Usage: lua5.4 bench/squares.lua
local frame = require "bench.support.frame"

local root = frame.output "pwd":match "[^\n]+"
local awsync = frame.build .. "/awsync"
local wanted = { ["examples/squares.lua"] = '{"statusCode":200,"body":"30"}\n' }

-- Runs a program and looks at its answer.
local function contestant(name, program, bootstrap)
  local command = ("%s run --quiet --bootstrap %s %s 2>/dev/null"):format(awsync, frame.quote(bootstrap), program)
  return { name = name, run = function()
    local begun = frame.now_ms()
    local answer = frame.output(command)
    local took = frame.now_ms() - begun
    assert(answer:find("30", 1, true) and (not wanted[program] or answer == wanted[program]),
      name .. " answers " .. answer)
    return { ms = took }
  end }
end

local contestants = {
  contestant("static", "examples/squares.lua", frame.build .. "/static/bootstrap"),
  contestant("shared", "examples/squares.lua", frame.build .. "/bootstrap"),
}
if frame.peers then
  local python = root .. "/" .. frame.peer_folder .. "/bin/python"
  contestants[#contestants + 1] = contestant("awslambdaric and boto3", "spec/conformance/squares.py",
    python .. " -m awslambdaric squares.main")
end
local figures = frame.race(contestants, frame.runs * 3)
local peer = figures["awslambdaric and boto3"]
local function row(bench, name, goal)
  frame.row { bench = bench, unit = "ms", ours = figures[name].ms, peer = peer and peer.ms,
    peer_name = "awslambdaric and boto3", goal = goal }
end
row("sum of squares, cold", "static", { at_most = 60, least = peer and 20 or nil })
row("sum of squares, cold, shared libraries", "shared")
frame.finish()
