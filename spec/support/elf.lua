-- Makes small ELF files: headers alone, what a loader looks at. They cannot run.
local elf = {}

elf.X86_64, elf.ARM64 = 62, 183

--- options: machine (elf.X86_64), needed (list of libraries), versions (list: "GLIBC_2.34"), class (2), data (1).
function elf.make(options)
  options = options or {}
  local strings, offsets = "\0", {}
  local function text(s)
    if not offsets[s] then
      offsets[s] = #strings
      strings = strings .. s .. "\0"
    end
    return offsets[s]
  end
  local dynamic = {}
  for _, name in ipairs(options.needed or { "libc.so.6" }) do dynamic[#dynamic + 1] = { 1, text(name) } end
  local versions = options.versions or { "GLIBC_2.34" }
  local verneed = string.pack("<I2I2I4I4I4", 1, #versions, text "libc.so.6", 16, 0)
  for i, name in ipairs(versions) do
    verneed = verneed .. string.pack("<I4I2I2I4I4", 0, 0, 2, text(name), i < #versions and 16 or 0)
  end
  local strings_at = 64 + 2 * 56
  local verneed_at = strings_at + #strings
  local dynamic_at = verneed_at + #verneed
  for _, entry in ipairs { { 5, strings_at }, { 0x6ffffffe, verneed_at }, { 0x6fffffff, 1 }, { 0, 0 } } do
    dynamic[#dynamic + 1] = entry
  end
  local table_text = ""
  for _, entry in ipairs(dynamic) do table_text = table_text .. string.pack("<i8I8", entry[1], entry[2]) end
  local size = dynamic_at + #table_text
  local header = "\x7fELF" .. string.char(options.class or 2, options.data or 1, 1) .. ("\0"):rep(9) ..
    string.pack("<I2I2I4I8I8I8I4I2I2I2I2I2I2", 3, options.machine or elf.X86_64, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
  local function segment(kind, at, length)
    return string.pack("<I4I4I8I8I8I8I8I8", kind, 5, at, at, at, length, length, 8)
  end
  return header .. segment(1, 0, size) .. segment(2, dynamic_at, #table_text) .. strings .. verneed .. table_text
end

return elf
