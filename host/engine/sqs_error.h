/* The errors of SQS: facts of each code, and answers made of them. */
#ifndef AWSYNC_ENGINE_SQS_ERROR_H
#define AWSYNC_ENGINE_SQS_ERROR_H

#include <stdbool.h>

#include "host/engine/service.h"

struct sqs_error {
    const char *code;       /* shape name, `QueueDoesNotExist` */
    const char *query_code; /* of the query protocol and x-amzn-query-error */
    int status;
    bool front; /* belongs to AWS's common front end and not to SQS's own model */
};

/* A code that is in no table is a front-end error of its own name with status 400. */
struct sqs_error sqs_error_find(const char *code);

#endif
