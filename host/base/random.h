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
/* len characters of [a-z0-9] and a NUL. out: len + 1 bytes. */
void random_name(char *out, size_t len);

#endif
