/* What the three batch operations have in common: the checks of the entries' ids, and the two
** lists of the answer. */
#ifndef AWSYNC_ENGINE_SQS_BATCH_H
#define AWSYNC_ENGINE_SQS_BATCH_H

#include "host/engine/sqs_state.h"

struct sqs_batch {
    struct sqs_request *request;
    const struct json_value *entries; /* 1..SQS_BATCH_ENTRIES structures */
    size_t succeeded, failed;
    struct {
        const char *id, *code;
        char message[sizeof(((struct sqs_request *)0)->message)];
    } failures[SQS_BATCH_ENTRIES];
};

/* entry_name: `SendMessageBatchRequestEntry`, for messages. False: the request has failed. */
bool sqs_batch_begin(struct sqs_batch *batch, struct sqs_request *request, const char *entry_name);
/* Begins an entry of Successful; the caller adds members and ends it by json_object_end. */
void sqs_batch_succeed(struct sqs_batch *batch, const struct json_value *entry);
/* The request's failure becomes this entry's; the request goes on. */
void sqs_batch_fail(struct sqs_batch *batch, const struct json_value *entry);
/* After the last success: writes what is left. */
enum sqs_outcome sqs_batch_end(struct sqs_batch *batch);

#endif
