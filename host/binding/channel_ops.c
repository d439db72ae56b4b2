/* What one does with a channel: push, pop, range, close, len. */
#include <math.h>

#include <lauxlib.h>

#include "host/aws/sqs.h"
#include "host/binding/channel.h"

#define RANGE_TYPE "awsync.range"

static int fail(lua_State *L, const char *reason) {
    lua_pushnil(L);
    lua_pushstring(L, reason);
    return 2;
}

/* --- push ------------------------------------------------------------------------------------ */

int channel_push(lua_State *L) {
    struct channel *self = channel_to_send(L, 1, "push");
    luaL_checkany(L, 2);
    int64_t deadline = channel_arg_deadline(L, 3);
    struct host *host = host_ready(L);
    struct codec_options options = host_codec_options(L, host, "push", SQS_PAYLOAD_MAX);
    if (chan_made_here(self->chan))
        host->encoding = ENCODING_OUR_OWN;
    codec_encode(L, 2, &options);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    for (;;) {
        struct chan_error error = {0};
        enum chan_result result =
            chan_push(self->chan, text, len, channel_slice(host, deadline), &error);
        if (result == CHAN_OK)
            break;
        if (result != CHAN_TIMEOUT)
            host_raise(L, host, "push", result, &error);
        else if (!channel_go_on(L, host, "push", deadline))
            return fail(L, "timeout");
        channel_check(L, 1); /* a hook may have deleted it */
    }
    lua_pushboolean(L, true);
    return 1;
}

/* --- pop, range ------------------------------------------------------------------------------ */

/* Pushes the next value, or nothing. */
static enum chan_result next_value(lua_State *L, struct chan *chan, const char *operation,
                                   int64_t deadline) {
    struct host *host = host_ready(L);
    struct codec_options options = host_codec_options(L, host, operation, SQS_PAYLOAD_MAX);
    struct channel_wait *wait = channel_wait_new(L, 1);
    channel_wait_set(wait, 0, chan, NULL, 0);
    enum chan_result result = channel_wait_run(L, host, operation, wait, deadline);
    if (result == CHAN_OK)
        codec_decode(L, wait->data, wait->len, &options);
    channel_wait_end(wait);
    return result;
}

int channel_pop(lua_State *L) {
    struct channel *self = channel_to_receive(L, 1, "pop");
    switch (next_value(L, self->chan, "pop", channel_arg_deadline(L, 2))) {
    case CHAN_OK:
        return 1;
    case CHAN_CLOSED:
        return fail(L, "closed");
    default:
        return fail(L, "timeout");
    }
}

/* The iterator: its upvalue is the range, whose user value is the channel. */
static int range_next(lua_State *L) {
    lua_settop(L, 0);
    if (lua_getiuservalue(L, lua_upvalueindex(1), 1) == LUA_TNIL)
        return luaL_error(L, "range: this loop has ended");
    struct channel *self = channel_to_receive(L, 1, "range");
    if (next_value(L, self->chan, "range", CHAN_FOREVER) != CHAN_OK)
        lua_pushnil(L);
    else if (lua_isnil(L, -1))
        codec_push_null(L);
    return 1;
}

/* __close: the loop is over, however it ended. */
static int range_end(lua_State *L) {
    luaL_checkudata(L, 1, RANGE_TYPE);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

int channel_range(lua_State *L) {
    channel_to_receive(L, 1, "range");
    lua_newuserdatauv(L, 0, 1);
    luaL_setmetatable(L, RANGE_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, range_next, 1);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_insert(L, -2);
    return 4;
}

void channel_open_range(lua_State *L) {
    if (luaL_newmetatable(L, RANGE_TYPE)) {
        lua_pushcfunction(L, range_end);
        lua_setfield(L, -2, "__close");
        lua_pushliteral(L, "locked");
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

/* --- close, cap, len ------------------------------------------------------------------------------ */

int channel_close(lua_State *L) {
    struct channel *self = channel_to_send(L, 1, "close");
    struct host *host = host_ready(L);
    for (;;) {
        struct chan_error error = {0};
        enum chan_result result = chan_close(self->chan, &error);
        if (result == CHAN_OK)
            return 0;
        if (result == CHAN_CLOSED)
            return luaL_error(L, "close: the channel is closed already (%s)",
                              chan_name(self->chan));
        host_raise(L, host, "close", result, &error);
    }
}

int channel_cap(lua_State *L) {
    int cap = chan_cap(channel_check(L, 1)->chan);
    if (cap < 0)
        lua_pushnumber(L, (lua_Number)HUGE_VAL);
    else
        lua_pushinteger(L, cap);
    return 1;
}

int channel_len(lua_State *L) {
    struct channel *self = channel_check(L, 1);
    struct host *host = host_ready(L);
    for (;;) {
        struct chan_error error = {0};
        size_t len;
        enum chan_result result =
            chan_len(self->chan, channel_slice(host, CHAN_FOREVER), &len, &error);
        if (result == CHAN_OK) {
            lua_pushinteger(L, (lua_Integer)len);
            return 1;
        }
        if (result != CHAN_TIMEOUT)
            host_raise(L, host, "len", result, &error);
        else
            channel_go_on(L, host, "len", CHAN_FOREVER);
        channel_check(L, 1);
    }
}
