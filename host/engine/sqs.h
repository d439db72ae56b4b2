/*
** The engine's SQS. Source of behaviour: Amazon SQS API reference 2012-11-05 and developer guide.
** The queues (sqs_queue.h) know no clock, no JSON and no HTTP; the operations translate.
*/
#ifndef AWSYNC_ENGINE_SQS_H
#define AWSYNC_ENGINE_SQS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/engine/service.h"

struct event_base;
struct sqs_service;

struct sqs_service_options {
    /* Lenient mode drops the 60 s rules (one purge a minute, no name again within a minute of its deletion). */
    bool lenient;
    /* Called once for each request to an operation, before its answer: what SQS would bill. units: started 64 KB of
    ** payload, at least 1. NULL: nobody asks. */
    void (*bill)(void *context, unsigned operation, bool fifo, uint64_t units);
    /* Is a message that was sent to a standard queue to be delivered twice? NULL: none is. */
    bool (*twice)(void *context, unsigned operation);
    void *context; /* of both */
};

/* Operations are known by their number, 0 .. SQS_OPERATION_COUNT - 1. */
enum { SQS_OPERATION_COUNT = 23 };
const char *sqs_operation_name(unsigned operation); /* `SendMessage` */
/* What the call asks for, by either protocol; SQS_OPERATION_COUNT: nothing that is known. */
unsigned sqs_service_operation(const struct service_call *call);

struct sqs_service *sqs_service_new(struct event_base *base,
                                    const struct sqs_service_options *options);
/* Waiting receives are answered (empty) first. */
void sqs_service_free(struct sqs_service *service);

/* Answers the call, at once or, for a long poll, later. Errors are answers too. */
void sqs_service_call(struct sqs_service *service, struct service_call *call);

/* Answers with an error in the shape of the call's protocol, JSON or query. code: shape name, `InvalidSignatureException`; the namespace, the query code and
** the status follow from it. Used by the front for failures of authentication. */
void sqs_service_error(struct service_call *call, const char *code, const char *message);

/* Puts a message on a standard queue from inside the engine (destinations of asynchronous invocations). arn: of the queue.
** False when there is no such queue. */
bool sqs_service_deliver(struct sqs_service *service, const char *arn, const char *body,
                         size_t len);

size_t sqs_service_queue_count(const struct sqs_service *service);

#endif
