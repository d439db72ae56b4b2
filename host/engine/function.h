/*
** The function: its invocations, waiting and running, and its workers. All on the engine's thread.
**
** A worker is a process with a Runtime API of its own (runtime_api.c). Which invocation it serves
** is decided when it asks for one (function.c): synchronous ones first, then events in their
** order.
*/
#ifndef AWSYNC_ENGINE_FUNCTION_H
#define AWSYNC_ENGINE_FUNCTION_H

#include <sys/queue.h>
#include <sys/types.h>

#include "host/base/buf.h"
#include "host/base/random.h"
#include "host/engine/events.h"
#include "host/engine/internal.h"
#include "host/engine/platform_log.h"

struct event;
struct event_base;
struct http_server;
struct http_request;
struct service_call;
struct sqs_service;

/* 6 MiB; the Runtime API allows 100 bytes more for an answer. */
enum {
    FUNCTION_PAYLOAD_MAX = 6291456,
    FUNCTION_EVENT_MAX = 1048576,
    FUNCTION_ANSWER_MAX = FUNCTION_PAYLOAD_MAX + 100,
};

struct invocation {
    char request_id[RANDOM_UUID_SIZE];
    /* Of the attempt: a late answer of an earlier attempt has the same request id. */
    char invocation_id[RANDOM_UUID_SIZE];
    struct service_call *call; /* to be answered; NULL for an event */
    const char *payload;       /* the call's, or owned_payload */
    size_t payload_len;
    char *owned_payload;
    char *client_context, *tenant_id, *trace_id; /* owned; NULL: none */
    struct log_tail *tail;                       /* owned; NULL: not asked for */
    int attempts;                                /* begun */
    int throttles;                               /* times it was sent back to the queue */
    int64_t accepted_ms;                         /* of an event */
    bool started;                                /* START has been written */
    int64_t started_us;
    int64_t init_us;     /* of the worker that began with it; -1: a warm one */
    struct event *retry; /* of an event: the end of its wait; owned; NULL: none */
    struct function *function;
    TAILQ_ENTRY(invocation) link; /* in calls, events or delayed; none while it runs */
};
TAILQ_HEAD(invocation_list, invocation);

enum worker_state {
    WORKER_STARTING, /* has not asked for an event yet */
    WORKER_IDLE,     /* waits for one */
    WORKER_BUSY,
    WORKER_ANSWERED, /* has answered, has not asked for the next yet */
    WORKER_DYING,    /* killed, or about to end after init/error */
};

struct worker {
    struct function *function;
    enum worker_state state;
    pid_t pid;
    int pidfd;             /* -1: the kernel has none, the tick looks */
    int output;            /* read end of its stdout and stderr */
    struct event *on_exit; /* pidfd readable */
    struct event *on_reap; /* of low priority: what it has sent before its end comes first */
    struct event *on_output;
    struct event *on_timer; /* end of init, end of the invocation */
    struct http_server *http;
    struct http_request *asking;        /* its pending request for the next event */
    struct invocation *invocation;      /* that it serves; owned */
    char answered_id[RANDOM_UUID_SIZE]; /* request id of the last invocation that is over */
    struct buf line;                    /* of output, still without its end */
    int64_t spawned_us;
    int64_t init_us;          /* until it asked first; -1: not yet, or reported */
    int64_t exited_ms;        /* 0: runs */
    int64_t returning_ms;     /* when it has answered; 0: counts no longer in returning */
    size_t peak_kb;           /* of resident memory, as seen so far */
    TAILQ_ENTRY(worker) link; /* in idle when it waits for an event, else in active */
};
TAILQ_HEAD(worker_list, worker);

enum { LATE_IDS = 64 };

struct function {
    struct event_base *base;
    const struct engine_config *config;
    struct figures *figures;
    struct sqs_service *sqs; /* for destinations */
    struct event_settings settings;
    int64_t created_ms; /* wall clock */
    char revision[RANDOM_UUID_SIZE];
    struct invocation_list calls;   /* synchronous, waiting for a worker */
    struct invocation_list events;  /* asynchronous, waiting */
    struct invocation_list delayed; /* asynchronous, waiting for a time */
    size_t calls_waiting, events_waiting, running;
    struct worker_list idle;   /* the one that was busy last comes first */
    struct worker_list active; /* all others */
    size_t worker_count;
    size_t starting; /* workers in that state which no invocation is charged with */
    /* Workers that have answered a moment ago and will ask again in a moment: no others are started
    ** instead of them. */
    size_t returning;
    struct event *tick; /* looks after the active workers while there are any */
    bool ticking, closing;
    bool without_pidfd;  /* the tick has to look for the end of idle workers too */
    int64_t nofile_soft; /* limit of open files for workers; -1: as it is */
    /* Request ids that timed out last, for 410. */
    char late[LATE_IDS][RANDOM_UUID_SIZE];
    unsigned late_next;
};

/* --- function.c: the queue -------------------------------------------------------------------- */

/* nofile_soft: soft limit of open files that workers get. NULL: no memory. */
struct function *function_new(struct event_base *base, const struct engine_config *config,
                              struct figures *figures, struct sqs_service *sqs,
                              int64_t nofile_soft);
/* Kills the workers, waits for them, answers who still waits. NULL is allowed. */
void function_free(struct function *f);

/* An invocation without payload. NULL: no memory. Once submitted it is the function's. */
struct invocation *invocation_new(const char *request_id);
void invocation_free(struct invocation *inv);

/* How many more invocations may run. */
size_t function_room(const struct function *f);
/* True when a reserved concurrency is used up by what runs and what was let in. */
bool function_is_over_reserved(const struct function *f);
/* The reason for which a synchronous call is throttled now; NULL: it is not. */
const char *function_throttles(const struct function *f);
/* Puts it into its queue; function_schedule begins it. inv->call set: synchronous, function_throttles must
** be NULL. */
void function_submit(struct function *f, struct invocation *inv);
/* Gives what waits to workers, and starts them where they are needed. */
void function_schedule(struct function *f);

/* How an invocation ends. The pointers are borrowed. */
struct outcome {
    const char *error_type; /* `Runtime.ExitError`; NULL: no error */
    const char *status;     /* of the REPORT line: `timeout`, `error`; NULL: none */
    const void *body;
    size_t len;
};

/* The worker asks for an event: gives it one, now or later (asking is set). */
void function_worker_asks(struct function *f, struct worker *w, struct http_request *request);
/* The idle worker has closed the connection on which it asked. It may ask again, within the
** timeout. */
void function_worker_left(struct function *f, struct worker *w);
/* The worker's invocation is over; the worker has none afterwards. */
void function_settle(struct function *f, struct worker *w, const struct outcome *outcome);
/* As function_settle, with the error object that the platform makes.
** message follows `RequestId: ... Error: `. */
void function_settle_error(struct function *f, struct worker *w, const char *error_type,
                           const char *status, const char *message);
/* The timer of the worker has run out. */
void function_time_over(struct function *f, struct worker *w);
/* The worker's process has ended, with the text of its status (`exit status 3`; NULL for 0). Frees
** the worker and starts others where they are needed. */
void function_worker_ended(struct function *f, struct worker *w, const char *status_text);
/* The worker has posted init/error: what waits longest fails with it, the worker may end. */
void function_init_failed(struct function *f, struct worker *w, const struct outcome *outcome);
/* Has this request timed out lately? */
bool function_is_late(const struct function *f, const char *request_id);

/* --- worker.c: the processes ------------------------------------------------------------------ */

enum worker_trouble {
    WORKER_OK,
    WORKER_CANNOT_EXEC, /* nor ever will: the command is wrong */
    WORKER_NO_RESOURCE, /* processes, descriptors or memory ran out */
};
/* Starts a process. On trouble w_out is NULL and error_out has the platform's text
** (`fork/exec /x/bootstrap: no such file or directory`). */
enum worker_trouble worker_start(struct function *f, struct worker **w_out, char *error_out,
                                 size_t error_size);
/* Frees what the worker has; its process must have been waited for. */
void worker_free(struct worker *w);
/* Reads what its output holds at this moment. */
void worker_drain(struct worker *w);
/* Kills the process group. The worker goes on to be there until its end is seen. */
void worker_kill(struct worker *w);
/* Blocks until a killed process has ended. */
void worker_wait(struct worker *w);
/* Runs the timer once in ms milliseconds; -1 stops it. */
void worker_set_timer(struct worker *w, int64_t ms);
/* Looks at its end, where nothing else does, and at its memory. False: it is over limit_kb.
** True: it may have been freed. */
bool worker_check(struct worker *w, size_t limit_kb);
/* Peak of resident memory in kB. */
size_t worker_peak_kb(struct worker *w);

/* --- spawn.c ---------------------------------------------------------------------------------- */

struct spawn {
    char *const *argv; /* argv[0] is looked up in PATH when it has no slash */
    char *const *environment;
    const char *directory;
    int output;          /* becomes stdout and stderr; stdin is /dev/null */
    int64_t nofile_soft; /* -1: inherited */
};
/* A process in a group of its own that dies with the calling thread and inherits no other
** descriptor and no signal settings. -1 on failure: errno; exec_failed says that the child could
** not begin. */
pid_t spawn_process(const struct spawn *spawn, bool *exec_failed);

/* --- runtime_api.c ---------------------------------------------------------------------------- */

/* Opens the worker's Runtime API; port_out gets its port. False on failure: errno. */
bool runtime_api_open(struct worker *w, int *port_out);
/* Answers the pending request of the worker with its invocation. */
void runtime_api_give(struct worker *w);

#endif
