/* The module awsync.core: what lua/awsync.lua builds on. */
#include <lauxlib.h>

#include "host/binding/failed.h"
#include "host/binding/host.h"

#define RAW_TYPE "awsync.Raw"

/* raw(v): a userdata that holds v in its user value; the runtime sends v itself instead of a
** response made of it. */
int raw_wrap(lua_State *L) {
    luaL_checkany(L, 1);
    lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, RAW_TYPE);
    return 1;
}

bool binding_unwrap_raw(lua_State *L, int idx) {
    if (luaL_testudata(L, idx, RAW_TYPE) == NULL)
        return false;
    lua_getiuservalue(L, idx, 1);
    return true;
}

void raw_open_type(lua_State *L) {
    if (luaL_newmetatable(L, RAW_TYPE)) {
        lua_pushliteral(L, "locked");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

static const luaL_Reg functions[] = {
    {"Channel", channel_new},       {"invoke", invoke_call},
    {"push", channel_push},         {"pop", channel_pop},
    {"range", channel_range},       {"close", channel_close},
    {"len", channel_len},           {"cap", channel_cap},
    {"lease", channel_lease},       {"sender", channel_sender},
    {"receiver", channel_receiver}, {"delete", channel_delete},
    {"select", channel_select},     {"raw", raw_wrap},
    {"spawn", family_spawn},        {"wait", family_wait},
    {"scope", family_scope},        {"cancel", family_cancel},
    {"on_error", family_on_error},  {"now", family_now},
    {"failed", family_failed},      {"arguments", family_arguments},
    {"announce", family_announce},  {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_awsync_core(lua_State *L) {
    binding_open(L);
    luaL_newlib(L, functions);
    codec_push_null(L);
    lua_setfield(L, -2, "null");
    lua_pushliteral(L, "awsync " AWSYNC_VERSION);
    lua_setfield(L, -2, "_VERSION");
    failed_push_type(L);
    lua_setfield(L, -2, "Error");
    return 1;
}
