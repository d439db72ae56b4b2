/* See coroutine.h. Semantics: Lua 5.4 Reference Manual, 6.2. */
#include "host/runtime/coroutine.h"

#include <lauxlib.h>
#include <lualib.h>

#include "host/runtime/interrupt.h"

/* Runs co with the n values on L's top as far as it goes. The number of results, on L's top; -1: it
** has failed, and the error is there. */
static int run(lua_State *L, lua_State *co, int n) {
    int count = 0;
    if (!lua_checkstack(co, n)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, n);
    lua_State *before = interrupt_enter(co);
    int status = lua_resume(co, L, n, &count);
    interrupt_leave(before);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, count + 1)) {
        lua_pop(co, count);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, count);
    return count;
}

/* resume(co, ...) */
static int resume(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co != NULL, 1, "coroutine");
    int count = run(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, count >= 0);
    lua_insert(L, count >= 0 ? -(count + 1) : -2);
    return count >= 0 ? count + 1 : 2;
}

/* Ends a coroutine that has failed: its variables are closed, and the error, which that may have
** changed, comes to L's top. Returns its status. */
static int end_failed(lua_State *L, lua_State *co) {
#if LUA_VERSION_RELEASE_NUM >= 50406
    int status = lua_closethread(co, L);
#else
    int status = lua_resetthread(co);
#endif
    lua_xmove(co, L, 1);
    return status;
}

/* What wrap returns. */
static int call(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int count = run(L, co, lua_gettop(L));
    if (count >= 0)
        return count;
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD)
        status = end_failed(L, co);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

/* wrap(f) */
static int wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, call, 1);
    return 1;
}

void coroutine_replace(lua_State *L) {
    static const luaL_Reg functions[] = {{"resume", resume}, {"wrap", wrap}, {NULL, NULL}};
    lua_getglobal(L, LUA_COLIBNAME);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
