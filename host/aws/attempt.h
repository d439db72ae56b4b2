/* The state of one request, shared by its two halves: request.c (begin, wait, end) and attempt.c (sign, send, judge). */
#ifndef AWSYNC_AWS_ATTEMPT_H
#define AWSYNC_AWS_ATTEMPT_H

#include "host/aws/request.h"
#include "host/base/random.h"

enum { REQUEST_HEADERS_MAX = 32 };

struct request {
    struct aws_client *client;
    struct aws_request in; /* own copies of all texts, in block */
    char *block;
    char *body; /* wiped when it is released: a body may hold an envelope, or a program's secrets */
    size_t body_len;
    aws_done done;
    void *context;
    uint64_t id;
    struct request *prev, *next; /* under way */
    struct request *turn_next;
    bool waits_turn, has_turn;

    struct io_post begin, cancel;
    bool cancel_posted; /* under the I/O lock */
    bool finished;      /* done was called; kept for the cancel that is still posted */

    struct credentials_wait wait;
    struct credentials *keys; /* of the present attempt */
    struct http_exchange exchange;
    uint64_t timer;
    char *url, *sign_target;
    char invocation[RANDOM_UUID_SIZE];
    char *trace_id;
    int retries;        /* by the common rules */
    int paid;           /* what the last retry has cost */
    int64_t trouble_ms; /* when the first fault came (clock_mono_ms), or throttling last; 0: none */
    int64_t signed_skew; /* clock offset of the present attempt */
    bool skew_tried, keys_tried;
    bool may_have_run;      /* by an earlier attempt */
    struct aws_error error; /* attempts, and why the present or last attempt failed */
};

/* Each of these ends the request or leads to its end; what it is given must not be used afterwards. */

/* An aws_task: gets keys, signs, sends. */
void attempt_begin(void *context);
void attempt_keys_ready(void *context, struct credentials *got, const struct aws_error *error);
void attempt_answered(struct http_exchange *exchange);

/* Calls done with r->error, with another error, with the answer. */
void request_fail(struct request *r);
void request_fail_with(struct request *r, const char *code, const char *message);
void request_succeed(struct request *r);

#endif
