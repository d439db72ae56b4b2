/*
** Leases: messages that stay hidden for as long as somebody works on them. The I/O thread renews
** the visibility timeout when half of it has passed.
**
** While a renewal is under way its message is neither deleted nor given back: a renewal that
** arrived after that would hide it once more.
*/
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/channel/internal.h"

struct renewal {
    struct request request;
    size_t count;
    int64_t started_ms;
    struct chan_lease *leases[SQS_BATCH_MAX];
    const char *receipts[SQS_BATCH_MAX];
};

static int64_t life_ms(const struct chan *c) {
    return (int64_t)c->options.visibility_s * 1000;
}

struct chan_lease *lease_new(struct chan *c, struct message *m, int64_t now) {
    struct chan_lease *lease = calloc(1, sizeof(*lease));
    if (!lease)
        return NULL;
    lease->c = c;
    lease->m = m;
    lease->len = m->len;
    /* What has passed since it was received is gone already: expires_ms knows. */
    lease->renew_at = m->expires_ms - life_ms(c) / 2;
    if (lease->renew_at > now + life_ms(c) / 2)
        lease->renew_at = now + life_ms(c) / 2;
    lease->next = c->leases;
    if (lease->next)
        lease->next->prev = lease;
    c->leases = lease;
    return lease;
}

static void unlink_lease(struct chan_lease *lease) {
    *(lease->prev ? &lease->prev->next : &lease->c->leases) = lease->next;
    if (lease->next)
        lease->next->prev = lease->prev;
    lease->prev = lease->next = NULL;
}

/* Lets the message go the way that was decided, and the lease with it. */
static void carry_out(struct chan_lease *lease, int64_t now) {
    struct chan *c = lease->c;
    struct message *m = lease->m;
    if (lease->m) {
        unlink_lease(lease);
        ending_lease_over(c);
        if (lease->lost)
            message_free(m);
        else if (lease->finished)
            receiver_done(c, m, now);
        else
            ack_return(c, m);
    }
    free(lease);
}

void lease_end(struct chan_lease *lease, bool finished, int64_t now) {
    lease->over = true;
    lease->finished = finished;
    if (lease->renewing)
        lease->c->acks.pending++; /* on_renewed goes on */
    else
        carry_out(lease, now);
}

void lease_return_all(struct chan *c, int64_t now) {
    for (struct chan_lease *lease = c->leases, *next; lease; lease = next) {
        next = lease->next;
        if (lease->renewing)
            continue; /* the next step */
        if (lease->over || lease->own) {
            if (!lease->over)
                lease_end(lease, false, now);
            continue;
        }
        unlink_lease(lease);
        if (lease->lost)
            message_free(lease->m);
        else
            ack_return(c, lease->m);
        lease->m = NULL;
        lease->lost = true;
    }
}

/* --- on the I/O thread ------------------------------------------------------------------------ */

static void on_renewed(void *context, const struct aws_error *error,
                       const struct sqs_outcome *outcomes, size_t count) {
    struct renewal *r = context;
    struct chan *c = hub_enter(&r->request);
    int64_t now = clock_mono_ms(), life = life_ms(c);
    enum verdict verdict = VERDICT_AGAIN;
    if (error)
        verdict = fault_judge(c, &c->lease_backoff, error, now);
    else
        fault_clear(c, &c->lease_backoff);
    for (size_t i = 0; i < r->count; i++) {
        struct chan_lease *lease = r->leases[i];
        bool ok = !error && (i >= count || outcomes[i].ok);
        bool refused = !error && i < count && !outcomes[i].ok && outcomes[i].sender_fault;
        lease->renewing = false;
        if (ok) {
            lease->m->expires_ms = r->started_ms + life - (life < 10000 ? life / 5 : 2000);
            lease->renew_at = r->started_ms + life / 2;
        } else if (refused || verdict != VERDICT_AGAIN || now >= lease->m->expires_ms)
            lease->lost = !lease->over;
        if (lease->over) {
            c->acks.pending--;
            carry_out(lease, now);
        }
    }
    if (verdict == VERDICT_GONE)
        queue_gone(c);
    free(r);
    hub_leave(c);
}

static bool may_renew(const struct chan_lease *lease, int64_t now) {
    return !lease->renewing && !lease->over && !lease->lost && now >= lease->renew_at;
}

void lease_step(struct chan *c, int64_t now) {
    if (!c->leases)
        return;
    if (c->life == LIFE_GONE || c->deleting)
        return;
    if (c->hub->finishing || c->refs == 0) {
        lease_return_all(c, now);
        return;
    }
    if (!queue_ready(c) || now < c->lease_backoff.until)
        return;
    struct chan_lease *lease = c->leases;
    while (lease) {
        struct renewal *r = calloc(1, sizeof(*r));
        if (!r) {
            fault_delay(&c->lease_backoff, now, 50, 500);
            return;
        }
        for (; lease && r->count < SQS_BATCH_MAX; lease = lease->next) {
            if (may_renew(lease, now) && now >= lease->m->expires_ms)
                lease->lost = true; /* the process was stopped */
            if (!may_renew(lease, now))
                continue;
            r->receipts[r->count] = lease->m->receipt;
            r->leases[r->count++] = lease;
        }
        if (r->count == 0) {
            free(r);
            return;
        }
        r->started_ms = now;
        request_for(&r->request, c);
        uint64_t id = sqs_change_visibility_batch(c->hub->client, c->url, r->receipts, r->count,
                                                  c->options.visibility_s, on_renewed, r);
        if (!request_begin(&r->request, id)) {
            fault_delay(&c->lease_backoff, now, 50, 500);
            free(r);
            return;
        }
        for (size_t i = 0; i < r->count; i++)
            r->leases[i]->renewing = true;
    }
}

int64_t lease_wake(const struct chan *c, int64_t now) {
    int64_t at = 0;
    if (c->life == LIFE_GONE || c->deleting)
        return 0;
    for (const struct chan_lease *lease = c->leases; lease; lease = lease->next)
        if (!lease->renewing && !lease->over && !lease->lost)
            at = sooner(at, lease->renew_at);
    return later(at != 0 && at < c->lease_backoff.until ? c->lease_backoff.until : at, now);
}

/* --- the program's side ----------------------------------------------------------------------- */

enum chan_result chan_lease(struct chan *c, int64_t deadline, struct chan_lease **lease_out,
                            struct chan_error *error) {
    const struct chan_case one = {.chan = c, .lease = true};
    int which;
    char *none;
    size_t nothing;
    return chan_select(c->hub, &one, 1, deadline, &which, &none, &nothing, lease_out, error);
}

const char *chan_lease_data(const struct chan_lease *lease, size_t *len_out) {
    struct chan_hub *hub = lease->c->hub;
    pthread_mutex_lock(&hub->lock);
    const char *data = lease->m ? lease->m->body : NULL;
    *len_out = lease->m ? lease->len : 0;
    pthread_mutex_unlock(&hub->lock);
    return data;
}

bool chan_lease_lost(const struct chan_lease *lease) {
    struct chan_hub *hub = lease->c->hub;
    pthread_mutex_lock(&hub->lock);
    bool lost = lease->lost || !lease->m || clock_mono_ms() >= lease->m->expires_ms;
    pthread_mutex_unlock(&hub->lock);
    return lost;
}

static enum chan_result end(struct chan_lease *lease, bool finished, struct chan_error *error) {
    struct chan *c = lease->c;
    struct chan_hub *hub = c->hub;
    const char *operation = finished ? "lease done" : "lease return";
    int64_t now = clock_mono_ms();
    enum chan_result result = CHAN_OK;
    if (error)
        memset(error, 0, sizeof(*error));
    pthread_mutex_lock(&hub->lock);
    bool gone = c->deleting || c->life == LIFE_GONE;
    if (gone || hub->dead) {
        fault_text(error, c, operation, NULL,
                   gone ? "the queue has been deleted" : "the hub has been freed");
        result = gone ? CHAN_DELETED : CHAN_FAILED;
        lease->lost = true;
    } else if (lease->lost || now >= lease->m->expires_ms) {
        fault_text(error, c, operation, NULL,
                   "its visibility timeout was over, so that its value can reach another receiver "
                   "too");
        lease->lost = true;
        result = finished ? CHAN_FAILED : CHAN_OK;
    }
    lease_end(lease, finished, now);
    if (!hub->dead) {
        hub_mark(c);
        hub_settle(c);
    }
    pthread_mutex_unlock(&hub->lock);
    chan_release(c);
    return result;
}

enum chan_result chan_lease_done(struct chan_lease *lease, struct chan_error *error) {
    return end(lease, true, error);
}

enum chan_result chan_lease_return(struct chan_lease *lease, struct chan_error *error) {
    return end(lease, false, error);
}
