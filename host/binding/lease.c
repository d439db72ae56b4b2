/*
** lease(c [, timeout]): a value that is deleted when the work on it is done, and comes again when
** the worker fails or dies. The handle ends it: done, give_back, or the end of its scope. Without a
** value: nil, nil, reason.
*/
#include <lauxlib.h>

#include "host/aws/sqs.h"
#include "host/binding/channel.h"

#define LEASE_TYPE "awsync.Lease"

struct lease {
    struct chan_lease *held; /* owned; NULL before it came and after its end */
    struct chan *chan;       /* owned reference, as long as held */
    bool done;
};

static struct lease *to_lease(lua_State *L) {
    return luaL_checkudata(L, 1, LEASE_TYPE);
}

static void let_go(struct lease *self) {
    self->held = NULL;
    chan_release(self->chan);
    self->chan = NULL;
}

/* Raises nothing: what fails here comes again when the visibility timeout is over. */
static void give_back(struct lease *self) {
    if (self->held == NULL)
        return;
    struct chan_error error;
    chan_lease_return(self->held, &error);
    let_go(self);
}

static void finish(lua_State *L, struct lease *self) {
    struct host *host = host_get(L);
    struct chan_error error = {0};
    enum chan_result result = chan_lease_done(self->held, &error);
    let_go(self);
    self->done = true;
    if (result != CHAN_OK)
        host_raise(L, host, "done", result, &error);
}

static int lease_done(lua_State *L) {
    struct lease *self = to_lease(L);
    if (self->held != NULL)
        finish(L, self);
    else if (!self->done)
        return luaL_error(L, "done: the value has been given back");
    return 0;
}

static int lease_give_back(lua_State *L) {
    struct lease *self = to_lease(L);
    if (self->done)
        return luaL_error(L, "give_back: the work on this value is done");
    give_back(self);
    return 0;
}

/* __close: the second argument is the scope's error, or nil. */
static int lease_end(lua_State *L) {
    struct lease *self = to_lease(L);
    if (self->held != NULL && lua_isnil(L, 2))
        finish(L, self);
    else
        give_back(self);
    return 0;
}

static int lease_gc(lua_State *L) {
    give_back(to_lease(L));
    return 0;
}

static int lease_tostring(lua_State *L) {
    struct lease *self = to_lease(L);
    const char *state = self->held != NULL ? (chan_lease_lost(self->held) ? "lost" : "held")
                        : self->done       ? "done"
                                           : "given back";
    lua_pushfstring(L, "lease (%s)", state);
    return 1;
}

/* In a protected call: lease, options -> value. */
static int decode(lua_State *L) {
    size_t len;
    const char *text = chan_lease_data(lua_touserdata(L, 1), &len);
    if (text == NULL)
        return luaL_error(L, "lease: the value has been given back");
    codec_decode(L, text, len, lua_touserdata(L, 2));
    return 1;
}

void channel_push_lease(lua_State *L, struct host *host, const char *operation,
                        struct channel_wait *wait) {
    struct codec_options options = host_codec_options(L, host, operation, SQS_PAYLOAD_MAX);
    struct lease *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (struct lease){0};
    luaL_setmetatable(L, LEASE_TYPE);
    self->held = wait->lease;
    self->chan = chan_retain(wait->cases[wait->which].chan);
    wait->lease = NULL;

    lua_pushcfunction(L, decode);
    lua_pushlightuserdata(L, self->held);
    lua_pushlightuserdata(L, &options);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        give_back(self); /* at once, not when the collector comes */
        channel_wait_end(wait);
        lua_error(L);
    }
    lua_insert(L, -2);
}

/* The reason stands third: a variable of a scope, `local job, lease <close> = c:lease()`, takes nil and no text. */
int channel_push_no_lease(lua_State *L, const char *reason) {
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushstring(L, reason);
    return 3;
}

int channel_lease(lua_State *L) {
    struct channel *channel = channel_to_receive(L, 1, "lease");
    int64_t deadline = channel_arg_deadline(L, 2);
    struct host *host = host_ready(L);
    struct channel_wait *wait = channel_wait_new(L, 1);
    channel_wait_set(wait, 0, channel->chan, NULL, 0);
    wait->cases[0].lease = true;
    enum chan_result result = channel_wait_run(L, host, "lease", wait, deadline);
    int results = 2;
    if (result == CHAN_OK)
        channel_push_lease(L, host, "lease", wait);
    else
        results = channel_push_no_lease(L, result == CHAN_CLOSED ? "closed" : "timeout");
    channel_wait_end(wait);
    return results;
}

static const luaL_Reg methods[] = {
    {"done", lease_done},
    {"give_back", lease_give_back},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", lease_gc},
    {"__close", lease_end},
    {"__tostring", lease_tostring},
    {NULL, NULL},
};

void channel_open_lease(lua_State *L) {
    if (luaL_newmetatable(L, LEASE_TYPE)) {
        luaL_setfuncs(L, metamethods, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, "locked");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}
