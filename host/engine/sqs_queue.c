#include "host/engine/sqs_queue_inside.h"

#include <stdlib.h>
#include <string.h>

/* data: body, group, dedup, source, trace, each with a NUL, then the attributes. */
const char *sqs_message_body(const struct sqs_message *m) {
    return m->data;
}

const char *sqs_message_group(const struct sqs_message *m) {
    return sqs_message_body(m) + m->body_len + 1;
}

const char *sqs_message_dedup(const struct sqs_message *m) {
    return sqs_message_group(m) + m->group_len + 1;
}

const char *sqs_message_source(const struct sqs_message *m) {
    return sqs_message_dedup(m) + m->dedup_len + 1;
}

const char *sqs_message_trace(const struct sqs_message *m) {
    return sqs_message_source(m) + m->source_len + 1;
}

const char *sqs_message_attributes(const struct sqs_message *m) {
    return sqs_message_trace(m) + m->trace_len + 1;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Of one receive attempt; sqs_receive.c fills it. */
enum { ATTEMPT_SIZE = 8 + SQS_RECEIVE_MAX * 16 };

struct sqs_queue *sqs_queue_new(const struct sqs_queue_rules *rules) {
    struct sqs_queue *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    q->rules = *rules;
    heap_init(&q->ready);
    heap_init(&q->hidden);
    heap_init(&q->ages);
    sqs_recent_init(&q->sent_ids, sizeof(struct sqs_sent), SQS_REMEMBER_MS);
    sqs_recent_init(&q->attempts, ATTEMPT_SIZE, SQS_REMEMBER_MS);
    return q;
}

void sqs_queue_purge(struct sqs_queue *q) {
    heap_free(&q->ready);
    heap_free(&q->hidden);
    heap_free(&q->ages);
    struct sqs_message *m = q->messages;
    HASH_CLEAR(hh, q->messages);
    while (m) {
        struct sqs_message *next = m->hh.next;
        free(m);
        m = next;
    }
    struct sqs_group *group = q->groups;
    HASH_CLEAR(hh, q->groups);
    while (group) {
        struct sqs_group *next = group->hh.next;
        free(group);
        group = next;
    }
    q->delayed = q->in_flight = 0;
    sqs_recent_clear(&q->sent_ids);
    sqs_recent_clear(&q->attempts);
}

void sqs_queue_free(struct sqs_queue *q) {
    if (!q)
        return;
    sqs_queue_purge(q);
    free(q);
}

void sqs_queue_set_rules(struct sqs_queue *q, const struct sqs_queue_rules *rules) {
    bool fifo = q->rules.fifo;
    q->rules = *rules;
    q->rules.fifo = fifo;
}

/* --- states ----------------------------------------------------------------------------------- */

void sqs_group_refresh(struct sqs_queue *q, struct sqs_group *group) {
    struct sqs_message *first = group->first;
    if (first && first->state == SQS_VISIBLE) {
        if (heap_contains(&group->turn)) {
            heap_move(&q->ready, &group->turn, first->sequence);
        } else {
            group->turn.key = first->sequence;
            heap_insert(&q->ready, &group->turn);
        }
        return;
    }
    heap_remove(&q->ready, &group->turn);
    if (!first) {
        HASH_DELETE(hh, q->groups, group);
        free(group);
    }
}

/* Counts a message of this state as come (1) or gone (-1). */
static void count_state(struct sqs_queue *q, enum sqs_message_state state, int by) {
    if (state == SQS_DELAYED)
        q->delayed += (size_t)by;
    else if (state == SQS_IN_FLIGHT)
        q->in_flight += (size_t)by;
}

bool sqs_message_show(struct sqs_queue *q, struct sqs_message *m) {
    int64_t due_ms = m->turn.key;
    heap_remove(&q->hidden, &m->turn);
    if (!q->rules.fifo) {
        m->turn.key = m->sequence;
        if (!heap_insert(&q->ready, &m->turn)) {
            m->turn.key = due_ms; /* its old place is still allocated */
            heap_insert(&q->hidden, &m->turn);
            return false;
        }
    }
    count_state(q, m->state, -1);
    m->state = SQS_VISIBLE;
    if (m->group && m->group->first == m)
        sqs_group_refresh(q, m->group);
    return true;
}

bool sqs_message_hide(struct sqs_queue *q, struct sqs_message *m, int64_t due_ms) {
    heap_remove(&q->ready, &m->turn);
    m->turn.key = due_ms;
    if (!heap_insert(&q->hidden, &m->turn)) {
        if (!q->rules.fifo) {
            m->turn.key = m->sequence; /* its old place is still allocated */
            heap_insert(&q->ready, &m->turn);
        }
        return false;
    }
    count_state(q, m->state, -1);
    m->state = SQS_IN_FLIGHT;
    count_state(q, m->state, 1);
    return true;
}

struct sqs_message *sqs_message_find(const struct sqs_queue *q, int64_t sequence) {
    struct sqs_message *m = NULL;
    HASH_FIND(hh, q->messages, &sequence, sizeof(sequence), m);
    return m;
}

void sqs_message_detach(struct sqs_queue *q, struct sqs_message *m) {
    heap_remove(m->state == SQS_VISIBLE ? &q->ready : &q->hidden, &m->turn);
    heap_remove(&q->ages, &m->age);
    HASH_DELETE(hh, q->messages, m);
    count_state(q, m->state, -1);
    struct sqs_group *group = m->group;
    if (group) {
        bool was_first = group->first == m;
        *(m->prev ? &m->prev->next : &group->first) = m->next;
        *(m->next ? &m->next->prev : &group->last) = m->prev;
        m->group = NULL;
        if (was_first)
            sqs_group_refresh(q, group);
    }
    m->prev = m->next = NULL;
}

void sqs_queue_advance(struct sqs_queue *q, int64_t now_ms) {
    struct heap_node *node;
    while ((node = heap_least(&q->hidden)) && node->key <= now_ms) {
        if (!sqs_message_show(q, SQS_OF_NODE(struct sqs_message, turn, node)))
            break;
    }
    while ((node = heap_least(&q->ages)) && node->key + q->rules.retention_ms <= now_ms) {
        struct sqs_message *m = SQS_OF_NODE(struct sqs_message, age, node);
        sqs_message_detach(q, m);
        free(m);
    }
    sqs_recent_expire(&q->sent_ids, now_ms);
    sqs_recent_expire(&q->attempts, now_ms);
}

int64_t sqs_queue_next_due(const struct sqs_queue *q) {
    const struct heap_node *node = heap_least(&q->hidden);
    return node ? node->key : INT64_MAX;
}

struct sqs_queue_counts sqs_queue_count(struct sqs_queue *q, int64_t now_ms) {
    sqs_queue_advance(q, now_ms);
    return (struct sqs_queue_counts){.visible = q->ages.count - q->delayed - q->in_flight,
                                     .delayed = q->delayed,
                                     .in_flight = q->in_flight};
}

/* --- send ------------------------------------------------------------------------------------- */

static size_t length(const char *text) {
    return text ? strlen(text) : 0;
}

static char *append(char *at, const char *text, size_t len) {
    if (len)
        memcpy(at, text, len);
    at[len] = '\0';
    return at + len + 1;
}

static struct sqs_message *message_new(const struct sqs_draft *draft, int64_t now_ms) {
    size_t group_len = length(draft->group), dedup_len = length(draft->dedup);
    size_t source_len = length(draft->source), trace_len = length(draft->trace);
    if (draft->body_len > UINT32_MAX || draft->attributes_len > UINT32_MAX ||
        source_len > UINT16_MAX || trace_len > UINT16_MAX || group_len > SQS_ID_MAX ||
        dedup_len > SQS_ID_MAX)
        return NULL;
    struct sqs_message *m = malloc(sizeof(*m) + draft->body_len + group_len + dedup_len +
                                   source_len + trace_len + draft->attributes_len + 6);
    if (!m)
        return NULL;
    *m = (struct sqs_message){
        .sent_ms = draft->source ? draft->sent_ms : now_ms,
        .first_receive_ms = draft->source ? draft->first_receive_ms : 0,
        .receive_count = draft->source ? draft->receive_count : 0,
        .body_len = (uint32_t)draft->body_len,
        .attributes_len = (uint32_t)draft->attributes_len,
        .trace_len = (uint16_t)trace_len,
        .source_len = (uint16_t)source_len,
        .group_len = (uint8_t)group_len,
        .dedup_len = (uint8_t)dedup_len,
    };
    memcpy(m->id, draft->id, sizeof(m->id));
    memcpy(m->body_md5, draft->body_md5, sizeof(m->body_md5));
    char *at = append(m->data, draft->body, draft->body_len);
    at = append(at, draft->group, group_len);
    at = append(at, draft->dedup, dedup_len);
    at = append(at, draft->source, source_len);
    at = append(at, draft->trace, trace_len);
    append(at, draft->attributes, draft->attributes_len);
    return m;
}

/* The group with this id, made when it is not there; NULL when memory ran out. */
static struct sqs_group *group_get(struct sqs_queue *q, const char *id, size_t len) {
    struct sqs_group *group = NULL;
    HASH_FIND(hh, q->groups, id, len, group);
    if (group)
        return group;
    group = calloc(1, sizeof(*group) + len + 1);
    if (!group)
        return NULL;
    group->id_len = len;
    memcpy(group->id, id, len);
    HASH_ADD_KEYPTR(hh, q->groups, group->id, group->id_len, group);
    if (!group->hh.tbl) {
        free(group);
        return NULL;
    }
    return group;
}

/* Gives a message that is in no structure yet its places; false when memory ran out: it has none
** then. */
static bool enter(struct sqs_queue *q, struct sqs_message *m, int64_t delay_ms, int64_t now_ms) {
    struct sqs_group *group = NULL;
    if (q->rules.fifo) {
        group = group_get(q, sqs_message_group(m), m->group_len);
        if (!group)
            return false;
    }
    HASH_ADD(hh, q->messages, sequence, sizeof(m->sequence), m);
    if (!m->hh.tbl)
        goto no_map;
    m->age.key = m->sent_ms;
    if (!heap_insert(&q->ages, &m->age))
        goto no_age;
    m->state = delay_ms > 0 ? SQS_DELAYED : SQS_VISIBLE;
    m->turn.key = delay_ms > 0 ? now_ms + delay_ms : m->sequence;
    if (delay_ms > 0 || !group) {
        if (!heap_insert(delay_ms > 0 ? &q->hidden : &q->ready, &m->turn))
            goto no_turn;
    }
    count_state(q, m->state, 1);
    if (group) {
        m->group = group;
        m->prev = group->last;
        *(group->last ? &group->last->next : &group->first) = m;
        group->last = m;
        if (group->first == m)
            sqs_group_refresh(q, group);
    }
    return true;

no_turn:
    heap_remove(&q->ages, &m->age);
no_age:
    HASH_DELETE(hh, q->messages, m);
no_map:
    if (group && !group->first)
        sqs_group_refresh(q, group);
    return false;
}

/* The scope of a deduplication id is the queue or the group. Returns the length; out: 2 *
** SQS_ID_MAX + 1 bytes. */
static size_t dedup_key(const struct sqs_queue *q, const struct sqs_draft *draft, char *out) {
    size_t group_len = q->rules.dedup_by_group ? length(draft->group) : 0,
           dedup_len = length(draft->dedup);
    if (group_len)
        memcpy(out, draft->group, group_len);
    out[group_len] = '\0';
    memcpy(out + group_len + 1, draft->dedup, dedup_len);
    return group_len + 1 + dedup_len;
}

enum sqs_result sqs_queue_send(struct sqs_queue *q, const struct sqs_draft *draft, int64_t now_ms,
                               struct sqs_sent *sent_out) {
    sqs_queue_advance(q, now_ms);
    char key[2 * SQS_ID_MAX + 1];
    size_t key_len = 0;
    struct sqs_sent *first = NULL;
    if (q->rules.fifo && draft->dedup && !draft->source) {
        if (length(draft->group) > SQS_ID_MAX || length(draft->dedup) > SQS_ID_MAX)
            return SQS_NO_MEMORY;
        key_len = dedup_key(q, draft, key);
        first = sqs_recent_find(&q->sent_ids, key, key_len);
        if (first) {
            *sent_out = *first;
            return SQS_DUPLICATE;
        }
    }
    struct sqs_message *m = message_new(draft, now_ms);
    if (!m)
        return SQS_NO_MEMORY;
    m->sequence = q->last_sequence + 1;
    if (key_len) {
        first = sqs_recent_add(&q->sent_ids, key, key_len, now_ms);
        if (!first) {
            free(m);
            return SQS_NO_MEMORY;
        }
    }
    int64_t delay_ms = draft->delay_ms < 0 ? q->rules.delay_ms : draft->delay_ms;
    if (!enter(q, m, delay_ms, now_ms)) {
        if (key_len)
            sqs_recent_remove(&q->sent_ids, key, key_len);
        free(m);
        return SQS_NO_MEMORY;
    }
    q->last_sequence = m->sequence;
    memcpy(sent_out->id, m->id, sizeof(sent_out->id));
    sent_out->sequence = m->sequence;
    if (first)
        *first = *sent_out;
    return SQS_OK;
}
