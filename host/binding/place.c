/* Where something has happened, in the program's own words. See host.h. */
#include <stdarg.h>
#include <string.h>

#include <lauxlib.h>

#include "host/binding/host.h"

bool host_own_frame(lua_State *L, lua_Debug *ar) {
    static const char *const ends[] = {"/awsync/future.lua", "/awsync/group.lua",
                                       "/awsync/map.lua"};
    lua_getinfo(L, "S", ar);
    size_t len = strlen(ar->source);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (len > strlen(ends[i]) && strcmp(ar->source + len - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

void host_where(lua_State *L) {
    lua_Debug ar;
    bool own = false;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        if (host_own_frame(L, &ar)) {
            own = true;
            continue;
        }
        lua_getinfo(L, "l", &ar);
        /* The operation itself, then who called it; behind awsync's own lines whoever has one. */
        if (level > 0 || ar.currentline > 0) {
            luaL_where(L, level);
            if (!own || lua_rawlen(L, -1) > 0)
                return;
            lua_pop(L, 1);
        }
    }
    lua_pushliteral(L, "");
}

int host_error(lua_State *L, const char *format, ...) {
    va_list arguments;
    host_where(L);
    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    lua_concat(L, 2);
    return lua_error(L);
}
