/* Random numbers from the kernel: never the same after a fork or a restored snapshot. */
#ifndef AWSYNC_BASE_RANDOM_H
#define AWSYNC_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);
/* Uniform in [0, 1). */
double random_unit(void);

enum { RANDOM_UUID_SIZE = 37 };
/* A version 4 UUID in lower case with its NUL. out: RANDOM_UUID_SIZE bytes. */
void random_uuid(char *out);

/* Bytes drawn ahead, so that not each id costs a system call. For ids, which are no secrets, and for a
** process that neither forks nor is frozen: what is left in a pool would be the same on both sides. An
** empty one is zeroed. Of one thread. */
struct random_pool {
    unsigned char bytes[1024];
    size_t left; /* at the end of bytes */
};
/* len: at most that of a pool. */
void random_pool_bytes(struct random_pool *pool, void *out, size_t len);
void random_pool_uuid(struct random_pool *pool, char *out);
/* len characters of [a-z0-9] and a NUL. out: len + 1 bytes. */
void random_name(char *out, size_t len);

#endif
