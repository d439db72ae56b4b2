/* The parent's side of an inbox. See inbox.h. */
#include "host/channel/inbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/base/random.h"

enum {
    RANDOM_PART = 20,
    VISIBILITY_S = 30,
    DELETE_AFTER_MS = 20000, /* before a received record is visible again */
    GRACE_MS = 40,           /* a long poll that has been under way for so long has found nothing */
    YOUNG_MS = 5000,         /* so long a new queue may answer that it does not exist */
    GIVE_UP_MS = 15000,
    CLOSE_GIVE_UP_MS =
        5000, /* at the end, of nothing but faults: the queue's tags tell what it was */
    /* Of many records that come one after the other, several are asked for at once. */
    GATHER_MS = 100,      /* at most */
    GATHER_GAP_MS = 50,   /* not when they come more slowly than this */
    EMPTY_PAUSE_MS = 100, /* before a server is asked again that answers a long poll at once */
    TAGS_MAX = 40,
    TAG_SIZE = 250, /* of SQS's 256 characters */
};

enum life { LIFE_NONE, LIFE_MAKING, LIFE_READY, LIFE_BROKEN, LIFE_GONE };

struct record {
    struct record *next;
    size_t len;
    char data[];
};

struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct aws_client *client;
    struct chan_hub *hub;

    unsigned epoch; /* counts openings: answers to an older one's requests say nothing */
    unsigned pending;
    enum life life;
    bool closing, making, deleting;
    char name[INBOX_NAME_SIZE], run[20], function[128];
    char *url;
    int64_t expires_ms, born_ms;

    struct record *first, **end;
    bool polling, short_poll, asked;
    uint64_t poll_id;
    int64_t poll_started, listen_until;
    long long expected; /* records, at most */
    int64_t arrived_ms; /* when the last one came */
    int64_t gap_us;     /* between two of them, about */
    char *receipts[SQS_BATCH_MAX];
    size_t receipt_count;
    int64_t oldest_ms;

    int64_t trouble_since, retry_at; /* 0: no trouble */
    unsigned tries;
    bool timer;
    struct aws_error trouble;

    unsigned char *cancelled; /* a bit for each scope */
    size_t cancelled_bytes;
    bool tag_due, tagging;
};

/* A request under way. */
struct flight {
    struct inbox *inbox;
    unsigned epoch;
};

static void step(struct inbox *b);

struct inbox *inbox_new(struct aws_client *client) {
    struct inbox *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
    b->client = client;
    b->end = &b->first;
    return b;
}

static void forget(struct inbox *b) {
    while (b->first != NULL) {
        struct record *r = b->first;
        b->first = r->next;
        free(r);
    }
    b->end = &b->first;
    for (size_t i = 0; i < b->receipt_count; i++)
        free(b->receipts[i]);
    b->receipt_count = 0;
    free(b->url);
    b->url = NULL;
    free(b->cancelled);
    b->cancelled = NULL;
    b->cancelled_bytes = 0;
    b->tag_due = b->asked = false;
    b->trouble_since = b->retry_at = 0;
    b->tries = 0;
}

void inbox_free(struct inbox *b) {
    if (b == NULL)
        return;
    forget(b);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void inbox_set_hub(struct inbox *b, struct chan_hub *hub) {
    pthread_mutex_lock(&b->lock);
    b->hub = hub;
    pthread_mutex_unlock(&b->lock);
}

/* --- requests: with the lock held --------------------------------------------------------------- */

static struct flight *take_off(struct inbox *b) {
    struct flight *f = malloc(sizeof *f);
    if (f == NULL)
        return NULL;
    *f = (struct flight){.inbox = b, .epoch = b->epoch};
    b->pending++;
    return f;
}

/* A request that was not started. */
static void crash(struct flight *f) {
    f->inbox->pending--;
    free(f);
}

/* The end of every answer begins here: takes the lock. NULL: it is an old one's. */
static struct inbox *land(struct flight *f) {
    struct inbox *b = f->inbox;
    pthread_mutex_lock(&b->lock);
    bool ours = f->epoch == b->epoch;
    free(f);
    if (ours) {
        b->pending--;
        return b;
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static void leave(struct inbox *b) {
    step(b);
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static void on_timer(void *context) {
    struct inbox *b = context;
    pthread_mutex_lock(&b->lock);
    b->timer = false;
    leave(b);
}

/* Has step called again at retry_at. */
static void arm(struct inbox *b, int64_t now) {
    if (b->timer || b->retry_at <= now)
        return;
    b->timer = aws_timer(b->client, b->retry_at - now, on_timer, b) != 0;
}

static void delay(struct inbox *b, int64_t now, int64_t ms) {
    b->retry_at = now + ms;
    arm(b, now);
}

static void note_trouble(struct inbox *b, const struct aws_error *error, int64_t now) {
    if (b->trouble_since == 0)
        b->trouble_since = now;
    b->trouble = *error;
    unsigned doublings = b->tries++ < 5 ? b->tries : 5;
    delay(b, now, 50 << doublings);
}

static void no_trouble(struct inbox *b) {
    b->trouble_since = b->retry_at = 0;
    b->tries = 0;
}

static void on_made(void *context, const struct aws_error *error, const char *url) {
    struct inbox *b = land(context);
    if (b == NULL)
        return;
    int64_t now = clock_mono_ms();
    b->making = false;
    if (error == NULL) {
        b->url = strdup(url);
        b->life = b->url != NULL ? LIFE_READY : LIFE_MAKING;
        b->born_ms = now;
        no_trouble(b);
    } else {
        bool again = error->status == 0 || error->status == 429 || error->status >= 500;
        note_trouble(b, error, now);
        int64_t patience = b->closing ? CLOSE_GIVE_UP_MS : GIVE_UP_MS;
        if (!again || now - b->trouble_since > patience)
            b->life = LIFE_BROKEN;
    }
    leave(b);
}

static void make(struct inbox *b) {
    char created[CLOCK_ISO_SIZE], expires[CLOCK_ISO_SIZE], visibility[8];
    clock_iso_date(clock_wall_ms(), created);
    clock_iso_date(b->expires_ms, expires);
    snprintf(visibility, sizeof visibility, "%d", VISIBILITY_S);
    const struct sqs_pair attributes[] = {{"VisibilityTimeout", visibility}};
    const struct sqs_pair tags[] = {
        {"awsync:created", created},
        {"awsync:expires", expires},
        {"awsync:run", b->run},
        {"awsync:function", b->function},
    };
    struct flight *f = take_off(b);
    b->making = f != NULL && sqs_create_queue(b->client, b->name, attributes, 1, tags,
                                              b->function[0] != '\0' ? 4 : 3, on_made, f) != 0;
    if (f != NULL && !b->making)
        crash(f);
    if (!b->making)
        note_trouble(b, &(struct aws_error){.code = AWS_CODE_MEMORY}, clock_mono_ms());
}

static void on_batch(void *context, const struct aws_error *error,
                     const struct sqs_outcome *outcomes, size_t count) {
    (void)error; /* what was not deleted comes again and is told by its call's id */
    (void)outcomes;
    (void)count;
    struct inbox *b = land(context);
    if (b != NULL)
        leave(b);
}

static void delete_received(struct inbox *b) {
    struct flight *f = take_off(b);
    if (f != NULL && sqs_delete_batch(b->client, b->url, (const char *const *)b->receipts,
                                      b->receipt_count, on_batch, f) == 0)
        crash(f);
    for (size_t i = 0; i < b->receipt_count; i++)
        free(b->receipts[i]);
    b->receipt_count = 0;
}

static void keep(struct inbox *b, const struct sqs_message *m, int64_t now) {
    struct record *r = malloc(sizeof *r + m->body_len + 1);
    if (r == NULL)
        return; /* it comes again */
    r->next = NULL;
    r->len = m->body_len;
    memcpy(r->data, m->body, m->body_len);
    r->data[m->body_len] = '\0';
    *b->end = r;
    b->end = &r->next;
    if (b->receipt_count == SQS_BATCH_MAX)
        delete_received(b);
    if (b->receipt_count == 0)
        b->oldest_ms = now;
    char *receipt = strdup(m->receipt_handle);
    if (receipt != NULL)
        b->receipts[b->receipt_count++] = receipt;
}

/* A long poll ends with the first record: before the next one, others may come. */
static void gather(struct inbox *b, int64_t now, size_t count) {
    int64_t gap = (now - b->arrived_ms) * 1000 / (int64_t)count;
    b->arrived_ms = now;
    b->expected -= (long long)count;
    if (gap > GATHER_GAP_MS * 1000)
        return;
    b->gap_us = (b->gap_us + gap) / 2;
    int64_t wait = b->gap_us * SQS_BATCH_MAX / 1000;
    if (count < SQS_BATCH_MAX && b->expected >= SQS_BATCH_MAX)
        delay(b, now, wait < GATHER_MS ? wait : GATHER_MS);
}

static void on_received(void *context, const struct aws_error *error,
                        const struct sqs_message *messages, size_t count) {
    struct inbox *b = land(context);
    if (b == NULL)
        return;
    int64_t now = clock_mono_ms();
    bool was_short = b->short_poll;
    b->polling = false;
    if (error == NULL) {
        no_trouble(b);
        for (size_t i = 0; i < count; i++)
            keep(b, &messages[i], now);
        if (count == 0 && !was_short && now - b->poll_started < EMPTY_PAUSE_MS)
            delay(b, now, EMPTY_PAUSE_MS);
        if (count > 0)
            gather(b, now, count);
        if (was_short)
            b->asked = false;
        if (count > 0 && b->hub != NULL)
            chan_hub_interrupt(b->hub);
    } else if (strcmp(error->code, AWS_CODE_CANCELLED) != 0) {
        if (sqs_is_no_queue(error) && now - b->born_ms > YOUNG_MS)
            b->life = LIFE_BROKEN;
        note_trouble(b, error, now);
    }
    leave(b);
}

static void poll_queue(struct inbox *b, int64_t now) {
    const struct sqs_receive ask = {
        .max_messages = SQS_BATCH_MAX,
        .wait_s = b->asked ? 0 : SQS_WAIT_MAX,
        .visibility_s = -1,
    };
    struct flight *f = take_off(b);
    b->short_poll = b->asked;
    b->poll_started = now;
    b->poll_id = f != NULL ? sqs_receive(b->client, b->url, &ask, on_received, f) : 0;
    b->polling = b->poll_id != 0;
    if (f != NULL && !b->polling)
        crash(f);
    if (!b->polling)
        note_trouble(b, &(struct aws_error){.code = AWS_CODE_MEMORY}, now);
}

static void on_deleted(void *context, const struct aws_error *error) {
    struct inbox *b = land(context);
    if (b == NULL)
        return;
    b->deleting = false;
    bool late = b->trouble_since > 0 && clock_mono_ms() - b->trouble_since > CLOSE_GIVE_UP_MS;
    bool again = error != NULL && !late && !sqs_is_no_queue(error) &&
                 (error->status == 0 || error->status == 429 || error->status >= 500) &&
                 strcmp(error->code, AWS_CODE_CANCELLED) != 0;
    if (again)
        note_trouble(b, error, clock_mono_ms());
    else
        b->life = LIFE_GONE;
    leave(b);
}

static void delete_queue(struct inbox *b) {
    struct flight *f = take_off(b);
    b->deleting = f != NULL && sqs_delete_queue(b->client, b->url, on_deleted, f) != 0;
    if (f != NULL && !b->deleting)
        crash(f);
    if (!b->deleting)
        b->life = LIFE_GONE;
}

/* --- cancelled scopes ---------------------------------------------------------------------------- */

static bool is_cancelled(const struct inbox *b, size_t scope) {
    return scope / 8 < b->cancelled_bytes && b->cancelled[scope / 8] >> scope % 8 & 1;
}

static void on_tagged(void *context, const struct aws_error *error) {
    struct inbox *b = land(context);
    if (b == NULL)
        return;
    b->tagging = false;
    if (error != NULL && (error->status == 0 || error->status >= 429) &&
        strcmp(error->code, AWS_CODE_CANCELLED) != 0) {
        b->tag_due = true;
        note_trouble(b, error, clock_mono_ms());
    }
    leave(b);
}

/* All ranges, in as many tags as there may be; what has no room runs to its own end. */
static size_t write_tags(const struct inbox *b, char (*values)[TAG_SIZE + 1], char (*names)[24]) {
    size_t count = 0, used = 0;
    for (size_t s = 1; s < b->cancelled_bytes * 8;) {
        if (!is_cancelled(b, s)) {
            s++;
            continue;
        }
        size_t from = s;
        while (is_cancelled(b, s))
            s++;
        char range[48];
        int len = from == s - 1 ? snprintf(range, sizeof range, "%zu ", from)
                                : snprintf(range, sizeof range, "%zu-%zu ", from, s - 1);
        if (count == 0 || used + (size_t)len > TAG_SIZE) {
            if (count == TAGS_MAX)
                break;
            snprintf(names[count], sizeof names[count], "awsync:cancelled.%zu", count);
            count++;
            used = 0;
        }
        memcpy(values[count - 1] + used, range, (size_t)len);
        used += (size_t)len;
        values[count - 1][used - 1] = '\0';
        if (used < TAG_SIZE)
            values[count - 1][used - 1] = ' ';
        values[count - 1][used] = '\0';
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(values[i]);
        while (len > 0 && values[i][len - 1] == ' ')
            values[i][--len] = '\0';
    }
    return count;
}

static void tag(struct inbox *b) {
    char(*values)[TAG_SIZE + 1] = calloc(TAGS_MAX, sizeof *values);
    char(*names)[24] = calloc(TAGS_MAX, sizeof *names);
    struct sqs_pair tags[TAGS_MAX];
    b->tag_due = false;
    if (values != NULL && names != NULL) {
        size_t count = write_tags(b, values, names);
        for (size_t i = 0; i < count; i++)
            tags[i] = (struct sqs_pair){names[i], values[i]};
        struct flight *f = take_off(b);
        b->tagging = f != NULL && sqs_tag_queue(b->client, b->url, tags, count, on_tagged, f) != 0;
        if (f != NULL && !b->tagging)
            crash(f);
    }
    free(values);
    free(names);
}

void inbox_cancel_scope(struct inbox *b, int64_t scope) {
    pthread_mutex_lock(&b->lock);
    size_t need = (size_t)scope / 8 + 1;
    if (need > b->cancelled_bytes) {
        size_t size = need * 2;
        unsigned char *grown = realloc(b->cancelled, size);
        if (grown == NULL)
            goto done; /* the call runs to its own end */
        memset(grown + b->cancelled_bytes, 0, size - b->cancelled_bytes);
        b->cancelled = grown;
        b->cancelled_bytes = size;
    }
    if (!is_cancelled(b, (size_t)scope)) {
        b->cancelled[scope / 8] |= (unsigned char)(1 << scope % 8);
        b->tag_due = true;
        step(b);
    }
done:
    pthread_mutex_unlock(&b->lock);
}

/* --- steps: with the lock held, on any thread ----------------------------------------------------- */

static void step(struct inbox *b) {
    int64_t now = clock_mono_ms();
    if (now < b->retry_at) {
        arm(b, now);
        return;
    }
    if (b->life == LIFE_MAKING && !b->making) {
        make(b);
        return;
    }
    if (b->life != LIFE_READY)
        return;
    if (b->closing) {
        if (b->polling)
            aws_cancel(b->client, b->poll_id);
        else if (!b->deleting)
            delete_queue(b);
        return;
    }
    if (b->tag_due && !b->tagging)
        tag(b);
    if (b->receipt_count > 0 && now - b->oldest_ms >= DELETE_AFTER_MS)
        delete_received(b);
    if (!b->polling && (b->asked || now < b->listen_until))
        poll_queue(b, now);
}

static bool wait_until(struct inbox *b, int64_t deadline) {
    if (deadline == CHAN_FOREVER)
        return pthread_cond_wait(&b->changed, &b->lock) == 0;
    if (deadline <= clock_mono_ms())
        return false;
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
                             .tv_nsec = (long)(deadline % 1000) * 1000000};
    return pthread_cond_timedwait(&b->changed, &b->lock, &until) != ETIMEDOUT;
}

/* --- the program's side ---------------------------------------------------------------------------- */

void inbox_open(struct inbox *b, const char *run, const char *function, int64_t expires_ms) {
    char random[RANDOM_PART + 1];
    random_name(random, RANDOM_PART);
    pthread_mutex_lock(&b->lock);
    snprintf(b->run, sizeof b->run, "%s", run);
    snprintf(b->function, sizeof b->function, "%s", function);
    snprintf(b->name, sizeof b->name, "awsync-%s%sin-%s", b->run, b->run[0] != '\0' ? "-" : "",
             random);
    b->expires_ms = expires_ms;
    b->epoch++;
    b->pending = 0;
    b->life = LIFE_MAKING;
    b->closing = b->making = b->deleting = b->polling = b->tagging = false;
    b->listen_until = 0;
    step(b);
    pthread_mutex_unlock(&b->lock);
}

bool inbox_is_open(struct inbox *b) {
    pthread_mutex_lock(&b->lock);
    bool open = b->life == LIFE_MAKING || b->life == LIFE_READY || b->life == LIFE_BROKEN;
    pthread_mutex_unlock(&b->lock);
    return open;
}

void inbox_address(struct inbox *b, char *out, size_t size) {
    pthread_mutex_lock(&b->lock);
    bool open = b->life == LIFE_MAKING || b->life == LIFE_READY;
    snprintf(out, size, "%s", !open ? "" : b->url != NULL ? b->url : b->name);
    pthread_mutex_unlock(&b->lock);
}

void inbox_listen(struct inbox *b, int64_t until, long long expected) {
    pthread_mutex_lock(&b->lock);
    b->listen_until = until;
    b->expected = expected;
    if (!b->polling)
        step(b);
    pthread_mutex_unlock(&b->lock);
}

void inbox_ask(struct inbox *b, int64_t until) {
    pthread_mutex_lock(&b->lock);
    b->listen_until = 0;
    while ((b->life == LIFE_READY || b->life == LIFE_MAKING) && b->first == NULL) {
        int64_t now = clock_mono_ms(), wait = until;
        if (b->polling && !b->short_poll) {
            if (now - b->poll_started >= GRACE_MS)
                break;
            if (b->poll_started + GRACE_MS < wait)
                wait = b->poll_started + GRACE_MS;
        } else if (!b->polling) {
            b->asked = true;
            step(b);
        }
        if (!wait_until(b, wait) && clock_mono_ms() >= until)
            break;
        if (!b->asked && !b->polling)
            break; /* the short poll has found nothing */
    }
    b->asked = false;
    pthread_mutex_unlock(&b->lock);
}

char *inbox_take(struct inbox *b, size_t *len_out) {
    pthread_mutex_lock(&b->lock);
    struct record *r = b->first;
    if (r != NULL && (b->first = r->next) == NULL)
        b->end = &b->first;
    pthread_mutex_unlock(&b->lock);
    if (r == NULL)
        return NULL;
    char *text = (char *)r;
    *len_out = r->len;
    memmove(text, r->data, r->len + 1);
    return text;
}

void inbox_wait(struct inbox *b, int64_t deadline) {
    pthread_mutex_lock(&b->lock);
    while (b->first == NULL && wait_until(b, deadline))
        ;
    pthread_mutex_unlock(&b->lock);
}

bool inbox_failed(struct inbox *b, struct aws_error *error) {
    pthread_mutex_lock(&b->lock);
    bool failed =
        b->life == LIFE_BROKEN ||
        (b->trouble_since > 0 && clock_mono_ms() - b->trouble_since > GIVE_UP_MS && !b->closing);
    if (failed)
        *error = b->trouble;
    pthread_mutex_unlock(&b->lock);
    return failed;
}

bool inbox_close(struct inbox *b, int64_t deadline) {
    pthread_mutex_lock(&b->lock);
    b->closing = true;
    b->retry_at = 0;
    step(b);
    while ((b->life == LIFE_MAKING || b->life == LIFE_READY || b->pending > 0) &&
           wait_until(b, deadline))
        ;
    bool gone = b->life != LIFE_READY && b->life != LIFE_MAKING;
    forget(b);
    b->epoch++;
    b->pending = 0;
    b->life = LIFE_NONE;
    b->closing = false;
    pthread_mutex_unlock(&b->lock);
    return gone;
}
