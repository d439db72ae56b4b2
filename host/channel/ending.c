/*
** The end of an unordered channel. There the end mark says only that nothing new comes: values can
** still be beside it, or in the hands of somebody who gives them back or dies.
**
** A receiver that has found the mark and nothing else in two receives in a row asks SQS how many
** messages there are, visible and not. When it is the mark alone, the channel has ended. When there
** are more, it asks again soon (deletes are on their way, mostly), and then receives again: it
** gives the mark back with a delay, so that long polls of all receivers can wait for what comes
** back, and asks again when the mark is here again.
**
** On a channel with max_receives each receive counts, so that the mark is renewed at once and the
** receiver itself pauses. What this process holds by leases is not waited for: the end is one for
** the time being then, and looked for again when they have ended.
*/
#include <stdlib.h>
#include <string.h>

#include "host/channel/internal.h"

enum {
    LOOKS = 4, /* so often it is asked each time that the mark is met alone */
    LOOK_AGAIN_MS = 60,
    AWAY_MAX_S = 5, /* the longest time that the mark is away, or the receiver pauses */
};

/* Another mark in the place of this one, or this one again, visible after away_s seconds. */
static void let_mark_go(struct chan *c, struct message *m, int away_s) {
    if (c->options.max_receives > 0 && sender_add_end(c, m)) {
        c->acks.pending++;
        return;
    }
    m->away_s = away_s;
    ack_return(c, m);
}

static void stop_asking(struct chan *c, int away_s) {
    struct ending *e = &c->in.ending;
    e->asking = false;
    if (e->mark)
        let_mark_go(c, e->mark, away_s);
    e->mark = NULL;
}

static bool holds_lease(const struct chan *c) {
    for (const struct chan_lease *lease = c->leases; lease; lease = lease->next)
        if (!lease->lost)
            return true;
    return false;
}

void ending_meet(struct chan *c, struct message *m) {
    c->in.end_seen = true;
    if (c->options.max_receives > 0 || c->in.ending.mark)
        let_mark_go(c, m, 0);
    else
        c->in.ending.mark = m;
}

void ending_judge(struct chan *c, bool marks, bool alone, int64_t now) {
    struct ending *e = &c->in.ending;
    if (!alone) {
        e->alone = e->looks = 0;
    } else if (marks && (c->in.poll_max == SQS_BATCH_MAX || c->options.max_receives > 0)) {
        e->alone++;
    }
    if (e->alone < 2 || !marks) {
        stop_asking(c, 0);
    } else if (holds_lease(c)) {
        stop_asking(c, 0);
        c->in.closed = e->provisional = true;
    } else if (!e->asking) {
        e->asking = true;
        e->at = now;
    }
}

void ending_lease_over(struct chan *c) {
    struct ending *e = &c->in.ending;
    if (!e->provisional || holds_lease(c))
        return;
    c->in.closed = e->provisional = false;
    e->alone = 0;
}

void ending_forget(struct chan *c) {
    message_free(c->in.ending.mark);
    c->in.ending.mark = NULL;
    c->in.ending.asking = false;
}

/* --- on the I/O thread ------------------------------------------------------------------------ */

static void on_counted(void *context, const struct aws_error *error, const struct sqs_pair *pairs,
                       size_t count) {
    struct chan *c = hub_enter(context);
    struct ending *e = &c->in.ending;
    int64_t now = clock_mono_ms();
    size_t messages = 0;
    e->counting = false;
    if (error) {
        enum verdict verdict = fault_judge(c, &e->backoff, error, now);
        if (verdict == VERDICT_GONE)
            queue_gone(c);
        else if (verdict == VERDICT_GIVE_UP) {
            stop_asking(c, 0);
            e->alone = 0;
            memset(&e->backoff, 0, sizeof(e->backoff));
            receiver_fail(c, error);
        }
        goto done;
    }
    fault_clear(c, &e->backoff);
    if (!e->asking)
        goto done;
    for (size_t i = 0; i < count; i++)
        messages += (size_t)strtoull(pairs[i].value, NULL, 10);
    if (messages <= 1) {
        c->in.closed = true;
        stop_asking(c, 0);
    } else if (++e->looks % LOOKS != 0) {
        e->at = now + (LOOK_AGAIN_MS << (e->looks % LOOKS - 1));
    } else {
        unsigned doublings = e->looks / LOOKS - 1;
        int away_s = doublings < 3 ? 1 << doublings : AWAY_MAX_S;
        stop_asking(c, away_s);
        if (c->options.max_receives > 0)
            e->pause_until = now + (int64_t)away_s * 1000;
    }
done:
    hub_leave(c);
}

void ending_step(struct chan *c, int64_t now, bool leaving) {
    static const char *const names[] = {"ApproximateNumberOfMessages",
                                        "ApproximateNumberOfMessagesNotVisible"};
    struct ending *e = &c->in.ending;
    if (!e->asking)
        return;
    if (leaving) {
        stop_asking(c, 0);
        return;
    }
    if (c->in.want_short && e->looks > 0)
        c->in.short_done = true;
    if (e->counting || now < e->at || now < e->backoff.until || !ack_idle(c))
        return;
    struct request *r = request_for(&e->request, c);
    e->counting =
        request_begin(r, sqs_get_attributes(c->hub->client, c->url, names, 2, on_counted, r));
    if (!e->counting)
        fault_delay(&e->backoff, now, 50, 500);
}

int64_t ending_wake(const struct chan *c, int64_t now) {
    const struct ending *e = &c->in.ending;
    if (!e->asking || e->counting)
        return 0;
    return later(e->at > e->backoff.until ? e->at : e->backoff.until, now);
}
