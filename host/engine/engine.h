/*
** A local AWS on loopback: SQS, Lambda's Invoke with the Runtime API for its workers, STS
** GetCallerIdentity. To its clients it is AWS: they reach it by endpoint, region and credentials
** alone. It verifies signatures, knows no Lua, no channel and no envelope. It listens on 127.0.0.1
** only.
*/
#ifndef AWSYNC_ENGINE_H
#define AWSYNC_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct fault_spec;

/* A line of log: of the platform (START, END, REPORT, `engine: ...`) or what a worker wrote. text
** has no newline at its end. Called on the engine's thread; must not call the engine. request_id:
** "" where a line belongs to none. */
typedef void (*engine_log)(void *context, bool platform, const char *request_id, const char *text,
                           size_t len);

/* Pointers are borrowed for engine_start only. */
struct engine_options {
    int port;            /* 0: any free one */
    const char *region;  /* NULL: us-east-1 */
    const char *account; /* NULL: 123456789012 */
    /* The one identity that may call; NULL: made at random. Workers get temporary credentials of
    ** their own, with session token. */
    const char *access_key_id, *secret_access_key;
    engine_log log; /* NULL: none */
    void *log_context;
    bool lenient; /* see sqs.h */

    /* The function; function_name NULL: no Lambda at all. */
    const char *function_name;
    const char *const *command; /* of a worker, argv ended by NULL: the path of bootstrap */
    const char *task_root;      /* LAMBDA_TASK_ROOT and working directory of the workers */
    const char *handler;        /* _HANDLER */
    const char *const
        *environment;         /* further NAME=value for the workers, ended by NULL; NULL: none */
    int concurrency;          /* workers at once; 0: 1000 */
    int memory_mb;            /* 0: 128. A worker whose resident memory goes over it is killed. */
    int timeout_s;            /* 0: 3 */
    int max_retries;          /* of asynchronous events after an error of the function: 0..2 */
    int64_t retry_wait_ms[2]; /* before the first and the second retry; 0: AWS's 60 s and 120 s */
    /* Events over the reserved concurrency go back to the queue: the first wait, which doubles each
    ** time, and the longest; 0: AWS's 1 s and 5 minutes. */
    int64_t throttle_wait_ms[2];
    int64_t event_age_ms; /* an event that could not be run by then is given up; 0: AWS's 6 hours */
    int reserved;         /* reserved concurrency; 0: none */
    /* Standard queue for the records of events that failed; it need not be there yet. NULL: none.
    ** All but the waits can be changed by Lambda's PutFunctionEventInvokeConfig and
    ** PutFunctionConcurrency. */
    const char *on_failure;
    /* 0: 10 s. What a worker needs longer than that to ask for its first event is charged to the
    ** invocation that waits longest: its START line is written, its timeout runs, and that worker
    ** will serve it. */
    int64_t init_timeout_ms;
    const struct fault_spec *fault; /* faults to inject, see fault.h; NULL: none */
};

/* Starts the engine on a thread of its own. Raises the soft limit of open files to the hard one
** (workers get the old one). On failure returns NULL and error_out says why: `port 8080 is in
** use`. */
struct engine *engine_start(const struct engine_options *options, char *error_out,
                            size_t error_size);
/* Kills all workers with their process groups, closes every connection, joins the thread, frees.
** NULL is allowed. */
void engine_stop(struct engine *engine);

/* Constant after the start; borrowed for the engine's life. */
int engine_port(const struct engine *engine);
const char *engine_endpoint(const struct engine *engine); /* `http://127.0.0.1:PORT` */
const char *engine_region(const struct engine *engine);
const char *engine_access_key_id(const struct engine *engine);
const char *engine_secret_access_key(const struct engine *engine);

/* What has happened so far. Any thread. */
struct engine_figures {
    uint64_t
        invocations; /* ended, of any kind; an event counts once, when its last attempt is over */
    uint64_t failed; /* of these with a function error */
    uint64_t failed_events; /* of these asynchronous */
    size_t pending;         /* events waiting, also for a retry, and invocations running */
    size_t workers;         /* processes, from their start until they have been waited for */
    size_t queues;
};
void engine_figures(struct engine *engine, struct engine_figures *out);

/* What AWS would bill, see prices.h. A request of SQS counts when it is answered, one that was refused before it reached
** an operation does not. */
enum { ENGINE_SQS_OPERATIONS = 23 };
enum engine_queue_kind { ENGINE_STANDARD, ENGINE_FIFO, ENGINE_QUEUE_KINDS };
struct engine_requests {
    const char *operation; /* `SendMessage`; static */
    uint64_t calls[ENGINE_QUEUE_KINDS];
    uint64_t
        units[ENGINE_QUEUE_KINDS]; /* of these each started 64 KB of payload, at least one a call */
};
struct engine_usage {
    struct engine_requests sqs[ENGINE_SQS_OPERATIONS];
    uint64_t attempts;  /* of invocations that are over: each retry of an event counts */
    uint64_t billed_ms; /* theirs: duration and init, each rounded up to a millisecond */
    int memory_mb;
};
/* Any thread. */
void engine_usage(struct engine *engine, struct engine_usage *out);
/* How often each fault was injected, by enum fault_kind. Any thread. */
void engine_faults(struct engine *engine, uint64_t *counts_out);
/* Blocks until no event waits and no invocation runs, or timeout_ms is over (-1: never). True:
** idle. */
bool engine_wait_idle(struct engine *engine, int64_t timeout_ms);

#endif
