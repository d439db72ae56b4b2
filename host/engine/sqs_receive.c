#include "host/engine/sqs_queue_inside.h"

#include <stdlib.h>
#include <string.h>

/* What a receive attempt was given; fits the record that sqs_queue_new asks for. */
struct attempt {
    size_t count;
    struct {
        int64_t sequence;
        uint32_t generation;
    } given[SQS_RECEIVE_MAX];
};

/* Messages on their way out of a receive. */
struct outgoing {
    const struct sqs_take *take;
    size_t want;
    struct sqs_message *out[SQS_RECEIVE_MAX];
    size_t count;
    struct sqs_message *dead, **dead_end; /* by next */
};

static bool is_dead(const struct outgoing *o, const struct sqs_message *m) {
    return o->take->max_receives && m->receives_here >= o->take->max_receives;
}

static void bury(struct sqs_queue *q, struct outgoing *o, struct sqs_message *m) {
    sqs_message_detach(q, m);
    *o->dead_end = m;
    o->dead_end = &m->next;
}

/* Visible messages in order of sending. */
static void pick_standard(struct sqs_queue *q, struct outgoing *o) {
    struct heap_node *node;
    while (o->count < o->want && (node = heap_least(&q->ready))) {
        struct sqs_message *m = SQS_OF_NODE(struct sqs_message, turn, node);
        if (is_dead(o, m)) {
            bury(q, o, m);
            continue;
        }
        heap_remove(&q->ready, node);
        o->out[o->count++] = m;
    }
}

/* Group by group, by the age of its first message: messages in order, up to the first that is
** hidden. */
static void pick_fifo(struct sqs_queue *q, struct outgoing *o) {
    struct heap_node *node;
    while (o->count < o->want && (node = heap_least(&q->ready))) {
        struct sqs_group *group = SQS_OF_NODE(struct sqs_group, turn, node);
        size_t before = o->count;
        struct sqs_message *m = group->first;
        while (m && m->state == SQS_VISIBLE && o->count < o->want) {
            struct sqs_message *next = m->next;
            if (is_dead(o, m))
                bury(q, o, m); /* the group is gone with its last message */
            else
                o->out[o->count++] = m;
            m = next;
        }
        if (o->count > before)
            heap_remove(
                &q->ready,
                &group->turn); /* hand_out meets its first message and puts it back if need be */
    }
}

/* The picked messages are received: counted, given a new handle, hidden. Fewer remain when memory
** ran out. */
static void hand_out(struct sqs_queue *q, struct outgoing *o, int64_t now_ms) {
    size_t given = 0;
    for (size_t i = 0; i < o->count; i++) {
        struct sqs_message *m = o->out[i];
        bool kept =
            given <
            i; /* an earlier one could not be given: order wants that this is not given either */
        if (!kept && o->take->visibility_ms > 0)
            kept = !sqs_message_hide(q, m, now_ms + o->take->visibility_ms);
        if (!q->rules.fifo && m->state == SQS_VISIBLE && !heap_contains(&m->turn)) {
            m->turn.key = m->sequence; /* its old place is still allocated */
            heap_insert(&q->ready, &m->turn);
        }
        if (m->group && m->group->first == m)
            sqs_group_refresh(q, m->group);
        if (kept)
            continue;
        m->receive_count++;
        m->receives_here++;
        m->generation++;
        m->changed = false;
        m->received_ms = now_ms;
        if (m->first_receive_ms == 0)
            m->first_receive_ms = now_ms;
        given++;
    }
    o->count = given;
}

/* The same messages again for the same attempt id, as long as each is still held by the handle of
** then. */
static bool repeat_attempt(struct sqs_queue *q, struct outgoing *o, int64_t now_ms) {
    const struct attempt *attempt =
        sqs_recent_find(&q->attempts, o->take->attempt, strlen(o->take->attempt));
    if (!attempt)
        return false;
    for (size_t i = 0; i < attempt->count; i++) {
        struct sqs_message *m = sqs_message_find(q, attempt->given[i].sequence);
        if (!m || m->state != SQS_IN_FLIGHT || m->changed ||
            m->generation != attempt->given[i].generation)
            return false;
        o->out[i] = m;
    }
    o->count = attempt->count;
    for (size_t i = 0; i < o->count; i++) {
        if (o->take->visibility_ms > 0)
            heap_move(&q->hidden, &o->out[i]->turn, now_ms + o->take->visibility_ms);
        else
            sqs_message_show(q, o->out[i]);
    }
    return true;
}

static void remember_attempt(struct sqs_queue *q, const struct outgoing *o, int64_t now_ms) {
    size_t len = strlen(o->take->attempt);
    sqs_recent_remove(&q->attempts, o->take->attempt, len);
    if (o->count == 0)
        return;
    struct attempt *attempt = sqs_recent_add(&q->attempts, o->take->attempt, len, now_ms);
    if (!attempt)
        return;
    attempt->count = o->count;
    for (size_t i = 0; i < o->count; i++) {
        attempt->given[i].sequence = o->out[i]->sequence;
        attempt->given[i].generation = o->out[i]->generation;
    }
}

enum sqs_result sqs_queue_receive(struct sqs_queue *q, const struct sqs_take *take, int64_t now_ms,
                                  const struct sqs_message **out, size_t *count_out) {
    struct outgoing o = {.take = take, .want = take->max};
    o.dead_end = &o.dead;
    *count_out = 0;
    sqs_queue_advance(q, now_ms);
    bool attempt = q->rules.fifo && take->attempt;
    if (!attempt || !repeat_attempt(q, &o, now_ms)) {
        size_t room =
            q->rules.in_flight_max > q->in_flight ? q->rules.in_flight_max - q->in_flight : 0;
        if (room == 0 && !q->rules.fifo)
            return SQS_OVER_LIMIT;
        if (o.want > room)
            o.want = room;
        if (o.want > SQS_RECEIVE_MAX)
            o.want = SQS_RECEIVE_MAX;
        o.count = 0;
        if (q->rules.fifo)
            pick_fifo(q, &o);
        else
            pick_standard(q, &o);
        hand_out(q, &o, now_ms);
        if (attempt)
            remember_attempt(q, &o, now_ms);
    }
    for (size_t i = 0; i < o.count; i++)
        out[i] = o.out[i];
    *count_out = o.count;
    while (o.dead) {
        struct sqs_message *m = o.dead;
        o.dead = m->next;
        take->dead(take->context, m);
        free(m);
    }
    return SQS_OK;
}

int64_t sqs_queue_last(const struct sqs_queue *q) {
    return q->last_sequence;
}

const struct sqs_message *sqs_queue_peek(struct sqs_queue *q, int64_t last, int64_t now_ms) {
    sqs_queue_advance(q, now_ms);
    const struct heap_node *node = heap_least(&q->ready);
    if (!node || node->key > last)
        return NULL;
    return q->rules.fifo ? SQS_OF_NODE(struct sqs_group, turn, node)->first
                         : SQS_OF_NODE(struct sqs_message, turn, node);
}

void sqs_queue_remove(struct sqs_queue *q, int64_t sequence) {
    struct sqs_message *m = sqs_message_find(q, sequence);
    sqs_message_detach(q, m);
    free(m);
}

/* True while the handle holds the message; a standard queue takes any handle of it. */
static bool holds(const struct sqs_queue *q, const struct sqs_message *m, uint32_t generation) {
    return !q->rules.fifo || (m->state == SQS_IN_FLIGHT && m->generation == generation);
}

enum sqs_result sqs_queue_delete(struct sqs_queue *q, int64_t sequence, uint32_t generation,
                                 int64_t now_ms) {
    sqs_queue_advance(q, now_ms);
    struct sqs_message *m = sqs_message_find(q, sequence);
    if (!m)
        return SQS_OK;
    if (!holds(q, m, generation))
        return SQS_EXPIRED;
    sqs_message_detach(q, m);
    free(m);
    return SQS_OK;
}

enum sqs_result sqs_queue_change_visibility(struct sqs_queue *q, int64_t sequence,
                                            uint32_t generation, int64_t visibility_ms,
                                            int64_t now_ms) {
    sqs_queue_advance(q, now_ms);
    struct sqs_message *m = sqs_message_find(q, sequence);
    if (!m)
        return SQS_GONE;
    if (!holds(q, m, generation))
        return SQS_EXPIRED;
    if (now_ms + visibility_ms - m->received_ms > SQS_VISIBILITY_MAX_MS)
        return SQS_TOO_LONG;
    m->changed = true;
    if (m->state == SQS_IN_FLIGHT) {
        if (visibility_ms > 0)
            heap_move(&q->hidden, &m->turn, now_ms + visibility_ms);
        else if (!sqs_message_show(q, m))
            return SQS_NO_MEMORY;
    } else if (visibility_ms > 0 && !sqs_message_hide(q, m, now_ms + visibility_ms)) {
        return SQS_NO_MEMORY;
    }
    return SQS_OK;
}
