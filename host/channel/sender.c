/*
** Sends: what is pushed while a batch is under way makes the next batch.
**
** An ordered channel has one batch under way at a time, and the end mark goes alone, when
** everything before it has arrived. Within a batch SQS may refuse single entries by its own fault
** while it takes later ones; channel.h says what that means for the order.
*/
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

#define ORDERED_GROUP "awsync"

static const char end_body[] = "{\"awsync\":\"end\"}";

struct batch {
    struct request request;
    size_t count, bytes;
    struct entry *entries[SQS_BATCH_MAX];
    char groups[SQS_BATCH_MAX][24]; /* of credits */
};

void sender_init(struct chan *c) {
    c->out.end = &c->out.first;
}

static uint64_t mix(uint64_t h, const char *text) {
    do
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    while (*text++);
    h ^= h >> 31;
    h *= 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

/* A name for this invocation's pushes on this channel: the same when the request runs again, never
** the same for another. */
static void name_pushes(struct chan *c) {
    const struct chan_hub *hub = c->hub;
    uint64_t a = mix(mix(14695981039346656037u, hub->invocation_id), c->name);
    uint64_t b = mix(mix(0x6c62272e07bb0142u, c->name), hub->invocation_id);
    if (c->credits)
        b = random_u64(); /* capacity.c says why */
    snprintf(c->out.prefix, sizeof(c->out.prefix), "%016" PRIx64 "%016" PRIx64, a, b);
    c->out.epoch = hub->epoch;
}

static void add(struct sender *out, struct entry *e) {
    e->next = NULL;
    if (out->count == 0)
        out->first_ms = clock_mono_ms();
    *out->end = e;
    out->end = &e->next;
    out->count++;
    out->bytes += e->len;
}

static struct entry *take(struct sender *out) {
    struct entry *e = out->first;
    out->first = e->next;
    if (!out->first)
        out->end = &out->first;
    out->count--;
    out->bytes -= e->len;
    return e;
}

static void put_back(struct sender *out, struct entry *e) {
    e->next = out->first;
    out->first = e;
    if (!e->next)
        out->end = &e->next;
    out->count++;
    out->bytes += e->len;
}

static void end_entry(struct chan *c, struct entry *e, enum fate fate) {
    turn_end(&e->turn);
    if (e->ack)
        credit_settle(c, e->ack, fate);
    free(e);
}

bool sender_drop(struct chan *c) {
    bool some = c->out.count > 0;
    while (c->out.first)
        end_entry(c, take(&c->out), FATE_REFUSED);
    return some;
}

bool sender_idle(const struct chan *c) {
    return c->out.count == 0 && c->out.active == 0;
}

static bool has_room(const struct sender *out, size_t len) {
    size_t bytes = out->bytes + out->flying;
    return bytes == 0 || (out->count < PUSH_MAX_ENTRIES && bytes + len <= PUSH_MAX_BYTES);
}

bool sender_has_room(const struct chan *c, size_t len) {
    return has_room(&c->out, len);
}

static struct entry *new_entry(const char *data, size_t len) {
    struct entry *e = malloc(sizeof(*e) + len);
    if (!e)
        return NULL;
    *e = (struct entry){.len = len};
    memcpy(e->data, data, len);
    return e;
}

/* What comes while a batch is under way is seen when that ends; here, the first and what fills a
** batch. */
static void enqueue(struct chan *c, struct entry *e) {
    struct sender *out = &c->out;
    bool first = out->count == 0, full;
    size_t before = out->bytes;
    add(out, e);
    if (c->options.stream)
        full = before < STREAM_BYTES && out->bytes >= STREAM_BYTES;
    else
        full = out->count % SQS_BATCH_MAX == 0;
    if (out->active == 0 ? first || full : c->options.unordered && full)
        hub_mark(c);
}

bool sender_add_credit(struct chan *c, const char *dedup, struct message *ack) {
    struct entry *e = new_entry(dedup, strlen(dedup));
    if (!e)
        return false;
    snprintf(e->dedup, sizeof(e->dedup), "%s", dedup);
    e->ack = ack;
    enqueue(c, e);
    hub_settle(c);
    return true;
}

bool sender_add_end(struct chan *c, struct message *ack) {
    struct entry *e = new_entry(end_body, sizeof(end_body) - 1);
    if (!e)
        return false;
    char name[17];
    random_name(name, 16);
    e->end = true;
    e->ack = ack;
    snprintf(e->dedup, sizeof(e->dedup), "%s.%s", END_MARK, name);
    enqueue(c, e);
    hub_mark(c);
    return true;
}

size_t sender_value_max(const struct chan *c) {
    /* a stream writes the length in front, a colon, and a line feed behind */
    return c->options.stream ? SQS_PAYLOAD_MAX - 9 : SQS_PAYLOAD_MAX;
}

enum chan_result sender_push(struct chan *c, const char *data, size_t len, int64_t deadline,
                             struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    size_t most = sender_value_max(c);
    struct message *credit = NULL;
    if (len == 0 || len > most) {
        char text[96];
        snprintf(text, sizeof(text), "a value of %zu bytes, where SQS takes 1 to %zu", len, most);
        fault_text(error, c, "push", NULL, text);
        return CHAN_FAILED;
    }
    for (;;) {
        enum chan_result result = queue_state(c, "push", error);
        if (result == CHAN_OK && (c->closing || c->in.closed)) {
            fault_text(error, c, "push", NULL, "the channel is closed");
            result = CHAN_CLOSED;
        }
        if (result != CHAN_OK)
            return result;
        if (has_room(&c->out, len))
            break; /* a push that needs a credit has waited for both: chan_select */
        if (hub->interrupted) {
            hub->interrupted = false;
            return CHAN_INTERRUPTED;
        }
        if (!hub_wait(hub, deadline) && !has_room(&c->out, len))
            return CHAN_TIMEOUT;
    }
    struct entry *e = new_entry(data, len);
    if (!e) {
        fault_text(error, c, "push", NULL, "out of memory");
        return CHAN_FAILED;
    }
    if (c->credits) {
        enum chan_result result = credit_take(c, &credit, error);
        if (result != CHAN_OK) {
            free(e);
            return result;
        }
    }
    if (!c->out.prefix[0] || c->out.epoch != hub->epoch)
        name_pushes(c);
    snprintf(e->dedup, sizeof(e->dedup), "%.64s%s%s-%" PRIu64, credit ? credit->dedup : "",
             credit ? "/" : "", c->out.prefix, ++c->out.sequence);
    e->ack = credit;
    turn_take(&e->turn, c, sender_idle(c) ? TURN_WAITS : TURN_PASSES);
    enqueue(c, e);
    hub_settle(c);
    return CHAN_OK;
}

enum chan_result chan_push(struct chan *c, const char *data, size_t len, int64_t deadline,
                           struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    if (c->credits) {
        const struct chan_case one = {.chan = c, .data = data, .len = len};
        int which;
        char *none;
        size_t nothing;
        return chan_select(hub, &one, 1, deadline, &which, &none, &nothing, NULL, error);
    }
    if (error)
        memset(error, 0, sizeof(*error));
    pthread_mutex_lock(&hub->lock);
    hub_op_begin(hub);
    enum chan_result result = sender_push(c, data, len, deadline, error);
    hub_op_end(hub);
    pthread_mutex_unlock(&hub->lock);
    return result;
}

enum chan_result chan_close(struct chan *c, struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    if (error)
        memset(error, 0, sizeof(*error));
    pthread_mutex_lock(&hub->lock);
    enum chan_result result = queue_state(c, "close", error);
    if (result == CHAN_OK && (c->closing || c->in.closed)) {
        fault_text(error, c, "close", NULL, "the channel is closed already");
        result = CHAN_CLOSED;
    }
    struct entry *e = result == CHAN_OK ? new_entry(end_body, sizeof(end_body) - 1) : NULL;
    if (e) {
        e->end = true;
        snprintf(e->dedup, sizeof(e->dedup), "%s", END_MARK);
        turn_take(&e->turn, c, TURN_WAITS);
        add(&c->out, e);
        c->closing = true;
        hub_mark(c);
        hub_settle(c);
    } else if (result == CHAN_OK) {
        fault_text(error, c, "close", NULL, "out of memory");
        result = CHAN_FAILED;
    }
    pthread_mutex_unlock(&hub->lock);
    return result;
}

/* --- on the I/O thread ------------------------------------------------------------------------ */

static void lose(struct chan *c, struct batch *b, const struct aws_error *error) {
    for (size_t i = 0; i < b->count; i++)
        end_entry(c, b->entries[i], error && !error->may_have_run ? FATE_REFUSED : FATE_LOST);
    b->count = 0;
    fault_remember(c, "push", error, "out of memory");
}

/* Puts what has to be sent again in front of what waits, in its order. */
static void resend(struct chan *c, struct batch *b) {
    while (b->count > 0)
        put_back(&c->out, b->entries[--b->count]);
}

static void judge_batch(struct chan *c, struct batch *b, const struct aws_error *error,
                        int64_t now) {
    switch (fault_judge(c, &c->out.backoff, error, now)) {
    case VERDICT_AGAIN:
        resend(c, b);
        break;
    case VERDICT_GONE:
        resend(c, b);
        queue_gone(c);
        break;
    case VERDICT_GIVE_UP:
        lose(c, b, error);
        /* Later values without the earlier ones would be another line. */
        sender_drop(c);
        memset(&c->out.backoff, 0, sizeof(c->out.backoff));
        break;
    }
}

static void on_sent(void *context, const struct aws_error *error,
                    const struct sqs_outcome *outcomes, size_t count) {
    struct batch *b = context;
    struct chan *c = hub_enter(&b->request);
    int64_t now = clock_mono_ms();
    c->out.active--;
    c->out.flying -= b->bytes;
    c->out.done_ms = c->out.first_ms = now;
    if (error) {
        judge_batch(c, b, error, now);
        goto done;
    }
    c->worked = true;
    size_t again = 0;
    struct aws_error fault = {.status = 500, .code = "InternalError"};
    for (size_t i = 0; i < b->count; i++) {
        const struct sqs_outcome *o = i < count ? &outcomes[i] : NULL;
        if (o && !o->ok) {
            snprintf(fault.code, sizeof(fault.code), "%s", o->code);
            snprintf(fault.message, sizeof(fault.message), "%s", o->message);
        }
        if (o && o->ok) {
            end_entry(c, b->entries[i], FATE_ARRIVED);
        } else if (o && o->sender_fault) {
            fault.status = 400;
            fault_remember(c, "push", &fault, NULL);
            end_entry(c, b->entries[i], FATE_REFUSED);
        } else
            b->entries[again++] = b->entries[i];
    }
    b->count = again;
    fault.status = 500;
    if (again)
        judge_batch(c, b, &fault, now);
    else
        fault_clear(c, &c->out.backoff);
done:
    free(b);
    hub_leave(c);
}

/* How long what waits may wait for company: a program that pushes in quick succession fills the
** batch in that time, and as soon as it waits for something, nothing more will come. */
static int64_t linger_until(const struct chan *c) {
    const struct sender *out = &c->out;
    const struct chan_hub *hub = c->hub;
    if (out->count == 0 || c->closing || c->deleting || c->kind != KIND_CHANNEL || hub->waiting ||
        hub->flushing || hub->finishing || out->first->end || out->first->packed)
        return 0;
    if (c->options.stream)
        return out->bytes >= STREAM_BYTES ? 0 : out->first_ms + STREAM_MS;
    if (out->count >= SQS_BATCH_MAX || out->bytes >= SQS_PAYLOAD_MAX)
        return 0;
    if (hub->gap_us < 0) /* the first operation of an invocation: nothing is known yet */
        return out->first_ms + FIRST_LINGER_MS;
    bool again = out->count > 1 || out->sequence > out->count;
    return again && hub->gap_us <= LINGER_GAP_US ? out->first_ms + LINGER_MS : 0;
}

static bool may_send(const struct chan *c, int64_t now) {
    const struct sender *out = &c->out;
    if (out->count == 0 || !queue_ready(c) || now < out->backoff.until ||
        !turn_has_come(&out->first->turn))
        return false;
    if (out->active == 0)
        return now >= linger_until(c);
    if (out->first->end)
        return false; /* it must not overtake a value that has to be sent again */
    return c->options.unordered && out->active < SEND_PARALLEL &&
           (out->count >= SQS_BATCH_MAX || out->bytes >= SQS_PAYLOAD_MAX);
}

/* A message group each for values without order, and one for all the generations of a credit. */
static const char *group_of(const struct chan *c, const struct entry *e, char group[24]) {
    if (!c->options.unordered)
        return ORDERED_GROUP;
    size_t len = strcspn(e->dedup, ".");
    if (c->kind != KIND_CREDITS || e->dedup[len] == '\0' || len >= 24)
        return e->dedup;
    memcpy(group, e->dedup, len);
    group[len] = '\0';
    return group;
}

static bool send_batch(struct chan *c, int64_t now) {
    struct sqs_send sends[SQS_BATCH_MAX];
    struct batch *b = calloc(1, sizeof(*b));
    if (!b) {
        fault_delay(&c->out.backoff, now, 50, 500);
        return false;
    }
    size_t most = c->options.stream ? 1 : SQS_BATCH_MAX;
    if (c->options.stream && !stream_pack(c)) {
        fault_delay(&c->out.backoff, now, 50, 500);
        free(b);
        return false;
    }
    while (c->out.first && b->count < most && (b->count == 0 || !c->out.first->end) &&
           (b->count == 0 || b->bytes + c->out.first->len <= SQS_PAYLOAD_MAX)) {
        struct entry *e = take(&c->out);
        b->bytes += e->len;
        sends[b->count] = (struct sqs_send){
            .body = e->data,
            .body_len = e->len,
            .group_id = group_of(c, e, b->groups[b->count]),
            .deduplication_id = e->dedup,
        };
        b->entries[b->count++] = e;
    }
    if (c->born_ms == 0)
        c->born_ms = now;
    struct request *r = request_for(&b->request, c);
    uint64_t id = sqs_send_batch(c->hub->client, c->url, sends, b->count, on_sent, b);
    if (request_begin(r, id)) {
        c->out.active++;
        c->out.flying += b->bytes;
        return true;
    }
    judge_batch(c, b, NULL, now);
    free(b);
    return false;
}

void sender_step(struct chan *c, int64_t now) {
    if (c->life == LIFE_GONE && sender_drop(c))
        fault_remember(c, "push", NULL, "the queue was deleted before it was acknowledged");
    while (may_send(c, now) && send_batch(c, now))
        ;
    hub_count(&c->out.lingering, c->out.active == 0 && linger_until(c) > now, &c->hub->lingering);
}

int64_t sender_wake(const struct chan *c, int64_t now) {
    if (c->out.count == 0 || !queue_ready(c))
        return 0;
    int64_t linger = c->out.active == 0 ? linger_until(c) : 0;
    return later(linger > c->out.backoff.until ? linger : c->out.backoff.until, now);
}
