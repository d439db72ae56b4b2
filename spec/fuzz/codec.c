/*
** The decoder under libFuzzer. The first byte says how the rest is taken: `m` a message, `s` the
** document of a message that this program signs, `c` the payload of a call, else plain JSON. What
** was read must be written and read again.
*/
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "host/base/clock.h"

/* Bytecode is Lua's own matter and only loaded when a signature held: here it stands for
** closures with so many upvalues as its first byte says. */
static bool own_code; /* reading what this program has written */

static int load_stub(lua_State *L, const char *code, size_t len) {
    static const char *const sources[] = {
        "return function() end",
        "local a; return function() return a end",
        "local a, b; return function() return a, b end",
        "local a, b, c; return function() return a, b, c end",
    };
    if (own_code)
        return luaL_loadbufferx(L, code, len, "=own", "b");
    if (len == 0 || (unsigned char)code[0] > 3) {
        lua_pushliteral(L, "no code");
        return LUA_ERRSYNTAX;
    }
    if (luaL_loadstring(L, sources[(unsigned char)code[0]]) != LUA_OK)
        return LUA_ERRSYNTAX;
    lua_call(L, 0, 1);
    return LUA_OK;
}
#define luaL_loadbufferx(L, code, len, name, mode) load_stub(L, code, len)
#include "host/binding/codec_function.c" /* in place of the archive's */

/* A channel is its reference and nothing more. */
#define CHANNEL_NAME "fuzz.channel"

struct fuzz_channel {
    struct channel_ref ref;
    char url[];
};

bool lchannel_ref(lua_State *L, int idx, struct channel_ref *ref) {
    const struct fuzz_channel *c = luaL_testudata(L, idx, CHANNEL_NAME);
    if (!c)
        return false;
    *ref = c->ref;
    ref->url = c->url;
    return true;
}

void lchannel_push(lua_State *L, const struct channel_ref *ref) {
    size_t len = strlen(ref->url) + 1;
    struct fuzz_channel *c = lua_newuserdatauv(L, sizeof(*c) + len, 0);
    c->ref = *ref;
    memcpy(c->url, ref->url, len);
    luaL_newmetatable(L, CHANNEL_NAME);
    lua_setmetatable(L, -2);
}

/* What was written of a channel is read as it was. */
static void check_channels(lua_State *L, int first, int second) {
    struct channel_ref a, b;
    if (!lchannel_ref(L, first, &a))
        return;
    if (!lchannel_ref(L, second, &b) || strcmp(a.url, b.url) != 0 || a.unordered != b.unordered ||
        a.sender != b.sender || a.receiver != b.receiver || a.visibility_s != b.visibility_s ||
        a.bounded != b.bounded || (a.bounded && a.capacity != b.capacity) || a.stream != b.stream ||
        a.max_receives != b.max_receives)
        abort();
}

static struct envelope_key key = {.len = 32};

static int run(lua_State *L) {
    const char *text = lua_touserdata(L, 1);
    size_t len = (size_t)lua_tointeger(L, 2);
    struct codec_options options = {.operation = "fuzz", .limit = 1 << 30, .key = &key};
    char head[96], mac[ENVELOPE_MAC_SIZE];
    switch (lua_tointeger(L, 3)) {
    case 's':
        snprintf(head, sizeof(head), "awsync/1 signed %lld fuzz", (long long)clock_wall_ms());
        if (!envelope_mac(&key, head, text, len, mac))
            abort();
        lua_pushfstring(L, "%s %s ", head, mac);
        lua_pushlstring(L, text, len);
        lua_concat(L, 2);
        codec_decode(L, lua_tostring(L, -1), lua_rawlen(L, -1), &options);
        break;
    case 'm':
        codec_decode(L, text, len, &options);
        break;
    case 'c':
        codec_decode_call(L, text, len, &options);
        break;
    default:
        codec_decode_json(L, text, len, "fuzz");
        codec_encode_json(L, -1, "fuzz");
        codec_decode_json(L, lua_tostring(L, -1), lua_rawlen(L, -1), "fuzz");
    }
    return 1;
}

/* What has come out goes in again. */
static int again(lua_State *L) {
    struct codec_options options = {.operation = "fuzz", .limit = 1 << 30, .key = &key};
    codec_encode(L, 1, &options);
    return 1;
}

static int reread(lua_State *L) {
    struct codec_options options = {.operation = "fuzz", .limit = 1 << 30, .key = &key};
    codec_decode(L, lua_tostring(L, 1), lua_rawlen(L, 1), &options);
    return 1;
}

static lua_State *state(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    /* Names lead to what is loaded, not to the file system. */
    luaL_dostring(L, "function require(name) error('no module ' .. name, 0) end");
    return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static lua_State *L;
    if (!L)
        L = state();
    if (size == 0)
        return 0;
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, (void *)(uintptr_t)(data + 1));
    lua_pushinteger(L, (lua_Integer)size - 1);
    lua_pushinteger(L, data[0]);
    if (lua_pcall(L, 3, 1, 0) == LUA_OK && data[0] != 'c') {
        lua_pushcfunction(L, again);
        lua_pushvalue(L, 1);
        /* Deeper than what is sent can be read, and a name may lead to a file of this process;
        ** nothing else may be refused. */
        if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
            const char *why = lua_tostring(L, -1);
            if (!strstr(why, "nested deeper") && !strstr(why, "is userdata (FILE*)"))
                abort();
        } else {
            lua_pushcfunction(L, reread);
            lua_insert(L, 2);
            own_code = true;
            if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, 2) != lua_type(L, 1))
                abort();
            own_code = false;
            check_channels(L, 1, 2);
        }
    }
    lua_settop(L, 0);
    static unsigned count;
    if (++count % 256 == 0)
        lua_gc(L, LUA_GCCOLLECT);
    return 0;
}
