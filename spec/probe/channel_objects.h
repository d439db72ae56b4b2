/*
** Channels, leases and hubs as Lua objects. Included by channel.c only.
*/
#include <lauxlib.h>
#include <lua.h>

#include "host/channel/channel.h"

#define SERVER_NAME "probe.server"
#define HUB_NAME    "probe.hub"
#define CHAN_NAME   "probe.chan"

static const char *const result_names[] = {"ok",      "timeout",     "closed",
                                           "deleted", "interrupted", "failed"};

struct server {
    struct fake_server *fake;
};
struct hub {
    struct aws_client *client;
    struct chan_hub *hub;
};
struct box {
    struct chan *chan;
};
#define LEASE_NAME "probe.lease"
struct lease_box {
    struct chan_lease *lease;
};

static int64_t deadline_at(lua_State *L, int index) {
    if (lua_isnoneornil(L, index))
        return CHAN_FOREVER;
    double seconds = luaL_checknumber(L, index);
    return seconds <= 0 ? 0 : clock_mono_ms() + (int64_t)(seconds * 1000);
}

/* true, or nil, the result's name and the text */
static int push_result(lua_State *L, enum chan_result result, const struct chan_error *error) {
    if (result == CHAN_OK) {
        lua_pushboolean(L, true);
        return 1;
    }
    luaL_pushfail(L);
    lua_pushstring(L, result_names[result]);
    lua_pushstring(L, error->text);
    lua_pushstring(L, error->aws.code);
    return 4;
}

/* --- channels --------------------------------------------------------------------------------- */

static struct chan *check_chan(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, CHAN_NAME);
    luaL_argcheck(L, box->chan, 1, "released");
    return box->chan;
}

static int push_chan(lua_State *L, struct chan *chan) {
    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    box->chan = chan;
    luaL_setmetatable(L, CHAN_NAME);
    return 1;
}

static int c_push(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct chan_error error;
    enum chan_result result = chan_push(check_chan(L), text, len, deadline_at(L, 3), &error);
    return push_result(L, result, &error);
}

/* push_many(count, prefix): quick pushes of prefix .. i */
static int c_push_many(lua_State *L) {
    lua_Integer count = luaL_checkinteger(L, 2);
    const char *prefix = luaL_optstring(L, 3, "");
    struct chan_error error;
    for (lua_Integer i = 1; i <= count; i++) {
        char text[128];
        int len = snprintf(text, sizeof(text), "%s%lld", prefix, (long long)i);
        enum chan_result result = chan_push(check_chan(L), text, (size_t)len, CHAN_FOREVER, &error);
        if (result != CHAN_OK)
            return push_result(L, result, &error);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int c_pop(lua_State *L) {
    struct chan_error error;
    char *data;
    size_t len;
    enum chan_result result = chan_pop(check_chan(L), deadline_at(L, 2), &data, &len, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_pushlstring(L, data, len);
    free(data);
    return 1;
}

static int push_lease(lua_State *L, struct chan_lease *lease) {
    struct lease_box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    box->lease = lease;
    luaL_setmetatable(L, LEASE_NAME);
    return 1;
}

/* lease([seconds]): a lease, or nil and why */
static int c_lease(lua_State *L) {
    struct chan_error error;
    struct chan_lease *lease;
    enum chan_result result = chan_lease(check_chan(L), deadline_at(L, 2), &lease, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    return push_lease(L, lease);
}

static int c_cap(lua_State *L) {
    lua_pushinteger(L, chan_cap(check_chan(L)));
    return 1;
}

static struct chan_lease *check_lease(lua_State *L) {
    struct lease_box *box = luaL_checkudata(L, 1, LEASE_NAME);
    luaL_argcheck(L, box->lease, 1, "ended");
    return box->lease;
}

static int l_data(lua_State *L) {
    size_t len;
    const char *data = chan_lease_data(check_lease(L), &len);
    if (data)
        lua_pushlstring(L, data, len);
    else
        lua_pushnil(L);
    return 1;
}

static int l_lost(lua_State *L) {
    lua_pushboolean(L, chan_lease_lost(check_lease(L)));
    return 1;
}

static int end_lease(lua_State *L, bool done) {
    struct chan_error error;
    struct chan_lease *lease = check_lease(L);
    ((struct lease_box *)lua_touserdata(L, 1))->lease = NULL;
    enum chan_result result =
        done ? chan_lease_done(lease, &error) : chan_lease_return(lease, &error);
    return push_result(L, result, &error);
}

static int l_done(lua_State *L) {
    return end_lease(L, true);
}

static int l_return(lua_State *L) {
    return end_lease(L, false);
}

static int l_gc(lua_State *L) {
    struct lease_box *box = luaL_checkudata(L, 1, LEASE_NAME);
    if (box->lease)
        chan_lease_return(box->lease, NULL);
    box->lease = NULL;
    return 0;
}

static int c_url(lua_State *L) {
    struct chan_error error = {0};
    const char *url;
    enum chan_result result = chan_url(check_chan(L), deadline_at(L, 2), &url, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_pushstring(L, url);
    return 1;
}

static int c_delete(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_delete(check_chan(L), &error);
    return push_result(L, result, &error);
}

static int c_close(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_close(check_chan(L), &error);
    return push_result(L, result, &error);
}

static int c_len(lua_State *L) {
    struct chan_error error;
    size_t len;
    enum chan_result result = chan_len(check_chan(L), deadline_at(L, 2), &len, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_pushinteger(L, (lua_Integer)len);
    return 1;
}

static int c_release(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, CHAN_NAME);
    struct chan *chan = box->chan;
    box->chan = NULL;
    chan_release(chan);
    return 0;
}

static int c_name(lua_State *L) {
    lua_pushstring(L, chan_name(check_chan(L)));
    return 1;
}

static int c_options(lua_State *L) {
    const struct chan_options *options = chan_options_of(check_chan(L));
    lua_pushboolean(L, options->unordered);
    lua_pushinteger(L, options->visibility_s);
    return 2;
}

static int c_same(lua_State *L) {
    struct box *other = luaL_checkudata(L, 2, CHAN_NAME);
    lua_pushboolean(L, check_chan(L) == other->chan);
    return 1;
}

/* --- hubs ------------------------------------------------------------------------------------- */

static struct hub *check_hub(lua_State *L) {
    struct hub *hub = luaL_checkudata(L, 1, HUB_NAME);
    luaL_argcheck(L, hub->hub, 1, "freed");
    return hub;
}

static struct chan_options check_options(lua_State *L, int index) {
    struct chan_options options = {0};
    if (lua_isnoneornil(L, index))
        return options;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, "unordered");
    options.unordered = lua_toboolean(L, -1);
    lua_getfield(L, index, "visibility");
    options.visibility_s = (int)luaL_optinteger(L, -1, 0);
    lua_getfield(L, index, "capacity");
    options.bounded = !lua_isnil(L, -1);
    options.capacity = (unsigned)luaL_optinteger(L, -1, 0);
    lua_getfield(L, index, "stream");
    options.stream = lua_toboolean(L, -1);
    lua_getfield(L, index, "max_receives");
    options.max_receives = (int)luaL_optinteger(L, -1, 0);
    lua_pop(L, 5);
    return options;
}

static int h_begin(lua_State *L) {
    const struct chan_invocation invocation = {
        .invocation_id = luaL_checkstring(L, 2),
        .run = luaL_optstring(L, 3, ""),
        .function = luaL_optstring(L, 4, ""),
        .expires_ms = luaL_optinteger(L, 5, 0),
    };
    chan_hub_begin(check_hub(L)->hub, &invocation);
    return 0;
}

static int h_create(lua_State *L) {
    struct chan_options options = check_options(L, 2);
    return push_chan(L, chan_create(check_hub(L)->hub, &options));
}

static int h_open(lua_State *L) {
    struct chan_options options = check_options(L, 3);
    return push_chan(L, chan_open(check_hub(L)->hub, luaL_checkstring(L, 2), &options));
}

static int h_flush(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_hub_flush(check_hub(L)->hub, deadline_at(L, 2), &error);
    return push_result(L, result, &error);
}

static int h_finish(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_hub_finish(check_hub(L)->hub, deadline_at(L, 2), &error);
    return push_result(L, result, &error);
}

enum { CASES_MAX = 32 };
/* select({ {chan or false, value or nil, lease = boolean}, ... } [, seconds]): index or 0, value, lease
** or nil, the result's name, text */
static int h_select(lua_State *L) {
    struct hub *hub = check_hub(L);
    struct chan_case cases[CASES_MAX];
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t count = lua_rawlen(L, 2);
    luaL_argcheck(L, count <= CASES_MAX, 2, "too many cases");
    luaL_checkstack(L, CASES_MAX * 3, "cases");
    int64_t deadline = deadline_at(L, 3);
    lua_settop(L, 3);
    for (size_t i = 0; i < count; i++) {
        cases[i] = (struct chan_case){0};
        lua_rawgeti(L, 2, (lua_Integer)i + 1); /* the values stay on the stack */
        lua_rawgeti(L, -1, 1);
        if (lua_toboolean(L, -1))
            cases[i].chan = ((struct box *)luaL_checkudata(L, -1, CHAN_NAME))->chan;
        lua_rawgeti(L, -2, 2);
        lua_getfield(L, -3, "lease");
        cases[i].lease = lua_toboolean(L, -1);
        lua_pop(L, 1);
        if (!lua_isnil(L, -1))
            cases[i].data = luaL_checklstring(L, -1, &cases[i].len);
    }
    struct chan_error error;
    char *data;
    size_t len;
    int which;
    struct chan_lease *lease;
    enum chan_result result =
        chan_select(hub->hub, cases, count, deadline, &which, &data, &len, &lease, &error);
    lua_pushinteger(L, which + 1);
    if (lease)
        push_lease(L, lease);
    else if (data)
        lua_pushlstring(L, data, len);
    else
        lua_pushnil(L);
    free(data);
    lua_pushstring(L, result_names[result]);
    lua_pushstring(L, error.text);
    return 4;
}

/* letters(url [, take]): a list of {data, receives}, or nil and why */
static int h_letters(lua_State *L) {
    struct hub *hub = check_hub(L);
    struct chan_letter letters[10];
    struct chan_error error;
    size_t count;
    enum chan_result result =
        chan_dead_letters(hub->client, luaL_checkstring(L, 2), clock_mono_ms() + 5000,
                          lua_toboolean(L, 3), letters, &count, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        lua_newtable(L);
        lua_pushlstring(L, letters[i].data, letters[i].len);
        lua_setfield(L, -2, "data");
        lua_pushinteger(L, letters[i].receives);
        lua_setfield(L, -2, "receives");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
        free(letters[i].data);
    }
    return 1;
}

static void interrupt_task(void *context) {
    chan_hub_interrupt(context);
}

/* interrupt([seconds]) */
static int h_interrupt(lua_State *L) {
    struct hub *hub = check_hub(L);
    double seconds = luaL_optnumber(L, 2, 0);
    if (seconds > 0)
        aws_timer(hub->client, (int64_t)(seconds * 1000), interrupt_task, hub->hub);
    else
        chan_hub_interrupt(hub->hub);
    return 0;
}

/* calls under way */
static int h_open_calls(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)fake_client_open(check_hub(L)->client));
    return 1;
}

static int h_free(lua_State *L) {
    struct hub *hub = luaL_checkudata(L, 1, HUB_NAME);
    if (hub->hub)
        chan_hub_free(hub->hub);
    if (hub->client)
        fake_client_free(hub->client);
    hub->hub = NULL;
    hub->client = NULL;
    return 0;
}
