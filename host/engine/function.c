#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "host/base/clock.h"
#include "host/engine/function.h"
#include "host/engine/lambda_call.h"
#include "host/engine/lambda_invoke.h"
#include "host/json/json.h"

#define TICK_MS       20
#define CHECK_MAX     64   /* workers looked at in one tick */
#define RETURN_MS     20   /* see function.returning */
#define LAST_WORDS_MS 1000 /* that a worker may go on after init/error */
#define ERROR_MAX     65536

/* --- invocations ------------------------------------------------------------------------------ */

struct invocation *invocation_new(const char *request_id) {
    struct invocation *inv = calloc(1, sizeof(*inv));

    if (inv == NULL)
        return NULL;
    memcpy(inv->request_id, request_id, sizeof(inv->request_id));
    inv->payload = "";
    inv->init_us = -1;
    return inv;
}

void invocation_free(struct invocation *inv) {
    if (inv == NULL)
        return;
    if (inv->retry != NULL)
        event_free(inv->retry);
    free(inv->owned_payload);
    free(inv->client_context);
    free(inv->tenant_id);
    free(inv->trace_id);
    free(inv->tail);
    free(inv);
}

size_t function_room(const struct function *f) {
    size_t most = (size_t)f->config->concurrency, taken = f->calls_waiting + f->running;

    if (f->settings.reserved >= 0 && (size_t)f->settings.reserved < most)
        most = (size_t)f->settings.reserved;
    return taken < most ? most - taken : 0;
}

bool function_is_over_reserved(const struct function *f) {
    return f->settings.reserved >= 0 &&
           f->calls_waiting + f->events_waiting + f->running >= (size_t)f->settings.reserved;
}

const char *function_throttles(const struct function *f) {
    if (function_is_over_reserved(f))
        return "ReservedFunctionConcurrentInvocationLimitExceeded";
    return function_room(f) == 0 ? "ConcurrentInvocationLimitExceeded" : NULL;
}

void function_submit(struct function *f, struct invocation *inv) {
    inv->function = f;
    figures_pending(f->figures, 1);
    if (inv->call != NULL) {
        TAILQ_INSERT_TAIL(&f->calls, inv, link);
        f->calls_waiting++;
    } else {
        inv->accepted_ms = clock_mono_ms();
        events_submit(f, inv);
    }
}

/* Takes what is to be served next out of its queue; NULL when nothing may begin. */
static struct invocation *take_waiting(struct function *f) {
    struct invocation *inv = TAILQ_FIRST(&f->calls);

    if (inv != NULL) {
        TAILQ_REMOVE(&f->calls, inv, link);
        f->calls_waiting--;
        return inv;
    }
    return events_take(f);
}

/* An attempt begins. w: NULL when no worker could be started for it. */
static void begin(struct function *f, struct worker *w, struct invocation *inv) {
    f->running++;
    inv->attempts++;
    inv->started_us = clock_mono_us();
    random_uuid(inv->invocation_id);
    inv->init_us = -1;
    if (w != NULL) {
        w->invocation = inv;
        inv->init_us = w->init_us;
        w->init_us = -1;
    }
    log_start(f->config, inv);
}

static void finish(struct function *f, struct worker *w, struct invocation *inv,
                   const struct outcome *outcome) {
    struct report report;

    if (w != NULL) {
        worker_drain(w);
        w->invocation = NULL;
        memcpy(w->answered_id, inv->request_id, sizeof(w->answered_id));
    }
    report = (struct report){.duration_us = clock_mono_us() - inv->started_us,
                             .init_us = inv->init_us,
                             .peak_kb = w != NULL ? worker_peak_kb(w) : 0,
                             .status = outcome->status,
                             .error_type = outcome->status ? outcome->error_type : NULL};
    log_report(f->config, inv, &report);
    figures_attempt(f->figures, log_billed_ms(&report));
    f->running--;
    if (inv->call != NULL) {
        figures_ended(f->figures, outcome->error_type != NULL, false);
        lambda_invoke_answer(inv, outcome);
        invocation_free(inv);
    } else {
        events_settle(f, inv, outcome);
    }
}

void function_settle(struct function *f, struct worker *w, const struct outcome *outcome) {
    if (w->state == WORKER_BUSY) {
        w->state = WORKER_ANSWERED;
        w->returning_ms = clock_mono_ms();
        f->returning++;
        worker_set_timer(w, (int64_t)f->config->timeout_s * 1000);
    }
    finish(f, w, w->invocation, outcome);
}

static void finish_error(struct function *f, struct worker *w, struct invocation *inv,
                         const char *error_type, const char *status, const char *message) {
    struct buf body, text;
    struct json_writer json;

    buf_init(&body, ERROR_MAX);
    buf_init(&text, ERROR_MAX);
    buf_addf(&text, "RequestId: %s Error: %s", inv->request_id, message);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    json_member(&json, "errorType", error_type);
    json_member(&json, "errorMessage", buf_text(&text));
    json_object_end(&json);
    finish(f, w, inv,
           &(struct outcome){.error_type = error_type,
                             .status = status,
                             .body = buf_text(&body),
                             .len = body.len});
    buf_free(&body);
    buf_free(&text);
}

void function_settle_error(struct function *f, struct worker *w, const char *error_type,
                           const char *status, const char *message) {
    finish_error(f, w, w->invocation, error_type, status, message);
}

/* --- workers ---------------------------------------------------------------------------------- */

static void no_longer_returning(struct function *f, struct worker *w) {
    if (w->returning_ms != 0)
        f->returning--;
    w->returning_ms = 0;
}

static void tick_start(struct function *f) {
    struct timeval wait = {.tv_usec = TICK_MS * 1000};

    if (!f->ticking && evtimer_add(f->tick, &wait) == 0)
        f->ticking = true;
}

static void set_idle(struct function *f, struct worker *w, bool idle) {
    if (idle == (w->state == WORKER_IDLE))
        return;
    if (idle) {
        TAILQ_REMOVE(&f->active, w, link);
        TAILQ_INSERT_HEAD(&f->idle, w, link);
        w->state = WORKER_IDLE;
    } else {
        TAILQ_REMOVE(&f->idle, w, link);
        TAILQ_INSERT_TAIL(&f->active, w, link);
        tick_start(f);
    }
}

/* A state other than idle. */
static void set_state(struct function *f, struct worker *w, enum worker_state state) {
    if (w->state == WORKER_STARTING && w->invocation == NULL && state != WORKER_STARTING)
        f->starting--;
    set_idle(f, w, false);
    w->state = state;
}

static void kill_worker(struct function *f, struct worker *w) {
    no_longer_returning(f, w);
    worker_peak_kb(w);
    worker_kill(w);
    worker_set_timer(w, -1);
    set_state(f, w, WORKER_DYING);
}

/* The worker, which has no invocation, takes the one that waits longest, if there is one. */
static bool charge(struct function *f, struct worker *w) {
    struct invocation *inv = take_waiting(f);

    if (inv == NULL)
        return false;
    if (w->state == WORKER_STARTING)
        f->starting--;
    begin(f, w, inv);
    return true;
}

/* The same for a worker that has failed in its init. */
static bool charge_failed_init(struct function *f, struct worker *w) {
    w->init_us = clock_mono_us() - w->spawned_us;
    return charge(f, w);
}

static void give(struct function *f, struct worker *w, struct invocation *inv) {
    int64_t timeout_ms = (int64_t)f->config->timeout_s * 1000;

    if (inv != NULL) {
        set_state(f, w, WORKER_BUSY);
        begin(f, w, inv);
        worker_set_timer(w, timeout_ms);
    } else {
        set_state(f, w, WORKER_BUSY); /* charged with one already; its time is running */
    }
    runtime_api_give(w);
}

/* False when it makes no sense to go on. */
static bool start_worker(struct function *f) {
    char error[512];
    struct worker *w;
    struct invocation *inv;
    enum worker_trouble trouble = worker_start(f, &w, error, sizeof(error));

    if (trouble == WORKER_OK) {
        TAILQ_INSERT_TAIL(&f->active, w, link);
        f->worker_count++;
        f->starting++;
        figures_workers(f->figures, 1);
        worker_set_timer(w, f->config->init_timeout_ms);
        tick_start(f);
        return true;
    }
    engine_config_note(f->config, "no worker could be started: %s", error);
    if (trouble == WORKER_NO_RESOURCE && f->worker_count > 0)
        return false; /* those that are there will serve it */
    inv = take_waiting(f);
    if (inv == NULL)
        return false;
    begin(f, NULL, inv);
    finish_error(f, NULL, inv, "Runtime.InvalidEntrypoint", "error", error);
    return true;
}

static bool needs_worker(const struct function *f) {
    size_t most = (size_t)f->config->concurrency, room = function_room(f);
    size_t needed = f->calls_waiting + (f->events_waiting < room ? f->events_waiting : room);

    return f->starting + f->returning < needed && f->starting < (size_t)f->config->starting_max &&
           f->worker_count < most;
}

void function_schedule(struct function *f) {
    struct worker *w;
    struct invocation *inv;

    if (f->closing)
        return;
    while ((w = TAILQ_FIRST(&f->idle)) != NULL && (inv = take_waiting(f)) != NULL)
        give(f, w, inv);
    while (needs_worker(f) && start_worker(f))
        continue;
}

void function_worker_asks(struct function *f, struct worker *w, struct http_request *request) {
    struct invocation *inv;

    w->asking = request;
    no_longer_returning(f, w);
    if (w->state == WORKER_STARTING && w->invocation != NULL) {
        give(f, w, NULL);
        return;
    }
    if (w->state == WORKER_STARTING) {
        w->init_us = clock_mono_us() - w->spawned_us;
        f->starting--;
        w->state = WORKER_ANSWERED;
    }
    worker_set_timer(w, -1);
    inv = take_waiting(f);
    if (inv != NULL)
        give(f, w, inv);
    else
        set_idle(f, w, true);
    function_schedule(f);
}

void function_worker_left(struct function *f, struct worker *w) {
    w->asking = NULL;
    set_state(f, w, WORKER_ANSWERED);
    worker_set_timer(w, (int64_t)f->config->timeout_s * 1000);
}

static void timed_out(struct function *f, struct worker *w) {
    struct buf message;

    memcpy(f->late[f->late_next], w->invocation->request_id, RANDOM_UUID_SIZE);
    f->late_next = (f->late_next + 1) % LATE_IDS;
    worker_drain(w);
    log_timed_out(f->config, w->invocation);
    buf_init(&message, ERROR_MAX);
    buf_addf(&message, "Task timed out after %d.00 seconds", f->config->timeout_s);
    function_settle_error(f, w, "Sandbox.Timedout", "timeout", buf_text(&message));
    buf_free(&message);
}

void function_time_over(struct function *f, struct worker *w) {
    bool starting = w->state == WORKER_STARTING;

    if (w->invocation != NULL) {
        kill_worker(f, w);
        timed_out(f, w);
    } else if (starting && charge(f, w)) {
        /* Init goes on at the expense of this invocation. */
        worker_set_timer(w, (int64_t)f->config->timeout_s * 1000);
    } else {
        if (w->state != WORKER_DYING)
            engine_config_note(f->config, "a worker was killed: it asked for no event in time");
        kill_worker(f, w);
    }
}

void function_worker_ended(struct function *f, struct worker *w, const char *status_text) {
    struct buf message;

    if (w->state == WORKER_STARTING && w->invocation == NULL)
        charge_failed_init(f, w);
    if (w->invocation != NULL) {
        buf_init(&message, ERROR_MAX);
        buf_adds(&message, status_text != NULL ? "Runtime exited with error: "
                                               : "Runtime exited without providing a reason");
        if (status_text != NULL)
            buf_adds(&message, status_text);
        function_settle_error(f, w, "Runtime.ExitError", "error", buf_text(&message));
        buf_free(&message);
        w->state = WORKER_DYING; /* in active, and no longer counted in starting */
    } else if (w->state != WORKER_DYING) {
        engine_config_note(f->config, "a worker ended by itself: %s",
                           status_text != NULL ? status_text : "exit status 0");
    }
    if (w->state == WORKER_STARTING)
        f->starting--;
    no_longer_returning(f, w);
    TAILQ_REMOVE(w->state == WORKER_IDLE ? &f->idle : &f->active, w, link);
    f->worker_count--;
    figures_workers(f->figures, -1);
    worker_free(w);
    function_schedule(f);
}

void function_init_failed(struct function *f, struct worker *w, const struct outcome *outcome) {
    if (w->invocation != NULL || charge_failed_init(f, w)) {
        /* Charged: no longer counted in starting. */
        w->state = WORKER_DYING;
        function_settle(f, w, outcome);
    } else {
        set_state(f, w, WORKER_DYING);
    }
    worker_set_timer(w, LAST_WORDS_MS);
}

bool function_is_late(const struct function *f, const char *request_id) {
    for (unsigned i = 0; i < LATE_IDS; i++)
        if (strcmp(f->late[i], request_id) == 0)
            return true;
    return false;
}

static void out_of_memory(struct function *f, struct worker *w) {
    if (w->state == WORKER_STARTING && w->invocation == NULL)
        charge_failed_init(f, w);
    engine_config_note(f->config, "a worker was killed: over its %d MB of memory",
                       f->config->memory_mb);
    kill_worker(f, w);
    if (w->invocation != NULL)
        function_settle_error(f, w, "Runtime.OutOfMemory", "error",
                              "Runtime exited with error: signal: killed");
}

static void check_worker(struct function *f, struct worker *w) {
    if (w->returning_ms != 0 && clock_mono_ms() - w->returning_ms >= RETURN_MS)
        no_longer_returning(f, w);
    if (!worker_check(w, (size_t)f->config->memory_mb * 1024) && w->state != WORKER_DYING)
        out_of_memory(f, w);
}

static void tick(evutil_socket_t fd, short what, void *context) {
    struct function *f = context;
    struct worker *w, *next;
    size_t count = 0;

    (void)fd;
    (void)what;
    f->ticking = false;
    for (w = TAILQ_FIRST(&f->active); w != NULL; w = TAILQ_NEXT(w, link))
        count++;
    for (size_t i = 0; i < count && i < CHECK_MAX; i++) {
        w = TAILQ_FIRST(&f->active);
        TAILQ_REMOVE(&f->active, w, link);
        TAILQ_INSERT_TAIL(&f->active, w, link);
        check_worker(f, w);
    }
    function_schedule(f); /* a worker may have been too slow to return */
    if (f->without_pidfd)
        for (w = TAILQ_FIRST(&f->idle); w != NULL; w = next) {
            next = TAILQ_NEXT(w, link);
            worker_check(w, SIZE_MAX);
        }
    if (count > 0 || f->without_pidfd)
        tick_start(f);
}

/* --- life ------------------------------------------------------------------------------------- */

struct function *function_new(struct event_base *base, const struct engine_config *config,
                              struct figures *figures, struct sqs_service *sqs,
                              int64_t nofile_soft) {
    struct function *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->base = base;
    f->config = config;
    f->figures = figures;
    f->sqs = sqs;
    f->nofile_soft = nofile_soft;
    TAILQ_INIT(&f->calls);
    TAILQ_INIT(&f->idle);
    TAILQ_INIT(&f->active);
    f->created_ms = clock_wall_ms();
    random_uuid(f->revision);
    f->tick = evtimer_new(base, tick, f);
    if (f->tick == NULL || !events_init(f)) {
        function_free(f);
        return NULL;
    }
    return f;
}

static void drop_invocation(struct function *f, struct invocation *inv) {
    if (inv == NULL)
        return;
    if (inv->call != NULL)
        lambda_error(inv->call, 500, "ServiceException", NULL, "The engine is stopping.");
    figures_pending(f->figures, -1);
    invocation_free(inv);
}

static void drop_list(struct function *f, struct invocation_list *list) {
    struct invocation *inv;

    while ((inv = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, inv, link);
        drop_invocation(f, inv);
    }
}

static void drop_workers(struct function *f, struct worker_list *list) {
    struct worker *w;

    while ((w = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, w, link);
        worker_wait(w);
        drop_invocation(f, w->invocation);
        figures_workers(f->figures, -1);
        worker_free(w);
    }
}

void function_free(struct function *f) {
    struct worker *w;

    if (f == NULL)
        return;
    f->closing = true;
    for (w = TAILQ_FIRST(&f->idle); w != NULL; w = TAILQ_NEXT(w, link))
        worker_kill(w);
    for (w = TAILQ_FIRST(&f->active); w != NULL; w = TAILQ_NEXT(w, link))
        worker_kill(w);
    drop_workers(f, &f->idle);
    drop_workers(f, &f->active);
    drop_list(f, &f->calls);
    drop_list(f, &f->events);
    drop_list(f, &f->delayed);
    events_free(f);
    if (f->tick != NULL)
        event_free(f->tick);
    free(f);
}
