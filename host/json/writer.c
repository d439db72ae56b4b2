#include "host/json/json.h"

#include <math.h>
#include <string.h>

#include "host/json/number.h"
#include "host/json/text.h"

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

/* U+FFFE and U+FFFF: valid UTF-8, but SQS refuses them. */
static bool is_noncharacter(const unsigned char *s) {
    return s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe;
}

/* The letter of a short escape, 0 when there is none. */
static char short_escape(unsigned char c) {
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

/* Length of text with its escapes, without quotes. False when it is no UTF-8. */
static bool escaped_length(const char *text, const char *stop, size_t *out) {
    size_t length = (size_t)(stop - text);
    for (;;) {
        text += json_plain_run(text, stop);
        if (text == stop)
            break;
        unsigned char c = (unsigned char)*text;
        if (c < 0x80) {
            length += short_escape(c) ? 1 : 5;
            text++;
            continue;
        }
        size_t step = json_utf8_length(text, (size_t)(stop - text));
        if (step == 0)
            return false;
        if (is_noncharacter((const unsigned char *)text))
            length += 3;
        text += step;
    }
    *out = length;
    return true;
}

static char *put_unicode_escape(char *to, unsigned code) {
    static const char digits[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *to++ = digits[code >> shift & 15];
    return to;
}

/* Writes text, which is UTF-8, with its escapes; the place behind it. */
static char *put_escaped(char *to, const char *text, const char *stop) {
    for (;;) {
        size_t run = json_plain_run(text, stop);
        memcpy(to, text, run);
        to += run;
        text += run;
        if (text == stop)
            return to;
        unsigned char c = (unsigned char)*text;
        char letter = short_escape(c);
        if (letter) {
            *to++ = '\\';
            *to++ = letter;
            text++;
        } else if (c < 0x80) {
            to = put_unicode_escape(to, c);
            text++;
        } else if (is_noncharacter((const unsigned char *)text)) {
            to = put_unicode_escape(to, 0xff40U + (unsigned char)text[2]);
            text += 3;
        } else {
            do
                *to++ = *text++;
            while (text < stop && (*text & 0xc0) == 0x80);
        }
    }
}

/* The quoted text, a comma before it when one is due, `behind` after it unless that is 0. */
static bool put_string(struct json_writer *w, const char *text, size_t len, char behind) {
    size_t length;
    if (len == 0)
        text = "";
    if (!escaped_length(text, text + len, &length))
        return false;
    size_t total = length + 2 + w->comma + (behind != 0);
    char *to = buf_reserve(w->out, total);
    if (!to)
        return false;
    if (w->comma)
        *to++ = ',';
    *to++ = '"';
    if (length == len) {
        memcpy(to, text, len);
        to += len;
    } else {
        to = put_escaped(to, text, text + len);
    }
    *to++ = '"';
    if (behind)
        *to = behind;
    w->out->len += total;
    return true;
}

bool json_key_n(struct json_writer *w, const char *key, size_t len) {
    if (!put_string(w, key, len, ':'))
        return false;
    w->comma = false;
    return true;
}

bool json_key(struct json_writer *w, const char *key) {
    return json_key_n(w, key, strlen(key));
}

bool json_string_n(struct json_writer *w, const char *text, size_t len) {
    if (!put_string(w, text, len, 0))
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
