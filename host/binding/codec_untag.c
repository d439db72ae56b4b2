/* Tagged JSON to values: the reverse of codec_tagged.c. Every number, type and name is checked. */
#include "host/binding/codec_internal.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "host/base/base64.h"

enum { NAME_MAX_BYTES = 512 };

void codec_expect(struct codec_decoder *D, enum json_token wanted) {
    enum json_token token = json_next(&D->reader);
    if (token != wanted)
        codec_fail_token(D, token);
}

void codec_keep_object(struct codec_decoder *D) {
    lua_State *L = D->L;
    if (lua_isnil(L, D->objects)) {
        lua_newtable(L);
        lua_replace(L, D->objects);
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, D->objects, D->object_count++);
}

void codec_need_trust(struct codec_decoder *D, const char *what) {
    if (!D->trusted)
        codec_fail(D, "has %s and no signature", what);
}

void codec_push_base64(struct codec_decoder *D) {
    const struct json_reader *r = &D->reader;
    struct buf *bytes = codec_scratch(D);
    if (r->escaped || !base64_decode(bytes, r->raw, r->raw_len)) {
        if (!buf_ok(bytes))
            codec_no_memory(D->L);
        codec_fail(D, "has bytes that are no base64");
    }
    lua_pushlstring(D->L, buf_text(bytes), bytes->len);
}

/* --- tags: each reads the value of its key and pushes what it stands for ---------------------- */

static void read_word(struct codec_decoder *D) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    codec_expect(D, JSON_STRING);
    const struct json_reader *r = &D->reader;
    if (r->raw_len == 3 && memcmp(r->raw, "nil", 3) == 0) {
        lua_pushnil(D->L);
        return;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (r->raw_len == strlen(words[i].word) && memcmp(r->raw, words[i].word, r->raw_len) == 0) {
            lua_pushnumber(D->L, words[i].value);
            return;
        }
    }
    codec_fail_token(D, JSON_STRING);
}

static void read_bytes(struct codec_decoder *D) {
    codec_expect(D, JSON_STRING);
    codec_push_base64(D);
}

static void read_reference(struct codec_decoder *D) {
    codec_expect(D, JSON_INTEGER);
    if (D->reader.integer < 0 || D->reader.integer >= D->object_count)
        codec_fail(D, "refers to a value that it does not have");
    lua_rawgeti(D->L, D->objects, D->reader.integer);
}

/* A string without NUL, for names and words; on the stack while it is needed. */
static const char *push_text(struct codec_decoder *D) {
    codec_push_string(D);
    size_t len;
    const char *text = lua_tolstring(D->L, -1, &len);
    if (len > NAME_MAX_BYTES || strlen(text) != len)
        codec_fail_token(D, JSON_STRING);
    return text;
}

/* ["module"] or ["module","field"] */
static void read_name(struct codec_decoder *D, const char *what) {
    lua_State *L = D->L;
    codec_need_trust(D, what);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    codec_expect(D, JSON_ARRAY_BEGIN);
    codec_expect(D, JSON_STRING);
    const char *module = push_text(D), *field = NULL;
    int names = lua_gettop(L);
    enum json_token token = json_next(&D->reader);
    if (token == JSON_STRING) {
        field = push_text(D);
        token = json_next(&D->reader);
    }
    if (token != JSON_ARRAY_END)
        codec_fail_token(D, token);
    codec_name_push(L, D->operation, module, field);
    lua_replace(L, names);
    lua_settop(L, names);
}

static void read_named(struct codec_decoder *D) {
    read_name(D, "a name of a module or function");
}

static int read_count(struct codec_decoder *D) {
    codec_expect(D, JSON_INTEGER);
    if (D->reader.integer < 0 || D->reader.integer > INT_MAX)
        codec_fail_token(D, JSON_INTEGER);
    return (int)D->reader.integer;
}

/* {"capacity":n,"max_receives":n,"stream":true}, of which any may be missing. */
static void read_channel_extras(struct codec_decoder *D, struct channel_ref *ref) {
    lua_State *L = D->L;
    enum json_token token;
    while ((token = json_next(&D->reader)) == JSON_KEY) {
        const char *key = push_text(D);
        if (strcmp(key, "capacity") == 0) {
            ref->capacity = read_count(D);
            ref->bounded = true;
        } else if (strcmp(key, "max_receives") == 0)
            ref->max_receives = read_count(D);
        else if (strcmp(key, "stream") == 0) {
            codec_expect(D, JSON_TRUE);
            ref->stream = true;
        } else
            codec_fail_token(D, JSON_KEY);
        lua_pop(L, 1);
    }
    if (token != JSON_OBJECT_END)
        codec_fail_token(D, token);
}

static void read_channel(struct codec_decoder *D) {
    lua_State *L = D->L;
    struct channel_ref ref = {0};
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    codec_expect(D, JSON_ARRAY_BEGIN);
    codec_expect(D, JSON_STRING);
    ref.url = push_text(D);
    int texts = lua_gettop(L);
    codec_expect(D, JSON_STRING);
    const char *ways = push_text(D);
    ref.sender = strcmp(ways, "both") == 0 || strcmp(ways, "send") == 0;
    ref.receiver = strcmp(ways, "both") == 0 || strcmp(ways, "receive") == 0;
    enum json_token ordered = json_next(&D->reader);
    if ((!ref.sender && !ref.receiver) || (ordered != JSON_TRUE && ordered != JSON_FALSE))
        codec_fail_token(D, ordered);
    ref.unordered = ordered == JSON_FALSE;
    codec_expect(D, JSON_INTEGER);
    if (D->reader.integer < 0 || D->reader.integer > 43200)
        codec_fail_token(D, JSON_INTEGER);
    ref.visibility_s = (int)D->reader.integer;
    enum json_token token = json_next(&D->reader);
    if (token == JSON_OBJECT_BEGIN) {
        read_channel_extras(D, &ref);
        token = json_next(&D->reader);
    }
    if (token != JSON_ARRAY_END)
        codec_fail_token(D, token);
    lchannel_push(L, &ref);
    lua_replace(L, texts);
    lua_settop(L, texts);
    codec_keep_object(D);
}

/* [key, value, ...] into the table on top, which is an object of the message already. */
static void read_pairs(struct codec_decoder *D) {
    lua_State *L = D->L;
    int t = lua_gettop(L);
    codec_expect(D, JSON_ARRAY_BEGIN);
    for (;;) {
        enum json_token token = json_next(&D->reader);
        if (token == JSON_ARRAY_END)
            return;
        codec_read_tagged(D, token);
        if (lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER && isnan(lua_tonumber(L, -1))))
            codec_fail(D, "has a table with nil or nan as key");
        codec_read_tagged(D, json_next(&D->reader));
        lua_rawset(L, t);
    }
}

static void read_table(struct codec_decoder *D) {
    lua_newtable(D->L);
    codec_keep_object(D);
    read_pairs(D);
}

/* The metatable's name comes first; it is set last, so that nothing is run by filling the table. */
static void read_classed(struct codec_decoder *D) {
    lua_State *L = D->L;
    lua_newtable(L);
    codec_keep_object(D);
    read_name(D, "the name of a metatable");
    if (!lua_istable(L, -1))
        codec_fail(D, "has a metatable that is a %s here", luaL_typename(L, -1));
    codec_expect(D, JSON_KEY);
    if (D->reader.raw_len != 2 || memcmp(D->reader.raw, "$t", 2) != 0)
        codec_fail_token(D, JSON_KEY);
    lua_insert(L, -2);
    read_pairs(D);
    lua_insert(L, -2);
    lua_setmetatable(L, -2);
}

static void read_tag(struct codec_decoder *D) {
    static const struct {
        char letter;
        void (*read)(struct codec_decoder *D);
    } tags[] = {
        {'t', read_table}, {'r', read_reference}, {'f', codec_read_function}, {'c', read_channel},
        {'n', read_word},  {'b', read_bytes},     {'g', read_named},          {'m', read_classed},
    };
    const struct json_reader *r = &D->reader;
    if (r->raw_len != 2)
        codec_fail_token(D, JSON_KEY);
    char letter = r->raw[1];
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (tags[i].letter == letter) {
            tags[i].read(D);
            codec_expect(D, JSON_OBJECT_END);
            return;
        }
    }
    codec_fail_token(D, JSON_KEY);
}

/* --- values ----------------------------------------------------------------------------------- */

static void read_sequence(struct codec_decoder *D) {
    lua_State *L = D->L;
    lua_newtable(L);
    int t = lua_gettop(L);
    codec_keep_object(D);
    for (lua_Integer i = 1;; i++) {
        enum json_token token = json_next(&D->reader);
        if (token == JSON_ARRAY_END)
            return;
        codec_read_tagged(D, token);
        lua_rawseti(L, t, i);
    }
}

/* Pushes the key that the reader is at, without the `$` before a `$`. */
static void push_key(struct codec_decoder *D) {
    lua_State *L = D->L;
    size_t len;
    codec_push_string(D);
    const char *key = lua_tolstring(L, -1, &len);
    if (len == 0 || key[0] != '$')
        return;
    if (len == 1 || key[1] != '$')
        codec_fail_token(D, JSON_KEY);
    lua_pushlstring(L, key + 1, len - 1);
    lua_replace(L, -2);
}

static void read_map(struct codec_decoder *D) {
    lua_State *L = D->L;
    struct json_reader *r = &D->reader;
    enum json_token token = json_next(r);
    if (token == JSON_KEY && r->raw_len > 1 && r->raw[0] == '$' && r->raw[1] != '$') {
        read_tag(D);
        return;
    }
    lua_newtable(L);
    int t = lua_gettop(L);
    codec_keep_object(D);
    for (; token != JSON_OBJECT_END; token = json_next(r)) {
        if (token != JSON_KEY)
            codec_fail_token(D, token);
        push_key(D);
        codec_read_tagged(D, json_next(r));
        lua_rawset(L, t);
    }
}

void codec_read_tagged(struct codec_decoder *D, enum json_token token) {
    switch (token) {
    case JSON_ARRAY_BEGIN:
        luaL_checkstack(D->L, LUA_MINSTACK, NULL);
        read_sequence(D);
        break;
    case JSON_OBJECT_BEGIN:
        luaL_checkstack(D->L, LUA_MINSTACK, NULL);
        read_map(D);
        break;
    default:
        codec_read_plain(D, token);
    }
}
