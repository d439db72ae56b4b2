/* The decoder as an object, and plain JSON to values. Nothing of the text is trusted. */
#include "host/binding/codec_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* So many parts wait on the stack until the table is made, which then has the right size. */
    GATHERED_ITEMS = 64,
    GATHERED_PAIRS = 32,
};

void codec_decoder_init(struct codec_decoder *D, lua_State *L, const char *operation,
                        const char *text, size_t len, unsigned max_depth) {
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    D->L = L;
    D->operation = operation;
    D->subject = ": message";
    json_reader_init(&D->reader, text, len, max_depth);
    D->objects = lua_gettop(L) + 1;
    D->codes = D->objects + 1;
    D->cells = D->objects + 2;
    D->box = D->objects + 3;
    lua_settop(L, D->box);
    D->scratch = NULL;
    D->object_count = D->code_count = D->cell_count = 0;
    D->trusted = false;
}

void codec_decoder_free(struct codec_decoder *D) {
    if (D->scratch)
        buf_free(D->scratch);
}

static int collect(lua_State *L) {
    buf_free(lua_touserdata(L, 1));
    return 0;
}

/* Most texts need none. */
struct buf *codec_scratch(struct codec_decoder *D) {
    static const char key = 0;
    if (!D->scratch) {
        luaL_checkstack(D->L, LUA_MINSTACK, NULL);
        struct buf *scratch = lua_newuserdatauv(D->L, sizeof(*scratch), 0);
        buf_init(scratch, D->reader.len);
        codec_set_finalizer(D->L, &key, collect);
        lua_replace(D->L, D->box);
        D->scratch = scratch;
    }
    D->scratch->len = 0;
    return D->scratch;
}

void codec_fail(struct codec_decoder *D, const char *format, ...) {
    lua_State *L = D->L;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_pushfstring(L, "%s%s %s", D->operation, D->subject, text);
    codec_decoder_free(D);
    lua_error(L);
    abort();
}

void codec_fail_token(struct codec_decoder *D, enum json_token token) {
    char text[128];
    if (token != JSON_ERROR)
        codec_fail(D, "is tagged in a way that awsync/1 does not know, at byte %zu", D->reader.at);
    json_reader_message(&D->reader, text, sizeof(text));
    codec_fail(D, "is no JSON: %s", text);
}

/* How many bytes from at on are there before a backslash; room for the whole word at `to` gets
** them. */
static size_t copy_word(char *to, const char *at) {
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    memcpy(to, &word, sizeof(word));
    uint64_t backslash = word ^ each * '\\';
    uint64_t stop = (backslash - each) & ~backslash & each * 0x80;
    if (!stop)
        return sizeof(word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(stop) / 8;
#else
    return 0;
#endif
}

/* Undoes the escapes of one letter. False at a \u, which is rare and left to json_unescape. */
static bool unescape_letters(struct buf *out, const char *raw, size_t len) {
    static const char letters[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    const char *end = raw + len;
    char *place = buf_reserve(out, len);
    char *to = place;
    while (place && raw < end) {
        if (end - raw >= 8) {
            size_t simple = copy_word(to, raw);
            raw += simple;
            to += simple;
            if (simple == 8)
                continue;
        }
        if (*raw != '\\') {
            *to++ = *raw++;
            continue;
        }
        do {
            *to = letters[raw[1] & 0x7f];
            if (*to++ == 0)
                return false;
            raw += 2;
        } while (raw < end && *raw == '\\');
    }
    out->len += (size_t)(to - place);
    return place != NULL;
}

void codec_push_string(struct codec_decoder *D) {
    const struct json_reader *r = &D->reader;
    if (!r->escaped) {
        lua_pushlstring(D->L, r->raw, r->raw_len);
        return;
    }
    struct buf *text = codec_scratch(D);
    if (!unescape_letters(text, r->raw, r->raw_len) && !json_unescape(text, r->raw, r->raw_len))
        codec_no_memory(D->L);
    lua_pushlstring(D->L, text->data, text->len);
}

static void read_array(struct codec_decoder *D) {
    lua_State *L = D->L;
    struct json_reader *r = &D->reader;
    luaL_checkstack(L, GATHERED_ITEMS + LUA_MINSTACK, NULL);
    lua_pushnil(L);
    int t = lua_gettop(L);
    int n = 0;
    enum json_token token = json_next(r);
    for (; token != JSON_ARRAY_END && n < GATHERED_ITEMS; token = json_next(r)) {
        codec_read_plain(D, token);
        n++;
    }
    lua_createtable(L, token == JSON_ARRAY_END ? n : 2 * n, 0);
    lua_replace(L, t);
    for (int i = n; i > 0; i--)
        lua_rawseti(L, t, i);
    for (lua_Integer i = n + 1; token != JSON_ARRAY_END; token = json_next(r)) {
        codec_read_plain(D, token);
        lua_rawseti(L, t, i++);
    }
}

static void read_pair(struct codec_decoder *D, enum json_token token) {
    if (token != JSON_KEY)
        codec_fail_token(D, token);
    codec_push_string(D);
    codec_read_plain(D, json_next(&D->reader));
}

static void read_object(struct codec_decoder *D) {
    lua_State *L = D->L;
    struct json_reader *r = &D->reader;
    luaL_checkstack(L, 2 * GATHERED_PAIRS + LUA_MINSTACK, NULL);
    lua_pushnil(L);
    int t = lua_gettop(L);
    int n = 0;
    enum json_token token = json_next(r);
    for (; token != JSON_OBJECT_END && n < GATHERED_PAIRS; token = json_next(r)) {
        read_pair(D, token);
        n++;
    }
    lua_createtable(L, 0, token == JSON_OBJECT_END ? n : 2 * n);
    lua_replace(L, t);
    /* Forwards: of a key that is there twice the last one counts. */
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, t + 1 + 2 * i);
        lua_pushvalue(L, t + 2 + 2 * i);
        lua_rawset(L, t);
    }
    lua_settop(L, t);
    for (; token != JSON_OBJECT_END; token = json_next(r)) {
        read_pair(D, token);
        lua_rawset(L, t);
    }
}

void codec_read_plain(struct codec_decoder *D, enum json_token token) {
    lua_State *L = D->L;
    switch (token) {
    case JSON_NULL:
        codec_push_null(L);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, token == JSON_TRUE);
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, D->reader.integer);
        break;
    case JSON_DOUBLE:
        lua_pushnumber(L, D->reader.number);
        break;
    case JSON_STRING:
        codec_push_string(D);
        break;
    case JSON_ARRAY_BEGIN:
        read_array(D);
        break;
    case JSON_OBJECT_BEGIN:
        read_object(D);
        break;
    default:
        codec_fail_token(D, token);
    }
}
