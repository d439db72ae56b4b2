/*
** An SQS in memory for the specs of the channel room: FIFO queues with message groups,
** deduplication, visibility, receipt handles and attempt ids, after the facts of the service.
** Included by channel.c only. All of it under the server's lock.
*/
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/sqs.h"
#include "host/base/clock.h"

enum fake_op {
    OP_CREATE,
    OP_URL,
    OP_DELETE_QUEUE,
    OP_SEND,
    OP_RECEIVE,
    OP_DELETE,
    OP_VISIBILITY,
    OP_ATTRIBUTES,
    OP_COUNT,
};
static const char *const op_names[] = {"create", "url",        "delete_queue", "send", "receive",
                                       "delete", "visibility", "attributes",   NULL};

struct fake_message {
    struct fake_message *next;
    char *body;
    size_t len;
    char group[129], dedup[129];
    int64_t visible_at; /* 0: visible */
    int64_t sent_ms;
    unsigned number, receives;
};

struct fake_attempt {
    char id[129];
    unsigned numbers[SQS_BATCH_MAX];
    unsigned receives[SQS_BATCH_MAX];
    size_t count;
};

/* channel_fake_client.h */
struct fake_call;
static void free_call(struct fake_call *call);
static void stop_waiting(struct fake_call *call);

enum { FAKE_ATTEMPTS = 16 };
struct fake_queue {
    struct fake_queue *next;
    char name[96], url[160];
    char note[1024]; /* attributes and tags, for the specs */
    int64_t made_ms;
    int visibility_ms;
    bool deleted;
    char dead[96]; /* the queue of dead letters, or "" */
    unsigned max_receives;
    struct fake_message *first, **end;
    char (*seen)[129]; /* deduplication ids, for ever */
    size_t seen_count, seen_cap;
    unsigned numbers;
    struct fake_attempt attempts[FAKE_ATTEMPTS];
    size_t attempt_next;
    struct fake_call *waiting; /* long polls, in the order of their arrival */
};

struct fake_fault {
    struct fake_fault *next;
    enum fake_op op;
    char kind[24];
    int skip, count; /* count < 0: for ever */
    double chance;
    unsigned entries; /* bits: of partial */
    char code[64];
    int ms;         /* of delay and late */
    char queue[96]; /* only calls to this one; "": to all */
};

struct fake_log {
    enum fake_op op;
    size_t count;
    int max, wait;
    int64_t at_ms;
    unsigned client;
    char queue[96];
    char what[40]; /* first deduplication id or attempt id */
    const char *fault;
};

struct fake_server {
    pthread_mutex_t lock;
    unsigned refs;
    struct fake_queue *queues;
    struct fake_fault *faults;
    struct fake_log *log;
    size_t log_count, log_cap;
    int64_t start_ms;
    int latency_ms, young_ms;
    uint64_t seed;
    unsigned clients;
    char error[96]; /* a rule of the service that was broken */
};

static struct fake_queue *fake_find(struct fake_server *s, const char *url) {
    for (struct fake_queue *q = s->queues; q; q = q->next)
        if (!q->deleted && (strcmp(q->url, url) == 0 || strcmp(q->name, url) == 0))
            return q;
    return NULL;
}

static struct fake_queue *fake_make(struct fake_server *s, const char *name, int visibility_s) {
    struct fake_queue *q = fake_find(s, name);
    if (q)
        return q;
    q = calloc(1, sizeof(*q));
    snprintf(q->name, sizeof(q->name), "%s", name);
    snprintf(q->url, sizeof(q->url), "http://127.0.0.1:1/000000000000/%s", name);
    q->made_ms = clock_mono_ms();
    q->visibility_ms = visibility_s * 1000;
    q->end = &q->first;
    q->next = s->queues;
    s->queues = q;
    return q;
}

static void fake_free_message(struct fake_message *m) {
    free(m->body);
    free(m);
}

static void fake_free_queue(struct fake_queue *q) {
    while (q->waiting) { /* long polls that were cut: nobody else has them any more */
        struct fake_call *cut = q->waiting;
        stop_waiting(cut);
        free_call(cut);
    }
    while (q->first) {
        struct fake_message *m = q->first;
        q->first = m->next;
        fake_free_message(m);
    }
    free(q->seen);
    free(q);
}

static void fake_send(struct fake_queue *q, const struct sqs_send *in) {
    for (size_t i = 0; i < q->seen_count; i++)
        if (strcmp(q->seen[i], in->deduplication_id) == 0)
            return;
    if (q->seen_count == q->seen_cap) {
        q->seen_cap = q->seen_cap ? q->seen_cap * 2 : 64;
        q->seen = realloc(q->seen, q->seen_cap * sizeof(*q->seen));
    }
    snprintf(q->seen[q->seen_count++], sizeof(*q->seen), "%s", in->deduplication_id);
    struct fake_message *m = calloc(1, sizeof(*m));
    m->body = malloc(in->body_len + 1);
    memcpy(m->body, in->body, in->body_len);
    m->body[in->body_len] = '\0';
    m->len = in->body_len;
    m->number = ++q->numbers;
    m->sent_ms = clock_wall_ms();
    snprintf(m->group, sizeof(m->group), "%s", in->group_id);
    snprintf(m->dedup, sizeof(m->dedup), "%s", in->deduplication_id);
    *q->end = m;
    q->end = &m->next;
}

static void fake_forget_attempts(struct fake_queue *q, unsigned number) {
    for (size_t i = 0; i < FAKE_ATTEMPTS; i++)
        for (size_t k = 0; k < q->attempts[i].count; k++)
            if (q->attempts[i].numbers[k] == number)
                q->attempts[i].count = 0;
}

static struct fake_message *fake_by_receipt(struct fake_queue *q, const char *receipt) {
    unsigned number = 0, receives = 0;
    if (sscanf(receipt, "%u.%u", &number, &receives) != 2)
        return NULL;
    for (struct fake_message *m = q->first; m; m = m->next)
        if (m->number == number)
            return m->receives == receives && m->visible_at > clock_mono_ms() ? m : NULL;
    return NULL;
}

static bool fake_delete(struct fake_queue *q, const char *receipt) {
    struct fake_message *m = fake_by_receipt(q, receipt);
    if (!m)
        return false;
    struct fake_message **at = &q->first;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    if (q->end == &m->next)
        q->end = at;
    fake_forget_attempts(q, m->number);
    fake_free_message(m);
    return true;
}

static bool fake_show(struct fake_queue *q, const char *receipt, int visibility_s) {
    struct fake_message *m = fake_by_receipt(q, receipt);
    if (!m)
        return false;
    m->visible_at = visibility_s ? clock_mono_ms() + visibility_s * 1000 : 0;
    fake_forget_attempts(q, m->number);
    return true;
}

/* What would be received too often moves to the queue of dead letters. */
static void fake_bury(struct fake_server *s, struct fake_queue *q) {
    struct fake_queue *dead = fake_find(s, q->dead);
    int64_t now = clock_mono_ms();
    if (!dead || q->max_receives == 0)
        return;
    for (struct fake_message **at = &q->first; *at;) {
        struct fake_message *m = *at;
        if (m->visible_at > now || m->receives < q->max_receives) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        if (q->end == &m->next)
            q->end = at;
        fake_forget_attempts(q, m->number);
        m->next = NULL;
        m->visible_at = 0;
        m->number = ++dead->numbers;
        *dead->end = m;
        dead->end = &m->next;
    }
}

/* Messages in order; a group ends at its first hidden one. */
static size_t fake_receive(struct fake_queue *q, const char *attempt, int max, int visibility_ms,
                           struct fake_message **out) {
    int64_t now = clock_mono_ms();
    const char *blocked[256];
    size_t blocked_count = 0, count = 0;
    for (size_t i = 0; i < FAKE_ATTEMPTS; i++) {
        struct fake_attempt *a = &q->attempts[i];
        if (a->count == 0 || strcmp(a->id, attempt) != 0)
            continue;
        for (struct fake_message *m = q->first; m; m = m->next)
            for (size_t k = 0; k < a->count; k++)
                if (m->number == a->numbers[k] && m->receives == a->receives[k] &&
                    m->visible_at > now) {
                    m->visible_at = now + visibility_ms;
                    out[count++] = m;
                }
        if (count)
            return count;
    }
    struct fake_attempt *a = &q->attempts[q->attempt_next % FAKE_ATTEMPTS];
    snprintf(a->id, sizeof(a->id), "%s", attempt);
    a->count = 0;
    for (struct fake_message *m = q->first; m && (int)count < max; m = m->next) {
        bool skip = m->visible_at > now;
        for (size_t i = 0; i < blocked_count && !skip; i++)
            skip = strcmp(blocked[i], m->group) == 0;
        if (skip) {
            if (blocked_count < 256)
                blocked[blocked_count++] = m->group;
            continue;
        }
        m->visible_at = now + visibility_ms;
        m->receives++;
        a->numbers[a->count] = m->number;
        a->receives[a->count++] = m->receives;
        out[count++] = m;
    }
    if (count)
        q->attempt_next++;
    return count;
}

static size_t fake_visible(const struct fake_queue *q) {
    size_t visible = 0;
    int64_t now = clock_mono_ms();
    for (const struct fake_message *m = q->first; m; m = m->next)
        visible += m->visible_at <= now;
    return visible;
}

static size_t fake_total(const struct fake_queue *q) {
    size_t total = 0;
    for (const struct fake_message *m = q->first; m; m = m->next)
        total++;
    return total;
}

/* --- faults and log --------------------------------------------------------------------------- */

static double fake_random(struct fake_server *s) {
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return (double)(s->seed >> 11) / 9007199254740992.0;
}

static struct fake_fault *fake_pick(struct fake_server *s, enum fake_op op, const char *url) {
    const char *slash = strrchr(url, '/'), *name = slash ? slash + 1 : url;
    for (struct fake_fault *f = s->faults; f; f = f->next) {
        if (f->op != op || f->count == 0 || (f->queue[0] && strcmp(f->queue, name) != 0))
            continue;
        if (f->skip > 0) {
            f->skip--;
            continue;
        }
        if (f->chance < 1 && fake_random(s) >= f->chance)
            continue;
        if (f->count > 0)
            f->count--;
        return f;
    }
    return NULL;
}

static struct fake_log *fake_note(struct fake_server *s, enum fake_op op, const char *url) {
    if (s->log_count == s->log_cap) {
        s->log_cap = s->log_cap ? s->log_cap * 2 : 256;
        s->log = realloc(s->log, s->log_cap * sizeof(*s->log));
    }
    struct fake_log *l = &s->log[s->log_count++];
    memset(l, 0, sizeof(*l));
    l->op = op;
    l->at_ms = clock_mono_ms() - s->start_ms;
    const char *slash = strrchr(url, '/');
    snprintf(l->queue, sizeof(l->queue), "%.95s", slash ? slash + 1 : url);
    return l;
}

static void fake_release(struct fake_server *s) {
    pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    while (s->queues) {
        struct fake_queue *q = s->queues;
        s->queues = q->next;
        fake_free_queue(q);
    }
    while (s->faults) {
        struct fake_fault *f = s->faults;
        s->faults = f->next;
        free(f);
    }
    free(s->log);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
