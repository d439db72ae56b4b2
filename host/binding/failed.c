/* Error objects. See failed.h. */
#include "host/binding/failed.h"

#include <string.h>

#include <lauxlib.h>

#include "host/binding/codec.h"

#define ERROR_TYPE "awsync.Error"

bool failed_is(lua_State *L, int idx) {
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return false;
    luaL_getmetatable(L, ERROR_TYPE);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

void failed_push_type(lua_State *L) {
    luaL_getmetatable(L, ERROR_TYPE);
}

void failed_mark(lua_State *L) {
    luaL_setmetatable(L, ERROR_TYPE);
}

void failed_set(lua_State *L, const char *field, const char *text) {
    if (text == NULL || text[0] == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

int failed_raise(lua_State *L, const char *kind) {
    lua_createtable(L, 0, 4);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    failed_set(L, "kind", kind);
    failed_mark(L);
    return lua_error(L);
}

static int raw_field(lua_State *L, int idx, const char *field) {
    idx = lua_absindex(L, idx);
    lua_pushstring(L, field);
    return lua_rawget(L, idx);
}

const char *failed_kind(lua_State *L, int idx) {
    if (!failed_is(L, idx))
        return FAILED_ERROR;
    const char *kind = raw_field(L, idx, "kind") == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1);
    return kind != NULL ? kind : FAILED_ERROR;
}

/* Pushes where it happened: `work(7), request id R`; "" when that is not known. */
static void push_place(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    if (raw_field(L, idx, "fn") == LUA_TSTRING) {
        luaL_addvalue(&b);
        luaL_addchar(&b, '(');
        if (raw_field(L, idx, "args") == LUA_TSTRING)
            luaL_addvalue(&b);
        else
            lua_pop(L, 1);
        luaL_addchar(&b, ')');
    } else {
        lua_pop(L, 1);
    }
    if (raw_field(L, idx, "request_id") == LUA_TSTRING) {
        if (luaL_bufflen(&b) > 0)
            luaL_addstring(&b, ", ");
        luaL_addstring(&b, "request id ");
        luaL_addvalue(&b);
    } else {
        lua_pop(L, 1);
    }
    luaL_pushresult(&b);
}

static int plain_text(lua_State *L) {
    codec_encode_json(L, 1, "error");
    return 1;
}

/* Pushes the message as text; plain data as JSON. */
static void push_message(lua_State *L, int idx) {
    int type = raw_field(L, idx, "message");
    if (type == LUA_TTABLE && luaL_getmetafield(L, -1, "__tostring") == LUA_TNIL) {
        lua_pushcfunction(L, plain_text);
        lua_pushvalue(L, -2);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
            lua_pop(L, 1);
            luaL_tolstring(L, -1, NULL);
        }
        lua_remove(L, -2);
        return;
    }
    lua_settop(L, type == LUA_TTABLE ? lua_gettop(L) - 1 : lua_gettop(L));
    if (type == LUA_TNIL)
        lua_pushliteral(L, "nil");
    else
        luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
}

static lua_Integer other_count(lua_State *L, int idx) {
    lua_Integer count = 0;
    if (raw_field(L, idx, "others") == LUA_TTABLE)
        count = (lua_Integer)lua_rawlen(L, -1);
    lua_pop(L, 1);
    return count;
}

void failed_push_summary(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    push_message(L, idx);
    push_place(L, idx);
    if (lua_rawlen(L, -1) > 0) {
        lua_pushfstring(L, " (in %s)", lua_tostring(L, -1));
        lua_remove(L, -2);
        lua_concat(L, 2);
    } else {
        lua_pop(L, 1);
    }
    lua_Integer others = other_count(L, idx);
    if (others > 0) {
        lua_pushfstring(L, " and %I other failed call%s", (LUAI_UACINT)others,
                        others == 1 ? "" : "s");
        lua_concat(L, 2);
    }
}

/* The message, the child's traceback, and where that was. */
static int error_tostring(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push_message(L, 1);
    if (raw_field(L, 1, "traceback") == LUA_TSTRING) {
        lua_pushliteral(L, "\n");
        lua_insert(L, -2);
    } else {
        lua_pop(L, 1);
    }
    push_place(L, 1);
    if (lua_rawlen(L, -1) > 0) {
        lua_pushfstring(L, "\n[in another lambda: %s]", lua_tostring(L, -1));
        lua_remove(L, -2);
    }
    if (raw_field(L, 1, "others") == LUA_TTABLE) {
        int others = lua_gettop(L);
        lua_Integer count = (lua_Integer)lua_rawlen(L, others);
        lua_pushliteral(L, "");
        for (lua_Integer i = 1; i <= count && i <= 20; i++) {
            lua_rawgeti(L, others, i);
            lua_pushliteral(L, "\nand: ");
            if (failed_is(L, -2))
                failed_push_summary(L, -2);
            else
                luaL_tolstring(L, -2, NULL);
            lua_remove(L, -3);
            lua_concat(L, 3);
        }
        lua_remove(L, others);
    } else {
        lua_pop(L, 1);
    }
    lua_concat(L, lua_gettop(L) - 1);
    return 1;
}

void failed_open_type(lua_State *L) {
    if (luaL_newmetatable(L, ERROR_TYPE)) {
        lua_pushcfunction(L, error_tostring);
        lua_setfield(L, -2, "__tostring");
    }
    lua_pop(L, 1);
}
