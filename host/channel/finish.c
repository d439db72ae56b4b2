/* The end of an invocation: flush, give back, delete, forget. */
#include <string.h>

#include "host/base/clock.h"
#include "host/channel/internal.h"

/* Callbacks of cancelled requests come at once; a client whose thread is stuck is not waited for
** longer than this. */
enum { ABORT_MS = 2000 };

void chan_abort(struct chan *c) {
    if (sender_drop(c) && !c->hub->dead)
        fault_remember(c, "push", NULL, "the time was up before it was acknowledged");
    turn_end(&c->deletion);
    ack_drop(c);
    receiver_drop(c);
    c->offers.out = false;
    for (struct chan_lease *lease = c->leases; lease; lease = lease->next)
        lease->lost = true;
    for (struct request *r = c->requests; r; r = r->next)
        request_cancel(r);
    if (c->life == LIFE_MAKING && !c->life_call)
        c->life = LIFE_BROKEN;
    if (c->deleting && !c->life_call)
        c->life = LIFE_GONE;
}

static void mark_all(struct chan_hub *hub) {
    for (struct chan *c = hub->all; c; c = c->next)
        hub_mark(c);
}

static void name_busy(struct chan_hub *hub, struct chan_error *error) {
    struct chan *c = hub->all;
    while (c && !c->counted_sending && !(c->counted_busy && c->deleting))
        c = c->next;
    if (c)
        fault_text(error, c, c->deleting ? "delete" : "flush", NULL, "the time was up");
}

static enum chan_result report_failed(struct chan_hub *hub, struct chan_error *error) {
    enum chan_result result = CHAN_OK;
    struct chan *worst = hub->failed;
    /* A queue that its owner has deleted is news of a lesser kind than a failure. */
    while (worst && worst->failure_gone)
        worst = worst->next_failed;
    if (!worst)
        worst = hub->failed;
    if (worst)
        result = fault_report(worst, error);
    while (hub->failed)
        fault_report(hub->failed, NULL);
    return result;
}

static enum chan_result flush(struct chan_hub *hub, int64_t deadline, bool interruptible,
                              struct chan_error *error) {
    enum chan_result result = CHAN_OK;
    hub->flushing++;
    for (struct chan *c = hub->all; c; c = c->next)
        if (c->counted_sending || !ack_idle(c) || !sender_idle(c)) {
            hub_mark(c);
            hub_settle(c);
        }
    while (result == CHAN_OK && hub->sending > 0) {
        if (interruptible && hub->interrupted) {
            hub->interrupted = false;
            result = CHAN_INTERRUPTED;
        } else if (!hub_wait(hub, deadline) && hub->sending > 0) {
            result = CHAN_TIMEOUT;
            name_busy(hub, error);
        }
    }
    hub->flushing--;
    if (hub->failed)
        result = report_failed(hub, error);
    return result;
}

static void clear_error(struct chan_error *error) {
    if (error)
        memset(error, 0, sizeof(*error));
}

enum chan_result chan_hub_flush(struct chan_hub *hub, int64_t deadline, struct chan_error *error) {
    clear_error(error);
    pthread_mutex_lock(&hub->lock);
    enum chan_result result = flush(hub, deadline, true, error);
    pthread_mutex_unlock(&hub->lock);
    return result;
}

static void forget(struct chan_hub *hub) {
    for (struct chan *c = hub->all, *next; c; c = next) {
        next = c->next;
        c->forgotten = true;
        c->life = LIFE_GONE;
        c->made = c->deleting = false;
        turn_end(&c->deletion);
        fault_forget(c);
        c->offers.out = false;
        stream_forget_seen(c);
        hub_settle(c);
    }
    memset(hub->buckets, 0, sizeof(hub->buckets));
    for (struct chan *c = hub->all; c; c = c->next)
        c->listed = false;
}

enum chan_result chan_hub_finish(struct chan_hub *hub, int64_t deadline, struct chan_error *error) {
    clear_error(error);
    pthread_mutex_lock(&hub->lock);
    hub->finishing = true;
    for (struct chan *c = hub->all; c; c = c->next)
        if (c->made && !c->deleting)
            queue_doom(c);
    for (struct chan *c = hub->all, *next; c; c = next) {
        next = c->next;
        hub_mark(c);
        hub_settle(c);
    }
    enum chan_result result = CHAN_OK;
    while (hub->busy > 0 && hub_wait(hub, deadline))
        ;
    if (hub->busy > 0) {
        result = CHAN_TIMEOUT;
        name_busy(hub, error);
        hub->aborting = true;
        mark_all(hub);
        int64_t patience = clock_mono_ms() + ABORT_MS;
        while (hub->busy > 0 && hub_wait(hub, patience))
            ;
    }
    if (hub->failed)
        result = report_failed(hub, error);
    forget(hub);
    hub->finishing = hub->aborting = hub->interrupted = false;
    hub->done_us = hub->gap_us = -1; /* what the program does next is another program's pace */
    hub->quick_ops = 0;
    hub_unlock(hub);
    return result;
}
