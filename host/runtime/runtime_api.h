/*
** The client side of Lambda's Runtime API (version 2018-06-01), on one connection. Plain C, no Lua.
**
** Every header of an invocation is optional. A refused answer (400, 403, 410, 413) is the
** caller's to log: the next invocation is not affected by it.
*/
#ifndef AWSYNC_RUNTIME_API_H
#define AWSYNC_RUNTIME_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/buf.h"

enum runtime_header {
    RUNTIME_REQUEST_ID,
    RUNTIME_DEADLINE_MS,
    RUNTIME_FUNCTION_ARN,
    RUNTIME_TRACE_ID,
    RUNTIME_CLIENT_CONTEXT,
    RUNTIME_IDENTITY,
    RUNTIME_TENANT_ID,
    RUNTIME_INVOCATION_ID,
    RUNTIME_HEADER_COUNT,
};

struct runtime_event {
    struct buf headers[RUNTIME_HEADER_COUNT];
    struct buf body;
};
void runtime_event_init(struct runtime_event *event);
void runtime_event_free(struct runtime_event *event);
/* The header's value, "" when it did not come. Borrowed until the event changes. */
const char *runtime_event_header(const struct runtime_event *event, enum runtime_header header);
/* Wall clock in milliseconds; 0 when none came. */
int64_t runtime_event_deadline(const struct runtime_event *event);

enum runtime_result {
    RUNTIME_OK,
    RUNTIME_REFUSED,     /* 4xx or an answer that makes no sense: runtime_api_message says which */
    RUNTIME_ENDED,       /* 500: the process has to end */
    RUNTIME_UNREACHABLE, /* no answer after a few tries */
};

struct runtime_api;

/* authority: `host:port` as AWS_LAMBDA_RUNTIME_API has it; copied. NULL: out of memory. */
struct runtime_api *runtime_api_new(const char *authority);
void runtime_api_free(struct runtime_api *api);

/* Waits for the next invocation without time limit: the process may be frozen meanwhile. event is
** emptied first. */
enum runtime_result runtime_api_next(struct runtime_api *api, struct runtime_event *event);
/* The one answer to an invocation. It is sent again only when no connection was made. */
enum runtime_result runtime_api_respond(struct runtime_api *api, const struct runtime_event *event,
                                        const char *body, size_t len);

struct runtime_error {
    const char *type; /* `Runtime.…` or `Function.…` */
    const char *body; /* JSON: errorMessage, errorType, stackTrace */
    size_t body_len;
    const char *cause; /* X-Ray error cause, JSON on one line; NULL: none */
};
/* The same by an error; event NULL: the initialisation has failed. */
enum runtime_result runtime_api_fail(struct runtime_api *api, const struct runtime_event *event,
                                     const struct runtime_error *error);

/* What was wrong with the last call, for the log; borrowed until the next one. */
const char *runtime_api_message(const struct runtime_api *api);
/* HTTP status of the last call; 0: no answer. */
long runtime_api_status(const struct runtime_api *api);

#endif
