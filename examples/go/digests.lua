-- "Go Concurrency Patterns: Pipelines and cancellation", bounded parallelism: the digest of every file of a tree, each
-- computed in a lambda, at most twenty at a time.
-- Event: {"root": "/usr/share/lua", "limit": 20}; without a root, the folder of this program. Answer: lines as
-- sha256sum writes them, sorted by name: "4f80...  /usr/share/lua/5.4/say/init.lua", ...
local awsync = require "awsync"

local K, H = {}, {}

-- The first 32 bits of the fraction of x^(1/n).
local function fraction(x, n)
  local root = x ^ (1 / n)
  return math.floor((root - math.floor(root)) * 2 ^ 32)
end

do
  local n = 2
  repeat
    local prime = true
    for d = 2, math.floor(n ^ 0.5) do prime = prime and n % d ~= 0 end
    if prime then
      K[#K + 1] = fraction(n, 3)
      if #H < 8 then H[#H + 1] = fraction(n, 2) end
    end
    n = n + 1
  until #K == 64
end

local function rotate(x, n)
  return (x >> n | x << 32 - n) & 0xffffffff
end

local function sha256(text)
  local padded = text .. "\128" .. ("\0"):rep((55 - #text) % 64) .. (">I8"):pack(#text * 8)
  local state = { table.unpack(H) }
  for from = 1, #padded, 64 do
    local w = { (">" .. ("I4"):rep(16)):unpack(padded, from) }
    for i = 17, 64 do
      local s0 = rotate(w[i - 15], 7) ~ rotate(w[i - 15], 18) ~ w[i - 15] >> 3
      local s1 = rotate(w[i - 2], 17) ~ rotate(w[i - 2], 19) ~ w[i - 2] >> 10
      w[i] = w[i - 16] + s0 + w[i - 7] + s1 & 0xffffffff
    end
    local a, b, c, d, e, f, g, h = table.unpack(state)
    for i = 1, 64 do
      local s1 = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
      local t1 = h + s1 + (e & f ~ ~e & g) + K[i] + w[i]
      local s0 = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
      local t2 = s0 + (a & b ~ a & c ~ b & c)
      a, b, c, d, e, f, g, h = t1 + t2 & 0xffffffff, a, b, c, d + t1 & 0xffffffff, e, f, g
    end
    for i, x in ipairs { a, b, c, d, e, f, g, h } do state[i] = state[i] + x & 0xffffffff end
  end
  return (("%08x"):rep(8):format(table.unpack(state)))
end

local function digest(path)
  local file <close> = assert(io.open(path, "rb"))
  return sha256(file:read "a") .. "  " .. path
end

function main(event)
  local root = event.root or os.getenv "LAMBDA_TASK_ROOT"
  local paths = {}
  local find <close> = assert(io.popen("find '" .. root .. "' -type f"))
  for path in find:lines() do paths[#paths + 1] = path end
  table.sort(paths)
  return awsync.map(digest, paths, { limit = event.limit or 20 })
end
