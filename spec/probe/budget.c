/* The budget of a run as specs see it. */
#include <lauxlib.h>
#include <lua.h>

#include "host/aws/budget.h"

#define BUDGET_NAME "probe.budget"

static lua_Integer field(lua_State *L, int idx, const char *name) {
    lua_getfield(L, idx, name);
    lua_Integer value = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return value;
}

static struct budget_use check_use(lua_State *L, int idx) {
    if (lua_isnoneornil(L, idx))
        return (struct budget_use){0};
    return (struct budget_use){.requests = (uint64_t)field(L, idx, "requests"),
                               .ms = field(L, idx, "ms")};
}

/* read(text) -> nanodollars, or nil */
static int read_limit(lua_State *L) {
    int64_t limit;
    if (!budget_read(luaL_checkstring(L, 1), &limit))
        return 0;
    lua_pushinteger(L, limit);
    return 1;
}

/* begin(limit, memory_mb [, claim]) -> budget */
static int begin(lua_State *L) {
    struct budget_claim claim = {0};
    bool claimed = lua_istable(L, 3);
    if (claimed)
        claim = (struct budget_claim){field(L, 3, "spent"), field(L, 3, "share"),
                                      field(L, 3, "typical_ms")};
    struct budget *b = lua_newuserdatauv(L, sizeof(*b), 0);
    budget_begin(b, luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2), claimed ? &claim : NULL);
    luaL_setmetatable(L, BUDGET_NAME);
    return 1;
}

static struct budget *check(lua_State *L) {
    return luaL_checkudata(L, 1, BUDGET_NAME);
}

/* b:announce(n [, use]) -> true, or nil and a message */
static int announce(lua_State *L) {
    struct budget *b = check(L);
    struct budget_use use = check_use(L, 3);
    char why[512];
    if (budget_announce(b, &use, (uint64_t)luaL_checkinteger(L, 2), why, sizeof(why))) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* b:call([use]) -> claim, or nil and a message */
static int call(lua_State *L) {
    struct budget *b = check(L);
    struct budget_use use = check_use(L, 2);
    struct budget_claim claim;
    if (!budget_call(b, &use, &claim)) {
        char message[512];
        budget_message(b, &use, message, sizeof(message));
        lua_pushnil(L);
        lua_pushstring(L, message);
        return 2;
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, claim.spent);
    lua_setfield(L, -2, "spent");
    lua_pushinteger(L, claim.share);
    lua_setfield(L, -2, "share");
    lua_pushinteger(L, claim.typical_ms);
    lua_setfield(L, -2, "typical_ms");
    return 1;
}

/* b:ok(use) -> true, or false and a message */
static int ok(lua_State *L) {
    struct budget *b = check(L);
    struct budget_use use = check_use(L, 2);
    char message[512];
    if (budget_ok(b, &use)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    budget_message(b, &use, message, sizeof(message));
    lua_pushboolean(L, 0);
    lua_pushstring(L, message);
    return 2;
}

static int estimate(lua_State *L) {
    struct budget *b = check(L);
    struct budget_use use = check_use(L, 2);
    lua_pushinteger(L, budget_estimate(b, &use));
    return 1;
}

static int heard(lua_State *L) {
    budget_heard(check(L), luaL_checkinteger(L, 2));
    return 0;
}

__attribute__((visibility("default"))) int luaopen_probe_budget(lua_State *L);
int luaopen_probe_budget(lua_State *L) {
    static const luaL_Reg methods[] = {{"announce", announce}, {"call", call},   {"ok", ok},
                                       {"estimate", estimate}, {"heard", heard}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"read", read_limit}, {"begin", begin}, {NULL, NULL}};
    if (luaL_newmetatable(L, BUDGET_NAME)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    luaL_newlib(L, functions);
    return 1;
}
