/*
** Names: what a loaded module has is found again by the module's name and the field's. Also the
** names of functions for messages.
*/
#include "host/binding/codec_internal.h"

#include <stdio.h>
#include <string.h>

static bool is_text(lua_State *L, int idx) {
    size_t len;
    if (lua_type(L, idx) != LUA_TSTRING)
        return false;
    const char *text = lua_tolstring(L, idx, &len);
    return strlen(text) == len && json_utf8_valid(text, len);
}

static bool is_own(const char *module) {
    return strcmp(module, "awsync") == 0 || strncmp(module, "awsync.", 7) == 0;
}

/* Replaces the best names, in the slots module and module + 1, if these are better. The field
** (or nil) is on top. */
static void consider(lua_State *L, int module, int name) {
    const char *best = lua_tostring(L, module);
    int order = best ? strcmp(lua_tostring(L, name), best) : -1;
    bool whole = lua_isnil(L, -1);
    bool best_whole = best && lua_isnil(L, module + 1);
    if (whole != best_whole)
        order = whole ? -1 : best ? 1 : -1;
    else if (order == 0 && !whole)
        order = strcmp(lua_tostring(L, -1), lua_tostring(L, module + 1));
    if (order >= 0)
        return;
    lua_pushvalue(L, name);
    lua_replace(L, module);
    lua_pushvalue(L, -1);
    lua_replace(L, module + 1);
}

/* --- what was found before -------------------------------------------------------------------- */

/* A weak table from values to {module, field}. A name counts while it still leads to the value. */

static const char cache_key = 0;

static void remember(lua_State *L, int what, int module) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
    }
    lua_pushvalue(L, what);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, module);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, module + 1);
    lua_rawseti(L, -2, 2);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* Pushes module and field as codec_name_find does, or nothing. */
static bool recall(lua_State *L, int what, bool own) {
    int top = lua_gettop(L);
    lua_settop(L, top + 2); /* for the result */
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) == LUA_TTABLE) {
        lua_pushvalue(L, what);
        if (lua_rawget(L, -2) == LUA_TTABLE) {
            lua_rawgeti(L, -1, 1);
            lua_replace(L, top + 1);
            lua_rawgeti(L, -1, 2);
            lua_replace(L, top + 2);
            lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
            lua_pushvalue(L, top + 1);
            lua_rawget(L, -2);
            if (!lua_isnil(L, top + 2) && lua_istable(L, -1)) {
                lua_pushvalue(L, top + 2);
                lua_rawget(L, -2);
            }
            if (lua_rawequal(L, -1, what) && (!own || is_own(lua_tostring(L, top + 1)))) {
                lua_settop(L, top + 2);
                return true;
            }
        }
    }
    lua_settop(L, top);
    return false;
}

/* --- search ----------------------------------------------------------------------------------- */

bool codec_name_find(lua_State *L, int idx, bool own) {
    int what = lua_absindex(L, idx);
    luaL_checkstack(L, 2 * LUA_MINSTACK, NULL);
    if (recall(L, what, own))
        return true;
    int module = lua_gettop(L) + 1;
    lua_pushnil(L);
    lua_pushnil(L);
    if (lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE) != LUA_TTABLE) {
        lua_settop(L, module - 1);
        return false;
    }
    int loaded = module + 2;
    lua_pushnil(L);
    while (lua_next(L, loaded)) {
        int name = loaded + 1, value = loaded + 2;
        if (is_text(L, name) && (!own || is_own(lua_tostring(L, name)))) {
            if (lua_rawequal(L, value, what)) {
                lua_pushnil(L);
                consider(L, module, name);
                lua_pop(L, 1);
            } else if (lua_istable(L, value)) {
                lua_pushnil(L);
                while (lua_next(L, value)) {
                    if (lua_rawequal(L, -1, what) && is_text(L, -2)) {
                        lua_pushvalue(L, -2);
                        consider(L, module, name);
                        lua_pop(L, 1);
                    }
                    lua_pop(L, 1);
                }
            }
        }
        lua_settop(L, name);
    }
    bool found = !lua_isnil(L, module);
    if (found)
        remember(L, what, module);
    lua_settop(L, found ? module + 1 : module - 1);
    return found;
}

static void push_module(lua_State *L, const char *module) {
    if (strcmp(module, "_G") == 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        return;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushstring(L, module);
    if (lua_rawget(L, -2) != LUA_TNIL) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 2);
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
}

void codec_name_push(lua_State *L, const char *operation, const char *module, const char *field) {
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    push_module(L, module);
    if (!field)
        return;
    if (lua_istable(L, -1)) {
        lua_pushstring(L, field);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    }
    if (lua_isnil(L, -1))
        luaL_error(L, "%s: message needs '%s' of module '%s', which is not there", operation, field,
                   module);
}

bool codec_add_name(struct codec_encoder *E, int idx, bool own) {
    lua_State *L = E->L;
    int what = lua_absindex(L, idx);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (lua_isnil(L, E->names)) {
        lua_newtable(L);
        lua_replace(L, E->names);
    }
    lua_pushvalue(L, what);
    if (lua_rawget(L, E->names) == LUA_TSTRING) {
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);
        codec_add(E, text, len);
        lua_pop(L, 1);
        return true;
    }
    bool nameless = lua_isboolean(L, -1);
    lua_pop(L, 1);
    if (nameless)
        return false;
    size_t begin = E->out.len;
    bool found = codec_name_find(L, what, own);
    if (!found && own)
        return false;
    lua_pushvalue(L, what);
    if (found) {
        size_t len;
        const char *text = lua_tolstring(L, -3, &len);
        codec_addc(E, '[');
        codec_add_string(E, "", text, len);
        text = lua_tolstring(L, -2, &len);
        if (text) {
            codec_addc(E, ',');
            codec_add_string(E, "", text, len);
        }
        codec_addc(E, ']');
        lua_pushlstring(L, E->out.data + begin, E->out.len - begin);
    } else {
        lua_pushboolean(L, 0);
    }
    lua_rawset(L, E->names);
    lua_pop(L, found ? 2 : 0);
    return found;
}

/* --- functions -------------------------------------------------------------------------------- */

/* Pushes the name in the globals, else `module.name`; false and nothing when there is none. */
static bool push_known_name(lua_State *L, int f) {
    if (!codec_name_find(L, f, false))
        return false;
    const char *module = lua_tostring(L, -2), *field = lua_tostring(L, -1);
    if (field && strcmp(module, "_G") != 0)
        lua_pushfstring(L, "%s.%s", module, field);
    else
        lua_pushstring(L, field ? field : module);
    lua_replace(L, -3);
    lua_pop(L, 1);
    return true;
}

/* A local function that calls itself holds itself in an upvalue of its name. */
static bool push_own_name(lua_State *L, int f) {
    for (int i = 1;; i++) {
        const char *name = lua_getupvalue(L, f, i);
        if (!name)
            return false;
        bool self = name[0] != '\0' && lua_rawequal(L, -1, f);
        lua_pop(L, 1);
        if (self) {
            lua_pushstring(L, name);
            return true;
        }
    }
}

void codec_function_name(lua_State *L, int idx) {
    int f = lua_absindex(L, idx);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (lua_type(L, f) != LUA_TFUNCTION)
        lua_pushfstring(L, "(a %s)", luaL_typename(L, f));
    else if (!push_known_name(L, f) && !push_own_name(L, f)) {
        lua_Debug ar;
        lua_pushvalue(L, f);
        lua_getinfo(L, ">S", &ar);
        const char *file = strrchr(ar.short_src, '/');
        file = file ? file + 1 : ar.short_src;
        if (ar.linedefined < 0)
            lua_pushliteral(L, "(a C function)");
        else if (!json_utf8_valid(file, strlen(file)))
            lua_pushfstring(L, "?:%d", ar.linedefined);
        else
            lua_pushfstring(L, "%s:%d", file, ar.linedefined);
    }
}
