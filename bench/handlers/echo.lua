-- The least handler: no module. It must load in a bare Lua state too (bench/tools/floor.c).
function main(event)
  return event
end
