/* What the files of the engine share: its settings, its figures, its log. Not for other rooms. */
#ifndef AWSYNC_ENGINE_INTERNAL_H
#define AWSYNC_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/engine/engine.h"

#define ENGINE_NAME_MAX 64 /* of a function */

/* A copy of struct engine_options with the defaults filled in. Constant after the start. */
struct engine_config {
    int port;
    char *endpoint;
    char *region;
    char *account;
    char *access_key_id, *secret_access_key; /* of the one who may call */
    /* Of the workers: one role, as all sandboxes of a function have. */
    char *worker_key_id, *worker_secret, *worker_token;
    engine_log log;
    void *log_context;

    char *function_name; /* NULL: no Lambda */
    char *function_arn;
    char **command;
    char *task_root;
    char *handler;
    char **environment; /* complete but for AWS_LAMBDA_RUNTIME_API and AWS_LAMBDA_LOG_STREAM_NAME */
    int concurrency, memory_mb, timeout_s, max_retries;
    int64_t retry_wait_ms[2], throttle_wait_ms[2], event_age_ms;
    int reserved;     /* 0: none */
    char *on_failure; /* name of a queue; NULL: none */
    int64_t init_timeout_ms;
    int starting_max; /* workers that may be initialising at once */
};

/* False when memory ran out. config is zeroed first; engine_config_free is due after a failure too. */
bool engine_config_init(struct engine_config *config, const struct engine_options *options);
/* Once the port is known: the endpoint, and the environment that names it. */
bool engine_config_set_port(struct engine_config *config, int port,
                            const struct engine_options *options);
void engine_config_free(struct engine_config *config);

void engine_config_log(const struct engine_config *config, bool platform, const char *request_id,
                       const char *text, size_t len);
/* A line `engine: ...` of the platform that belongs to no request. */
void engine_config_note(const struct engine_config *config, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Changed on the engine's thread, read on any. */
struct figures {
    pthread_mutex_t lock;
    pthread_cond_t idle; /* pending has become 0; waits on CLOCK_MONOTONIC */
    struct engine_figures now;
    struct engine_usage usage;
};
void figures_init(struct figures *f);
void figures_destroy(struct figures *f);
void figures_pending(struct figures *f, int change);
void figures_workers(struct figures *f, int change);
void figures_queues(struct figures *f, size_t count);
/* An invocation has ended: one less is pending. */
void figures_ended(struct figures *f, bool failed, bool event);
/* A request of SQS is answered. */
void figures_request(struct figures *f, unsigned operation, bool fifo, uint64_t units);
/* An attempt of an invocation is over. */
void figures_attempt(struct figures *f, int64_t billed_ms);
void figures_usage(struct figures *f, struct engine_usage *out);
void figures_read(struct figures *f, struct engine_figures *out);
bool figures_wait_idle(struct figures *f, int64_t timeout_ms);

#endif
