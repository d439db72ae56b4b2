#include <errno.h>
#include <time.h>

#include "host/engine/internal.h"
#include "host/engine/sqs.h"

_Static_assert((int)ENGINE_SQS_OPERATIONS == (int)SQS_OPERATION_COUNT, "one row for each");

void figures_init(struct figures *f) {
    pthread_condattr_t attr;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->idle, &attr);
    pthread_condattr_destroy(&attr);
    f->now = (struct engine_figures){0};
    f->usage = (struct engine_usage){0};
    for (unsigned i = 0; i < ENGINE_SQS_OPERATIONS; i++)
        f->usage.sqs[i].operation = sqs_operation_name(i);
}

void figures_destroy(struct figures *f) {
    pthread_cond_destroy(&f->idle);
    pthread_mutex_destroy(&f->lock);
}

static void add_pending(struct figures *f, int change) {
    f->now.pending += (size_t)change;
    if (f->now.pending == 0)
        pthread_cond_broadcast(&f->idle);
}

void figures_pending(struct figures *f, int change) {
    pthread_mutex_lock(&f->lock);
    add_pending(f, change);
    pthread_mutex_unlock(&f->lock);
}

void figures_workers(struct figures *f, int change) {
    pthread_mutex_lock(&f->lock);
    f->now.workers += (size_t)change;
    pthread_mutex_unlock(&f->lock);
}

void figures_queues(struct figures *f, size_t count) {
    pthread_mutex_lock(&f->lock);
    f->now.queues = count;
    pthread_mutex_unlock(&f->lock);
}

void figures_ended(struct figures *f, bool failed, bool event) {
    pthread_mutex_lock(&f->lock);
    f->now.invocations++;
    f->now.failed += failed;
    f->now.failed_events += failed && event;
    add_pending(f, -1);
    pthread_mutex_unlock(&f->lock);
}

void figures_request(struct figures *f, unsigned operation, bool fifo, uint64_t units) {
    struct engine_requests *row = &f->usage.sqs[operation];
    enum engine_queue_kind kind = fifo ? ENGINE_FIFO : ENGINE_STANDARD;

    pthread_mutex_lock(&f->lock);
    row->calls[kind]++;
    row->units[kind] += units;
    pthread_mutex_unlock(&f->lock);
}

void figures_attempt(struct figures *f, int64_t billed_ms) {
    pthread_mutex_lock(&f->lock);
    f->usage.attempts++;
    f->usage.billed_ms += (uint64_t)billed_ms;
    pthread_mutex_unlock(&f->lock);
}

void figures_usage(struct figures *f, struct engine_usage *out) {
    pthread_mutex_lock(&f->lock);
    *out = f->usage;
    pthread_mutex_unlock(&f->lock);
}

void figures_read(struct figures *f, struct engine_figures *out) {
    pthread_mutex_lock(&f->lock);
    *out = f->now;
    pthread_mutex_unlock(&f->lock);
}

bool figures_wait_idle(struct figures *f, int64_t timeout_ms) {
    struct timespec until;
    bool idle;

    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_ms > 0) {
        until.tv_sec += (time_t)(timeout_ms / 1000);
        until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
    }
    pthread_mutex_lock(&f->lock);
    while (f->now.pending != 0) {
        int error = timeout_ms < 0 ? pthread_cond_wait(&f->idle, &f->lock)
                                   : pthread_cond_timedwait(&f->idle, &f->lock, &until);
        if (error == ETIMEDOUT)
            break;
    }
    idle = f->now.pending == 0;
    pthread_mutex_unlock(&f->lock);
    return idle;
}
