/*
** Receives: a long poll while a pop waits, for as many messages as the program is likely to take
** in a moment.
**
** The program's pace decides: a poll asks for what it takes in TAKE_US. At first, when nothing is
** known of it, it asks for ten, and gives back after FIRST_HOLD_MS what was not asked for: of a
** thousand values one receive for one would make three hundred requests three hundred and two.
** Later messages that turn out to be too many (HOLD_MS without a pop) go back, for on an ordered
** channel they keep the whole group from everybody else.
*/
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

enum {
    TAKE_US = 40000,
    FIRST_HOLD_MS = 25, /* of the first batch: a receiver that is quick comes again in this time */
    OWN_PAUSE_MS = 20,  /* before what was pushed here is looked for again */
    EVIDENCE_OPS = 8,   /* so many quick operations on any channel tell the program's pace */
    EMPTY_PAUSE_MS =
        100 /* a server that answers a long poll at once must not be asked in a tight loop */
};

void receiver_init(struct chan *c) {
    list_init(&c->in.held);
    c->in.popped_us = c->in.gap_us = -1;
}

void receiver_drop(struct chan *c) {
    ending_forget(c);
    list_clear(&c->in.held);
}

void receiver_cancel(struct chan *c) {
    if (c->in.active)
        request_cancel(&c->in.request);
}

static int likely_take(const struct chan *c) {
    int64_t gap = c->in.gap_us;
    if (c->options.stream)
        return SQS_BATCH_MAX; /* nobody else reads it */
    if (c->kind == KIND_CREDITS && c->in.wanted && c->owner && c->owner->offers.out)
        return 2; /* one of them may be this process's own */
    if (c->kind == KIND_CREDITS && c->in.recall && c->owner && c->owner->offers.renewing)
        return SQS_BATCH_MAX; /* its own is to be among them */
    /* More than one would count a receive of what nobody looks at, or take what is bound to
    ** another pop. */
    if (c->options.max_receives > 0 || (c->options.bounded && c->options.capacity == 0))
        return 1;
    if (gap < 0 && c->hub->quick_ops >= EVIDENCE_OPS)
        gap = c->hub->gap_us;
    if (gap < 0) /* what the program does not ask for within FIRST_HOLD_MS goes back */
        /* Without order others would find the end mark alone meanwhile, and leave. */
        return c->kind == KIND_CHANNEL && !c->options.unordered ? SQS_BATCH_MAX : 1;
    int64_t n = TAKE_US / (gap + 1);
    return n < 1 ? 1 : n > SQS_BATCH_MAX ? SQS_BATCH_MAX : (int)n;
}

/* The end mark must not become a dead letter: another one in its place. */
static void renew_end(struct chan *c, struct message *m) {
    if (!sender_add_end(c, m))
        ack_return(c, m);
    else
        c->acks.pending++;
}

static void give_all(struct chan *c) {
    struct receiver *in = &c->in;
    while (in->held.count > 0) {
        struct message *m = list_take(&in->held);
        if (m->pack)
            message_free(m); /* its lease goes back */
        else
            ack_return(c, m);
    }
    if (c->options.stream) {
        stream_forget_seen(c);
        lease_return_all(c, clock_mono_ms());
    }
}

/* The end mark goes back at once: it is there for every receiver. What stands behind it came
** too late. */
static void meet_end(struct chan *c) {
    struct receiver *in = &c->in;
    if (!in->held.first || !in->held.first->end)
        return;
    in->end_seen = in->closed = true;
    if (c->options.max_receives > 0)
        renew_end(c, list_take(&in->held));
    give_all(c);
}

char *receiver_take(struct chan *c, int64_t now, size_t *len_out) {
    struct receiver *in = &c->in;
    if (in->held.count == 0)
        return NULL;
    struct message *m = list_take(&in->held);
    char *body = m->body;
    m->body = NULL;
    *len_out = m->len;
    in->touched_ms = now;
    c->offers.out = false; /* what came, came for it */
    if (m->pack)
        stream_taken(m, now);
    else
        receiver_done(c, m, now);
    meet_end(c);
    return body;
}

void receiver_done(struct chan *c, struct message *m, int64_t now) {
    char id[DEDUP_SIZE];
    if (!credit_next(c, m, id))
        ack_popped(c, m, now);
    else if (sender_add_credit(c->credits, id, m))
        c->acks.pending++;
    else {
        fault_remember(c, "giving a credit back", NULL, "out of memory");
        ack_popped(c, m, now);
    }
}

bool receiver_quiet(const struct chan *c) {
    return sender_idle(c) && ack_idle(c);
}

/* --- on the I/O thread ------------------------------------------------------------------------ */

/* The number behind the prefix; 0: not one of ours. */
static uint64_t sequence_of(const struct message *m, const char **prefix, size_t *prefix_len) {
    const char *credit = strchr(m->dedup, '/');
    const char *start = credit ? credit + 1 : m->dedup, *dash = strrchr(start, '-');
    if (!dash)
        return 0;
    *prefix = start;
    *prefix_len = (size_t)(dash - start);
    return strtoull(dash + 1, NULL, 10);
}

static bool sent_before(const struct message *a, const struct message *b) {
    size_t la = 0, lb = 0;
    const char *pa, *pb;
    uint64_t sa = sequence_of(a, &pa, &la), sb = sequence_of(b, &pb, &lb);
    return sa && sb && la == lb && memcmp(pa, pb, la) == 0 && sa < sb;
}

/* A value that SQS refused in a batch and took later stands behind its followers: in front of them
** again. */
static void insert_in_order(struct message_list *list, struct message *m) {
    struct message **at = &list->first;
    while (*at && !sent_before(m, *at))
        at = &(*at)->next;
    if (!*at) {
        list_add(list, m);
        return;
    }
    m->next = *at;
    *at = m;
    list->count++;
}

static struct message *copy_message(const struct sqs_message *from, int64_t expires_ms) {
    struct message *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->body = malloc(from->body_len + 1);
    m->receipt = strdup(from->receipt_handle);
    if (!m->body || !m->receipt) {
        message_free(m);
        return NULL;
    }
    memcpy(m->body, from->body, from->body_len);
    m->body[from->body_len] = '\0';
    m->len = from->body_len;
    m->expires_ms = expires_ms;
    m->sent_ms = from->sent_ms;
    m->end = from->deduplication_id &&
             strncmp(from->deduplication_id, END_MARK, sizeof(END_MARK) - 1) == 0;
    if (from->deduplication_id)
        snprintf(m->dedup, sizeof(m->dedup), "%s", from->deduplication_id);
    return m;
}

/* What was pushed here is for another pop: of an unbuffered channel nobody takes his own. */
static bool is_own_value(const struct chan *c, const struct message *m) {
    const char *prefix = NULL;
    size_t len = 0;
    return sequence_of(m, &prefix, &len) != 0 && c->out.epoch == c->hub->epoch &&
           len == strlen(c->out.prefix) && memcmp(prefix, c->out.prefix, len) == 0;
}

/* A message that no memory is left for is lost to us until its visibility timeout ends; nothing
** after it may be taken. */
static void keep_messages(struct chan *c, const struct sqs_message *messages, size_t count,
                          int64_t now) {
    struct message_list list;
    bool marks = false;
    list_init(&list);
    int64_t life = (int64_t)c->options.visibility_s * 1000;
    int64_t expires = now + life - (life < 10000 ? life / 5 : 2000);
    for (size_t i = 0; i < count; i++) {
        struct message *m = copy_message(&messages[i], expires);
        if (!m)
            break;
        if (is_unbuffered(c) && is_own_value(c, m)) {
            ack_return(c, m);
            c->in.backoff.until = now + OWN_PAUSE_MS;
        } else if (c->options.unordered && m->end) {
            marks = true;
            ending_meet(c, m);
        } else if (c->kind == KIND_CREDITS) {
            credit_keep(c, m, now);
        } else if (c->options.unordered)
            list_add(&list, m);
        else
            insert_in_order(&list, m);
    }
    if (c->options.unordered && c->kind == KIND_CHANNEL)
        ending_judge(c, marks, list.count == 0 && c->in.held.count == 0, now);
    while (list.count > 0) {
        struct message *m = list_take(&list);
        if (c->options.stream && !m->end)
            stream_unpack(c, m, now);
        else
            list_add(&c->in.held, m);
    }
    c->in.touched_ms = now;
    meet_end(c);
}

void receiver_fail(struct chan *c, const struct aws_error *error) {
    c->in.lost = false;
    memset(&c->in.backoff, 0, sizeof(c->in.backoff));
    if (!c->in.wanted)
        return;
    if (!c->in.failed)
        c->in.failed = malloc(sizeof(*c->in.failed));
    if (c->in.failed)
        fault_text(c->in.failed, c, "pop", error, "out of memory");
}

static void on_received(void *context, const struct aws_error *error,
                        const struct sqs_message *messages, size_t count) {
    struct chan *c = hub_enter(context);
    struct receiver *in = &c->in;
    int64_t now = clock_mono_ms();
    in->active = false;
    if (!error) {
        if (in->lost && count == 0 && in->poll_started < in->lost_until) {
            in->look_at = in->lost_until;
            memcpy(in->missed, in->attempt, sizeof(in->missed));
        }
        bool at_once = !in->is_short && count == 0 && now - in->poll_started < EMPTY_PAUSE_MS;
        fault_clear(c, &in->backoff);
        in->lost = false;
        if (count > 0)
            keep_messages(c, messages, count, now);
        else if (at_once)
            in->backoff.until = now + EMPTY_PAUSE_MS;
        /* The end mark alone is no answer yet where values may be beside it. */
        bool end_only = c->options.unordered && in->end_seen && count == 1;
        if (in->is_short && in->want_short && !end_only)
            in->short_done = true;
    } else if (in->request.cancelled) {
        /* What it may have taken comes for the same attempt id, and goes back. */
        in->lost = error->may_have_run || strcmp(error->code, AWS_CODE_CANCELLED) == 0;
    } else {
        in->lost = error->may_have_run;
        if (in->lost && in->poll_ends > in->lost_until)
            in->lost_until = in->poll_ends;
        enum verdict verdict = fault_judge(c, &in->backoff, error, now);
        if (verdict == VERDICT_GONE)
            queue_gone(c);
        else if (verdict == VERDICT_GIVE_UP)
            receiver_fail(c, error);
    }
    if (in->recall)
        credit_recalled(c, now);
    hub_leave(c);
}

/* Whole seconds, rounded up: what comes after the pop's own deadline waits for the next one for a
** moment. */
static int wait_seconds(int64_t until, int64_t now) {
    if (until == CHAN_FOREVER || until - now > SQS_WAIT_MAX * 1000)
        return SQS_WAIT_MAX;
    return until <= now ? 0 : (int)((until - now + 999) / 1000);
}

static void poll_queue(struct chan *c, int64_t now, int wait_s) {
    struct receiver *in = &c->in;
    if (in->look_at && now >= in->look_at) {
        in->lost = true;
        in->look_at = 0;
        memcpy(in->attempt, in->missed, sizeof(in->attempt));
        wait_s = 0;
    }
    if (!in->lost || now - in->attempt_ms > ATTEMPT_LIFE_MS) {
        random_uuid(in->attempt);
        in->attempt_ms = now;
        in->poll_max = in->end_seen && !c->options.max_receives ? SQS_BATCH_MAX : likely_take(c);
    }
    if (c->born_ms == 0)
        c->born_ms = now;
    const struct sqs_receive ask = {
        .max_messages = in->poll_max,
        .wait_s = wait_s,
        .visibility_s = -1,
        .attempt_id = in->attempt,
    };
    in->is_short = wait_s == 0;
    in->poll_started = now;
    in->poll_ends = now + (int64_t)wait_s * 1000;
    struct request *r = request_for(&in->request, c);
    in->active = request_begin(r, sqs_receive(c->hub->client, c->url, &ask, on_received, r));
    if (!in->active && fault_judge(c, &in->backoff, NULL, now) != VERDICT_AGAIN)
        receiver_fail(c, NULL);
}

void receiver_give_back(struct chan *c) {
    struct receiver *in = &c->in;
    give_all(c);
    if (in->gap_us < HOLD_MS * 1000)
        in->gap_us = HOLD_MS * 1000;
}

/* How long what nobody asks for is kept. */
static int64_t hold_ms(const struct chan *c) {
    if (c->options.stream)
        return INT32_MAX; /* nobody else waits for it */
    if (c->options.bounded && c->options.capacity == 0)
        return 0;
    return c->in.gap_us < 0 ? FIRST_HOLD_MS : HOLD_MS;
}

void receiver_step(struct chan *c, int64_t now) {
    struct receiver *in = &c->in;
    bool leaving = c->hub->finishing || c->refs == 0 || (c->owner && c->owner->refs == 0);
    if (c->life == LIFE_GONE || c->deleting) {
        receiver_drop(c);
        receiver_cancel(c);
        in->lost = false;
        return;
    }
    if (in->held.count > 0 && !in->wanted && (leaving || now - in->touched_ms >= hold_ms(c)))
        receiver_give_back(c);
    ending_step(c, now, leaving);
    if (in->active) {
        /* The server may hand a message to a connection that is gone: poll_queue asks for it by
        ** the same attempt id. */
        if (leaving && c->hub->finishing && in->poll_ends - now > IDLE_POLL_MS)
            receiver_cancel(c);
        return;
    }
    bool idle = in->ending.asking || (!in->want_short && now < in->ending.pause_until);
    bool asked =
        in->wanted && !idle && in->held.count == 0 && !in->short_done && !in->failed && !in->closed;
    if (leaving)
        in->look_at = 0;
    bool look = in->lost || (in->look_at && now >= in->look_at);
    if (!queue_ready(c) || now < in->backoff.until || !(asked || look || in->recall))
        return;
    if (in->recall && !in->lost && !receiver_quiet(c))
        return; /* the offer is still on its way there */
    /* A pop that only polls sees all that this process has done before. */
    bool may_ask = in->want_short ? receiver_quiet(c) : now < in->want_until;
    int64_t until = in->look_at && in->look_at < in->want_until ? in->look_at : in->want_until;
    if (asked && may_ask)
        poll_queue(c, now, in->want_short ? 0 : wait_seconds(until, now));
    else if (!asked || (!in->want_short && (look || in->recall)))
        poll_queue(c, now, 0);
}

int64_t receiver_wake(const struct chan *c, int64_t now) {
    const struct receiver *in = &c->in;
    int64_t at = 0;
    if (in->held.count > 0 && !in->wanted)
        at = later(in->touched_ms + hold_ms(c), now);
    if (!in->active && queue_ready(c) && !c->deleting)
        at = sooner(at, later(in->look_at, now));
    if (!in->active && queue_ready(c) && !c->deleting && (in->lost || in->wanted || in->recall))
        at = sooner(at, later(in->backoff.until > in->ending.pause_until ? in->backoff.until
                                                                         : in->ending.pause_until,
                              now));
    return at;
}
