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
    bool asks;     /* every channel once, without waiting for what is not there */
    int64_t limit; /* of unbuffered channels whose offers do not come back; 0: not set */
    struct chan_lease **lease_out; /* set when a case leases */
};

/* The queue whose messages make the case ready: a push on a bounded channel waits for a credit.
** NULL: the case needs none. */
static struct chan *source(const struct chan_case *k) {
    if (!k->chan || !k->data)
        return k->chan;
    return k->chan->credits;
}

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
    struct chan *c = k->chan;
    if (!c)
        return false;
    if (!k->data)
        return has_outcome(c) || has_value(c, now) || (k->lease && c->options.stream);
    if (has_outcome(c) || c->closing || k->len == 0 || k->len > sender_value_max(c) ||
        (c->credits && has_outcome(c->credits)))
        return true;
    return sender_has_room(c, k->len) && (!c->credits || credit_ready(c, now));
}

/* A pop on an unbuffered channel that must end: its offer is to come back, or else a sender has it
** and the value is to come. True: it may end. */
static bool offer_settled(struct chan *c, const struct wait *w, int64_t now, int64_t *until) {
    struct offers *o = &c->offers;
    if (!c->in.wanted)
        return false;
    if (now >= w->limit || (o->over && !o->out))
        return true;
    if (!o->over && o->out && sender_idle(c->credits)) {
        o->over = true;
        hub_mark(c);
    }
    if (w->limit < *until)
        *until = w->limit;
    return false;
}

/* Whether the question has its answer: nothing there. *until: when to look again. */
static bool nothing_there(struct chan *c, const struct wait *w, int64_t now, int64_t *until) {
    struct receiver *in = &c->in;
    int64_t limit = w->started + POLL_LIMIT_MS;
    if (is_unbuffered(c))
        return offer_settled(c, w, now, until);
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
    c->offers.over = false;
    c->offers.alone = 0;
    return hub_mark(c);
}

static void unwant(struct chan *c) {
    c->in.wanted = c->in.want_short = c->in.short_done = false;
    if (c->hub->dead)
        return;
    /* The last of a batch lets the deletes go; before that a timer watches over what is held. */
    bool watched = c->timer && c->in.gap_us >= 0 && c->timer_at <= clock_mono_ms() + HOLD_MS;
    bool work = c->acks.popped.count > 0 || c->acks.surplus.count > 0 || c->offers.out;
    c->offers.over = false;
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
        struct chan *from = source(k);
        if (from && !is_ready(k, now) && !nothing_there(from, w, now, until))
            all = false;
    }
    return all;
}

static bool offers_settled(const struct wait *w, int64_t now, int64_t *until) {
    bool all = true;
    *until = w->limit;
    for (size_t i = 0; i < w->count; i++) {
        struct chan *c = w->cases[i].data ? NULL : w->cases[i].chan;
        if (c && is_unbuffered(c) && !offer_settled(c, w, now, until))
            all = false;
    }
    return all;
}

/* Waits until a case is ready. A push is nearly always ready: so that pops have their chance
** beside it, they are asked first. */
static enum chan_result wait_ready(struct chan_hub *hub, struct wait *w, int *which_out) {
    bool asks = w->asks;
    size_t pushes = 0, pops = 0;
    for (size_t i = 0; i < w->count; i++)
        if (w->cases[i].chan)
            *(source(&w->cases[i]) ? &pops : &pushes) += 1;
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
        bool time_up = !asks && now >= w->deadline;
        if ((asking || time_up) && w->limit == 0)
            w->limit = now + POLL_LIMIT_MS;
        bool asked = !asking || all_asked(w, now, &until);
        *which_out = !asks_first || asked || time_up ? choose(w, now) : -1;
        if (*which_out >= 0)
            return CHAN_OK;
        if (asks ? asked : time_up && offers_settled(w, now, &until))
            return CHAN_TIMEOUT;
        if (asks_first && asked) {
            asks_first = false;
            w->limit = 0;
            for (size_t i = 0; i < w->count; i++)
                if (w->cases[i].chan)
                    w->cases[i].chan->offers.over = false;
            continue;
        }
        for (size_t i = 0; i < w->count; i++) {
            const struct chan_case *k = &w->cases[i];
            struct chan *from = source(k);
            if (!from || is_ready(k, now))
                continue;
            bool offers = is_unbuffered(from);
            /* A sender may have its offer: what it sends is waited for. */
            int64_t late = w->deadline < now + POLL_LIMIT_MS ? now + POLL_LIMIT_MS : w->deadline;
            int64_t ends = hub->horizon > w->deadline ? hub->horizon : w->deadline;
            if (!want(from, offers ? late : ends, asking && !offers))
                return CHAN_FAILED;
        }
        if (asks_first && !asks && w->deadline < until && !time_up)
            until = w->deadline;
        if (time_up && until <= now)
            until = w->limit;
        hub_wait(hub, until);
    }
}

/* On an unbuffered channel the receiver is bound to take the value; that it can is certain when
** SQS has it. */
static enum chan_result push(const struct chan_case *k, struct chan_error *error) {
    struct chan *c = k->chan;
    enum chan_result result = sender_push(c, k->data, k->len, 0, error);
    if (result != CHAN_OK || !is_unbuffered(c))
        return result;
    /* A second credit would be taken from others meanwhile, and the pop of this select is over. */
    unwant(c->credits);
    unwant(c);
    if (c->credits->in.held.count > 0) {
        receiver_give_back(c->credits);
        hub_mark(c->credits);
    }
    int64_t limit = clock_mono_ms() + POLL_LIMIT_MS;
    while (!sender_idle(c) && hub_wait(c->hub, limit))
        ;
    return CHAN_OK;
}

static enum chan_result take_lease(const struct wait *w, struct chan *c, struct chan_error *error) {
    struct receiver *in = &c->in;
    char *none;
    size_t nothing;
    int64_t now = clock_mono_ms();
    if (has_outcome(c) && !has_value(c, now))
        return take(c, now, &none, &nothing, error);
    enum chan_result result = queue_state(c, "lease", error);
    if (result == CHAN_OK && c->options.stream) {
        fault_text(error, c, "lease", NULL, "a stream has no leases");
        result = CHAN_FAILED;
    }
    if (result != CHAN_OK)
        return result;
    struct message *m = list_take(&in->held);
    *w->lease_out = lease_new(c, m, now);
    if (!*w->lease_out) {
        ack_return(c, m);
        fault_text(error, c, "lease", NULL, "out of memory");
        return CHAN_FAILED;
    }
    c->refs++;
    in->touched_ms = now;
    in->popped_us = clock_mono_us();
    c->offers.out = false;
    hub_mark(c);
    return CHAN_OK;
}

static enum chan_result perform(const struct wait *w, int which, char **data_out, size_t *len_out,
                                struct chan_error *error) {
    const struct chan_case *k = &w->cases[which];
    if (k->lease)
        return take_lease(w, k->chan, error);
    if (k->data)
        return push(k, error);
    return take(k->chan, clock_mono_ms(), data_out, len_out, error);
}

/* A credit that no push has used goes back at once: others wait for it. */
static void return_credits(const struct wait *w, int which) {
    for (size_t i = 0; i < w->count; i++) {
        struct chan *k = w->cases[i].data ? source(&w->cases[i]) : NULL;
        if (!k || k->in.held.count == 0 || (which >= 0 && source(&w->cases[which]) == k))
            continue;
        receiver_give_back(k);
        hub_mark(k);
    }
}

static enum chan_result select_case(struct chan_hub *hub, struct wait *w, int *which_out,
                                    char **data_out, size_t *len_out, struct chan_error *error) {
    const struct chan_case *cases = w->cases;
    size_t count = w->count;
    if (error)
        memset(error, 0, sizeof(*error));
    *data_out = NULL;
    *len_out = 0;
    *which_out = -1;
    pthread_mutex_lock(&hub->lock);
    hub_op_begin(hub);
    w->started = clock_mono_ms();
    w->asks = w->deadline <= w->started;
    for (size_t i = 0; i < count; i++)
        if (source(&cases[i]))
            note_gap(&source(&cases[i])->in);
    enum chan_result result = wait_ready(hub, w, which_out);
    if (result == CHAN_OK)
        result = perform(w, *which_out, data_out, len_out, error);
    else if (result == CHAN_FAILED && error)
        memcpy(error->text, "out of memory", sizeof("out of memory"));
    for (size_t i = 0; i < count; i++)
        if (source(&cases[i]))
            unwant(source(&cases[i]));
    return_credits(w, *which_out);
    hub_op_end(hub);
    pthread_mutex_unlock(&hub->lock);
    return result;
}

enum chan_result chan_select(struct chan_hub *hub, const struct chan_case *cases, size_t count,
                             int64_t deadline, int *which_out, char **data_out, size_t *len_out,
                             struct chan_lease **lease_out, struct chan_error *error) {
    struct wait w = {.cases = cases, .count = count, .deadline = deadline, .lease_out = lease_out};
    if (lease_out)
        *lease_out = NULL;
    return select_case(hub, &w, which_out, data_out, len_out, error);
}

enum chan_result chan_pop(struct chan *c, int64_t deadline, char **data_out, size_t *len_out,
                          struct chan_error *error) {
    const struct chan_case one = {.chan = c};
    int which;
    return chan_select(c->hub, &one, 1, deadline, &which, data_out, len_out, NULL, error);
}
