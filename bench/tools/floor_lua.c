/* The floor with Lua loaded. */
#define FLOOR_LUA
#include "bench/tools/floor.c"
