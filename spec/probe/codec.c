/* The codec as specs see it, with channels that are nothing but their references. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "host/binding/codec.h"

#define CHANNEL_NAME "probe.channel"

enum { LIMIT = 1 << 30 };

__attribute__((visibility("default"))) int luaopen_probe_codec(lua_State *L);

/* --- channels --------------------------------------------------------------------------------- */

struct fake_channel {
    char url[256];
    struct channel_ref ref; /* but for its url */
};

bool lchannel_ref(lua_State *L, int idx, struct channel_ref *ref) {
    const struct fake_channel *c = luaL_testudata(L, idx, CHANNEL_NAME);
    if (!c)
        return false;
    *ref = c->ref;
    ref->url = c->url;
    return true;
}

void lchannel_push(lua_State *L, const struct channel_ref *ref) {
    lua_settop(L, lua_gettop(L)); /* as a real one, it may look at the stack */
    struct fake_channel *c = lua_newuserdatauv(L, sizeof(*c), 0);
    memset(c, 0, sizeof(*c));
    if (strlen(ref->url) >= sizeof(c->url))
        luaL_error(L, "URL too long");
    memcpy(c->url, ref->url, strlen(ref->url) + 1);
    c->ref = *ref;
    luaL_setmetatable(L, CHANNEL_NAME);
}

/* channel(url, unordered, sender, receiver, visibility_s, capacity, stream, max_receives) */
static int channel(lua_State *L) {
    struct channel_ref ref = {
        .url = luaL_checkstring(L, 1),
        .unordered = lua_toboolean(L, 2),
        .sender = lua_toboolean(L, 3),
        .receiver = lua_toboolean(L, 4),
        .visibility_s = (int)luaL_optinteger(L, 5, 30),
        .bounded = !lua_isnoneornil(L, 6),
        .capacity = (int)luaL_optinteger(L, 6, 0),
        .stream = lua_toboolean(L, 7),
        .max_receives = (int)luaL_optinteger(L, 8, 0),
    };
    lchannel_push(L, &ref);
    return 1;
}

/* describe(channel) -> url, unordered, sender, receiver, visibility_s */
static int describe(lua_State *L) {
    const struct fake_channel *c = luaL_checkudata(L, 1, CHANNEL_NAME);
    lua_pushstring(L, c->url);
    lua_pushboolean(L, c->ref.unordered);
    lua_pushboolean(L, c->ref.sender);
    lua_pushboolean(L, c->ref.receiver);
    lua_pushinteger(L, c->ref.visibility_s);
    return 5;
}

/* extras(channel) -> capacity or nil, stream, max_receives */
static int extras(lua_State *L) {
    const struct fake_channel *c = luaL_checkudata(L, 1, CHANNEL_NAME);
    if (c->ref.bounded)
        lua_pushinteger(L, c->ref.capacity);
    else
        lua_pushnil(L);
    lua_pushboolean(L, c->ref.stream);
    lua_pushinteger(L, c->ref.max_receives);
    return 3;
}

/* --- codec ------------------------------------------------------------------------------------ */

struct settings {
    struct codec_options options;
    struct envelope_key key;
};

/* {operation=, limit=, key=, request_id=}; the texts stay in the table. */
static const struct codec_options *settings(lua_State *L, int idx, struct settings *s,
                                            const char *operation) {
    memset(s, 0, sizeof(*s));
    s->options = (struct codec_options){.operation = operation, .limit = LIMIT, .key = &s->key};
    if (lua_isnoneornil(L, idx))
        return &s->options;
    luaL_checktype(L, idx, LUA_TTABLE);
    lua_getfield(L, idx, "operation");
    s->options.operation = luaL_optstring(L, -1, operation);
    lua_getfield(L, idx, "limit");
    s->options.limit = (size_t)luaL_optinteger(L, -1, LIMIT);
    lua_getfield(L, idx, "request_id");
    s->options.request_id = luaL_optstring(L, -1, NULL);
    lua_getfield(L, idx, "key");
    const char *key = luaL_optlstring(L, -1, "", &s->key.len);
    luaL_argcheck(L, s->key.len <= sizeof(s->key.bytes), idx, "key too long");
    memcpy(s->key.bytes, key, s->key.len);
    lua_pop(L, 4);
    return &s->options;
}

/* encode(value [, settings]) -> text */
static int encode(lua_State *L) {
    struct settings s;
    luaL_checkany(L, 1);
    int top = lua_gettop(L);
    codec_encode(L, 1, settings(L, 2, &s, "push"));
    if (lua_gettop(L) != top + 1)
        return luaL_error(L, "codec_encode left %d values", lua_gettop(L) - top);
    return 1;
}

/* decode(text [, settings]) -> value. The text lies in memory of its exact size, without a NUL. */
static int decode(lua_State *L) {
    struct settings s;
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const struct codec_options *options = settings(L, 2, &s, "pop");
    char *copy = memcpy(lua_newuserdatauv(L, len ? len : 1, 0), text, len);
    int top = lua_gettop(L);
    codec_decode(L, copy, len, options);
    if (lua_gettop(L) != top + 1)
        return luaL_error(L, "codec_decode left %d values", lua_gettop(L) - top);
    return 1;
}

static int encode_json(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    codec_encode_json(L, 1, "return");
    return lua_gettop(L) - 1;
}

static int decode_json(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_settop(L, 1);
    codec_decode_json(L, text, len, "event");
    return lua_gettop(L) - 1;
}

/* encode_call(settings, f, ...) -> text */
static int encode_call(lua_State *L) {
    struct settings s;
    const struct codec_options *options = settings(L, 1, &s, "invoke");
    int top = lua_gettop(L);
    codec_encode_call(L, 2, 3, top - 2, options);
    if (lua_gettop(L) != top + 1)
        return luaL_error(L, "codec_encode_call left %d values", lua_gettop(L) - top);
    return 1;
}

/* decode_call(text) -> f, ... */
static int decode_call(lua_State *L) {
    struct settings s;
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const struct codec_options *options = settings(L, 2, &s, "call");
    int top = lua_gettop(L);
    int n = codec_decode_call(L, text, len, options);
    if (lua_gettop(L) != top + 1 + n)
        return luaL_error(L, "codec_decode_call left %d values", lua_gettop(L) - top);
    return n + 1;
}

static int function_name(lua_State *L) {
    lua_settop(L, 1);
    codec_function_name(L, 1);
    return lua_gettop(L) - 1;
}

/* --- memory that runs out --------------------------------------------------------------------- */

struct heap {
    size_t bytes;   /* in use */
    long allocated; /* how often memory was asked for since the count began */
    long fail_from; /* from this time on there is none; 0: always */
};

static void *allocate(void *data, void *block, size_t old, size_t size) {
    struct heap *heap = data;
    if (!block)
        old = 0; /* it is a type's number */
    if (size == 0) {
        heap->bytes -= old;
        free(block);
        return NULL;
    }
    if (size > old && heap->fail_from > 0 && ++heap->allocated >= heap->fail_from)
        return NULL;
    void *place = realloc(block, size);
    if (place)
        heap->bytes = heap->bytes - old + size;
    return place;
}

static int prepare(lua_State *L) {
    luaL_openlibs(L);
    luaL_requiref(L, "probe.codec", luaopen_probe_codec, 0);
    lua_pop(L, 1);
    if (luaL_loadstring(L, lua_touserdata(L, 1)) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

/* starve(chunk) -> how many allocations were made to fail, or nil and what went wrong. The chunk
** returns a function, which is run in a fresh state for each of its allocations, with none to be
** had from that one on; and then once more with plenty. The function returns true when all is
** well. */
static int starve(lua_State *L) {
    const char *chunk = luaL_checkstring(L, 1);
    const char *wrong = NULL;
    long n = 1;
    for (; !wrong; n++) {
        struct heap heap = {0};
        lua_State *S = lua_newstate(allocate, &heap);
        if (!S)
            return luaL_error(L, "no state");
        lua_pushcfunction(S, prepare);
        lua_pushlightuserdata(S, (void *)(uintptr_t)chunk);
        bool starved = false;
        if (lua_pcall(S, 1, 1, 0) != LUA_OK) {
            lua_pushstring(L, lua_tostring(S, -1));
            wrong = lua_tostring(L, -1);
        } else {
            lua_pushvalue(S, -1);
            heap.fail_from = n;
            int status = lua_pcall(S, 0, 1, 0);
            heap.fail_from = 0;
            starved = heap.allocated >= n;
            if (status == LUA_OK ? !lua_toboolean(S, -1) : status != LUA_ERRMEM && !starved)
                wrong = "wrong result while memory ran out";
            lua_pop(S, 1);
            if (lua_pcall(S, 0, 1, 0) != LUA_OK || !lua_toboolean(S, -1))
                wrong = "the state is not usable afterwards";
        }
        lua_close(S);
        if (heap.bytes != 0)
            wrong = "memory was left";
        if (!starved)
            break;
    }
    if (wrong) {
        luaL_pushfail(L);
        lua_pushfstring(L, "%s, at allocation %d", wrong, (int)n);
        return 2;
    }
    lua_pushinteger(L, n - 1);
    return 1;
}

static const luaL_Reg functions[] = {
    {"encode", encode},
    {"decode", decode},
    {"encode_json", encode_json},
    {"decode_json", decode_json},
    {"encode_call", encode_call},
    {"decode_call", decode_call},
    {"function_name", function_name},
    {"channel", channel},
    {"describe", describe},
    {"extras", extras},
    {"starve", starve},
    {NULL, NULL},
};

int luaopen_probe_codec(lua_State *L) {
    if (luaL_newmetatable(L, CHANNEL_NAME)) {
        lua_pushstring(L, CHANNEL_NAME);
        lua_setfield(L, -2, "__name");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    codec_push_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}
