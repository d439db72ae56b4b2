/*
** What was seen in the last minutes: ids, each with a small record of fixed size, forgotten in the
** order in which they came. Behind deduplication ids and receive request attempt ids. All
** operations are O(1), forgetting amortised.
*/
#ifndef AWSYNC_ENGINE_SQS_RECENT_H
#define AWSYNC_ENGINE_SQS_RECENT_H

#include <stddef.h>
#include <stdint.h>

struct sqs_recent_entry;

struct sqs_recent {
    struct sqs_recent_entry *entries; /* owned; the oldest first */
    size_t record_size;               /* bytes */
    int64_t keep_ms;
};

void sqs_recent_init(struct sqs_recent *recent, size_t record_size, int64_t keep_ms);
/* Forgets everything. The struct can be used further. */
void sqs_recent_clear(struct sqs_recent *recent);
/* Forgets what is older than keep_ms. now_ms must not go back from call to call. */
void sqs_recent_expire(struct sqs_recent *recent, int64_t now_ms);
/* The record, borrowed until the next call; NULL when the id is not known. */
void *sqs_recent_find(const struct sqs_recent *recent, const void *id, size_t len);
/* A zeroed record for an id that is not known yet; NULL when memory ran out. */
void *sqs_recent_add(struct sqs_recent *recent, const void *id, size_t len, int64_t now_ms);
/* Does nothing when the id is not known. */
void sqs_recent_remove(struct sqs_recent *recent, const void *id, size_t len);
size_t sqs_recent_count(const struct sqs_recent *recent);

#endif
