/* JSON text, appended byte by byte to the encoder's buffer. */
#include "host/binding/codec_internal.h"

#include <string.h>

#include "host/base/base64.h"

enum { FIRST_ROOM = 480 };

char *codec_room_slow(struct codec_encoder *E, size_t len) {
    if (len >= E->out.max - E->out.len) {
        codec_encoder_done(E);
        luaL_error(E->L, "%s: value is more than %d megabytes as text", E->operation,
                   (int)(E->out.max >> 20));
    }
    char *place = buf_reserve(&E->out, len < FIRST_ROOM ? FIRST_ROOM : len);
    if (!place)
        codec_encoder_fail(E);
    return place;
}

void codec_add(struct codec_encoder *E, const char *text, size_t len) {
    memcpy(codec_room(E, len), text, len);
    E->out.len += len;
}

void codec_add_integer(struct codec_encoder *E, lua_Integer value) {
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    codec_add(E, at, (size_t)(digits + sizeof(digits) - at));
}

void codec_add_double(struct codec_encoder *E, lua_Number value) {
    E->out.len += json_double_text(value, codec_room(E, JSON_NUMBER_SIZE));
}

/* --- strings ---------------------------------------------------------------------------------- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* How a byte goes out: ' ' as it is, 'u' by its number, '+' with the others of its character,
** else behind a backslash as this letter. */
static const char forms[] =
    /* clang-format off */
    "uuuuuuuubtnufruu"
    "uuuuuuuuuuuuuuuu"
    "  \"             "
    "                "
    "                "
    "            \\   "
    "                "
    "               u"
    "++++++++++++++++"
    "++++++++++++++++"
    "++++++++++++++++"
    "++++++++++++++++"
    "++++++++++++++++"
    "++++++++++++++++"
    "++++++++++++++++"
    "++++++++++++++++";
/* clang-format on */

enum {
    BLOCK = 256,     /* characters of so many bytes are written before the room is checked again */
    ESCAPE_SIZE = 6, /* of the longest escape */
    WORD = 8,        /* bytes looked at together */
};

/* The high bit of each byte that does not go out as it is: below 0x20, a quote, a backslash, from
** 0x7f on. Above the first of them there may be others. */
static uint64_t special_bytes(uint64_t word) {
    uint64_t quote = word ^ EACH('"'), backslash = word ^ EACH('\\');
    return ((word - EACH(0x20)) | (quote - EACH(1)) | (backslash - EACH(1)) | (word + EACH(1)) |
            word) &
           EACH(0x80);
}

static char *put_escape(char *to, unsigned code) {
    static const char digits[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *to++ = digits[code >> shift & 15];
    return to;
}

/* One character from 0x80 on; *len gets its length, 0 when it is none. */
static char *put_multibyte(char *to, const char *text, size_t left, size_t *len) {
    const unsigned char *u = (const unsigned char *)text;
    if (left >= 2 && u[0] >= 0xc2 && u[0] < 0xe0 && (u[1] & 0xc0) == 0x80) {
        *len = 2;
        to[0] = text[0];
        to[1] = text[1];
        return to + 2;
    }
    *len = json_utf8_length(text, left);
    /* U+FFFE and U+FFFF are no characters of XML: SQS refuses them. */
    if (*len == 3 && u[0] == 0xef && u[1] == 0xbf && u[2] >= 0xbe)
        return put_escape(to, u[2] == 0xbe ? 0xfffe : 0xffff);
    for (size_t i = 0; i < *len; i++)
        *to++ = text[i];
    return to;
}

/* Writes the characters that begin before stop; to has room for an escape of each byte and a word
** more. *at gets the place behind the last of them. NULL when the text is not UTF-8. */
static char *put_block(char *to, const char **at, const char *stop, const char *end) {
    const char *from = *at;
    while (from < stop) {
        if (stop - from >= WORD) {
            uint64_t word;
            memcpy(&word, from, sizeof(word));
            memcpy(to, &word, sizeof(word));
            uint64_t special = special_bytes(word);
            size_t simple = WORD;
            if (special) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                simple = (size_t)__builtin_ctzll(special) / 8;
#else
                simple = 0;
#endif
            }
            from += simple;
            to += simple;
            if (!special)
                continue;
        }
        unsigned char c = (unsigned char)*from;
        char form = forms[c];
        size_t step = 1;
        if (form == ' ') {
            *to++ = (char)c;
        } else if (form == '+') {
            to = put_multibyte(to, from, (size_t)(end - from), &step);
            if (step == 0)
                return NULL;
        } else if (form == 'u') {
            to = put_escape(to, c);
        } else {
            *to++ = '\\';
            *to++ = form;
        }
        from += step;
    }
    *at = from;
    return to;
}

bool codec_add_string(struct codec_encoder *E, const char *begin, const char *text, size_t len) {
    const char *at = text, *end = text + len;
    const size_t start = E->out.len;
    size_t block = len < BLOCK ? len : BLOCK;
    /* The quotes and begin have their place in the second word. */
    char *place = codec_room(E, block * ESCAPE_SIZE + 2 * WORD);
    char *to = place;
    *to++ = '"';
    if (*begin)
        *to++ = *begin;
    while ((to = put_block(to, &at, at + block, end)) && at < end) {
        E->out.len += (size_t)(to - place);
        block = (size_t)(end - at) < BLOCK ? (size_t)(end - at) : BLOCK;
        place = to = codec_room(E, block * ESCAPE_SIZE + 2 * WORD);
    }
    if (!to) {
        E->out.len = start;
        return false;
    }
    *to++ = '"';
    E->out.len += (size_t)(to - place);
    return true;
}

void codec_add_base64(struct codec_encoder *E, const void *data, size_t len) {
    codec_addc(E, '"');
    codec_room(E, len / 3 * 4 + 8);
    if (!base64_encode(&E->out, data, len))
        codec_encoder_fail(E);
    codec_addc(E, '"');
}
