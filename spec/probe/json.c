/*
** The JSON room as specs see it. A Lua value stands for JSON so: an array is a sequence, an
** object is {object = {{key, value}, ...}} in the order of the text, null is json.null; integers
** and floats are kept apart.
*/
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "host/json/json.h"

#define BOX_NAME "probe.json.box"

/* Owns what C allocates while Lua calls may raise. */
struct box {
    char *copy;
    struct json_tree *tree;
    struct buf buf;
};

static int box_gc(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, BOX_NAME);
    free(box->copy);
    box->copy = NULL;
    if (box->tree)
        json_tree_wipe(box->tree);
    box->tree = NULL;
    buf_free(&box->buf);
    return 0;
}

/* Fills up the arguments to three, so that the box is never taken for one. */
static struct box *new_box(lua_State *L, size_t max) {
    lua_settop(L, 3);
    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    memset(box, 0, sizeof(*box));
    buf_init(&box->buf, max);
    luaL_setmetatable(L, BOX_NAME);
    return box;
}

/* The text at arg in a copy of its exact size, so that a sanitizer sees every step over the end. */
static const char *exact_copy(lua_State *L, int arg, struct box *box, size_t *len) {
    const char *text = luaL_checklstring(L, arg, len);
    if (*len == 0)
        return NULL;
    box->copy = malloc(*len);
    if (!box->copy)
        luaL_error(L, "out of memory");
    return memcpy(box->copy, text, *len);
}

static unsigned opt_depth(lua_State *L, int arg) {
    return (unsigned)luaL_optinteger(L, arg, JSON_DEPTH_DEFAULT);
}

static const char *const token_names[] = {
    [JSON_ERROR] = "error",   [JSON_END] = "end",       [JSON_NULL] = "null",
    [JSON_TRUE] = "true",     [JSON_FALSE] = "false",   [JSON_INTEGER] = "integer",
    [JSON_DOUBLE] = "double", [JSON_STRING] = "string", [JSON_KEY] = "key",
    [JSON_ARRAY_BEGIN] = "[", [JSON_ARRAY_END] = "]",   [JSON_OBJECT_BEGIN] = "{",
    [JSON_OBJECT_END] = "}",
};

/* The payload of a token, nil when it has none. */
static void push_payload(lua_State *L, struct box *box, const struct json_reader *r,
                         enum json_token token) {
    char message[128];
    switch (token) {
    case JSON_INTEGER:
        lua_pushinteger(L, r->integer);
        break;
    case JSON_DOUBLE:
        lua_pushnumber(L, r->number);
        break;
    case JSON_STRING:
    case JSON_KEY:
        buf_reset(&box->buf);
        if (!json_unescape(&box->buf, r->raw, r->raw_len))
            luaL_error(L, "json_unescape failed");
        if (!r->escaped && (box->buf.len != r->raw_len ||
                            (r->raw_len && memcmp(box->buf.data, r->raw, r->raw_len) != 0)))
            luaL_error(L, "escaped is false but the text has an escape");
        lua_pushlstring(L, buf_text(&box->buf), box->buf.len);
        break;
    case JSON_ERROR:
        json_reader_message(r, message, sizeof message);
        lua_pushstring(L, message);
        break;
    default:
        lua_pushnil(L);
        break;
    }
}

/* tokens(text [, max_depth]) -> {{name, payload, token_at}, ...}; the last is `end` or `error` */
static int tokens(lua_State *L) {
    size_t len;
    struct box *box = new_box(L, SIZE_MAX);
    const char *text = exact_copy(L, 1, box, &len);
    struct json_reader r;
    json_reader_init(&r, text, len, opt_depth(L, 2));
    lua_newtable(L);
    enum json_token token;
    lua_Integer count = 0;
    do {
        token = json_next(&r);
        lua_createtable(L, 3, 0);
        lua_pushstring(L, token_names[token]);
        lua_rawseti(L, -2, 1);
        push_payload(L, box, &r, token);
        lua_rawseti(L, -2, 2);
        lua_pushinteger(L, (lua_Integer)r.token_at);
        lua_rawseti(L, -2, 3);
        lua_rawseti(L, -2, ++count);
    } while (token != JSON_END && token != JSON_ERROR);
    if (json_next(&r) != token)
        return luaL_error(L, "the last token is not given again");
    return 1;
}

/* skip(text, n [, max_depth]): reads n tokens, skips the last one's value. -> done, skipped text,
** next token's name */
static int skip(lua_State *L) {
    size_t len;
    lua_Integer n = luaL_checkinteger(L, 2);
    struct box *box = new_box(L, SIZE_MAX);
    const char *text = exact_copy(L, 1, box, &len);
    struct json_reader r;
    json_reader_init(&r, text, len, opt_depth(L, 3));
    enum json_token token = JSON_ERROR;
    while (n-- > 0)
        token = json_next(&r);
    size_t from = r.token_at;
    bool done = json_skip(&r, token);
    lua_pushboolean(L, done);
    lua_pushlstring(L, done ? text + from : "", done ? r.at - from : 0);
    lua_pushstring(L, token_names[json_next(&r)]);
    return 3;
}

/* --- tree -> Lua ---------------------------------------------------------------------------- */

static void push_value(lua_State *L, const struct json_value *v) {
    luaL_checkstack(L, 10, "value nested too deep");
    switch (v->type) {
    case JSON_T_NULL:
        lua_pushlightuserdata(L, NULL);
        return;
    case JSON_T_BOOL:
        lua_pushboolean(L, v->boolean);
        return;
    case JSON_T_INTEGER:
        lua_pushinteger(L, v->integer);
        return;
    case JSON_T_DOUBLE:
        lua_pushnumber(L, v->number);
        return;
    case JSON_T_STRING:
        if (v->text[v->len] != '\0')
            luaL_error(L, "text without its NUL");
        lua_pushlstring(L, v->text, v->len);
        return;
    case JSON_T_ARRAY:
    case JSON_T_OBJECT:
        break;
    }
    size_t count = 0;
    lua_newtable(L);
    for (const struct json_value *item = v->child; item; item = item->next) {
        if (v->type == JSON_T_OBJECT) {
            lua_createtable(L, 2, 0);
            lua_pushlstring(L, item->key, item->key_len);
            lua_rawseti(L, -2, 1);
            push_value(L, item);
            lua_rawseti(L, -2, 2);
        } else {
            if (item->key)
                luaL_error(L, "an array's item with a key");
            push_value(L, item);
        }
        lua_rawseti(L, -2, (lua_Integer)++count);
    }
    if (count != v->len)
        luaL_error(L, "len is not the number of items");
    if (v->type == JSON_T_OBJECT) {
        lua_createtable(L, 0, 1);
        lua_insert(L, -2);
        lua_setfield(L, -2, "object");
    }
}

/* A box with the tree of the text at 1, on top of the stack; NULL with nil and the message
** there. */
static struct box *parse_boxed(lua_State *L, unsigned max_depth) {
    size_t len;
    char error[128] = "";
    struct box *box = new_box(L, 0);
    const char *text = exact_copy(L, 1, box, &len);
    box->tree = json_parse(text, len, max_depth, error, sizeof error);
    if (box->tree) {
        /* The tree must not need the text any longer. */
        if (len)
            memset(box->copy, '#', len);
        return box;
    }
    lua_pushnil(L);
    lua_pushstring(L, error);
    return NULL;
}

/* parse(text [, max_depth]) -> value, or nil and the message */
static int parse(lua_State *L) {
    struct box *box = parse_boxed(L, opt_depth(L, 2));
    if (!box)
        return 2;
    push_value(L, json_root(box->tree));
    return 1;
}

/* valid(text [, max_depth]): whether a tree comes of it. Needs no stack of C or Lua. */
static int valid(lua_State *L) {
    lua_pushboolean(L, parse_boxed(L, opt_depth(L, 2)) != NULL);
    return 1;
}

/* get(text, key) -> the member's value (nil: none), json_get_text of it */
static int get(lua_State *L) {
    const char *key = luaL_checkstring(L, 2);
    struct box *box = parse_boxed(L, JSON_DEPTH_DEFAULT);
    if (!box)
        return luaL_error(L, "%s", lua_tostring(L, -1));
    const struct json_value *v = json_get(json_root(box->tree), key);
    if (v)
        push_value(L, v);
    else
        lua_pushnil(L);
    lua_pushstring(L, json_get_text(json_root(box->tree), key));
    return 2;
}

/* --- Lua -> writer -------------------------------------------------------------------------- */

static bool write_value(lua_State *L, struct json_writer *w, int index);

static bool write_object(lua_State *L, struct json_writer *w) {
    bool done = true;
    json_object_begin(w);
    for (lua_Integer i = 1; done && lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
        size_t len;
        lua_rawgeti(L, -1, 1);
        const char *key = luaL_checklstring(L, -1, &len);
        lua_rawgeti(L, -2, 2);
        done = json_key_n(w, key, len) && write_value(L, w, lua_gettop(L));
        lua_pop(L, 3);
    }
    if (done)
        lua_pop(L, 1);
    json_object_end(w);
    return done;
}

static bool write_value(lua_State *L, struct json_writer *w, int index) {
    size_t len;
    const char *text;
    bool done = true;
    luaL_checkstack(L, 10, "value nested too deep");
    switch (lua_type(L, index)) {
    case LUA_TLIGHTUSERDATA:
        json_null(w);
        return true;
    case LUA_TBOOLEAN:
        json_bool(w, lua_toboolean(L, index));
        return true;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, index))
            return json_double(w, lua_tonumber(L, index));
        json_integer(w, lua_tointeger(L, index));
        return true;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        return json_string_n(w, text, len);
    case LUA_TTABLE:
        break;
    default:
        luaL_error(L, "no JSON form: %s", luaL_typename(L, index));
    }
    if (lua_getfield(L, index, "raw") == LUA_TSTRING) {
        text = lua_tolstring(L, -1, &len);
        json_raw(w, text, len);
        lua_pop(L, 1);
        return true;
    }
    lua_pop(L, 1);
    if (lua_getfield(L, index, "object") == LUA_TTABLE) {
        done = write_object(L, w);
        lua_pop(L, 1);
        return done;
    }
    lua_pop(L, 1);
    json_array_begin(w);
    for (lua_Integer i = 1; done && lua_rawgeti(L, index, i) != LUA_TNIL; i++) {
        done = write_value(L, w, lua_gettop(L));
        lua_pop(L, 1);
    }
    if (done)
        lua_pop(L, 1);
    json_array_end(w);
    return done;
}

/* write(value [, max]) -> text, or nil and whether the buffer is still well */
static int write_text(lua_State *L) {
    luaL_checkany(L, 1);
    struct box *box = new_box(L, (size_t)luaL_optinteger(L, 2, -1));
    struct json_writer w;
    json_writer_init(&w, &box->buf);
    bool done = write_value(L, &w, 1);
    if (done && buf_ok(&box->buf)) {
        lua_pushlstring(L, buf_text(&box->buf), box->buf.len);
        return 1;
    }
    luaL_pushfail(L);
    lua_pushboolean(L, buf_ok(&box->buf));
    return 2;
}

/* members(pairs): an object by json_member from a list of pairs; refused ones are left out. */
static int members(lua_State *L) {
    struct box *box = new_box(L, SIZE_MAX);
    struct json_writer w;
    json_writer_init(&w, &box->buf);
    json_object_begin(&w);
    for (lua_Integer i = 1; lua_rawgeti(L, 1, i) == LUA_TTABLE; i++) {
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        json_member(&w, luaL_checkstring(L, -2), luaL_checkstring(L, -1));
        lua_pop(L, 3);
    }
    json_object_end(&w);
    lua_pushlstring(L, buf_text(&box->buf), box->buf.len);
    return 1;
}

/* --- pieces --------------------------------------------------------------------------------- */

static int double_text(lua_State *L) {
    char out[JSON_NUMBER_SIZE];
    size_t len = json_double_text(luaL_checknumber(L, 1), out);
    if (len != strlen(out))
        return luaL_error(L, "wrong length");
    lua_pushlstring(L, out, len);
    return 1;
}

static int utf8_valid(lua_State *L) {
    size_t len;
    struct box *box = new_box(L, 0);
    const char *text = exact_copy(L, 1, box, &len);
    lua_pushboolean(L, json_utf8_valid(text, len));
    return 1;
}

/* unescape(raw [, max]) -> text or nil; appended behind `>` */
static int unescape(lua_State *L) {
    size_t len;
    struct box *box = new_box(L, (size_t)luaL_optinteger(L, 2, -1));
    const char *raw = exact_copy(L, 1, box, &len);
    bool done = buf_addc(&box->buf, '>') && json_unescape(&box->buf, raw, len);
    if (done)
        lua_pushlstring(L, buf_text(&box->buf), box->buf.len);
    else
        luaL_pushfail(L);
    return 1;
}

/* set_numeric_locale(folder, name) -> whether the C library has found it there */
static int set_numeric_locale(lua_State *L) {
    setenv("LOCPATH", luaL_checkstring(L, 1), 1);
    lua_pushboolean(L, setlocale(LC_NUMERIC, luaL_checkstring(L, 2)) != NULL);
    unsetenv("LOCPATH");
    return 1;
}

static const luaL_Reg functions[] = {
    {"tokens", tokens},
    {"skip", skip},
    {"parse", parse},
    {"valid", valid},
    {"get", get},
    {"write", write_text},
    {"members", members},
    {"double_text", double_text},
    {"utf8_valid", utf8_valid},
    {"unescape", unescape},
    {"set_numeric_locale", set_numeric_locale},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_probe_json(lua_State *L);

int luaopen_probe_json(lua_State *L) {
    luaL_newmetatable(L, BOX_NAME);
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pushinteger(L, JSON_DEPTH_DEFAULT);
    lua_setfield(L, -2, "DEPTH_DEFAULT");
    lua_pushinteger(L, JSON_DEPTH_MAX);
    lua_setfield(L, -2, "DEPTH_MAX");
    return 1;
}
