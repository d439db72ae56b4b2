/* The program's side of an inbox. See inbox.h. */
#include "host/channel/inbox_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"

enum {
    RANDOM_PART = 20,
    DELETE_AFTER_MS = 2500, /* before a received record is visible again */
    GRACE_MS = 40,          /* a long poll that has been under way for so long has found nothing */
};

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

static void inbox_forget(struct inbox *b) {
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
    inbox_forget(b);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void inbox_set_hub(struct inbox *b, struct chan_hub *hub) {
    pthread_mutex_lock(&b->lock);
    b->hub = hub;
    pthread_mutex_unlock(&b->lock);
}

/* --- steps: with the lock held, on any thread ----------------------------------------------------- */

void inbox_step(struct inbox *b) {
    int64_t now = clock_mono_ms();
    if (now < b->retry_at) {
        inbox_arm(b, now);
        return;
    }
    if (b->life == INBOX_MAKING && !b->making) {
        inbox_make(b);
        return;
    }
    if (b->life != INBOX_READY)
        return;
    if (b->closing) {
        if (b->polling)
            aws_cancel(b->client, b->poll_id);
        else if (!b->deleting)
            inbox_delete_queue(b);
        return;
    }
    if (b->tag_due && !b->tagging)
        inbox_tag(b);
    if (b->receipt_count > 0 && now - b->oldest_ms >= DELETE_AFTER_MS)
        inbox_delete_received(b);
    if (!b->polling && (b->asked || now < b->listen_until))
        inbox_poll(b, now);
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
    b->life = INBOX_MAKING;
    b->closing = b->making = b->deleting = b->polling = b->tagging = false;
    b->listen_until = 0;
    inbox_step(b);
    pthread_mutex_unlock(&b->lock);
}

bool inbox_is_open(struct inbox *b) {
    pthread_mutex_lock(&b->lock);
    bool open = b->life == INBOX_MAKING || b->life == INBOX_READY || b->life == INBOX_BROKEN;
    pthread_mutex_unlock(&b->lock);
    return open;
}

void inbox_address(struct inbox *b, char *out, size_t size) {
    pthread_mutex_lock(&b->lock);
    bool open = b->life == INBOX_MAKING || b->life == INBOX_READY;
    int64_t made = clock_wall_ms() - (clock_mono_ms() - b->born_ms);
    if (open && b->url != NULL)
        snprintf(out, size, "%s@%" PRId64, b->url, made);
    else
        snprintf(out, size, "%s", open ? b->name : "");
    pthread_mutex_unlock(&b->lock);
}

void inbox_listen(struct inbox *b, int64_t until, long long expected) {
    pthread_mutex_lock(&b->lock);
    b->listen_until = until;
    b->expected = expected;
    inbox_step(b);
    pthread_mutex_unlock(&b->lock);
}

void inbox_ask(struct inbox *b, int64_t until) {
    pthread_mutex_lock(&b->lock);
    b->listen_until = 0;
    while ((b->life == INBOX_READY || b->life == INBOX_MAKING) && b->first == NULL) {
        int64_t now = clock_mono_ms(), wait = until;
        if (b->polling && !b->short_poll) {
            if (now - b->poll_started >= GRACE_MS)
                break;
            if (b->poll_started + GRACE_MS < wait)
                wait = b->poll_started + GRACE_MS;
        } else if (!b->polling) {
            b->asked = true;
            inbox_step(b);
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
    bool failed = b->life == INBOX_BROKEN ||
                  (b->trouble_since > 0 && clock_mono_ms() - b->trouble_since > INBOX_GIVE_UP_MS &&
                   !b->closing);
    if (failed)
        *error = b->trouble;
    pthread_mutex_unlock(&b->lock);
    return failed;
}

bool inbox_close(struct inbox *b, int64_t deadline) {
    pthread_mutex_lock(&b->lock);
    b->closing = true;
    b->retry_at = 0;
    inbox_step(b);
    while ((b->life == INBOX_MAKING || b->life == INBOX_READY || b->pending > 0) &&
           wait_until(b, deadline))
        ;
    bool gone = b->life != INBOX_READY && b->life != INBOX_MAKING;
    inbox_forget(b);
    b->epoch++;
    b->pending = 0;
    b->life = INBOX_NONE;
    b->closing = false;
    pthread_mutex_unlock(&b->lock);
    return gone;
}
