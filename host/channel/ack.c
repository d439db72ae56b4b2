/*
** Acknowledgements: what was popped is deleted, what was received in surplus is given back.
**
** A delete is kept back only while the receiver still holds messages that came with it: the group
** is locked until the last of them is deleted anyway, so that waiting for it takes nothing from
** anybody and makes one request of ten.
*/
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/channel/internal.h"

struct ack_batch {
    struct request request;
    size_t count;
    struct message *messages[SQS_BATCH_MAX];
    const char *receipts[SQS_BATCH_MAX];
};

/* --- lists of messages ------------------------------------------------------------------------ */

void message_free(struct message *m) {
    if (!m)
        return;
    free(m->body);
    free(m->receipt);
    free(m);
}

void list_init(struct message_list *list) {
    list->first = NULL;
    list->end = &list->first;
    list->count = 0;
}

void list_add(struct message_list *list, struct message *m) {
    m->next = NULL;
    *list->end = m;
    list->end = &m->next;
    list->count++;
}

struct message *list_take(struct message_list *list) {
    struct message *m = list->first;
    list->first = m->next;
    if (!list->first)
        list->end = &list->first;
    list->count--;
    return m;
}

void list_clear(struct message_list *list) {
    while (list->first)
        message_free(list_take(list));
}

/* ---------------------------------------------------------------------------------------------- */

void ack_init(struct chan *c) {
    list_init(&c->acks.popped);
    list_init(&c->acks.surplus);
}

void ack_popped(struct chan *c, struct message *m, int64_t now) {
    if (c->acks.popped.count == 0)
        c->acks.oldest_ms = now;
    list_add(&c->acks.popped, m);
}

void ack_return(struct chan *c, struct message *m) {
    free(m->body);
    m->body = NULL;
    list_add(&c->acks.surplus, m);
}

bool ack_idle(const struct chan *c) {
    const struct acks *a = &c->acks;
    return a->popped.count == 0 && a->surplus.count == 0 && a->deleting == 0 && a->returning == 0 &&
           a->pending == 0;
}

void ack_drop(struct chan *c) {
    list_clear(&c->acks.popped);
    list_clear(&c->acks.surplus);
}

static struct ack_batch *gather(struct chan *c, struct message_list *from) {
    struct ack_batch *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    request_for(&b->request, c);
    int away_s = from->first->away_s;
    while (from->first && b->count < SQS_BATCH_MAX && from->first->away_s == away_s) {
        struct message *m = list_take(from);
        b->receipts[b->count] = m->receipt;
        b->messages[b->count++] = m;
    }
    return b;
}

static void free_batch(struct ack_batch *b) {
    for (size_t i = 0; i < b->count; i++)
        message_free(b->messages[i]);
    free(b);
}

static void keep(struct ack_batch *b, size_t i, struct message_list *list) {
    list_add(list, b->messages[i]);
    b->messages[i] = NULL;
}

static void after_delete(struct chan *c, struct ack_batch *b, const struct aws_error *error,
                         int64_t now) {
    switch (fault_judge(c, &c->acks.delete_backoff, error, now)) {
    case VERDICT_AGAIN:
        for (size_t i = 0; i < b->count; i++)
            if (b->messages[i])
                keep(b, i, &c->acks.popped);
        break;
    case VERDICT_GONE:
        queue_gone(c);
        break;
    case VERDICT_GIVE_UP:
        fault_remember(c, "delete of a popped message", error, "out of memory");
        memset(&c->acks.delete_backoff, 0, sizeof(c->acks.delete_backoff));
        break;
    }
}

static void on_deleted(void *context, const struct aws_error *error,
                       const struct sqs_outcome *outcomes, size_t count) {
    struct ack_batch *b = context;
    struct chan *c = hub_enter(&b->request);
    int64_t now = clock_mono_ms();
    c->acks.deleting--;
    if (error) {
        after_delete(c, b, error, now);
        goto done;
    }
    fault_clear(c, &c->acks.delete_backoff);
    bool again = false;
    struct aws_error fault = {.status = 500, .code = "InternalError"};
    for (size_t i = 0; i < b->count; i++) {
        if (i < count && !outcomes[i].ok && !outcomes[i].sender_fault) {
            again = true;
            continue;
        }
        /* A handle that is refused in its time belongs to a message that is deleted already: an
        ** answer was lost. */
        if (i < count && !outcomes[i].ok && now >= b->messages[i]->expires_ms)
            fault_remember(
                c, "delete of a popped message", NULL,
                "its visibility timeout was over before it was deleted, so that it can reach "
                "another receiver too");
        message_free(b->messages[i]);
        b->messages[i] = NULL;
    }
    if (again)
        after_delete(c, b, &fault, now);
done:
    free_batch(b);
    hub_leave(c);
}

/* It goes again only if it cannot have run: later the same handle could show a message that somebody
** else holds; else the visibility timeout brings it back. An end mark does no harm twice, and all
** receivers wait for it. */
static void after_return(struct chan *c, struct ack_batch *b, const struct aws_error *error) {
    enum verdict verdict = fault_judge(c, &c->acks.return_backoff, error, clock_mono_ms());
    for (size_t i = 0; verdict == VERDICT_AGAIN && i < b->count; i++)
        if (b->messages[i] && (b->messages[i]->end || !error->may_have_run))
            keep(b, i, &c->acks.surplus);
    if (verdict == VERDICT_GONE)
        queue_gone(c);
}

static void on_returned(void *context, const struct aws_error *error,
                        const struct sqs_outcome *outcomes, size_t count) {
    static const struct aws_error fault = {.status = 500,
                                           .code = "InternalError",
                                           .may_have_run = true};
    struct ack_batch *b = context;
    struct chan *c = hub_enter(&b->request);
    bool failed = error != NULL;
    c->acks.returning--;
    for (size_t i = 0; !error && i < b->count && i < count; i++) {
        if (!outcomes[i].ok && !outcomes[i].sender_fault) {
            failed = true;
            continue;
        }
        message_free(b->messages[i]);
        b->messages[i] = NULL;
    }
    if (failed)
        after_return(c, b, error ? error : &fault);
    else
        fault_clear(c, &c->acks.return_backoff);
    free_batch(b);
    hub_leave(c);
}

/* Until when it may be left undone: who has made a queue and has its last value, or its end, mostly
** deletes it next, and messages go with their queue. */
static int64_t spared_until(const struct chan *c) {
    bool leaving = c->hub->flushing || c->hub->finishing || c->refs == 0;
    return c->made && c->kind == KIND_CHANNEL && !leaving && c->in.held.count == 0 &&
                   (!c->in.wanted || c->in.closed)
               ? c->in.touched_ms + SPARED_MS
               : 0;
}

static bool due(const struct chan *c, int64_t now) {
    const struct acks *a = &c->acks;
    if (a->popped.count == 0 || now < a->delete_backoff.until || now < spared_until(c))
        return false;
    if (a->deleting > 0)
        return c->options.unordered && a->deleting < ACK_PARALLEL &&
               a->popped.count >= SQS_BATCH_MAX;
    return c->in.held.count == 0 || a->popped.count >= SQS_BATCH_MAX || c->hub->flushing ||
           c->hub->finishing || c->refs == 0 || now - a->oldest_ms >= HOLD_MS;
}

static int64_t return_at(const struct chan *c) {
    int64_t spared = c->in.closed ? spared_until(c) : 0;
    return spared > c->acks.return_backoff.until ? spared : c->acks.return_backoff.until;
}

void ack_step(struct chan *c, int64_t now) {
    struct acks *a = &c->acks;
    struct aws_client *client = c->hub->client;
    if (c->life == LIFE_GONE || c->deleting) {
        ack_drop(c); /* the messages go with the queue */
        return;
    }
    while (due(c, now)) {
        struct ack_batch *b = gather(c, &a->popped);
        if (!b) {
            fault_delay(&a->delete_backoff, now, 50, 500);
            return;
        }
        uint64_t id = sqs_delete_batch(client, c->url, b->receipts, b->count, on_deleted, b);
        if (request_begin(&b->request, id))
            a->deleting++;
        else {
            after_delete(c, b, NULL, now);
            free_batch(b);
        }
    }
    while (a->surplus.count > 0 && a->returning == 0 && now >= return_at(c)) {
        struct ack_batch *b = gather(c, &a->surplus);
        if (!b) {
            fault_delay(&a->return_backoff, now, 50, 500);
            return;
        }
        uint64_t id = sqs_change_visibility_batch(client, c->url, b->receipts, b->count,
                                                  b->messages[0]->away_s, on_returned, b);
        if (request_begin(&b->request, id))
            a->returning++;
        else
            free_batch(b);
    }
}

int64_t ack_wake(const struct chan *c, int64_t now) {
    const struct acks *a = &c->acks;
    int64_t at = 0;
    if (a->popped.count > 0 && a->deleting == 0) {
        at = a->oldest_ms + HOLD_MS;
        if (a->delete_backoff.until > at || c->in.held.count == 0)
            at = a->delete_backoff.until;
        if (spared_until(c) > at)
            at = spared_until(c);
    }
    at = later(at, now);
    if (a->surplus.count > 0 && a->returning == 0)
        at = sooner(at, later(return_at(c), now));
    return at;
}
