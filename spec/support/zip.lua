-- Reads the directory of a zip: for each name size, crc, mode and time.
local zip = {}

function zip.directory(bytes)
  local at = assert(bytes:find("PK\5\6", #bytes - 21, true), "no end of directory")
  local count, _, start = string.unpack("<I2I4I4", bytes, at + 10)
  local names, entries = {}, {}
  local place = start + 1
  for i = 1, count do
    local _, by, _, _, _, time, date, crc, _, size, name_len, extra_len, comment_len, _, _, attributes =
      string.unpack("<I4I2I2I2I2I2I2I4I4I4I2I2I2I2I2I4", bytes, place)
    local name = bytes:sub(place + 46, place + 45 + name_len)
    names[i] = name
    entries[name] = { size = size, crc = crc, mode = attributes >> 16 & 0x1ff, time = time, date = date,
      unix = by >> 8 == 3, extra = extra_len }
    place = place + 46 + name_len + extra_len + comment_len
  end
  return entries, names
end

--- CRC-32 as zips have it.
function zip.crc(bytes)
  local crc = 0xffffffff
  for i = 1, #bytes do
    crc = crc ~ bytes:byte(i)
    for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xedb88320 or crc >> 1 end
  end
  return crc ~ 0xffffffff
end

return zip
