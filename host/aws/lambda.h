/* Lambda's Invoke (API version 2015-03-31). As sqs.h: one callback on the I/O thread, inputs
** copied. */
#ifndef AWSYNC_AWS_LAMBDA_H
#define AWSYNC_AWS_LAMBDA_H

#include "host/aws/aws.h"

enum { LAMBDA_ASYNC_PAYLOAD_MAX = 1048576, LAMBDA_SYNC_PAYLOAD_MAX = 6291456 }; /* bytes */

enum lambda_invocation_type { LAMBDA_REQUEST_RESPONSE, LAMBDA_EVENT, LAMBDA_DRY_RUN };

struct lambda_invoke {
    const char *function;  /* name, `name:qualifier`, partial or full ARN */
    const char *qualifier; /* NULL: none */
    enum lambda_invocation_type type;
    bool log_tail;              /* RequestResponse only */
    const char *client_context; /* JSON text, sent as base64; NULL: none */
    const char *payload;        /* JSON text */
    size_t payload_len;
    int64_t timeout_ms; /* RequestResponse: longest life of the call; 0: 910 s */
    /* The function tells the same event from another: it is sent again as long as nothing says that
    ** it was refused, for LAMBDA_PATIENCE_MS of faults, and while it is throttled. */
    bool told;
};
struct lambda_result {
    long status;         /* 200, 202 or 204 */
    const char *payload; /* answer of RequestResponse; borrowed for the callback */
    size_t payload_len;
    const char *function_error; /* `Unhandled` when the function failed; else NULL */
    const char *log_result;     /* decoded log tail or NULL */
    const char *request_id;     /* of the invocation */
};
typedef void (*lambda_done)(void *context, const struct aws_error *error,
                            const struct lambda_result *result);

enum { LAMBDA_PATIENCE_MS = 15000 };
/* Event and RequestResponse are sent again only where they cannot have run, unless told says more. */
uint64_t lambda_invoke(struct aws_client *client, const struct lambda_invoke *in, lambda_done done,
                       void *context);

#endif
