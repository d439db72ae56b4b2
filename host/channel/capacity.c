/*
** Bounded channels: credits in a companion queue, `<name>-credits.fifo`, made and deleted along
** with the channel's own.
**
** A push needs a credit: a message of the companion, received and not yet deleted. The value
** carries the credit's id in front of its deduplication id (`s7.3/PREFIX-12`), and the credit is
** deleted when SQS has the value.
**
** Capacity n, n > 0: n places, each with a credit `s<place>.<generation>` in a message group of
** its own. Who takes a value sends the next generation of its credit, and deletes the value only
** when that has arrived. Whoever dies:
** - a sender before its value has arrived: its credit is visible again after the visibility
**   timeout.
** - a sender after that, before it has deleted the credit: the old credit comes back too, but
**   stands in front of the next generation in its group, so that both come to one sender, which
**   drops the older one. If it comes alone and is used, both values call for the same next
**   generation, which SQS takes once (five minutes): one value too many for a while, never a
**   place too many for good.
** - a receiver before it has deleted the value: the value comes again after the visibility timeout,
**   and its next taker sends the same credit again, which SQS drops.
** For that, what a second run of an invocation pushes on a bounded channel counts as new: SQS would
** drop a value that it has seen, and its credit would be lost with it.
**
** Capacity 0: credits are offers, `o<process>-<count>`: a pop that waits sends one, and is bound
** to take what comes for it. At its end it takes one back (any: they are alike); when there is
** none, a sender has it, and the pop goes on until the value is here or the offer is visible
** again. Of a receiver that has died an offer is valid for OFFER_LIFE_MS; senders drop older ones.
** A pop that waits longer puts a new one in the place of its own in time; it looks for its own only:
** one that is not there may be in the hands of a sender that has died, and whoever took another's
** instead would keep that from being missed. When its life is over, it sends another, so that an
** offer is missed no longer than that. There are as many offers and values on their way as
** pops that wait, and whose is whose nobody can tell: the offer that a pop takes back, and the one
** that brought its value, may have been another's. A select that pushes and pops must not meet
** itself, so that it pushes only when it holds two offers: one it takes back for its own pop, and
** then somebody else waits for the other.
*/
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

enum {
    OFFER_LIFE_MS = 15000,
    OFFER_MARGIN_MS = 2000, /* senders do not take one that ends so soon */
    RENEW_MS = 8000,        /* an offer's age when its pop renews it */
    RENEW_AGAIN_MS = 3000,  /* and after that, when it was not there */
    RECALL_MS = 100,        /* between two tries to take an offer back */
    ALONE_MS = 25, /* a select that pushes and pops found one offer; at first, and at last: */
    ALONE_MAX_MS = 400,
};

char *companion_name(const char *of, const char *suffix) {
    static const char fifo[] = ".fifo";
    size_t len = strlen(of), end = sizeof(fifo) - 1;
    char *name = malloc(len + strlen(suffix) + sizeof(fifo));
    if (!name)
        return NULL;
    if (len >= end && strcmp(of + len - end, fifo) == 0)
        len -= end;
    memcpy(name, of, len);
    snprintf(name + len, strlen(suffix) + sizeof(fifo), "%s%s", suffix, fifo);
    return name;
}

bool is_unbuffered(const struct chan *c) {
    return c->credits && c->options.capacity == 0;
}

bool credit_seed(struct chan *companion) {
    char id[DEDUP_SIZE];
    bool ok = true;
    for (unsigned i = 0; i < companion->owner->options.capacity && ok; i++) {
        snprintf(id, sizeof(id), "s%u.0", i);
        ok = sender_add_credit(companion, id, NULL);
    }
    return ok;
}

/* --- ids -------------------------------------------------------------------------------------- */

/* `s<place>.<generation>`, up to end; false: something else. */
static bool parse(const char *id, char end, unsigned *place, uint64_t *generation) {
    char *at;
    if (id[0] != 's' || id[1] < '0' || id[1] > '9')
        return false;
    *place = (unsigned)strtoul(id + 1, &at, 10);
    if (*at != '.' || at[1] < '0' || at[1] > '9')
        return false;
    *generation = strtoull(at + 1, &at, 10);
    return *at == end;
}

bool credit_next(const struct chan *c, const struct message *m, char *dedup) {
    unsigned place;
    uint64_t generation;
    if (!c->credits || c->options.capacity == 0 || !parse(m->dedup, '/', &place, &generation))
        return false;
    snprintf(dedup, DEDUP_SIZE, "s%u.%" PRIu64, place, generation + 1);
    return true;
}

void credit_keep(struct chan *companion, struct message *m, int64_t now) {
    struct message_list *held = &companion->in.held;
    struct message **at = &held->first;
    unsigned place = 0, other = 0;
    uint64_t generation = 0, older = 0;
    bool offer = !parse(m->dedup, '\0', &place, &generation);
    for (; *at && !offer; at = &(*at)->next)
        if (parse((*at)->dedup, '\0', &other, &older) && other == place)
            break;
    if (offer || !*at) {
        list_add(held, m);
        return;
    }
    if (older > generation) {
        ack_popped(companion, m, now);
        return;
    }
    struct message *stale = *at;
    m->next = stale->next;
    *at = m;
    if (!m->next)
        held->end = &m->next;
    ack_popped(companion, stale, now);
}

/* --- the sender ------------------------------------------------------------------------------- */

static bool is_old(const struct message *m) {
    return m->dedup[0] == 'o' && m->sent_ms > 0 &&
           clock_wall_ms() - m->sent_ms > OFFER_LIFE_MS - OFFER_MARGIN_MS;
}

static void drop_ended(struct chan *k, int64_t now) {
    struct message_list *held = &k->in.held;
    for (size_t left = held->count; left > 0; left--) {
        struct message *m = list_take(held);
        if (now >= m->expires_ms)
            message_free(m); /* it may be somebody else's by now */
        else if (is_old(m)) {
            ack_popped(k, m, now);
            hub_mark(k);
        } else
            list_add(held, m);
    }
}

/* One of the offers held is the pop's here. */
static void take_back(struct chan *c, int64_t now) {
    ack_popped(c->credits, list_take(&c->credits->in.held), now);
    c->offers.out = false;
    hub_mark(c->credits);
}

/* It may be the pop's of this select: back, and once more when another has had its chance. Two
** that meet so must not keep step. */
static void give_alone(struct chan *c, int64_t now) {
    struct chan *k = c->credits;
    int64_t pause = ALONE_MS << c->offers.alone;
    if (pause < ALONE_MAX_MS)
        c->offers.alone++;
    k->in.backoff.until = now + pause / 2 + (int64_t)(random_u64() % (uint64_t)pause);
    ack_return(k, list_take(&k->in.held));
    hub_mark(k);
}

bool credit_ready(struct chan *c, int64_t now) {
    const struct message_list *held = &c->credits->in.held;
    drop_ended(c->credits, now);
    if (c->offers.out && held->count > 0 && (!c->in.wanted || c->offers.over))
        take_back(c, now);
    if (c->offers.out && held->count == 1)
        give_alone(c, now);
    return held->count > 0;
}

enum chan_result credit_take(struct chan *c, struct message **credit_out,
                             struct chan_error *error) {
    struct chan *k = c->credits;
    enum chan_result result = queue_state(k, "push", error);
    *credit_out = NULL;
    if (result != CHAN_OK)
        return result;
    int64_t now = clock_mono_ms();
    if (credit_ready(c, now)) {
        if (c->offers.out)
            take_back(c, now);
        *credit_out = list_take(&k->in.held);
        k->in.touched_ms = now;
        k->in.popped_us = clock_mono_us();
        k->acks.pending++;
        return CHAN_OK;
    }
    if (!k->in.failed)
        return CHAN_TIMEOUT;
    if (error)
        *error = *k->in.failed;
    free(k->in.failed);
    k->in.failed = NULL;
    return CHAN_FAILED;
}

void credit_settle(struct chan *c, struct message *ack, enum fate fate) {
    bool value = c->credits != NULL; /* what was sent; ack is its credit, else the value taken */
    struct chan *other = value ? c->credits : c->owner ? c->owner : c;
    other->acks.pending--;
    if (fate == FATE_DROPPED || c->hub->aborting || other->life == LIFE_GONE ||
        (value && fate == FATE_LOST))
        message_free(ack); /* the visibility timeout brings it back */
    else if (value && fate == FATE_REFUSED)
        ack_return(other, ack);
    else
        ack_popped(other, ack, clock_mono_ms());
    hub_mark(other);
}

/* --- the receiver of an unbuffered channel ---------------------------------------------------- */

static void own_id(const struct offers *o, char id[DEDUP_SIZE]) {
    snprintf(id, DEDUP_SIZE, "o%s-%" PRIu64, o->nonce, o->count);
}

static void offer(struct chan *c, int64_t now) {
    struct offers *o = &c->offers;
    char id[DEDUP_SIZE];
    if (!o->nonce[0])
        random_name(o->nonce, 16);
    o->count++;
    own_id(o, id);
    o->out = sender_add_credit(c->credits, id, NULL);
    o->tried = false;
    o->made_ms = now;
    o->recall_at = 0;
    o->renew_at = now + RENEW_MS;
}

/* Of what was found the own one ends, so that another is made; the others are other pops'. */
static void renew(struct chan *k, struct offers *o, int64_t now) {
    char own[DEDUP_SIZE];
    own_id(o, own);
    for (size_t left = k->in.held.count; left > 0; left--) {
        struct message *m = list_take(&k->in.held);
        if (strcmp(m->dedup, own) == 0) {
            ack_popped(k, m, now);
            o->out = false;
        } else
            list_add(&k->in.held, m);
    }
    o->renew_at = now + RENEW_AGAIN_MS;
}

void offers_step(struct chan *c, int64_t now) {
    struct offers *o = &c->offers;
    struct chan *k = c->credits;
    if (!is_unbuffered(c))
        return;
    bool dead = c->deleting || c->life == LIFE_GONE || k->deleting || k->life == LIFE_GONE ||
                k->life == LIFE_BROKEN;
    bool wanted = c->in.wanted && !o->over && c->in.held.count == 0 && !c->in.closed &&
                  !c->in.failed && c->refs > 0 && !c->hub->finishing && queue_ready(c);
    bool old = o->out && now - o->made_ms >= OFFER_LIFE_MS;
    if (dead || (c->hub->finishing && o->tried && !k->in.recall))
        o->out = false;
    else if (wanted && (!o->out || old))
        offer(c, now);
    else if (o->out && old)
        o->out = false;
    else if (o->out && !wanted && c->in.held.count == 0 && !k->in.recall && now >= o->recall_at) {
        k->in.recall = o->tried = true;
        hub_mark(k);
    } else if (o->out && wanted && !k->in.recall && now >= o->renew_at) {
        k->in.recall = o->renewing = true;
        hub_mark(k);
    }
    if (o->over && !o->out)
        pthread_cond_broadcast(&c->hub->changed);
}

int64_t offers_wake(const struct chan *c, int64_t now) {
    const struct offers *o = &c->offers;
    if (!is_unbuffered(c) || !o->out)
        return 0;
    bool recall = c->credits->in.recall;
    if (c->in.wanted && !o->over)
        return sooner(later(o->made_ms + OFFER_LIFE_MS, now), recall ? 0 : later(o->renew_at, now));
    return recall ? 0 : later(o->recall_at, now);
}

void credit_recalled(struct chan *k, int64_t now) {
    k->in.recall = false;
    if (!k->owner)
        return;
    struct offers *o = &k->owner->offers;
    bool waits = k->owner->in.wanted && !o->over;
    if (o->renewing && o->out && waits)
        renew(k, o, now);
    o->renewing = false;
    if (!o->out || waits) {
        /* The value has come meanwhile: what was found is another receiver's. Or the next pop
        ** waits, and the offer is out for it. */
        o->tried = false;
        if (!k->in.wanted)
            receiver_give_back(k);
    } else if (k->in.held.count > 0) {
        ack_popped(k, list_take(&k->in.held), now);
        o->out = false;
    } else
        o->recall_at = now + RECALL_MS;
    hub_mark(k->owner);
}
