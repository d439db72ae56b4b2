/* A record on its way to the nearest inbox that is there. See inbox.h. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/channel/inbox.h"

enum {
    NEW_NAME_MS = 1500, /* after its call was made, a queue known by name can still be unknown */
    NEW_URL_MS = 1000,  /* one that had a URL by then was there already */
    KNOWN_MS = 3000,    /* after it was made, a queue is known everywhere */
    DOUBT_MS = 100,     /* before the second question; then twice as long each time */
};

/* One delivery; belongs to the I/O thread, and to who waits for it, until both have let it go. */
struct parcel {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned refs;
    bool done;
    enum delivery outcome;
    struct aws_error error;

    struct aws_client *client;
    char *addresses, *next;    /* what is left to try */
    char base[INBOX_URL_SIZE]; /* of queues that came as a name; "": not known */
    char url[INBOX_URL_SIZE];  /* of the one that is tried */
    bool by_name;
    int64_t made_ms; /* that queue; 0: not known */
    unsigned doubts;
    int64_t issued_ms;
    struct sqs_send message;
    char text[];
};

static void try_address(void *context);

static void let_go(struct parcel *p) {
    pthread_mutex_lock(&p->lock);
    bool last = --p->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (!last)
        return;
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->addresses);
    free(p);
}

static void finish(struct parcel *p, enum delivery outcome, const struct aws_error *error) {
    pthread_mutex_lock(&p->lock);
    p->outcome = outcome;
    if (error != NULL)
        p->error = *error;
    p->done = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    let_go(p);
}

bool inbox_read_address(const char *address, const char *base, char url_out[INBOX_URL_SIZE],
                        int64_t *made_ms) {
    size_t len = strcspn(address, " "), end = len;
    while (end > 0 && address[end - 1] >= '0' && address[end - 1] <= '9')
        end--;
    bool dated = end > 0 && end < len && address[end - 1] == '@';
    bool by_name = strncmp(address, "http", 4) != 0;
    *made_ms = dated ? strtoll(address + end, NULL, 10) : 0;
    snprintf(url_out, INBOX_URL_SIZE, "%s%.*s", by_name ? base : "", (int)(dated ? end - 1 : len),
             address);
    return by_name;
}

static void next_address(struct parcel *p) {
    const char *address = strtok_r(p->next == NULL ? p->addresses : NULL, " ", &p->next);
    if (address == NULL) {
        finish(p, DELIVERY_NOBODY, NULL);
        return;
    }
    p->by_name = inbox_read_address(address, p->base, p->url, &p->made_ms);
    p->doubts = 0;
    try_address(p);
}

/* After a failure: once more, the next one, or the end. */
static void judge(struct parcel *p, const struct aws_error *error) {
    if (!sqs_is_no_queue(error)) {
        finish(p, DELIVERY_FAILED, error);
        return;
    }
    int64_t now = clock_wall_ms();
    bool known = p->made_ms > 0 && now - p->made_ms >= KNOWN_MS;
    if (!known && now - p->issued_ms < (p->by_name ? NEW_NAME_MS : NEW_URL_MS)) {
        if (aws_timer(p->client, DOUBT_MS << p->doubts++, try_address, p) == 0)
            finish(p, DELIVERY_FAILED, error);
        return;
    }
    next_address(p);
}

static void on_sent(void *context, const struct aws_error *error,
                    const struct sqs_outcome *outcomes, size_t count) {
    struct parcel *p = context;
    if (error != NULL) {
        judge(p, error);
    } else if (count == 1 && !outcomes[0].ok) {
        struct aws_error refused = {.status = outcomes[0].sender_fault ? 400 : 500};
        memcpy(refused.code, outcomes[0].code, sizeof refused.code);
        memcpy(refused.message, outcomes[0].message, sizeof outcomes[0].message);
        finish(p, DELIVERY_FAILED, &refused);
    } else {
        finish(p, DELIVERY_DONE, NULL);
    }
}

static void try_address(void *context) {
    struct parcel *p = context;
    if (sqs_send_batch(p->client, p->url, &p->message, 1, on_sent, p) == 0)
        finish(p, DELIVERY_FAILED, &(struct aws_error){.code = AWS_CODE_MEMORY});
}

static void begin(void *context) {
    next_address(context);
}

static struct parcel *pack(struct aws_client *client, const char *addresses, const char *base,
                           int64_t issued_ms, const char *text, size_t len) {
    struct parcel *p = calloc(1, sizeof *p + len + 1);
    if (p == NULL)
        return NULL;
    p->addresses = strdup(addresses);
    if (p->addresses == NULL) {
        free(p);
        return NULL;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    memcpy(p->text, text, len);
    p->client = client;
    snprintf(p->base, sizeof p->base, "%s", base);
    p->issued_ms = issued_ms;
    p->message = (struct sqs_send){.body = p->text, .body_len = len};
    p->refs = 1;
    return p;
}

bool inbox_deliver_soon(struct aws_client *client, const char *addresses, const char *base,
                        int64_t issued_ms, const char *text, size_t len) {
    struct parcel *p = pack(client, addresses, base, issued_ms, text, len);
    if (p == NULL)
        return false;
    if (aws_post(client, begin, p))
        return true;
    let_go(p);
    return false;
}

enum delivery inbox_deliver(struct aws_client *client, const char *addresses, const char *base,
                            int64_t issued_ms, const char *text, size_t len, int64_t deadline,
                            struct aws_error *error) {
    struct parcel *p = pack(client, addresses, base, issued_ms, text, len);
    *error = (struct aws_error){.code = AWS_CODE_MEMORY};
    if (p == NULL)
        return DELIVERY_FAILED;
    p->refs = 2;
    enum delivery outcome = DELIVERY_FAILED;
    if (!aws_post(client, begin, p)) {
        p->refs = 1;
        let_go(p);
        return outcome;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
                             .tv_nsec = (long)(deadline % 1000) * 1000000};
    bool in_time = true;
    pthread_mutex_lock(&p->lock);
    while (!p->done && in_time)
        in_time = deadline == CHAN_FOREVER
                      ? pthread_cond_wait(&p->changed, &p->lock) == 0
                      : pthread_cond_timedwait(&p->changed, &p->lock, &until) != ETIMEDOUT;
    if (p->done) {
        outcome = p->outcome;
        *error = p->error;
    } else {
        *error = (struct aws_error){.code = AWS_CODE_TIMEOUT,
                                    .message = "the invocation's time was over"};
    }
    pthread_mutex_unlock(&p->lock);
    let_go(p);
    return outcome;
}
