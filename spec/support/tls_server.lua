-- A TLS server for specs: openssl's own, with a certificate for localhost that nobody but its `cert` vouches for.
--
--   local server <close> = tls_server.start("-www", 3)
--
-- how: what it answers with, `-www` (a page about the connection) or `-HTTP` (files of server.folder, which hold whole
-- answers). It ends by itself after so many connections, or after 30 seconds.
local shell = require "spec.support.shell"

local tls_server = {}
local Server = {}
Server.__index = Server

function tls_server.start(how, connections)
  local folder, remove = shell.folder()
  local self = setmetatable({ folder = folder, cert = folder .. "/cert", remove = remove }, Server)
  assert(os.execute(("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 "
    .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null"):format(folder)),
    "the openssl program makes the certificate")
  self.child = assert(io.popen(("cd %s && exec timeout 30 openssl s_server -accept 127.0.0.1:0 -key key -cert cert "
    .. "%s -naccept %d 2>/dev/null </dev/null"):format(folder, how, connections)))
  while not self.port do
    self.port = assert(self.child:read("l")):match("^ACCEPT .*:(%d+)%s*$")
  end
  self.url = "https://localhost:" .. self.port
  return self
end

--- Waits until it has had its connections.
function Server:close()
  if self.child then
    self.child:close()
    self.child = nil
    self.remove()
  end
end
Server.__close = Server.close

return tls_server
