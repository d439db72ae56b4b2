/*
** The AWS client: configuration, credentials, one I/O thread, signed requests with retries.
**
** A client has one thread on a curl multi handle, started by the first request. Every callback
** runs on that thread, must not block and must not free the client. All functions here may be
** called from any thread, also from a callback, unless they say otherwise.
*/
#ifndef AWSYNC_AWS_H
#define AWSYNC_AWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum aws_service { AWS_SQS, AWS_LAMBDA, AWS_STS, AWS_IAM, AWS_LOGS, AWS_SERVICE_COUNT };

/* What went wrong: as a value, so that it can be copied out of a callback. */
struct aws_error {
    char code[96]; /* shape name: `QueueDoesNotExist`; on our side of the wire one of the AWS_CODE_*
                      below */
    char query_code[96]; /* older name where the service sends one:
                            `AWS.SimpleQueueService.NonExistentQueue`; else "" */
    char message[512];
    char request_id[64]; /* "" when none came */
    long status;         /* HTTP status; 0 when no answer came */
    int attempts;        /* how often it was sent */
    bool may_have_run; /* the request can have had its effect: it was sent whole and no answer said
                          otherwise */
};
#define AWS_CODE_CONNECT     "ConnectionFailure" /* no connection: refused, no name, reset */
#define AWS_CODE_TIMEOUT     "RequestTimeout"    /* no answer in time */
#define AWS_CODE_CREDENTIALS "NoCredentials"     /* none found, or they could not be fetched */
#define AWS_CODE_CANCELLED   "Cancelled"         /* aws_cancel, or the client is being freed */
#define AWS_CODE_MALFORMED   "MalformedAnswer"   /* an answer that cannot be read */
#define AWS_CODE_CONFIG      "BadConfiguration"  /* no region, an endpoint that is no URL ... */
#define AWS_CODE_MEMORY      "OutOfMemory"

struct aws_options {
    const char *region;   /* NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's region */
    const char *endpoint; /* NULL: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile, else
                             AWS's own */
    const char *profile;  /* NULL: AWS_PROFILE, else `default` */
    /* NULL: the chain: environment, shared files and profile, container endpoint, IMDSv2 */
    const char *access_key_id, *secret_access_key, *session_token;
    int max_attempts; /* 0: AWS_MAX_ATTEMPTS, else 3 */
    int max_lambda; /* Lambda requests under way at once; 0: 64. Others wait their turn in order. */
    const char
        *ca_bundle; /* NULL: AWS_CA_BUNDLE, the profile's ca_bundle, else libcurl's own store */
};

struct aws_client;
/* options may be NULL and are copied. Reads no file and opens no connection before it is needed.
** NULL: out of memory. The keys in the environment are read again for each request on the I/O
** thread: once a request was made, the process must not change its environment (setenv is not safe
** beside getenv in other threads). */
struct aws_client *aws_client_new(const struct aws_options *options);
/* Ends the thread; requests under way get AWS_CODE_CANCELLED first. NULL is allowed. Not from a
** callback. */
void aws_client_free(struct aws_client *client);
/* The region in use, or NULL when none is configured. Borrowed for the client's life. */
const char *aws_client_region(struct aws_client *client);
/* The X-Amzn-Trace-Id of requests made from now on; NULL: none. The runtime gives each
** invocation's own: Lambda's loop detection follows it. Text with control characters is taken as
** NULL. */
void aws_client_set_trace_id(struct aws_client *client, const char *trace_id);

/* --- one request ------------------------------------------------------------------------------ */

struct aws_header {
    const char *name, *value;
};

struct aws_request {
    enum aws_service service;
    const char *method;
    const char *target; /* encoded path and query: `/2015-03-31/functions/f/invocations` */
    const struct aws_header *headers; /* beside those that signing adds; copied */
    size_t header_count;
    const void *body; /* copied */
    size_t body_len;
    size_t answer_max;  /* bytes; 0: 8 MiB. A longer answer is AWS_CODE_MALFORMED. */
    int64_t timeout_ms; /* for one attempt; 0: 60 s */
    bool long_poll;     /* an empty token bucket still waits the backoff before it fails */
    bool unsafe; /* not idempotent: sent again only where it cannot have run (connect failure, 429,
                    503 throttles) */
    /* Faults are waited out for so long, however many attempts that takes, and whatever is left in
    ** the token bucket; throttling until the request is cancelled. 0: no more than max_attempts. */
    int64_t patience_ms;
};

struct aws_response {
    const struct aws_error *error; /* NULL: 2xx */
    long status;
    const char *body; /* NUL-terminated; borrowed for the callback */
    size_t body_len;
    const void *headers; /* for aws_response_header */
};
/* A header of the answer in any case, or NULL. Borrowed for the callback. */
const char *aws_response_header(const struct aws_response *response, const char *name);

typedef void (*aws_done)(void *context, const struct aws_response *response);

/* Sends a request and calls done exactly once. Returns an id for aws_cancel; 0 when memory ran out
** (done is not called). */
uint64_t aws_submit(struct aws_client *client, const struct aws_request *request, aws_done done,
                    void *context);
/* The request's done is called soon with AWS_CODE_CANCELLED, unless it has been called already. */
void aws_cancel(struct aws_client *client, uint64_t id);

/* --- the I/O thread for the rooms above ------------------------------------------------------- */

typedef void (*aws_task)(void *context);
/* Runs task on the I/O thread, soon, in the order of the calls. False when memory ran out. Tasks
** that the end of the client finds waiting are still run. */
bool aws_post(struct aws_client *client, aws_task task, void *context);
/* Runs task on the I/O thread after delay_ms. Returns an id for aws_timer_cancel; 0 when memory
** ran out. Timers that the end of the client finds waiting are dropped. */
uint64_t aws_timer(struct aws_client *client, int64_t delay_ms, aws_task task, void *context);
/* On the I/O thread: the task will not run. From others: it may be running just now. */
void aws_timer_cancel(struct aws_client *client, uint64_t id);

/* --- waiting for one answer: command line and tests ------------------------------------------- */

struct aws_answer { /* owned copy of a response; free by aws_answer_free */
    struct aws_error error;
    bool ok;
    long status;
    char *body;
    size_t body_len;
    char *function_error; /* X-Amz-Function-Error, or NULL */
    char *log_result;     /* X-Amz-Log-Result as sent (base64), or NULL */
};
/* Blocks until the answer is there. Not from a callback. */
void aws_call(struct aws_client *client, const struct aws_request *request, struct aws_answer *out);
void aws_answer_free(struct aws_answer *answer);

/* For the figures of `--stats` and the benches: requests sent, of these again, bytes of payload. */
struct aws_counters {
    uint64_t requests, retries, throttles;
};
void aws_client_counters(struct aws_client *client, struct aws_counters *out);

#endif
