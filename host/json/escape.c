/* How characters stand in a JSON string. */
#include "host/json/json.h"

#include <string.h>

#include "host/json/text.h"

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

enum { WORD = 8 }; /* bytes looked at together */

/* The high bit of each byte that does not go out as it is: below 0x20, a quote, a backslash, from
** 0x7f on. Above the first of them there may be others. */
static uint64_t special_bytes(uint64_t word) {
    uint64_t quote = word ^ JSON_EACH('"'), backslash = word ^ JSON_EACH('\\');
    return ((word - JSON_EACH(0x20)) | (quote - JSON_EACH(1)) | (backslash - JSON_EACH(1)) |
            (word + JSON_EACH(1)) | word) &
           JSON_EACH(0x80);
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

char *json_escape_block(char *to, const char **at, const char *stop, const char *end) {
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
