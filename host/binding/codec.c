/* The codec's door: messages, results, calls. docs/wire.md describes what they look like. */
#include "host/binding/codec_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/secret.h"

#define WIRE_PREFIX  "awsync/"
#define WIRE_VERSION "awsync/1 "
#define WIRE_SIGNED  "signed "

enum {
    REQUEST_ID_MAX = 64,
    VERSION_SHOWN = 24,
    HEAD_SIZE = 160,
};

/* A queue keeps a message for at most four days (MessageRetentionPeriod's default), a clock may
** be off. */
#define MESSAGE_LIFETIME_MS (INT64_C(4) * 24 * 3600 * 1000 + ENVELOPE_SKEW_MS)

static bool has_key(const struct codec_options *o) {
    return o->key && o->key->len > 0;
}

/* --- messages out ----------------------------------------------------------------------------- */

/* The value at idx as text in E->out; with tags it begins with WIRE_VERSION. True when tagged. */
static bool write_value(struct codec_encoder *E, int idx) {
    lua_State *L = E->L;
    int top = lua_gettop(L);
    struct codec_step step = {.kind = STEP_ROOT};
    lua_pushvalue(L, idx);
    bool plain = codec_plain(E, &step);
    if (!plain) {
        lua_settop(L, top);
        codec_encoder_restart(E);
        codec_add_literal(E, WIRE_VERSION);
        lua_pushvalue(L, idx);
        codec_tagged(E, &step);
    }
    lua_settop(L, top);
    return !plain;
}

/* What a request id may hold in the head; anything else is left out. */
static void copy_id(char *out, const char *id) {
    size_t len = 0;
    for (; id && *id && len < REQUEST_ID_MAX; id++) {
        bool letter = (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z');
        if (letter || (*id >= '0' && *id <= '9') || *id == '-' || *id == '_')
            out[len++] = *id;
    }
    if (len == 0)
        out[len++] = '-';
    out[len] = '\0';
}

/* `awsync/1 signed <issued> <request id>`: what the MAC covers before the document. */
static void write_head(char *head, int64_t issued_ms, const char *id) {
    snprintf(head, HEAD_SIZE, WIRE_VERSION WIRE_SIGNED "%lld %s", (long long)issued_ms, id);
}

static size_t signed_size(const struct codec_encoder *E, const char *head) {
    return strlen(head) + 1 + ENVELOPE_MAC_SIZE + E->out.len - strlen(WIRE_VERSION);
}

/* The sealed text of the tagged document in E->out, on top of the stack. */
static void push_signed(struct codec_encoder *E, const char *head,
                        const struct codec_options *options) {
    lua_State *L = E->L;
    char mac[ENVELOPE_MAC_SIZE];
    const char *document = E->out.data + strlen(WIRE_VERSION);
    size_t len = E->out.len - strlen(WIRE_VERSION);
    if (!envelope_mac(options->key, head, document, len, mac))
        codec_encoder_fail(E);
    lua_pushfstring(L, "%s %s ", head, mac);
    lua_pushlstring(L, document, len);
    lua_concat(L, 2);
}

void codec_encode(lua_State *L, int idx, const struct codec_options *options) {
    idx = lua_absindex(L, idx);
    int top = lua_gettop(L);
    struct codec_encoder *E = codec_encoder_new(L, options->operation);
    E->may_name = has_key(options);
    write_value(E, idx);
    char head[HEAD_SIZE] = "", id[REQUEST_ID_MAX + 1];
    if (E->named) {
        copy_id(id, options->request_id);
        write_head(head, clock_wall_ms(), id);
    }
    size_t size = E->named ? signed_size(E, head) : E->out.len;
    if (size > options->limit) {
        E->whole = size;
        codec_encoder_restart(E);
        write_value(E, idx);
        codec_refuse_size(E, "value", "a message", size, "SQS's", options->limit);
    }
    if (E->named)
        push_signed(E, head, options);
    else
        lua_pushlstring(L, E->out.data, E->out.len);
    codec_encoder_done(E);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

/* --- messages in ------------------------------------------------------------------------------ */

/* Reads to the next blank into out; the place behind the blank, NULL when there is no such word. */
static const char *read_word(const char *at, const char *end, char *out, size_t size) {
    size_t len = 0;
    while (at + len < end && at[len] != ' ' && len < size)
        len++;
    if (len == 0 || len == size || at + len == end)
        return NULL;
    memcpy(out, at, len);
    out[len] = '\0';
    return at + len + 1;
}

/* Checks what stands before the document of a signed message; the document's place. */
static const char *check_signature(struct codec_decoder *D, const char *at, const char *end,
                                   const struct codec_options *options) {
    char issued[24], id[REQUEST_ID_MAX + 1], mac[ENVELOPE_MAC_SIZE], ours[ENVELOPE_MAC_SIZE];
    char head[HEAD_SIZE];
    at = read_word(at, end, issued, sizeof(issued));
    at = at ? read_word(at, end, id, sizeof(id)) : NULL;
    at = at ? read_word(at, end, mac, sizeof(mac)) : NULL;
    if (!at || strlen(mac) != ENVELOPE_MAC_SIZE - 1)
        codec_fail(D, "has a signature that cannot be read: cut or changed on its way");
    if (!has_key(options))
        codec_fail(D, "is signed, and there is no key to verify it: %s", ENVELOPE_KEY_HELP);
    /* The words as they are, not what they mean: the MAC is over exact bytes. */
    snprintf(head, sizeof(head), WIRE_VERSION WIRE_SIGNED "%s %s", issued, id);
    if (!envelope_mac(options->key, head, at, (size_t)(end - at), ours))
        codec_no_memory(D->L);
    bool holds = secret_equal(mac, ours, ENVELOPE_MAC_SIZE - 1);
    secret_wipe(ours, sizeof(ours));
    if (!holds)
        codec_fail(D, "has a signature that does not hold: changed on its way, or signed with the "
                      "key of another deployment");
    int64_t age = clock_wall_ms() - strtoll(issued, NULL, 10);
    if (age > MESSAGE_LIFETIME_MS || age < -(int64_t)ENVELOPE_SKEW_MS)
        codec_fail(D, "has a signature that is older than its lifetime, or from the future");
    D->trusted = true;
    return at;
}

static void end_document(struct codec_decoder *D) {
    enum json_token token = json_next(&D->reader);
    if (token != JSON_END)
        codec_fail_token(D, token);
}

static void read_tagged_message(struct codec_decoder *D, const char *text, size_t len,
                                const struct codec_options *options) {
    const char *end = text + len;
    size_t version = strlen(WIRE_VERSION), mark = strlen(WIRE_SIGNED);
    if (len < version || memcmp(text, WIRE_VERSION, version) != 0) {
        char shown[VERSION_SHOWN + 1];
        size_t n = 0;
        for (; n < VERSION_SHOWN && n < len && text[n] > ' ' && text[n] < 0x7f; n++)
            shown[n] = text[n];
        shown[n] = '\0';
        codec_fail(D, "is of version %s, and this program reads awsync/1", shown);
    }
    const char *at = text + version;
    if ((size_t)(end - at) >= mark && memcmp(at, WIRE_SIGNED, mark) == 0)
        at = check_signature(D, at + mark, end, options);
    json_reader_init(&D->reader, at, (size_t)(end - at), CODEC_TAGGED_DEPTH);
    codec_read_tagged(D, json_next(&D->reader));
    end_document(D);
}

static void read_plain_message(struct codec_decoder *D) {
    enum json_token token = json_next(&D->reader);
    if (token == JSON_NULL)
        lua_pushnil(D->L);
    else
        codec_read_plain(D, token);
    end_document(D);
}

/* Leaves of all that was pushed from slot on only the value on top. */
static void keep_result(struct codec_decoder *D, int slot) {
    codec_decoder_free(D);
    lua_replace(D->L, slot);
    lua_settop(D->L, slot);
}

void codec_decode(lua_State *L, const char *text, size_t len, const struct codec_options *options) {
    int slot = lua_gettop(L) + 1;
    struct codec_decoder D;
    codec_decoder_init(&D, L, options->operation, text, len, CODEC_DEPTH_MAX);
    size_t mark = strlen(WIRE_PREFIX);
    if (len >= mark && memcmp(text, WIRE_PREFIX, mark) == 0)
        read_tagged_message(&D, text, len, options);
    else
        read_plain_message(&D);
    keep_result(&D, slot);
}

/* --- plain JSON ------------------------------------------------------------------------------- */

void codec_encode_json(lua_State *L, int idx, const char *operation) {
    idx = lua_absindex(L, idx);
    int top = lua_gettop(L);
    struct codec_encoder *E = codec_encoder_new(L, operation);
    struct codec_step step = {.kind = STEP_ROOT};
    E->strict = true;
    lua_pushvalue(L, idx);
    codec_plain(E, &step);
    lua_pushlstring(L, E->out.data, E->out.len);
    codec_encoder_done(E);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

void codec_decode_json(lua_State *L, const char *text, size_t len, const char *what) {
    int slot = lua_gettop(L) + 1;
    struct codec_decoder D;
    codec_decoder_init(&D, L, what, text, len, CODEC_DEPTH_MAX);
    D.subject = "";
    read_plain_message(&D);
    keep_result(&D, slot);
}

/* --- calls ------------------------------------------------------------------------------------ */

static void write_call(struct codec_encoder *E, int fn, int first, int n) {
    lua_State *L = E->L;
    struct codec_step step = {.kind = STEP_CALLED};
    codec_addc(E, '[');
    lua_pushvalue(L, fn);
    codec_tagged(E, &step);
    lua_pop(L, 1);
    step.kind = STEP_ARGUMENT;
    for (step.n = 1; step.n <= n; step.n++) {
        codec_addc(E, ',');
        lua_pushvalue(L, first + (int)step.n - 1);
        codec_tagged(E, &step);
        lua_pop(L, 1);
    }
    codec_addc(E, ']');
}

/* The payload becomes a string in the envelope: each quote and backslash then takes two bytes. */
static size_t size_in_envelope(const struct codec_encoder *E) {
    size_t size = E->out.len;
    for (size_t i = 0; i < E->out.len; i++)
        size += E->out.data[i] == '"' || E->out.data[i] == '\\';
    return size;
}

void codec_encode_call(lua_State *L, int fn, int first, int n,
                       const struct codec_options *options) {
    int top = lua_gettop(L);
    fn = lua_absindex(L, fn);
    first = n > 0 ? lua_absindex(L, first) : first;
    if (!lua_isfunction(L, fn))
        luaL_error(L, "%s: a function expected, got a %s", options->operation,
                   luaL_typename(L, fn));
    struct codec_encoder *E = codec_encoder_new(L, options->operation);
    E->may_name = true;
    write_call(E, fn, first, n);
    size_t size = size_in_envelope(E);
    if (size > options->limit) {
        E->whole = E->out.len;
        codec_encoder_restart(E);
        write_call(E, fn, first, n);
        codec_refuse_size(E, "the call", "an event", size, "Lambda's", options->limit);
    }
    lua_pushlstring(L, E->out.data, E->out.len);
    codec_encoder_done(E);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

int codec_decode_call(lua_State *L, const char *text, size_t len,
                      const struct codec_options *options) {
    int slot = lua_gettop(L) + 1;
    struct codec_decoder D;
    codec_decoder_init(&D, L, options->operation, text, len, CODEC_TAGGED_DEPTH);
    int first = lua_gettop(L) + 1, n = 0;
    D.trusted = true;
    codec_expect(&D, JSON_ARRAY_BEGIN);
    codec_read_tagged(&D, json_next(&D.reader));
    if (!lua_isfunction(L, first))
        codec_fail(&D, "has a %s where the function of a call belongs", luaL_typename(L, first));
    for (;;) {
        enum json_token token = json_next(&D.reader);
        if (token == JSON_ARRAY_END)
            break;
        luaL_checkstack(L, LUA_MINSTACK, "too many arguments");
        codec_read_tagged(&D, token);
        n++;
    }
    end_document(&D);
    codec_decoder_free(&D);
    for (int i = first; i > slot; i--)
        lua_remove(L, slot);
    return n;
}
