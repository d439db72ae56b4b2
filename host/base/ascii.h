/*
** Names and words of protocols and settings, compared without case. Letters of ASCII only: strcasecmp
** goes by the locale, and in a Turkish one `ID` is not `id`.
*/
#ifndef AWSYNC_BASE_ASCII_H
#define AWSYNC_BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
bool ascii_same(const char *a, const char *b);
/* As ascii_same of the first len bytes, or of fewer where both end. */
bool ascii_same_n(const char *a, const char *b, size_t len);

#endif
