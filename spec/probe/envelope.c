/* Envelopes and keys as specs see them. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "host/binding/envelope.h"

static const char *const result_names[] = {"ok",     "none",    "no_key",    "malformed", "version",
                                           "forged", "expired", "no_memory", NULL};

static void check_key(lua_State *L, int idx, struct envelope_key *key) {
    size_t len;
    const char *bytes = luaL_optlstring(L, idx, "", &len);
    luaL_argcheck(L, len <= sizeof(key->bytes), idx, "too long");
    memcpy(key->bytes, bytes, len);
    key->len = len;
}

static void get_text(lua_State *L, int idx, const char *field, char *out, size_t size) {
    lua_getfield(L, idx, field);
    const char *text = luaL_optstring(L, -1, "");
    luaL_argcheck(L, strlen(text) < size, idx, "text too long");
    memcpy(out, text, strlen(text) + 1);
    lua_pop(L, 1);
}

static lua_Integer get_integer(lua_State *L, int idx, const char *field, lua_Integer other) {
    lua_getfield(L, idx, field);
    lua_Integer value = luaL_optinteger(L, -1, other);
    lua_pop(L, 1);
    return value;
}

/* seal(key, claims, payload [, max]) -> envelope */
static int seal(lua_State *L) {
    struct envelope_key key;
    struct envelope_claims claims;
    size_t len;
    check_key(L, 1, &key);
    luaL_checktype(L, 2, LUA_TTABLE);
    memset(&claims, 0, sizeof(claims));
    get_text(L, 2, "run", claims.run, sizeof(claims.run));
    get_text(L, 2, "call", claims.call, sizeof(claims.call));
    get_text(L, 2, "parent", claims.parent, sizeof(claims.parent));
    get_text(L, 2, "inbox", claims.inbox, sizeof(claims.inbox));
    get_text(L, 2, "fn", claims.function, sizeof(claims.function));
    claims.depth = (int)get_integer(L, 2, "depth", 1);
    claims.issued_ms = get_integer(L, 2, "issued_ms", 0);
    claims.lifetime_ms = get_integer(L, 2, "lifetime_ms", 60000);
    claims.budget.spent = get_integer(L, 2, "spent", 0);
    claims.budget.share = get_integer(L, 2, "share", 0);
    claims.budget.typical_ms = get_integer(L, 2, "typical_ms", 0);
    const char *payload = luaL_checklstring(L, 3, &len);
    struct buf out;
    buf_init(&out, (size_t)luaL_optinteger(L, 4, 1 << 24));
    if (!envelope_seal(&key, &claims, payload, len, &out)) {
        buf_free(&out);
        return 0;
    }
    lua_pushlstring(L, out.data, out.len);
    buf_free(&out);
    return 1;
}

static void set_text(lua_State *L, const char *field, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, field);
}

static void set_integer(lua_State *L, const char *field, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, field);
}

/* open(key, event, now_ms) -> name of the result, claims, payload. The event lies in memory of
** its exact size. */
static int open_envelope(lua_State *L) {
    struct envelope_key key;
    struct envelope_claims claims;
    size_t len;
    check_key(L, 1, &key);
    const char *event = luaL_checklstring(L, 2, &len);
    int64_t now = luaL_checkinteger(L, 3);
    struct buf payload;
    buf_init(&payload, 1 << 24);
    char *copy = malloc(len ? len : 1);
    if (!copy)
        return luaL_error(L, "not enough memory");
    memcpy(copy, event, len);
    enum envelope_result result = envelope_open(&key, copy, len, now, &claims, &payload);
    free(copy);
    lua_pushstring(L, result_names[result]);
    if (result != ENVELOPE_OK) {
        lua_pushnil(L);
        lua_pushinteger(L, (lua_Integer)payload.len);
        buf_free(&payload);
        return 3;
    }
    lua_newtable(L);
    set_text(L, "run", claims.run);
    set_text(L, "call", claims.call);
    set_text(L, "parent", claims.parent);
    set_text(L, "inbox", claims.inbox);
    set_text(L, "fn", claims.function);
    set_integer(L, "depth", claims.depth);
    set_integer(L, "issued_ms", claims.issued_ms);
    set_integer(L, "lifetime_ms", claims.lifetime_ms);
    if (claims.budget.share > 0) {
        set_integer(L, "spent", claims.budget.spent);
        set_integer(L, "share", claims.budget.share);
        set_integer(L, "typical_ms", claims.budget.typical_ms);
    }
    lua_pushlstring(L, buf_text(&payload), payload.len);
    buf_free(&payload);
    return 3;
}

static int is_envelope(lua_State *L) {
    size_t len;
    const char *event = luaL_checklstring(L, 1, &len);
    lua_pushboolean(L, envelope_is(event, len));
    return 1;
}

/* mac(key, head, body) -> hex */
static int mac(lua_State *L) {
    struct envelope_key key;
    size_t len;
    char out[ENVELOPE_MAC_SIZE];
    check_key(L, 1, &key);
    const char *head = luaL_checkstring(L, 2);
    const char *body = luaL_checklstring(L, 3, &len);
    if (!envelope_mac(&key, head, body, len, out))
        return 0;
    lua_pushstring(L, out);
    return 1;
}

/* load_key(AWSYNC_KEY or nil, folder or nil) -> key bytes ("" when there is none) | nil, reason */
static int load_key(lua_State *L) {
    struct envelope_key key;
    char error[512];
    const char *text = luaL_optstring(L, 1, NULL);
    if (text)
        setenv("AWSYNC_KEY", text, 1);
    else
        unsetenv("AWSYNC_KEY");
    bool good = envelope_key_load(&key, luaL_optstring(L, 2, NULL), error, sizeof(error));
    unsetenv("AWSYNC_KEY");
    if (!good) {
        luaL_pushfail(L);
        lua_pushstring(L, error);
        return 2;
    }
    lua_pushlstring(L, (const char *)key.bytes, key.len);
    envelope_key_wipe(&key);
    lua_pushboolean(L, key.len == 0 && key.bytes[0] == 0);
    return 2;
}

static int text(lua_State *L) {
    lua_pushstring(L, envelope_result_text(luaL_checkoption(L, 1, NULL, result_names)));
    return 1;
}

static const luaL_Reg functions[] = {
    {"seal", seal},         {"open", open_envelope}, {"is", is_envelope}, {"mac", mac},
    {"load_key", load_key}, {"text", text},          {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_probe_envelope(lua_State *L);
int luaopen_probe_envelope(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
