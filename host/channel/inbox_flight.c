/* The requests of an inbox under way, and when the next may begin. See inbox_parts.h. */
#include "host/channel/inbox_parts.h"

#include <stdlib.h>

#include "host/base/clock.h"

struct flight *flight_begin(struct inbox *b) {
    struct flight *f = malloc(sizeof *f);
    if (f == NULL)
        return NULL;
    *f = (struct flight){.inbox = b, .epoch = b->epoch};
    b->pending++;
    return f;
}

void flight_drop(struct flight *f) {
    f->inbox->pending--;
    free(f);
}

struct inbox *flight_land(struct flight *f) {
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

void inbox_leave(struct inbox *b) {
    inbox_step(b);
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static void on_timer(void *context) {
    struct inbox *b = context;
    pthread_mutex_lock(&b->lock);
    b->timer = false;
    inbox_leave(b);
}

void inbox_arm(struct inbox *b, int64_t now) {
    if (b->timer || b->retry_at <= now)
        return;
    b->timer = aws_timer(b->client, b->retry_at - now, on_timer, b) != 0;
}

void inbox_delay(struct inbox *b, int64_t now, int64_t ms) {
    b->retry_at = now + ms;
    inbox_arm(b, now);
}

void inbox_trouble(struct inbox *b, const struct aws_error *error, int64_t now) {
    if (b->trouble_since == 0)
        b->trouble_since = now;
    b->trouble = *error;
    unsigned doublings = b->tries++ < 5 ? b->tries : 5;
    inbox_delay(b, now, 50 << doublings);
}

void inbox_no_trouble(struct inbox *b) {
    b->trouble_since = b->retry_at = 0;
    b->tries = 0;
}
