-- A fake HTTP server on a free loopback port, in a process of its own, so that a spec may block while it answers.
--
--   local server <close> = http_server.start(function(request, state) return { status = 500, body = "..." } end)
--
-- The function has no upvalues but _ENV. request: method, target, headers (lower-case names), body, connection (its
-- number), number (of the request). state: a table that lives as long as the server. Answer (nil: 200 with `{}`):
-- status, headers, body, delay in seconds, action: "hang" (no answer), "reset", "close" (instead of an answer),
-- "partial" (half of the body), "answer_close" (the connection is closed behind a complete answer, without a word).
local socket = require "socket"
local cjson = require "cjson"

local http_server = {}
local Server = {}
Server.__index = Server

function http_server.start(handler)
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  local child = assert(io.popen(("exec lua5.4 spec/support/http_child.lua %d"):format(port), "w"))
  listener:settimeout(20)
  local control = assert(listener:accept())
  listener:close()
  control:settimeout(20)
  local code = string.dump(handler)
  assert(control:send(#code .. "\n" .. code))
  local number = assert(control:receive("*l"))
  return setmetatable({ control = control, child = child, port = tonumber(number),
    url = "http://127.0.0.1:" .. number }, Server)
end

--- What the server has seen: requests, connections (count), most (requests at once), state.
function Server:log()
  assert(self.control:send("log\n"))
  return cjson.decode((assert(self.control:receive("*l"))))
end

function Server:close()
  if self.control then
    self.control:send("quit\n") -- a later child may have inherited the socket, so that closing it is not enough
    self.control:close()
    self.child:close()
    self.control = nil
  end
end
Server.__close = Server.close
Server.__gc = Server.close

--- A port on which nobody listens.
function http_server.dead_port()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return tonumber(port)
end

return http_server
