/* What the parts of the client's probe share: the client with its answers, and how Lua names things. */
#ifndef PROBE_AWS_STATION_H
#define PROBE_AWS_STATION_H

#include <pthread.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"

#include "host/aws/aws.h"
#include "host/base/buf.h"

#define CLIENT "probe.aws.client"
enum { RESULT_MAX = 32 << 20, LIST_MAX = 64 };

struct result {
    lua_Integer tag;
    struct buf text;
    struct result *next;
};

/* Outlives the userdata's calls: callbacks write into it until the client is freed. */
struct station {
    struct aws_client *client;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct result *first, *last;
};

/* Context of one call. */
struct ticket {
    struct station *station;
    lua_Integer tag;
};

static struct station *check_station(lua_State *L) {
    struct station **s = luaL_checkudata(L, 1, CLIENT);
    luaL_argcheck(L, *s != NULL, 1, "client is closed");
    return *s;
}

/* The text of a field or NULL; stays on the stack. */
static const char *field(lua_State *L, int table, const char *name) {
    if (!lua_istable(L, table))
        return NULL;
    lua_getfield(L, table, name);
    return lua_isnil(L, -1) ? NULL : luaL_checkstring(L, -1);
}

static lua_Integer field_integer(lua_State *L, int table, const char *name, lua_Integer none) {
    if (!lua_istable(L, table))
        return none;
    lua_getfield(L, table, name);
    return luaL_optinteger(L, -1, none);
}

static bool field_bool(lua_State *L, int table, const char *name) {
    if (!lua_istable(L, table))
        return false;
    lua_getfield(L, table, name);
    return lua_toboolean(L, -1);
}

static struct ticket *ticket_new(lua_State *L, struct station *s, lua_Integer tag) {
    struct ticket *t = malloc(sizeof *t);
    if (t == NULL)
        luaL_error(L, "out of memory");
    *t = (struct ticket){s, tag};
    return t;
}

static int push_id(lua_State *L, struct ticket *t, uint64_t id) {
    if (id == 0)
        free(t);
    lua_pushinteger(L, (lua_Integer)id);
    return 1;
}

#endif
