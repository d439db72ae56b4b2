/* See claim.h. */
#include "host/channel/claim.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

enum {
    REFERENCE = 0,
    AGAIN = 1, /* the reference once more */
    CLAIM = 2,
    ENTRIES = 3,
    CALL_SIZE = 65,
    FUNCTION_SIZE = 129,
};

/* Longer than deduplication ids are remembered. */
#define RETENTION_S "600"

struct claimer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct aws_client *client;
    char function[FUNCTION_SIZE], name[CLAIM_QUEUE_SIZE], url[CLAIM_URL_SIZE];

    bool known; /* the queue is there */
    bool wanted, making;
    bool tried; /* for the present claim: to make it */

    unsigned epoch; /* counts claims: answers to an older one's requests say nothing */
    bool asking, sending;
    char call[CALL_SIZE], reference[RANDOM_UUID_SIZE];
    enum claim outcome;
    struct aws_error error;

    struct backoff backoff;
    bool timer;
};

struct flight {
    struct claimer *claimer;
    unsigned epoch;
};

static void step(struct claimer *c);

void claim_queue_name(const char *function, char out[CLAIM_QUEUE_SIZE]) {
    static const char head[] = "awsync-claims-", tail[] = ".fifo";
    snprintf(out, CLAIM_QUEUE_SIZE, "%s%.*s%s", head,
             CLAIM_QUEUE_SIZE - (int)sizeof head - (int)sizeof tail + 1, function, tail);
}

struct claimer *claimer_new(struct aws_client *client) {
    struct claimer *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    c->client = client;
    return c;
}

void claimer_free(struct claimer *c) {
    if (c == NULL)
        return;
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void claimer_set_queue(struct claimer *c, const char *function, const char *base) {
    pthread_mutex_lock(&c->lock);
    if (strcmp(c->function, function) != 0) {
        snprintf(c->function, sizeof c->function, "%s", function);
        claim_queue_name(function, c->name);
        c->url[0] = '\0';
        c->known = false;
    }
    if (c->url[0] == '\0' && base[0] != '\0')
        snprintf(c->url, sizeof c->url, "%s%s", base, c->name);
    pthread_mutex_unlock(&c->lock);
}

void claimer_base(struct claimer *c, char *out, size_t size) {
    pthread_mutex_lock(&c->lock);
    const char *slash = strrchr(c->url, '/');
    int len = slash != NULL ? (int)(slash + 1 - c->url) : 0;
    snprintf(out, size, "%.*s", len, c->url);
    pthread_mutex_unlock(&c->lock);
}

/* --- with the lock held --------------------------------------------------------------------------- */

static void decide(struct claimer *c, enum claim outcome, const struct aws_error *error) {
    c->asking = false;
    c->outcome = outcome;
    if (error != NULL)
        c->error = *error;
}

static void on_timer(void *context) {
    struct claimer *c = context;
    pthread_mutex_lock(&c->lock);
    c->timer = false;
    step(c);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* After a fault: later once more, or the end. */
static void judge(struct claimer *c, const struct aws_error *error) {
    int64_t now = clock_mono_ms();
    struct backoff *b = &c->backoff;
    if (fault_is_throttle(error)) {
        fault_delay(b, now, 100, 5000);
        b->since = now;
    } else if ((fault_is_transient(error) || sqs_is_no_queue(error)) &&
               (b->tries == 0 || now - b->since < GIVE_UP_MS)) {
        fault_delay(b, now, 50, 1000);
    } else {
        c->wanted = false;
        decide(c, CLAIM_FAILED, error);
    }
}

static void no_memory(struct claimer *c) {
    judge(c, &(struct aws_error){.code = AWS_CODE_MEMORY, .message = "out of memory"});
}

static bool is_code(const struct aws_error *error, const char *code) {
    return error != NULL && strcmp(error->code, code) == 0;
}

static void on_made(void *context, const struct aws_error *error, const char *url) {
    struct claimer *c = context;
    pthread_mutex_lock(&c->lock);
    c->making = false;
    if (error == NULL) {
        c->known = true;
        snprintf(c->url, sizeof c->url, "%s", url);
        c->backoff = (struct backoff){0};
    } else if (is_code(error, "QueueNameExists") && c->url[0] != '\0') {
        c->known = true; /* made by another version of ours */
    } else if (is_code(error, "QueueDeletedRecently")) {
        c->wanted = false;
        decide(c, CLAIM_OURS, NULL);
    } else {
        judge(c, error);
    }
    if (c->known)
        c->wanted = false;
    step(c);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void make(struct claimer *c) {
    char created[CLOCK_ISO_SIZE];
    clock_iso_date(clock_wall_ms(), created);
    const struct sqs_pair attributes[] = {
        {"FifoQueue", "true"},
        {"DeduplicationScope", "messageGroup"},
        {"FifoThroughputLimit", "perMessageGroupId"},
        {"MessageRetentionPeriod", RETENTION_S},
    };
    const struct sqs_pair tags[] = {
        {"awsync:created", created},
        {"awsync:function", c->function},
        {"awsync:kind", "claims"},
    };
    c->making = sqs_create_queue(c->client, c->name, attributes, 4, tags, 3, on_made, c) != 0;
    if (!c->making)
        no_memory(c);
}

/* Of two decimal numbers. */
static bool is_above(const char *a, const char *b) {
    a += strspn(a, "0");
    b += strspn(b, "0");
    size_t a_len = strlen(a), b_len = strlen(b);
    return a_len != b_len ? a_len > b_len : strcmp(a, b) > 0;
}

/* What the numbers say; the claim itself has been taken in. */
static enum claim read_claim(const struct sqs_outcome *o) {
    const char *claim = o[CLAIM].sequence, *first = o[REFERENCE].ok ? o[REFERENCE].sequence : NULL,
               *again = o[AGAIN].ok ? o[AGAIN].sequence : NULL;
    if (claim == NULL || (first == NULL && again == NULL))
        return CLAIM_OURS; /* nothing to compare it with */
    if (first != NULL && again != NULL && strcmp(first, again) != 0)
        return CLAIM_OURS; /* this server does not tell duplicates */
    return is_above(claim, first != NULL ? first : again) ? CLAIM_OURS : CLAIM_TAKEN;
}

static void on_sent(void *context, const struct aws_error *error,
                    const struct sqs_outcome *outcomes, size_t count) {
    struct flight *f = context;
    struct claimer *c = f->claimer;
    pthread_mutex_lock(&c->lock);
    bool ours = f->epoch == c->epoch;
    free(f);
    if (!ours)
        goto done;
    c->sending = false;
    if (!c->asking) {
        /* nobody waits for it any more */
    } else if (error == NULL && count == ENTRIES && outcomes[CLAIM].ok) {
        c->known = true;
        c->backoff = (struct backoff){0};
        decide(c, read_claim(outcomes), NULL);
    } else if (error == NULL) {
        struct aws_error refused = {.status = outcomes[CLAIM].sender_fault ? 400 : 500};
        memcpy(refused.code, outcomes[CLAIM].code, sizeof refused.code);
        memcpy(refused.message, outcomes[CLAIM].message, sizeof outcomes[CLAIM].message);
        judge(c, &refused);
    } else if (sqs_is_no_queue(error) && !c->tried) {
        c->known = false;
        c->wanted = c->tried = true;
    } else { /* one that was made a moment ago may be unknown still */
        judge(c, error);
    }
    step(c);
    pthread_cond_broadcast(&c->changed);
done:
    pthread_mutex_unlock(&c->lock);
}

static void ask(struct claimer *c) {
    static const char *const bodies[ENTRIES] = {"reference", "reference", "claim"};
    struct sqs_send entries[ENTRIES];
    for (int i = 0; i < ENTRIES; i++)
        entries[i] = (struct sqs_send){
            .body = bodies[i],
            .body_len = strlen(bodies[i]),
            .group_id = c->call,
            .deduplication_id = i == CLAIM ? c->call : c->reference,
        };
    struct flight *f = malloc(sizeof *f);
    if (f != NULL) {
        *f = (struct flight){.claimer = c, .epoch = c->epoch};
        c->sending = sqs_send_batch(c->client, c->url, entries, ENTRIES, on_sent, f) != 0;
    }
    if (c->sending)
        return;
    free(f);
    no_memory(c);
}

/* Starts what is due; on any thread. */
static void step(struct claimer *c) {
    int64_t now = clock_mono_ms();
    if (!c->wanted && !c->asking)
        return;
    if (now < c->backoff.until) {
        if (!c->timer)
            c->timer = aws_timer(c->client, c->backoff.until - now, on_timer, c) != 0;
        return;
    }
    if (c->making || c->sending)
        return;
    if (c->wanted || c->url[0] == '\0')
        make(c);
    else
        ask(c);
}

static bool wait_until(struct claimer *c, int64_t deadline) {
    if (deadline == CHAN_FOREVER)
        return pthread_cond_wait(&c->changed, &c->lock) == 0;
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
                             .tv_nsec = (long)(deadline % 1000) * 1000000};
    return deadline > clock_mono_ms() &&
           pthread_cond_timedwait(&c->changed, &c->lock, &until) != ETIMEDOUT;
}

/* --- the program's side --------------------------------------------------------------------------- */

void claimer_prepare(struct claimer *c) {
    pthread_mutex_lock(&c->lock);
    if (!c->known && !c->making && c->name[0] != '\0') {
        c->wanted = true;
        c->backoff = (struct backoff){0};
        step(c);
    }
    pthread_mutex_unlock(&c->lock);
}

void claimer_settle(struct claimer *c, int64_t deadline) {
    pthread_mutex_lock(&c->lock);
    c->asking = false; /* of a call that has failed before it asked for its claim */
    c->wanted = false; /* its making can be tried again by who needs it */
    while ((c->making || c->sending) && wait_until(c, deadline))
        ;
    pthread_mutex_unlock(&c->lock);
}

void claimer_begin(struct claimer *c, const char *call) {
    pthread_mutex_lock(&c->lock);
    c->epoch++;
    c->asking = true;
    c->sending = c->tried = false;
    c->backoff = (struct backoff){0};
    c->error = (struct aws_error){0};
    snprintf(c->call, sizeof c->call, "%s", call);
    random_uuid(c->reference);
    step(c);
    pthread_mutex_unlock(&c->lock);
}

enum claim claimer_wait(struct claimer *c, int64_t deadline, struct aws_error *error) {
    pthread_mutex_lock(&c->lock);
    while (c->asking && wait_until(c, deadline))
        ;
    if (c->asking)
        decide(c, CLAIM_FAILED,
               &(struct aws_error){.code = AWS_CODE_TIMEOUT,
                                   .message = "the invocation's time was over"});
    enum claim outcome = c->outcome;
    *error = c->error;
    pthread_mutex_unlock(&c->lock);
    return outcome;
}
