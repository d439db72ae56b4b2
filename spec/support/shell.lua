-- Runs the programs of the build as a user would: by a shell, with a time limit.
local shell = {}

local build = assert(os.getenv("AWSYNC_BUILD"), "AWSYNC_BUILD is not set: run the specs by `make test`")
shell.build = build
shell.awsync = build .. "/awsync"
shell.bootstrap = build .. "/bootstrap"

function shell.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

function shell.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

function shell.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

--- A new empty folder, removed by the returned function.
function shell.folder()
  local pipe <close> = assert(io.popen("mktemp -d"))
  local path = pipe:read("l")
  return path, function() os.execute("rm -rf " .. shell.quote(path)) end
end

local limit = (os.getenv "SANITIZE" or "") == "" and 100 or 300 -- seconds

--- Runs a shell command. Returns what it wrote to standard output and standard error, and its exit status.
function shell.run(command, seconds)
  local out, err = os.tmpname(), os.tmpname()
  local _, _, status = os.execute(("timeout -k 5 %d sh -c %s >%s 2>%s </dev/null"):format(
    seconds or limit, shell.quote(command), out, err))
  local stdout, stderr = shell.read(out), shell.read(err)
  os.remove(out)
  os.remove(err)
  return stdout, stderr, status
end

--- Runs `awsync` with the given words.
function shell.run_awsync(...)
  local words = { shell.awsync }
  for _, word in ipairs { ... } do words[#words + 1] = shell.quote(tostring(word)) end
  return shell.run(table.concat(words, " "))
end

--- Starts a command in the background. Returns its process id and the files of its two outputs.
function shell.start(command)
  local out, err, pid = os.tmpname(), os.tmpname(), os.tmpname()
  os.execute(("%s >%s 2>%s </dev/null & echo $! >%s"):format(command, out, err, pid))
  local id = assert(tonumber(shell.read(pid)))
  os.remove(pid)
  return id, out, err
end

--- Calls check every 20 ms until it gives something true, which it returns; raises after some seconds.
function shell.wait_for(what, check, seconds)
  local deadline = os.time() + (seconds or 30)
  while os.time() <= deadline do
    local result = check()
    if result then return result end
    os.execute("sleep 0.02")
  end
  error("waited in vain for " .. what, 2)
end

--- The number of processes that have NAME=value in their environment.
function shell.count_processes(variable)
  local pipe <close> = assert(io.popen(("grep -lz '^%s$' /proc/[0-9]*/environ 2>/dev/null | wc -l"):format(variable)))
  return tonumber(pipe:read("a"))
end

return shell
