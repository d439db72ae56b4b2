/* The program's side of receiving: pop and select, one wait over one or many channels. */
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

static void note_gap(struct receiver *in) {
    if (in->popped_us < 0)
        return;
    int64_t gap = clock_mono_us() - in->popped_us;
    in->gap_us = in->gap_us < 0 ? gap : (in->gap_us + gap) / 2;
    in->popped_us = -1;
}

struct wait {
    const struct chan_case *cases;
    size_t count;
    int64_t started, deadline;
    bool asks; /* every channel once, without waiting for what is not there */
};

/* --- one channel ------------------------------------------------------------------------------ */

static bool has_outcome(const struct chan *c) {
    return c->hub->dead || c->failure || c->deleting || c->life == LIFE_GONE ||
           c->life == LIFE_BROKEN || c->in.failed || c->in.closed;
}

static bool has_value(struct chan *c, int64_t now) {
    struct message_list *held = &c->in.held;
    while (held->count > 0 && now >= held->first->expires_ms)
        message_free(
            list_take(held)); /* the process was stopped: it may be somebody else's by now */
    return held->count > 0;
}

static bool is_ready(const struct chan_case *k, int64_t now) {
    if (!k->chan)
        return false;
    if (k->data)
        return has_outcome(k->chan) || k->chan->closing || k->len == 0 ||
               k->len > SQS_PAYLOAD_MAX || sender_has_room(k->chan, k->len);
    return has_outcome(k->chan) || has_value(k->chan, now);
}

/* Whether the question has its answer: nothing there. *until: when to look again. */
static bool nothing_there(struct chan *c, const struct wait *w, int64_t now, int64_t *until) {
    struct receiver *in = &c->in;
    int64_t limit = w->started + POLL_LIMIT_MS;
    if (in->short_done || now >= limit)
        return true;
    if (in->active && !in->is_short && receiver_quiet(c)) {
        /* A long poll is under way: what was there when it came would have been its answer. */
        int64_t since = in->poll_started > c->out.done_ms ? in->poll_started : c->out.done_ms;
        if (now >= since + POLL_GRACE_MS)
            return true;
        limit = since + POLL_GRACE_MS;
    }
    if (limit < *until)
        *until = limit;
    return false;
}

static bool want(struct chan *c, int64_t deadline, bool asks) {
    struct receiver *in = &c->in;
    if (in->wanted && in->want_short == asks)
        return true;
    in->wanted = true;
    in->want_until = deadline;
    in->want_short = asks;
    in->short_done = false;
    return hub_mark(c);
}

static void unwant(struct chan *c) {
    c->in.wanted = c->in.want_short = c->in.short_done = false;
    if (c->hub->dead)
        return;
    /* The last of a batch lets the deletes go; before that a timer watches over what is held. */
    bool watched = c->timer && c->timer_at <= clock_mono_ms() + HOLD_MS;
    bool work = c->acks.popped.count > 0 || c->acks.surplus.count > 0;
    if (c->in.held.count > 0 ? !watched : work)
        hub_mark(c);
    hub_settle(c);
}

static enum chan_result take(struct chan *c, int64_t now, char **data_out, size_t *len_out,
                             struct chan_error *error) {
    struct receiver *in = &c->in;
    enum chan_result result = queue_state(c, "pop", error);
    if (result != CHAN_OK)
        return result;
    *data_out = receiver_take(c, now, len_out);
    if (*data_out) {
        in->popped_us = clock_mono_us();
        return CHAN_OK;
    }
    if (in->closed) {
        fault_text(error, c, "pop", NULL, "the channel is closed");
        return CHAN_CLOSED;
    }
    if (error)
        *error = *in->failed;
    free(in->failed);
    in->failed = NULL;
    return CHAN_FAILED;
}

/* --- many ------------------------------------------------------------------------------------- */

/* A random one among the cases that are ready; -1: none. */
static int choose(const struct wait *w, int64_t now) {
    int chosen = -1;
    uint64_t ready = 0;
    for (size_t i = 0; i < w->count; i++)
        if (is_ready(&w->cases[i], now) && (++ready == 1 || random_u64() % ready == 0))
            chosen = (int)i;
    return chosen;
}

/* Of the cases that only ask, whether all have their answer. */
static bool all_asked(const struct wait *w, int64_t now, int64_t *until) {
    bool all = true;
    for (size_t i = 0; i < w->count; i++) {
        const struct chan_case *k = &w->cases[i];
        if (k->chan && !k->data && !is_ready(k, now) && !nothing_there(k->chan, w, now, until))
            all = false;
    }
    return all;
}

/* Waits until a case is ready. A push is nearly always ready: so that pops have their chance
** beside it, they are asked first. */
static enum chan_result wait_ready(struct chan_hub *hub, const struct wait *w, int *which_out) {
    bool asks = w->asks;
    size_t pushes = 0, pops = 0;
    for (size_t i = 0; i < w->count; i++)
        if (w->cases[i].chan)
            *(w->cases[i].data ? &pushes : &pops) += 1;
    bool asks_first = pushes > 0 && pops > 0;
    for (;;) {
        int64_t now = clock_mono_ms(), until = w->deadline;
        bool asking = asks || asks_first;
        if (hub->interrupted) {
            hub->interrupted = false;
            return CHAN_INTERRUPTED;
        }
        if (asking)
            until = CHAN_FOREVER;
        bool asked = !asking || all_asked(w, now, &until);
        bool time_up = !asks && now >= w->deadline;
        *which_out = !asks_first || asked || time_up ? choose(w, now) : -1;
        if (*which_out >= 0)
            return CHAN_OK;
        if (asks ? asked : time_up)
            return CHAN_TIMEOUT;
        if (asks_first && asked) {
            asks_first = false;
            continue;
        }
        for (size_t i = 0; i < w->count; i++) {
            const struct chan_case *k = &w->cases[i];
            if (k->chan && !k->data && !is_ready(k, now) && !want(k->chan, w->deadline, asking))
                return CHAN_FAILED;
        }
        if (asks_first && !asks && w->deadline < until)
            until = w->deadline;
        hub_wait(hub, until);
    }
}

static enum chan_result perform(const struct chan_case *k, char **data_out, size_t *len_out,
                                struct chan_error *error) {
    if (k->data)
        return sender_push(k->chan, k->data, k->len, 0, error);
    return take(k->chan, clock_mono_ms(), data_out, len_out, error);
}

enum chan_result chan_select(struct chan_hub *hub, const struct chan_case *cases, size_t count,
                             int64_t deadline, int *which_out, char **data_out, size_t *len_out,
                             struct chan_error *error) {
    struct wait w = {.cases = cases, .count = count, .deadline = deadline};
    if (error)
        memset(error, 0, sizeof(*error));
    *data_out = NULL;
    *len_out = 0;
    *which_out = -1;
    pthread_mutex_lock(&hub->lock);
    hub_op_begin(hub);
    w.started = clock_mono_ms();
    w.asks = deadline <= w.started;
    for (size_t i = 0; i < count; i++)
        if (cases[i].chan && !cases[i].data)
            note_gap(&cases[i].chan->in);
    enum chan_result result = wait_ready(hub, &w, which_out);
    if (result == CHAN_OK)
        result = perform(&cases[*which_out], data_out, len_out, error);
    else if (result == CHAN_FAILED && error)
        memcpy(error->text, "out of memory", sizeof("out of memory"));
    for (size_t i = 0; i < count; i++)
        if (cases[i].chan && !cases[i].data)
            unwant(cases[i].chan);
    hub_op_end(hub);
    pthread_mutex_unlock(&hub->lock);
    return result;
}

enum chan_result chan_pop(struct chan *c, int64_t deadline, char **data_out, size_t *len_out,
                          struct chan_error *error) {
    const struct chan_case one = {.chan = c};
    int which;
    return chan_select(c->hub, &one, 1, deadline, &which, data_out, len_out, error);
}
