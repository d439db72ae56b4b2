/*
** A growable byte buffer with a maximum.
**
** Four properties: it is born with a maximum size; adding never overflows; after a failed addition
** it has freed itself, holds nothing and stays failed, so that a sequence of additions needs one
** test at its end; its data is always followed by a NUL that does not count in len.
*/
#ifndef AWSYNC_BASE_BUF_H
#define AWSYNC_BASE_BUF_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data; /* owned; NULL while nothing was added or after a failure */
    size_t len; /* bytes, without the NUL */
    size_t cap; /* bytes allocated */
    size_t max; /* len never exceeds it */
    bool failed;
    bool secret; /* memory is wiped before it is given back, also when the buffer grows */
};

/* An empty buffer that holds at most max bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* The same for content that must leave no copy in freed memory. What buf_take returns is the
** caller's to wipe. */
void buf_init_secret(struct buf *b, size_t max);
/* Frees the data; the buffer is empty and usable again. */
void buf_free(struct buf *b);
/* As buf_free, but the bytes are overwritten first: for secrets. */
void buf_wipe(struct buf *b);
/* Forgets the content, keeps the memory, clears a failure. */
void buf_reset(struct buf *b);

/* Each returns false when the buffer has failed (no memory, or over its maximum). data must not
** lie in b. */
bool buf_add(struct buf *b, const void *data, size_t len);
bool buf_addc(struct buf *b, char c);
bool buf_adds(struct buf *b, const char *text);
bool buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vaddf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Makes room for len more bytes and returns their place, NULL on failure; the caller fills them
** and adds to b->len. If it adds fewer, the NUL is in its place again after buf_text, buf_take or
** the next addition. */
char *buf_reserve(struct buf *b, size_t len);

/* False after a failed addition. */
bool buf_ok(const struct buf *b);
/* The text, never NULL: "" when nothing was added. Borrowed until the next call on b. */
const char *buf_text(const struct buf *b);
/* Hands the memory to the caller, who frees it with free(); NULL when the buffer has failed or
** memory ran out. A buffer without content gives "". The buffer is empty afterwards. */
char *buf_take(struct buf *b, size_t *len_out);

#endif
