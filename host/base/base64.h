/* Base64 (RFC 4648, with padding) and lower-case hex. */
#ifndef AWSYNC_BASE_BASE64_H
#define AWSYNC_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/buf.h"

/* Appends the encoded form of len bytes; false when out has failed. */
bool base64_encode(struct buf *out, const void *data, size_t len);
/* Appends the decoded form. False when text is no canonical base64 (length, alphabet, padding,
** stray bits); out is then unchanged in length. */
bool base64_decode(struct buf *out, const char *text, size_t len);

bool hex_encode(struct buf *out, const void *data, size_t len);
/* Accepts both cases; false when text is no hex or of odd length. */
bool hex_decode(struct buf *out, const char *text, size_t len);

#endif
