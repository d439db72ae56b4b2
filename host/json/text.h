/* Private to the JSON room: what reader, writer and tree share about strings. */
#ifndef AWSYNC_JSON_TEXT_H
#define AWSYNC_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* How many bytes from at on are printable ASCII and neither quote nor backslash.
** Eight at a time. */
static inline size_t json_plain_run(const char *at, const char *end) {
    const char *start = at;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t quote = word ^ JSON_EACH('"');
        uint64_t backslash = word ^ JSON_EACH('\\');
        /* A borrow or carry disturbs only bytes above one that stops anyway. */
        uint64_t stop = (quote - JSON_EACH(1)) & ~quote;
        stop |= (backslash - JSON_EACH(1)) & ~backslash;
        stop |= (word - JSON_EACH(0x20)) & ~word;
        stop |= word | (word + JSON_EACH(1)); /* from 0x7f on */
        stop &= JSON_EACH(0x80);
        if (stop) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return (size_t)(at - start) + (size_t)__builtin_ctzll(stop) / 8;
#else
            break;
#endif
        }
    }
    while (at < end && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - start);
}

/* Reads the escape that starts at the backslash at. Returns its length (2, 6, 12 for a pair of
** surrogates) and sets *code; 0 when it is none, with *error set if error is not NULL. */
size_t json_escape_read(const char *at, const char *end, uint32_t *code, const char **error);
/* Writes raw's text without escapes; out has room for raw_len bytes, which is always enough. The
** length, or SIZE_MAX when raw has an escape that is none. */
size_t json_unescape_to(char *out, const char *raw, size_t raw_len);

#endif
