/* The digests that SQS shows, and receipt handles: opaque, authenticated, so that whatever we did
** not write is refused. */
#ifndef AWSYNC_ENGINE_SQS_CRYPTO_H
#define AWSYNC_ENGINE_SQS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqs_crypto; /* OpenSSL contexts, made once; one thread */

/* With a new random key for handles. NULL when OpenSSL or memory fails. */
struct sqs_crypto *sqs_crypto_new(void);
void sqs_crypto_free(struct sqs_crypto *crypto);

enum { SQS_MD5_SIZE = 16, SQS_MD5_TEXT_SIZE = 33, SQS_SHA256_TEXT_SIZE = 65 };
void sqs_md5(struct sqs_crypto *crypto, const void *data, size_t len, uint8_t *out);
/* Lower-case hex and a NUL. out: 2 * len + 1 bytes. */
void sqs_hex(const uint8_t *data, size_t len, char *out);
/* out: SQS_SHA256_TEXT_SIZE bytes. */
void sqs_sha256_text(struct sqs_crypto *crypto, const void *data, size_t len, char *out);

enum { SQS_UUID_TEXT_SIZE = 37 };
/* out: SQS_UUID_TEXT_SIZE bytes. */
void sqs_uuid_text(const uint8_t *uuid, char *out);

struct sqs_handle {
    uint64_t queue; /* names one life of one queue */
    int64_t sequence;
    uint32_t generation;
};
enum { SQS_HANDLE_TEXT_SIZE = 49 };
/* out: SQS_HANDLE_TEXT_SIZE bytes. */
void sqs_handle_write(struct sqs_crypto *crypto, const struct sqs_handle *handle, char *out);
/* False when the text is none of ours. */
bool sqs_handle_read(struct sqs_crypto *crypto, const char *text, size_t len,
                     struct sqs_handle *out);

#endif
