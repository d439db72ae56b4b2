#include "sigv4/internal.h"

#include <string.h>

static bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool sigv4_is_token_char(char c) {
    if (is_alphanumeric(c) || c == '-')
        return true;
    return c != '\0' && strchr("!#$%&'*+.^_`|~", c);
}

int sigv4_hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sigv4_is_token(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!sigv4_is_token_char(text[i]))
            return false;
    return len > 0;
}

bool sigv4_is_scope_part(const char *text, size_t max) {
    size_t len = 0;
    for (; text[len] != '\0'; len++)
        if (len == max || text[len] <= ' ' || text[len] >= 127 || text[len] == '/' ||
            text[len] == ',')
            return false;
    return len > 0;
}

bool sigv4_name_starts(const char *name, const char *lower) {
    for (; *lower != '\0'; name++, lower++)
        if (ascii_lower(*name) != *lower)
            return false;
    return true;
}

bool sigv4_name_is(const char *name, const char *lower) {
    return sigv4_name_starts(name, lower) && name[strlen(lower)] == '\0';
}

bool sigv4_encode(struct buf *out, const char *text, size_t len) {
    static const char digits[] = "0123456789ABCDEF";
    char *start = buf_reserve(out, 3 * len);
    if (!start)
        return false;
    char *at = start;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (is_alphanumeric(text[i]) || byte == '-' || byte == '_' || byte == '.' || byte == '~') {
            *at++ = text[i];
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        }
    }
    *at = '\0';
    out->len += (size_t)(at - start);
    return true;
}

bool sigv4_decode(struct buf *out, const char *text, size_t len) {
    char *start = buf_reserve(out, len);
    if (!start)
        return false;
    char *at = start;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && len - i > 2 && sigv4_hex_value(text[i + 1]) >= 0 &&
            sigv4_hex_value(text[i + 2]) >= 0) {
            *at++ = (char)(sigv4_hex_value(text[i + 1]) * 16 + sigv4_hex_value(text[i + 2]));
            i += 2;
        } else {
            *at++ = text[i];
        }
    }
    *at = '\0';
    out->len += (size_t)(at - start);
    return true;
}
