#include "host/json/json.h"

#include "host/json/text.h"

static bool is_tail(unsigned char c) {
    return (c & 0xc0) == 0x80;
}

/* The table of well-formed sequences in RFC 3629, section 4. */
size_t json_utf8_length(const char *text, size_t left) {
    const unsigned char *s = (const unsigned char *)text;
    if (left == 0)
        return 0;
    unsigned char lead = s[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    if (lead < 0xe0)
        return left >= 2 && is_tail(s[1]) ? 2 : 0;
    if (left < 3 || !is_tail(s[1]) || !is_tail(s[2]))
        return 0;
    if (lead < 0xf0) {
        if ((lead == 0xe0 && s[1] < 0xa0) || (lead == 0xed && s[1] >= 0xa0))
            return 0; /* too long a form, or a surrogate */
        return 3;
    }
    if (left < 4 || !is_tail(s[3]))
        return 0;
    if ((lead == 0xf0 && s[1] < 0x90) || (lead == 0xf4 && s[1] >= 0x90))
        return 0; /* too long a form, or above U+10FFFF */
    return 4;
}

bool json_utf8_valid(const char *text, size_t len) {
    const char *end = len ? text + len : text;
    for (const char *at = text; at < end;) {
        at += json_plain_run(at, end);
        if (at == end)
            break;
        size_t step = json_utf8_length(at, (size_t)(end - at));
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}
