#include "host/json/json.h"

#include <stdio.h>
#include <string.h>

#include "host/json/number.h"
#include "host/json/text.h"

/* What may come next. */
enum state {
    VALUE,
    ITEM_OR_END, /* behind `[` */
    KEY_OR_END,  /* behind `{` */
    AFTER_VALUE,
    FAILED,
};

static const char unfinished[] = "unexpected end of the text";
static const char unfinished_string[] = "string without its closing quote";

void json_reader_init(struct json_reader *r, const char *text, size_t len, unsigned max_depth) {
    /* The stack is left alone: it is large, and a level's bit is set when the level begins. */
    r->text = text ? text : "";
    r->len = text ? len : 0;
    r->at = 0;
    r->integer = 0;
    r->number = 0.0;
    r->raw = NULL;
    r->raw_len = 0;
    r->escaped = false;
    r->error = NULL;
    r->error_at = 0;
    r->token_at = 0;
    r->depth = 0;
    r->max_depth = max_depth < 1 ? 1 : max_depth > JSON_DEPTH_MAX ? JSON_DEPTH_MAX : max_depth;
    r->state = VALUE;
}

static enum json_token fail(struct json_reader *r, const char *at, const char *error) {
    r->error = error;
    r->error_at = r->token_at = (size_t)(at - r->text);
    r->state = FAILED;
    return JSON_ERROR;
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* --- strings -------------------------------------------------------------------------------- */

static bool read_hex4(const char *at, const char *end, uint32_t *out) {
    uint32_t value = 0;
    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A' + 10);
        else
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

static size_t no_escape(const char **error, const char *text) {
    if (error)
        *error = text;
    return 0;
}

size_t json_escape_read(const char *at, const char *end, uint32_t *code, const char **error) {
    if (end - at < 2)
        return no_escape(error, unfinished_string);
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
        *code = (uint32_t)at[1];
        return 2;
    case 'b':
        *code = '\b';
        return 2;
    case 'f':
        *code = '\f';
        return 2;
    case 'n':
        *code = '\n';
        return 2;
    case 'r':
        *code = '\r';
        return 2;
    case 't':
        *code = '\t';
        return 2;
    case 'u':
        break;
    default:
        return no_escape(error, "unknown escape");
    }
    uint32_t low;
    if (!read_hex4(at + 2, end, code))
        return no_escape(error, "\\u without four hexadecimal digits");
    if (*code < 0xd800 || *code > 0xdfff)
        return 6;
    if (*code > 0xdbff || end - at < 12 || at[6] != '\\' || at[7] != 'u' ||
        !read_hex4(at + 8, end, &low) || low < 0xdc00 || low > 0xdfff)
        return no_escape(error, "half a pair of surrogates");
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

/* Most escapes are of one letter, and what they stand for is not needed yet. */
static bool short_escape(const char *at, const char *end) {
    static const bool letters[256] = {
        ['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true,
        ['f'] = true, ['n'] = true,  ['r'] = true, ['t'] = true,
    };
    return end - at >= 2 && letters[(unsigned char)at[1]];
}

/* Reads the string whose opening quote is at `at` into raw; the place behind it, NULL on error. */
static const char *read_string(struct json_reader *r, const char *at, const char *end) {
    const char *error;
    uint32_t code;
    r->token_at = (size_t)(at - r->text);
    r->raw = ++at;
    r->escaped = false;
    for (;;) {
        at += json_plain_run(at, end);
        if (at == end) {
            fail(r, at, unfinished_string);
            return NULL;
        }
        unsigned char c = (unsigned char)*at;
        if (c == '"') {
            r->raw_len = (size_t)(at - r->raw);
            return at + 1;
        }
        if (c == '\\') {
            r->escaped = true;
            do {
                size_t len = short_escape(at, end) ? 2 : json_escape_read(at, end, &code, &error);
                if (len == 0) {
                    fail(r, at, error);
                    return NULL;
                }
                at += len;
            } while (at < end && *at == '\\');
        } else if (c >= 0x80) {
            do {
                size_t len = json_utf8_length(at, (size_t)(end - at));
                if (len == 0) {
                    fail(r, at, "invalid UTF-8");
                    return NULL;
                }
                at += len;
            } while (at < end && (unsigned char)*at >= 0x80);
        } else if (c == 0x7f) {
            at++;
        } else {
            fail(r, at, "control character in a string");
            return NULL;
        }
    }
}

static size_t put_utf8(char *out, uint32_t code) {
    unsigned char *o = (unsigned char *)out;
    if (code < 0x80) {
        o[0] = (unsigned char)code;
        return 1;
    }
    if (code < 0x800) {
        o[0] = (unsigned char)(0xc0 | code >> 6);
        o[1] = (unsigned char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        o[0] = (unsigned char)(0xe0 | code >> 12);
        o[1] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
        o[2] = (unsigned char)(0x80 | (code & 0x3f));
        return 3;
    }
    o[0] = (unsigned char)(0xf0 | code >> 18);
    o[1] = (unsigned char)(0x80 | (code >> 12 & 0x3f));
    o[2] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
    o[3] = (unsigned char)(0x80 | (code & 0x3f));
    return 4;
}

size_t json_unescape_to(char *out, const char *raw, size_t raw_len) {
    const char *end = raw + raw_len;
    char *to = out;
    while (raw < end) {
        uint32_t code;
        if (*raw != '\\') {
            *to++ = *raw++;
            continue;
        }
        size_t len = json_escape_read(raw, end, &code, NULL);
        if (len == 0)
            return SIZE_MAX;
        raw += len;
        to += put_utf8(to, code);
    }
    return (size_t)(to - out);
}

/* The length that json_unescape_to will return. */
static size_t unescaped_length(const char *raw, size_t raw_len) {
    const char *end = raw + raw_len;
    size_t length = 0;
    char scratch[4];
    while (raw < end) {
        uint32_t code;
        size_t len = 1;
        if (*raw == '\\') {
            len = json_escape_read(raw, end, &code, NULL);
            if (len == 0)
                return SIZE_MAX;
            length += put_utf8(scratch, code);
        } else {
            length++;
        }
        raw += len;
    }
    return length;
}

bool json_unescape(struct buf *out, const char *raw, size_t raw_len) {
    if (raw_len == 0)
        return buf_add(out, "", 0);
    /* Room for the escaped form is cheaper than to count, but must not make a buffer fail that the
    ** text fits. */
    size_t room = raw_len;
    if (out->len > out->max || room > out->max - out->len)
        room = unescaped_length(raw, raw_len);
    if (room == SIZE_MAX)
        return false;
    char *to = buf_reserve(out, room);
    if (!to)
        return false;
    size_t len = json_unescape_to(to, raw, raw_len);
    if (len == SIZE_MAX) {
        *to = '\0';
        return false;
    }
    out->len += len;
    out->data[out->len] = '\0';
    return true;
}

/* --- values --------------------------------------------------------------------------------- */

static bool in_object(const struct json_reader *r) {
    unsigned level = r->depth - 1;
    return r->stack[level / 8] >> (level % 8) & 1;
}

static enum json_token enter(struct json_reader *r, const char *at, bool object) {
    if (r->depth == r->max_depth)
        return fail(r, at, "nested too deep");
    unsigned char bit = (unsigned char)(1U << (r->depth % 8));
    unsigned char *byte = &r->stack[r->depth / 8];
    *byte = (unsigned char)(object ? *byte | bit : *byte & ~bit);
    r->depth++;
    r->at = (size_t)(at + 1 - r->text);
    r->state = object ? KEY_OR_END : ITEM_OR_END;
    return object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
}

static enum json_token leave(struct json_reader *r, const char *at) {
    enum json_token token = in_object(r) ? JSON_OBJECT_END : JSON_ARRAY_END;
    r->token_at = (size_t)(at - r->text);
    r->depth--;
    r->at = (size_t)(at + 1 - r->text);
    r->state = AFTER_VALUE;
    return token;
}

static enum json_token read_literal(struct json_reader *r, const char *at, const char *end,
                                    const char *word, enum json_token token) {
    size_t len = strlen(word);
    if ((size_t)(end - at) < len || memcmp(at, word, len) != 0)
        return fail(r, at, "unknown word");
    r->at = (size_t)(at - r->text) + len;
    r->state = AFTER_VALUE;
    return token;
}

static enum json_token read_number(struct json_reader *r, const char *at, const char *end) {
    struct json_number number;
    const char *error, *error_at;
    at = json_number_read(at, end, &number, &error, &error_at);
    if (!at)
        return fail(r, error_at, error);
    r->at = (size_t)(at - r->text);
    r->state = AFTER_VALUE;
    if (number.is_integer) {
        r->integer = number.integer;
        return JSON_INTEGER;
    }
    r->number = number.number;
    return JSON_DOUBLE;
}

static enum json_token read_value(struct json_reader *r, const char *at, const char *end) {
    if (at == end)
        return fail(r, at, unfinished);
    r->token_at = (size_t)(at - r->text);
    switch (*at) {
    case '{':
        return enter(r, at, true);
    case '[':
        return enter(r, at, false);
    case '"':
        at = read_string(r, at, end);
        if (!at)
            return JSON_ERROR;
        r->at = (size_t)(at - r->text);
        r->state = AFTER_VALUE;
        return JSON_STRING;
    case 't':
        return read_literal(r, at, end, "true", JSON_TRUE);
    case 'f':
        return read_literal(r, at, end, "false", JSON_FALSE);
    case 'n':
        return read_literal(r, at, end, "null", JSON_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(r, at, end);
    default:
        if (at == r->text && end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
            return fail(r, at, "byte order mark");
        return fail(r, at, "a value expected");
    }
}

/* A key and its colon. */
static enum json_token read_key(struct json_reader *r, const char *at, const char *end) {
    if (at == end)
        return fail(r, at, unfinished);
    if (*at != '"')
        return fail(r, at, "a key in quotes expected");
    at = read_string(r, at, end);
    if (!at)
        return JSON_ERROR;
    at = skip_space(at, end);
    if (at == end)
        return fail(r, at, unfinished);
    if (*at != ':')
        return fail(r, at, "':' expected");
    r->at = (size_t)(at + 1 - r->text);
    r->state = VALUE;
    return JSON_KEY;
}

static enum json_token read_after_value(struct json_reader *r, const char *at, const char *end) {
    if (r->depth == 0) {
        if (at != end)
            return fail(r, at, "something follows the value");
        r->at = r->token_at = r->len;
        return JSON_END;
    }
    if (at == end)
        return fail(r, at, unfinished);
    bool object = in_object(r);
    if (*at == ',') {
        at = skip_space(at + 1, end);
        return object ? read_key(r, at, end) : read_value(r, at, end);
    }
    if (*at == (object ? '}' : ']'))
        return leave(r, at);
    return fail(r, at, object ? "',' or '}' expected" : "',' or ']' expected");
}

enum json_token json_next(struct json_reader *r) {
    const char *end = r->text + r->len;
    const char *at = skip_space(r->text + r->at, end);
    switch ((enum state)r->state) {
    case AFTER_VALUE:
        return read_after_value(r, at, end);
    case VALUE:
        return read_value(r, at, end);
    case ITEM_OR_END:
        return at < end && *at == ']' ? leave(r, at) : read_value(r, at, end);
    case KEY_OR_END:
        return at < end && *at == '}' ? leave(r, at) : read_key(r, at, end);
    case FAILED:
        break;
    }
    return JSON_ERROR;
}

bool json_skip(struct json_reader *r, enum json_token token) {
    if (token == JSON_KEY)
        token = json_next(r);
    if (token == JSON_ARRAY_BEGIN || token == JSON_OBJECT_BEGIN) {
        unsigned outside = r->depth - 1;
        while (r->depth > outside) {
            if (json_next(r) == JSON_ERROR)
                return false;
        }
    }
    return token != JSON_ERROR;
}

void json_reader_message(const struct json_reader *r, char *out, size_t size) {
    if (size > 0)
        snprintf(out, size, "%s at byte %zu", r->error ? r->error : "no error", r->error_at);
}
