#include "host/json/json.h"

#include <math.h>
#include <string.h>

#include "host/base/secret.h"
#include "host/json/number.h"

void json_writer_init(struct json_writer *w, struct buf *out) {
    w->out = out;
    w->comma = false;
}

/* A piece of known text before which a comma may be due. */
static bool put(struct json_writer *w, const char *text, size_t len) {
    if (w->comma && !buf_addc(w->out, ','))
        return false;
    return buf_add(w->out, text, len);
}

static void begin(struct json_writer *w, const char *bracket) {
    put(w, bracket, 1);
    w->comma = false;
}

static void end(struct json_writer *w, char bracket) {
    buf_addc(w->out, bracket);
    w->comma = true;
}

void json_object_begin(struct json_writer *w) {
    begin(w, "{");
}

void json_object_end(struct json_writer *w) {
    end(w, '}');
}

void json_array_begin(struct json_writer *w) {
    begin(w, "[");
}

void json_array_end(struct json_writer *w) {
    end(w, ']');
}

void json_null(struct json_writer *w) {
    put(w, "null", 4);
    w->comma = true;
}

void json_bool(struct json_writer *w, bool value) {
    if (value)
        put(w, "true", 4);
    else
        put(w, "false", 5);
    w->comma = true;
}

void json_integer(struct json_writer *w, int64_t value) {
    char text[1 + JSON_DIGITS_SIZE];
    size_t len = 0;
    if (value < 0)
        text[len++] = '-';
    len += json_digits(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, text + len);
    put(w, text, len);
    w->comma = true;
}

bool json_double(struct json_writer *w, double value) {
    char text[JSON_NUMBER_SIZE];
    if (!isfinite(value))
        return false;
    bool done = put(w, text, json_double_text(value, text));
    w->comma = true;
    return done;
}

void json_raw(struct json_writer *w, const char *json, size_t len) {
    put(w, json, len);
    w->comma = true;
}

/* --- strings -------------------------------------------------------------------------------- */

enum { BLOCK = 256 }; /* characters of so many bytes are written at once */

/* The text with its escapes and `after` behind it. False, and it has added a part, when it is no UTF-8. */
static bool put_escaped(struct buf *out, const char *text, size_t len, const char *after) {
    const char *at = len > 0 ? text : "", *end = at + len;
    char block[JSON_ESCAPED_SIZE(BLOCK)]; /* the buffer's own room would have to be for the worst */
    bool ok = true;
    while (ok && at < end) {
        size_t step = (size_t)(end - at) < BLOCK ? (size_t)(end - at) : BLOCK;
        char *to = json_escape_block(block, &at, at + step, end);
        ok = to != NULL && buf_add(out, block, (size_t)(to - block));
    }
    if (out->secret)
        secret_wipe(block, sizeof block);
    return ok && buf_adds(out, after);
}

/* The quoted text, a comma before it when one is due, after: a quote and what follows it. */
static bool put_string(struct json_writer *w, const char *text, size_t len, const char *after) {
    const size_t start = w->out->len;
    if (put(w, "\"", 1) && put_escaped(w->out, text, len, after))
        return true;
    if (buf_ok(w->out)) {
        w->out->len = start;
        w->out->data[start] = '\0';
    }
    return false;
}

bool json_key_n(struct json_writer *w, const char *key, size_t len) {
    if (!put_string(w, key, len, "\":"))
        return false;
    w->comma = false;
    return true;
}

bool json_key(struct json_writer *w, const char *key) {
    return json_key_n(w, key, strlen(key));
}

bool json_string_n(struct json_writer *w, const char *text, size_t len) {
    if (!put_string(w, text, len, "\""))
        return false;
    w->comma = true;
    return true;
}

bool json_string(struct json_writer *w, const char *text) {
    return json_string_n(w, text, strlen(text));
}

bool json_member(struct json_writer *w, const char *key, const char *text) {
    return json_utf8_valid(text, strlen(text)) && json_key(w, key) && json_string(w, text);
}
