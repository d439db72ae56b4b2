/* Exit records for the specs: sealing and opening. */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "host/binding/record.h"

enum { IDS_MAX = 8 };

static void read_key(lua_State *L, int arg, struct envelope_key *key) {
    size_t len;
    const char *bytes = luaL_checklstring(L, arg, &len);
    luaL_argcheck(L, len <= sizeof key->bytes, arg, "too long");
    memcpy(key->bytes, bytes, len);
    key->len = len;
}

static const char *text_of(lua_State *L, const char *field) {
    lua_getfield(L, 2, field); /* the table keeps it */
    const char *text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

/* seal(key, {run=, call=, kind=, value=, running={}, ...}) -> text */
static int seal(lua_State *L) {
    struct envelope_key key;
    char ids[IDS_MAX][RECORD_ID_SIZE] = {{0}};
    read_key(L, 1, &key);
    luaL_checktype(L, 2, LUA_TTABLE);
    const char *value = text_of(L, "value");
    struct record record = {
        .run = text_of(L, "run"),
        .call = text_of(L, "call"),
        .request_id = text_of(L, "request_id"),
        .function = text_of(L, "fn"),
        .args = text_of(L, "args"),
        .kind = text_of(L, "kind"),
        .traceback = text_of(L, "traceback"),
        .running = (const char(*)[RECORD_ID_SIZE])ids,
        .value = value != NULL ? value : "null",
        .value_len = value != NULL ? strlen(value) : 4,
    };
    if (lua_getfield(L, 2, "running") == LUA_TTABLE)
        while (record.running_count < IDS_MAX &&
               lua_rawgeti(L, -1, (lua_Integer)record.running_count + 1) == LUA_TSTRING) {
            size_t len;
            const char *id = lua_tolstring(L, -1, &len);
            memcpy(ids[record.running_count++], id, len < 36 ? len : 36);
            lua_pop(L, 1);
        }
    struct buf out;
    buf_init(&out, 1024 * 1024);
    bool good = record_seal(&key, &record, &out);
    if (good)
        lua_pushlstring(L, buf_text(&out), out.len);
    buf_free(&out);
    return good ? 1 : 0;
}

/* open(key, text) -> head, value; nil and "forged" or "no memory" */
static int open(lua_State *L) {
    struct envelope_key key;
    size_t len, head_len, value_len;
    const char *head, *value;
    read_key(L, 1, &key);
    const char *text = luaL_checklstring(L, 2, &len);
    enum record_result result = record_open(&key, text, len, &head, &head_len, &value, &value_len);
    if (result != RECORD_OK) {
        luaL_pushfail(L);
        lua_pushstring(L, result == RECORD_NO_MEMORY ? "no memory" : "forged");
        return 2;
    }
    lua_pushlstring(L, head, head_len);
    lua_pushlstring(L, value, value_len);
    return 2;
}

int luaopen_probe_record(lua_State *L);

__attribute__((visibility("default"))) int luaopen_probe_record(lua_State *L) {
    static const luaL_Reg functions[] = {{"seal", seal}, {"open", open}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
