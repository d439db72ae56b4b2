-- Arguments of the functions in lua/awsync: what is wrong is said with function, argument and type.

local check = {}

local function shown(value)
  if value == nil then return "no value" end
  return type(value)
end

function check.argument(ok, operation, index, message, level)
  if not ok then error(("bad argument #%d to '%s' (%s)"):format(index, operation, message), (level or 1) + 2) end
end

function check.type(value, expected, operation, index)
  check.argument(type(value) == expected, operation, index, ("%s expected, got %s"):format(expected, shown(value)), 2)
end

--- A function that can be called in another lambda.
function check.func(f, operation, index)
  check.argument(type(f) == "function", operation, index, "function expected, got " .. shown(f), 2)
  check.argument(debug.getinfo(f, "S").what ~= "C", operation, index,
    "a C function cannot be called in another lambda: wrap it in a Lua function", 2)
end

--- 0 or more seconds, or nil.
function check.seconds(value, operation, index)
  check.argument(value == nil or type(value) == "number" and value >= 0, operation, index,
    "0 or more seconds expected, got " .. (type(value) == "number" and tostring(value) or type(value)), 2)
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
