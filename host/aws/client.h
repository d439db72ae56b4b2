/* The inside of a client. Everything without another word belongs to the I/O thread. */
#ifndef AWSYNC_AWS_CLIENT_H
#define AWSYNC_AWS_CLIENT_H

#include <pthread.h>

#include "host/aws/config.h"
#include "host/aws/credentials.h"
#include "host/aws/io.h"
#include "host/aws/retry.h"
#include "sigv4/sigv4.h"

struct request;

struct aws_client {
    struct io *io;
    struct aws_options options; /* own copies of the texts; constant */
    int max_lambda;             /* constant */

    pthread_mutex_t config_lock; /* guards the loading; afterwards constant */
    bool configured;
    struct config config;
    char config_error[512]; /* "": none */

    char *trace_id; /* under the I/O lock */
    _Atomic uint64_t requests, retries, throttles;

    struct provider *provider;
    struct sigv4_cache *keys;
    struct retry_bucket bucket;
    int64_t skew_ms;                        /* the service's clock minus ours */
    struct request *first;                  /* under way */
    struct request *turn_first, *turn_last; /* Lambda requests that wait for their turn, in order */
    int lambda_running;
    struct io_post pump; /* lets the next of them begin */
    bool pump_posted;
};

/* Loads the configuration, once. False: config_error says why. From any thread. */
bool client_configure(struct aws_client *client);

#endif
