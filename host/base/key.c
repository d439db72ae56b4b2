/* See key.h. */
#include "host/base/key.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/base/base64.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Sixty-four hex digits could be base64 of 48 bytes as well, and forty-four, which are too few, of
** 33: hex wins, since no random base64 looks like it. */
enum key_result key_read(const char *text, size_t len, unsigned char *bytes_out, size_t *len_out) {
    *len_out = 0;
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    while (len > 0 && is_blank(text[0])) {
        text++;
        len--;
    }
    if (len > KEY_TEXT_MAX)
        return KEY_LONG;
    struct buf bytes;
    buf_init_secret(&bytes, KEY_TEXT_MAX);
    enum key_result result = KEY_OK;
    bool read = hex_decode(&bytes, text, len) || base64_decode(&bytes, text, len);
    *len_out = bytes.len;
    if (!buf_ok(&bytes))
        result = KEY_NO_MEMORY;
    else if (!read)
        result = KEY_NO_TEXT;
    else if (bytes.len < KEY_BYTES_MIN || bytes.len > KEY_BYTES_MAX)
        result = KEY_SIZE;
    else
        memcpy(bytes_out, bytes.data, bytes.len);
    buf_wipe(&bytes);
    return result;
}

void key_explain(enum key_result result, size_t len, const char *source, char *error_out,
                 size_t error_size) {
    switch (result) {
    case KEY_OK:
        snprintf(error_out, error_size, "%s", "");
        break;
    case KEY_LONG:
        snprintf(error_out, error_size, "%s is too long for a key", source);
        break;
    case KEY_NO_TEXT:
        snprintf(error_out, error_size, "%s is neither hex nor base64", source);
        break;
    case KEY_SIZE:
        snprintf(error_out, error_size, "%s holds %zu bytes; a key has %d to %d", source, len,
                 KEY_BYTES_MIN, KEY_BYTES_MAX);
        break;
    case KEY_NO_MEMORY:
        snprintf(error_out, error_size, "not enough memory to read %s", source);
        break;
    }
}
