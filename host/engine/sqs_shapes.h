/* The operations and their inputs, as tables. Source: Amazon SQS API reference 2012-11-05. */
#ifndef AWSYNC_ENGINE_SQS_SHAPES_H
#define AWSYNC_ENGINE_SQS_SHAPES_H

#include "host/engine/sqs_state.h"

struct sqs_operation {
    const char *name; /* `SendMessage` */
    enum sqs_outcome (*run)(struct sqs_request *request);
    const struct sqs_member *input;
};

/* NULL when there is none of the name. */
const struct sqs_operation *sqs_operation_find(const char *name);
unsigned sqs_operation_index(const struct sqs_operation *operation);

#endif
