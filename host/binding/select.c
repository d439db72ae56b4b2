/* select{ {"pop", c}, {"push", c, v}, {"lease", c}, timeout = seconds, default = true } */
#include <string.h>

#include <lauxlib.h>

#include "host/aws/sqs.h"
#include "host/binding/channel.h"

enum { CASES = 1, TEXTS, CASE }; /* slots: the argument, encoded values, the case that is read */

struct settings {
    bool has_default;
    int64_t deadline;
};

/* Everything but the cases; raises what select does not know. */
static void read_settings(lua_State *L, lua_Integer count, struct settings *settings) {
    *settings = (struct settings){.deadline = CHAN_FOREVER};
    lua_pushnil(L);
    while (lua_next(L, CASES) != 0) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        if (strcmp(key, "default") == 0) {
            if (!lua_isboolean(L, -1))
                luaL_error(L, "select: 'default' is a %s, not a boolean", luaL_typename(L, -1));
            settings->has_default = lua_toboolean(L, -1);
        } else if (strcmp(key, "timeout") == 0) {
            lua_Number seconds = lua_tonumber(L, -1);
            if (lua_type(L, -1) != LUA_TNUMBER || !(seconds >= 0))
                luaL_error(L, "select: 'timeout' is %s, not 0 or more seconds",
                           luaL_tolstring(L, -1, NULL));
            settings->deadline = channel_deadline(seconds);
        } else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 ||
                   lua_tointeger(L, -2) > count) {
            luaL_error(L, "select: unknown field '%s' (there are: 1 to n, timeout, default)",
                       luaL_tolstring(L, -2, NULL));
        }
        lua_pop(L, 1);
    }
    if (settings->has_default)
        settings->deadline = 0;
}

/* Case i is in slot CASE. A nil channel is never ready: its value is not looked at. */
static void read_case(lua_State *L, struct host *host, struct channel_wait *wait, lua_Integer i) {
    if (!lua_istable(L, CASE))
        luaL_error(L, "select: case %I is a %s, not a table as {\"pop\", c} or {\"push\", c, v}",
                   (LUAI_UACINT)i, luaL_typename(L, CASE));
    lua_rawgeti(L, CASE, 1);
    const char *what = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    bool push = strcmp(what, "push") == 0;
    bool lease = strcmp(what, "lease") == 0;
    if (!push && !lease && strcmp(what, "pop") != 0)
        luaL_error(L, "select: case %I begins with %s, not with \"pop\", \"push\" or \"lease\"",
                   (LUAI_UACINT)i, luaL_tolstring(L, -1, NULL));
    if (lua_rawgeti(L, CASE, 2) == LUA_TNIL)
        return;
    if (luaL_testudata(L, -1, CHANNEL_TYPE) == NULL)
        luaL_error(L, "select: the channel of case %I is a %s", (LUAI_UACINT)i,
                   luaL_typename(L, -1));
    size_t len = 0;
    const char *text = NULL;
    struct channel *channel =
        push ? channel_to_send(L, -1, "select: push")
             : channel_to_receive(L, -1, lease ? "select: lease" : "select: pop");
    if (push) {
        struct codec_options options = host_codec_options(L, host, "select", SQS_PAYLOAD_MAX);
        if (chan_made_here(channel->chan))
            host->encoding = ENCODING_OUR_OWN;
        lua_rawgeti(L, CASE, 3);
        codec_encode(L, lua_gettop(L), &options);
        text = lua_tolstring(L, -1, &len);
        lua_rawseti(L, TEXTS, i); /* there the text lives until the end */
    }
    channel_wait_set(wait, (size_t)i - 1, channel->chan, text, len);
    wait->cases[i - 1].lease = lease;
}

static int push_result(lua_State *L, struct host *host, struct channel_wait *wait,
                       enum chan_result result, bool has_default) {
    if (result == CHAN_TIMEOUT) {
        lua_pushstring(L, has_default ? "default" : "timeout");
        return 1;
    }
    lua_pushinteger(L, wait->which + 1);
    if (result == CHAN_CLOSED && wait->cases[wait->which].lease)
        return 1 + channel_push_no_lease(L, "closed");
    if (result == CHAN_CLOSED) {
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 3;
    }
    if (wait->lease != NULL) {
        channel_push_lease(L, host, "select", wait);
        return 3;
    }
    if (wait->data == NULL)
        return 1; /* a push */
    struct codec_options options = host_codec_options(L, host, "select", SQS_PAYLOAD_MAX);
    codec_decode(L, wait->data, wait->len, &options);
    return 2;
}

int channel_select(lua_State *L) {
    struct settings settings;
    luaL_checktype(L, CASES, LUA_TTABLE);
    lua_settop(L, CASES);
    lua_Integer count = (lua_Integer)lua_rawlen(L, CASES);
    struct host *host = host_ready(L);
    lua_newtable(L);
    lua_pushnil(L); /* CASE */
    read_settings(L, count, &settings);
    struct channel_wait *wait = channel_wait_new(L, (size_t)count);
    int top = lua_gettop(L);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, CASES, i);
        lua_replace(L, CASE);
        read_case(L, host, wait, i);
        lua_settop(L, top);
    }
    enum chan_result result = channel_wait_run(L, host, "select", wait, settings.deadline);
    int results = push_result(L, host, wait, result, settings.has_default);
    channel_wait_end(wait);
    return results;
}
