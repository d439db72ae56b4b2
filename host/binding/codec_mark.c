/* cjson's marks for arrays, where the loaded cjson has them. */
#include "host/binding/codec_internal.h"

/* Pushes the field of the loaded module cjson, nil when it has none. */
static void push_field(lua_State *L, const char *field) {
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "cjson");
    lua_remove(L, -2);
    if (lua_istable(L, -1)) {
        lua_pushstring(L, field);
        lua_rawget(L, -2);
    } else {
        lua_pushnil(L);
    }
    lua_remove(L, -2);
}

static bool is_field(lua_State *L, int idx, const char *field) {
    idx = lua_absindex(L, idx);
    push_field(L, field);
    bool same = lua_rawequal(L, idx, -1);
    lua_pop(L, 1);
    return same;
}

bool codec_is_array_mark(lua_State *L, int idx) {
    return is_field(L, idx, "empty_array_mt") || is_field(L, idx, "array_mt");
}

bool codec_is_empty_array(lua_State *L, int idx) {
    return is_field(L, idx, "empty_array");
}
