/* The hub: its lock, the marked channels, the timers, the table of URLs, and who is still busy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

static size_t bucket_of(const char *url) {
    uint64_t h = 1469598103934665603u;
    for (; *url; url++)
        h = (h ^ (unsigned char)*url) * 1099511628211u;
    return (size_t)(h >> 32) % URL_BUCKETS;
}

struct chan *hub_find_url(struct chan_hub *hub, const char *url) {
    struct chan *c = hub->buckets[bucket_of(url)];
    while (c && strcmp(c->url, url) != 0)
        c = c->in_bucket;
    return c;
}

void hub_insert_url(struct chan *c) {
    struct chan **bucket = &c->hub->buckets[bucket_of(c->url)];
    c->in_bucket = *bucket;
    *bucket = c;
    c->listed = true;
}

static void remove_url(struct chan *c) {
    if (!c->listed)
        return;
    struct chan **at = &c->hub->buckets[bucket_of(c->url)];
    while (*at != c)
        at = &(*at)->in_bucket;
    *at = c->in_bucket;
    c->listed = false;
}

struct chan_hub *chan_hub_new(struct aws_client *client) {
    struct chan_hub *hub = calloc(1, sizeof(*hub));
    if (!hub)
        return NULL;
    hub->client = client;
    hub->failed_end = &hub->failed;
    hub->done_us = hub->gap_us = -1;
    random_name(hub->invocation_id, 32);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&hub->lock, NULL);
    pthread_cond_init(&hub->changed, &attr);
    pthread_condattr_destroy(&attr);
    return hub;
}

/* Gives the lock back; the last one to leave a freed hub takes it down. */
void hub_unlock(struct chan_hub *hub) {
    bool last = hub->dead && !hub->posted && hub->chans == 0;
    pthread_mutex_unlock(&hub->lock);
    if (!last)
        return;
    pthread_cond_destroy(&hub->changed);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

bool hub_wait(struct chan_hub *hub, int64_t deadline) {
    bool changed = true;
    if (deadline != CHAN_FOREVER && deadline <= clock_mono_ms())
        return false;
    hub->waiting++;
    for (struct chan *c = hub->lingering > 0 ? hub->all : NULL; c; c = c->next)
        if (c->out.lingering)
            hub_mark(c);
    if (deadline == CHAN_FOREVER)
        pthread_cond_wait(&hub->changed, &hub->lock);
    else {
        struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
                                 .tv_nsec = (long)(deadline % 1000) * 1000000};
        changed = pthread_cond_timedwait(&hub->changed, &hub->lock, &until) != ETIMEDOUT;
    }
    hub->waiting--;
    return changed;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void run_dirty(void *context) {
    struct chan_hub *hub = context;
    pthread_mutex_lock(&hub->lock);
    hub->posted = false;
    int64_t now = clock_mono_ms();
    while (hub->dirty) {
        struct chan *c = hub->dirty;
        hub->dirty = c->next_dirty;
        c->dirty = false;
        chan_step(c, now);
        hub_settle(c);
    }
    pthread_cond_broadcast(&hub->changed);
    hub_unlock(hub);
}

bool hub_mark(struct chan *c) {
    struct chan_hub *hub = c->hub;
    if (!c->dirty) {
        c->dirty = true;
        c->next_dirty = hub->dirty;
        hub->dirty = c;
    }
    if (!hub->posted)
        hub->posted = aws_post(hub->client, run_dirty, hub);
    return hub->posted;
}

static void on_timer(void *context) {
    struct chan *c = context;
    pthread_mutex_lock(&c->hub->lock);
    c->calls--;
    c->timer = 0;
    hub_leave(c);
}

/* On the I/O thread only: there a cancelled timer is certain not to run. */
static void arm(struct chan *c, int64_t now) {
    int64_t at = 0;
    if (!c->hub->aborting) {
        at = sooner(sender_wake(c, now), receiver_wake(c, now));
        at = sooner(at, sooner(ack_wake(c, now), queue_wake(c, now)));
        at = sooner(at, sooner(lease_wake(c, now), offers_wake(c, now)));
        at = sooner(at, ending_wake(c, now));
    }
    if (c->timer && (at == 0 || at < c->timer_at)) {
        aws_timer_cancel(c->hub->client, c->timer);
        c->timer = 0;
        c->calls--;
    }
    if (at == 0 || c->timer)
        return;
    c->timer = aws_timer(c->hub->client, at - now, on_timer, c);
    c->timer_at = at;
    if (c->timer)
        c->calls++;
}

void chan_step(struct chan *c, int64_t now) {
    if (c->hub->aborting)
        chan_abort(c);
    else {
        lease_step(c, now);
        sender_step(c, now);
        ack_step(c, now);
        offers_step(c, now);
        receiver_step(c, now);
        ack_step(c, now); /* what the receiver has just given back */
        queue_step(c, now);
    }
    arm(c, now);
}

bool request_begin(struct request *r, uint64_t id) {
    struct chan *c = r->c;
    if (id == 0)
        return false;
    r->id = id;
    r->next = c->requests;
    if (r->next)
        r->next->prev = r;
    c->requests = r;
    c->calls++;
    return true;
}

void request_cancel(struct request *r) {
    if (!r->cancelled)
        aws_cancel(r->c->hub->client, r->id);
    r->cancelled = true;
}

struct chan *hub_enter(struct request *r) {
    struct chan *c = r->c;
    pthread_mutex_lock(&c->hub->lock);
    *(r->prev ? &r->prev->next : &c->requests) = r->next;
    if (r->next)
        r->next->prev = r->prev;
    c->calls--;
    return c;
}

void hub_leave(struct chan *c) {
    struct chan_hub *hub = c->hub;
    chan_step(c, clock_mono_ms());
    hub_settle(c);
    pthread_cond_broadcast(&hub->changed);
    hub_unlock(hub);
}

/* --- who is busy ------------------------------------------------------------------------------ */

void hub_count(bool *counted, bool is, size_t *total) {
    if (is && !*counted)
        (*total)++;
    else if (!is && *counted)
        (*total)--;
    *counted = is;
}

/* Companions stand in front of their channel in the hub's list: who walks along it does not meet
** them again. */
static void release_companion(struct chan *c) {
    if (!c)
        return;
    c->owner = NULL;
    if (--c->refs == 0 && !c->hub->dead && c->in.held.count)
        hub_mark(c);
    hub_settle(c);
}

static void free_chan(struct chan *c) {
    struct chan_hub *hub = c->hub;
    hub_count(&c->counted_sending, false, &hub->sending);
    hub_count(&c->counted_busy, false, &hub->busy);
    hub_count(&c->out.lingering, false, &hub->lingering);
    remove_url(c);
    fault_forget(c);
    turn_end(&c->deletion);
    sender_drop(c);
    receiver_drop(c);
    ack_drop(c);
    stream_forget(c);
    release_companion(c->credits);
    release_companion(c->dead);
    *(c->prev ? &c->prev->next : &hub->all) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    hub->chans--;
    free(c->in.failed);
    free(c->url);
    free(c->arn);
    free(c);
}

void hub_settle(struct chan *c) {
    struct chan_hub *hub = c->hub;
    bool making = c->life == LIFE_MAKING || c->life_call;
    bool working = !sender_idle(c) || !ack_idle(c);
    hub_count(&c->counted_sending, working, &hub->sending);
    hub_count(&c->counted_busy,
              working || c->calls || c->dirty || making || c->in.held.count || c->in.ending.mark ||
                  (c->deleting && c->life != LIFE_GONE),
              &hub->busy);
    if (c->refs || c->calls || c->dirty)
        return;
    /* A sequence that went on from 1 would look like the same values again: the channel is kept
    ** till the end of the invocation. */
    bool kept = !hub->dead && !c->forgotten && c->kind == KIND_CHANNEL &&
                (c->made || c->out.sequence > 0 || c->closing || c->failure);
    if (!kept && !working && !c->in.held.count && !c->in.ending.mark && !c->offers.out)
        free_chan(c);
}

/* --- life ------------------------------------------------------------------------------------- */

void chan_hub_begin(struct chan_hub *hub, const struct chan_invocation *invocation) {
    pthread_mutex_lock(&hub->lock);
    snprintf(hub->invocation_id, sizeof(hub->invocation_id), "%s", invocation->invocation_id);
    snprintf(hub->run, sizeof(hub->run), "%s", invocation->run ? invocation->run : "");
    snprintf(hub->function, sizeof(hub->function), "%s",
             invocation->function ? invocation->function : "");
    hub->expires_ms = invocation->expires_ms;
    hub->epoch++;
    hub->interrupted = false;
    pthread_mutex_unlock(&hub->lock);
}

void chan_hub_free(struct chan_hub *hub) {
    if (!hub)
        return;
    pthread_mutex_lock(&hub->lock);
    hub->dead = hub->aborting = true;
    for (struct chan *c = hub->all, *next; c; c = next) {
        next = c->next;
        if (c->calls || c->dirty)
            hub_mark(c); /* timers can only be cancelled on the I/O thread */
        else {
            chan_abort(c);
            hub_settle(c);
        }
    }
    hub_unlock(hub);
}

void chan_hub_interrupt(struct chan_hub *hub) {
    pthread_mutex_lock(&hub->lock);
    hub->interrupted = true;
    pthread_cond_broadcast(&hub->changed);
    pthread_mutex_unlock(&hub->lock);
}

void chan_hub_expect(struct chan_hub *hub, int64_t until) {
    pthread_mutex_lock(&hub->lock);
    hub->horizon = until;
    pthread_mutex_unlock(&hub->lock);
}

/* --- pace ------------------------------------------------------------------------------------- */

void hub_op_begin(struct chan_hub *hub) {
    if (hub->done_us < 0)
        return;
    int64_t gap = clock_mono_us() - hub->done_us;
    hub->gap_us = hub->gap_us < 0 ? gap : (hub->gap_us * 3 + gap) / 4;
    hub->quick_ops++;
}

void hub_op_end(struct chan_hub *hub) {
    hub->done_us = clock_mono_us();
}
