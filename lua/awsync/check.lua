-- Arguments of the functions in lua/awsync: what is wrong is said with function, argument and type.

local check = {}

local function shown(value)
  if value == nil then return "no value" end
  return type(value)
end

-- What all files of awsync have before their names: `@/usr/share/lua/5.4/awsync` for this one.
local own = debug.getinfo(1, "S").source:match "^(.*)/check%.lua$" or ""

-- The line that called awsync, however deep in awsync it is asked for.
local function place()
  local level = 2
  repeat
    level = level + 1
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    local here = info.source == own .. ".lua" or info.source:sub(1, #own + 1) == own .. "/"
    if not here and info.currentline > 0 then return ("%s:%d: "):format(info.short_src, info.currentline) end
  until false
end

--- Raises, with the place of the call of awsync, unless ok.
function check.argument(ok, operation, index, message)
  if not ok then error(("%sbad argument #%d to '%s' (%s)"):format(place(), index, operation, message), 0) end
end

function check.type(value, expected, operation, index)
  check.argument(type(value) == expected, operation, index, ("%s expected, got %s"):format(expected, shown(value)))
end

--- A function that can be called in another lambda.
function check.func(f, operation, index)
  check.argument(type(f) == "function", operation, index, "function expected, got " .. shown(f))
  check.argument(debug.getinfo(f, "S").what ~= "C", operation, index,
    "a C function cannot be called in another lambda: wrap it in a Lua function")
end

--- 0 or more seconds, or nil.
function check.seconds(value, operation, index)
  check.argument(value == nil or type(value) == "number" and value >= 0, operation, index,
    "0 or more seconds expected, got " .. (type(value) == "number" and tostring(value) or type(value)))
end

local kinds = {
  whole = { "a whole number of 1 or more", function(v) return math.type(v) == "integer" and v >= 1 end },
  count = { "a whole number of 0 or more", function(v) return math.type(v) == "integer" and v >= 0 end },
  seconds = { "0 or more seconds", function(v) return type(v) == "number" and v >= 0 end },
  boolean = { "a boolean", function(v) return type(v) == "boolean" end },
  errors = { '"first" or "all"', function(v) return v == "first" or v == "all" end },
}

--- Options: nil or a table whose keys are all in known, as { limit = "whole" }. Returns a table.
function check.options(options, known, operation, index)
  if options == nil then return {} end
  check.type(options, "table", operation, index)
  for key, value in pairs(options) do
    local kind = kinds[known[key]]
    if not kind then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      table.sort(names)
      check.argument(false, operation, index,
        ("unknown option '%s' (there are: %s)"):format(tostring(key), table.concat(names, ", ")))
    end
    check.argument(kind[2](value), operation, index, ("option '%s' should be %s, not %s"):format(key, kind[1],
      type(value) == "string" and '"' .. value .. '"' or tostring(value)))
  end
  return options
end

return check
