/* Secrets: one wipe, one compare. */
#ifndef AWSYNC_BASE_SECRET_H
#define AWSYNC_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrites memory in a way that the compiler keeps. NULL is allowed. */
void secret_wipe(void *data, size_t len);
/* Wipes and frees a NUL-terminated string; NULL is allowed. */
void secret_free(char *text);
/* Compares in a time that depends on len only. */
bool secret_equal(const void *a, const void *b, size_t len);

#endif
