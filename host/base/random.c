#include "host/base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { UUID_BYTES = 16 };

/* No pool in user space: a pool would be the same on both sides of a fork and in every copy of a
** snapshot. Who has neither can have a pool of its own. */
void random_bytes(void *out, size_t len) {
    unsigned char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got >= 0) {
            at += got;
            len -= (size_t)got;
        } else if (errno != EINTR) {
            /* Without random numbers tokens and ids are guessable; there is no way to go on. */
            perror("getrandom");
            abort();
        }
    }
}

uint64_t random_u64(void) {
    uint64_t value;
    random_bytes(&value, sizeof value);
    return value;
}

double random_unit(void) {
    return (double)(random_u64() >> 11) * 0x1p-53;
}

static void write_uuid(unsigned char *bytes, char *out) {
    static const char digits[] = "0123456789abcdef";
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

void random_uuid(char *out) {
    unsigned char bytes[UUID_BYTES];
    random_bytes(bytes, sizeof bytes);
    write_uuid(bytes, out);
}

void random_pool_bytes(struct random_pool *pool, void *out, size_t len) {
    if (pool->left < len) {
        random_bytes(pool->bytes, sizeof pool->bytes);
        pool->left = sizeof pool->bytes;
    }
    memcpy(out, pool->bytes + sizeof pool->bytes - pool->left, len);
    pool->left -= len;
}

void random_pool_uuid(struct random_pool *pool, char *out) {
    unsigned char bytes[UUID_BYTES];
    random_pool_bytes(pool, bytes, sizeof bytes);
    write_uuid(bytes, out);
}

void random_name(char *out, size_t len) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    enum { LETTERS = sizeof alphabet - 1, FAIR = 256 - 256 % LETTERS };
    unsigned char bytes[64];
    size_t next = sizeof bytes;
    size_t done = 0;
    while (done < len) {
        if (next == sizeof bytes) {
            random_bytes(bytes, sizeof bytes);
            next = 0;
        }
        unsigned byte = bytes[next++];
        if (byte < FAIR) /* the bytes above would make the first letters likelier */
            out[done++] = alphabet[byte % LETTERS];
    }
    out[len] = '\0';
}
