/* JSON text, appended byte by byte to the encoder's buffer. */
#include "host/binding/codec_internal.h"

#include <string.h>

#include "host/base/base64.h"

enum { FIRST_ROOM = 480 };

char *codec_room_slow(struct codec_encoder *E, size_t len) {
    if (len >= E->out.max - E->out.len)
        luaL_error(E->L, "%s: value is more than %d megabytes as text", E->operation,
                   (int)(E->out.max >> 20));
    char *place = buf_reserve(&E->out, len < FIRST_ROOM ? FIRST_ROOM : len);
    if (!place)
        codec_no_memory(E->L);
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
    BLOCK = 128,     /* bytes looked at one by one before the room is checked again */
    ESCAPE_SIZE = 6, /* of the longest escape */
    RUN = 16,        /* so many simple bytes, and eight at a time are worth a try again */
};

/* How many bytes go out as they are: printable ASCII without quote and backslash. */
static size_t simple_run(const char *text, size_t len) {
    size_t i = 0;
    for (; len - i >= 8; i += 8) {
        uint64_t w;
        memcpy(&w, text + i, sizeof(w));
        uint64_t quote = w ^ EACH('"'), backslash = w ^ EACH('\\');
        /* The high bit of each byte that is below 0x20, a quote, a backslash, 0x7f or above. */
        uint64_t special =
            (w - EACH(0x20)) | (quote - EACH(1)) | (backslash - EACH(1)) | (w + EACH(1)) | w;
        if (special & EACH(0x80))
            break;
    }
    while (i < len && forms[(unsigned char)text[i]] == ' ')
        i++;
    return i;
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
    if (left >= 2 && u[0] >= 0xc2 && u[0] < 0xe0 && (u[1] & 0xc0) == 0x80)
        *len = 2;
    else
        *len = json_utf8_length(text, left);
    /* U+FFFE and U+FFFF are no characters of XML: SQS refuses them. */
    if (*len == 3 && u[0] == 0xef && u[1] == 0xbf && u[2] >= 0xbe)
        return put_escape(to, u[2] == 0xbe ? 0xfffe : 0xffff);
    for (size_t i = 0; i < *len; i++)
        *to++ = text[i];
    return to;
}

/* Takes what it can of text, at least one byte, at most about a block; 0 when it is not UTF-8. */
static size_t add_block(struct codec_encoder *E, const char *text, size_t len) {
    char *const begin = codec_room(E, (size_t)BLOCK * ESCAPE_SIZE + ESCAPE_SIZE);
    char *to = begin;
    size_t i = 0, simple = 0;
    while (i < len && i < BLOCK && simple < RUN) {
        unsigned char c = (unsigned char)text[i];
        char form = forms[c];
        size_t step = 1;
        simple = form == ' ' ? simple + 1 : 0;
        if (form == ' ') {
            *to++ = (char)c;
        } else if (form == 'u') {
            to = put_escape(to, c);
        } else if (form == '+') {
            to = put_multibyte(to, text + i, len - i, &step);
            if (step == 0)
                return 0;
        } else {
            *to++ = '\\';
            *to++ = form;
        }
        i += step;
    }
    E->out.len += (size_t)(to - begin);
    return i;
}

bool codec_add_string(struct codec_encoder *E, const char *begin, const char *text, size_t len) {
    size_t start = E->out.len;
    codec_addc(E, '"');
    for (; *begin; begin++)
        codec_addc(E, *begin);
    for (size_t i = 0; i < len;) {
        size_t run = simple_run(text + i, len - i);
        codec_add(E, text + i, run);
        i += run;
        if (i == len)
            break;
        size_t step = add_block(E, text + i, len - i);
        if (step == 0) {
            E->out.len = start;
            return false;
        }
        i += step;
    }
    codec_addc(E, '"');
    return true;
}

void codec_add_base64(struct codec_encoder *E, const void *data, size_t len) {
    codec_addc(E, '"');
    codec_room(E, len / 3 * 4 + 8);
    if (!base64_encode(&E->out, data, len))
        codec_no_memory(E->L);
    codec_addc(E, '"');
}
