/*
** The attributes of a queue. One table says for each what it may be.
** Source: Amazon SQS API reference, SetQueueAttributes and GetQueueAttributes.
*/
#ifndef AWSYNC_ENGINE_SQS_ATTRIBUTES_H
#define AWSYNC_ENGINE_SQS_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/buf.h"
#include "host/json/json.h"

struct sqs_entry;
struct sqs_request;

enum sqs_attribute {
    SQS_DELAY_SECONDS,
    SQS_MAXIMUM_MESSAGE_SIZE,
    SQS_RETENTION_SECONDS,
    SQS_WAIT_SECONDS,
    SQS_VISIBILITY_SECONDS,
    SQS_MANAGED_SSE,
    SQS_KMS_REUSE_SECONDS,
    SQS_FIFO,
    SQS_CONTENT_DEDUP,
    SQS_DEDUP_SCOPE,
    SQS_THROUGHPUT_LIMIT,
    SQS_POLICY,
    SQS_REDRIVE,
    SQS_REDRIVE_ALLOW,
    SQS_KMS_KEY,
    SQS_ARN,
    SQS_CREATED,
    SQS_MODIFIED,
    SQS_COUNT_VISIBLE,
    SQS_COUNT_IN_FLIGHT,
    SQS_COUNT_DELAYED,
    SQS_ATTRIBUTES,
};

/* The settable ones as they stand. */
struct sqs_attributes {
    int64_t number[SQS_ATTRIBUTES]; /* numbers; booleans; choices by index (0: the default) */
    char *text[SQS_ATTRIBUTES]; /* owned; NULL: not set. SQS_REDRIVE as GetQueueAttributes shows it.
                                 */
    char *dead_letter_arn;      /* owned; of SQS_REDRIVE */
    int64_t max_receives;       /* of SQS_REDRIVE; 0: none */
};

/* The index of a name, or SQS_ATTRIBUTES. */
enum sqs_attribute sqs_attribute_find(const char *name);
const char *sqs_attribute_name(enum sqs_attribute attribute);

void sqs_attributes_init(struct sqs_attributes *a, bool fifo);
void sqs_attributes_free(struct sqs_attributes *a);
/* False when memory ran out; then copy is empty. */
bool sqs_attributes_copy(struct sqs_attributes *copy, const struct sqs_attributes *a);

/* Puts the name-value pairs of a request into a, each checked. entry NULL: a queue that is about
** to be made, fifo says of which kind; its ARN is arn. False: the request has failed; a may be
** half changed. */
bool sqs_attributes_apply(struct sqs_request *request, const struct sqs_entry *entry, bool fifo,
                          const char *arn, struct sqs_attributes *a,
                          const struct json_value *pairs);
/* The first of the pairs' names that differs between a and b; NULL: none. */
const char *sqs_attributes_difference(const struct sqs_attributes *a,
                                      const struct sqs_attributes *b,
                                      const struct json_value *pairs);
/* Appends an attribute's text to out; false when the queue has none of the kind. now_ms: for the
** counts. */
bool sqs_attribute_text(struct sqs_entry *entry, enum sqs_attribute attribute, int64_t now_ms,
                        struct buf *out);

#endif
