#include "host/base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(struct buf *out, const void *data, size_t len) {
    const unsigned char *in = data;
    if (len > SIZE_MAX / 4)
        len = SIZE_MAX / 4; /* more than a buffer can hold: buf_reserve refuses */
    size_t text_len = len / 3 * 4 + (len % 3 ? 4 : 0);
    char *to = buf_reserve(out, text_len);
    if (!to)
        return false;
    size_t i = 0;
    for (; i + 3 <= len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = alphabet[group >> 6 & 63];
        *to++ = alphabet[group & 63];
    }
    if (i < len) {
        bool two = i + 1 < len;
        uint32_t group = (uint32_t)in[i] << 16 | (two ? (uint32_t)in[i + 1] << 8 : 0);
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = two ? alphabet[group >> 6 & 63] : '=';
        *to++ = '=';
    }
    out->len += text_len;
    return true;
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, const char *text, size_t len) {
    if (len % 4 != 0)
        return false;
    size_t padding = 0;
    if (len > 0 && text[len - 1] == '=')
        padding = text[len - 2] == '=' ? 2 : 1;
    size_t data_len = len / 4 * 3 - padding;
    char *to = buf_reserve(out, data_len);
    if (!to)
        return false;
    size_t digits = len - padding;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            goto garbage;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (char)(unsigned char)(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    if (bits !=
        0) /* what the padding cuts off must be zero, or two texts would mean the same bytes */
        goto garbage;
    out->len += data_len;
    return true;
garbage:
    out->data[out->len] = '\0';
    return false;
}

bool hex_encode(struct buf *out, const void *data, size_t len) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = data;
    if (len > SIZE_MAX / 2)
        len = SIZE_MAX / 2;
    char *to = buf_reserve(out, len * 2);
    if (!to)
        return false;
    for (size_t i = 0; i < len; i++) {
        *to++ = digits[in[i] >> 4];
        *to++ = digits[in[i] & 15];
    }
    out->len += len * 2;
    return true;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct buf *out, const char *text, size_t len) {
    if (len % 2 != 0)
        return false;
    char *to = buf_reserve(out, len / 2);
    if (!to)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_digit(text[i]);
        int low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0) {
            out->data[out->len] = '\0';
            return false;
        }
        *to++ = (char)(unsigned char)(high << 4 | low);
    }
    out->len += len / 2;
    return true;
}
