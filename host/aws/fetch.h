/* What the two ways of fetching keys over HTTP share: a small state machine on the I/O thread. */
#ifndef AWSYNC_AWS_FETCH_H
#define AWSYNC_AWS_FETCH_H

#include "host/aws/credentials.h"

struct fetch;
typedef void (*fetch_step)(struct fetch *fetch);

struct fetch_header {
    const char *name, *value;
};

struct fetch {
    struct io *io;
    fetch_done done;
    void *context;
    struct http_exchange exchange;
    char *url;
    fetch_step step; /* what the timer or the answer leads to */
    uint64_t timer;
    int tries;    /* so far, for the present step */
    int renewals; /* instance metadata: tokens that were refused */
    char *token;  /* instance metadata: session token, NULL: version 1 */
    char *role;   /* instance metadata */
};

/* The first step is taken soon, never from within. */
struct fetch *fetch_new(struct io *io, const char *ca_bundle, fetch_done done, void *context,
                        fetch_step first);
/* Each of these is the last thing a step does. */
void fetch_send(struct fetch *fetch, const char *method, const char *url,
                const struct fetch_header *headers, size_t count, int64_t timeout_ms,
                fetch_step answered);
void fetch_later(struct fetch *fetch, int64_t delay_ms, fetch_step step);
void fetch_finish(struct fetch *fetch, struct credentials *got);
void fetch_fail(struct fetch *fetch, const char *message);

#endif
