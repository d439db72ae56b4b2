-- same(a, b): true when b is a copy of a: types and subtypes, bits of floats, identity of tables and functions within
-- each, metatables. Otherwise false and the place. Tables may be keys only of themselves' equals by value.
local function scalar(a, b)
  if math.type(a) ~= math.type(b) then return false end
  if math.type(a) == "float" then
    if a ~= a then return b ~= b end
    return a == b and 1 / a == 1 / b
  end
  return a == b
end

local function walk(a, b, there, back, place)
  if type(a) ~= type(b) then return false, place end
  if type(a) ~= "table" then
    if type(a) == "function" then
      if there[a] == nil and back[b] == nil then there[a], back[b] = b, a end
      return there[a] == b and back[b] == a, place
    end
    return scalar(a, b), place
  end
  if there[a] ~= nil or back[b] ~= nil then
    return there[a] == b and back[b] == a, place
  end
  there[a], back[b] = b, a
  if getmetatable(a) ~= getmetatable(b) then return false, place .. " (metatable)" end
  local count = 0
  for key, value in next, a do
    local good, where = walk(value, rawget(b, key), there, back, place .. "." .. tostring(key))
    if not good then return false, where end
    count = count + 1
  end
  for key in next, b do
    count = count - 1
    if math.type(key) == "float" and rawget(a, key) == nil then return false, place .. " (keys)" end
  end
  return count == 0, place .. " (count)"
end

return function(a, b)
  return walk(a, b, {}, {}, "value")
end
