/* The records of an inbox: received, kept, deleted. See inbox_parts.h. */
#include "host/channel/inbox_parts.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"

enum {
    YOUNG_MS = 5000, /* so long a new queue may answer that it does not exist */
    /* Of many records that come one after the other, several are asked for at once. */
    GATHER_MS = 100,      /* at most */
    GATHER_GAP_MS = 50,   /* not when they come more slowly than this */
    EMPTY_PAUSE_MS = 100, /* before a server is asked again that answers a long poll at once */
};

static void on_batch(void *context, const struct aws_error *error,
                     const struct sqs_outcome *outcomes, size_t count) {
    (void)error; /* what was not deleted comes again and is told by its call's id */
    (void)outcomes;
    (void)count;
    struct inbox *b = flight_land(context);
    if (b != NULL)
        inbox_leave(b);
}

void inbox_delete_received(struct inbox *b) {
    struct flight *f = flight_begin(b);
    if (f != NULL && sqs_delete_batch(b->client, b->url, (const char *const *)b->receipts,
                                      b->receipt_count, on_batch, f) == 0)
        flight_drop(f);
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
        inbox_delete_received(b);
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
        inbox_delay(b, now, wait < GATHER_MS ? wait : GATHER_MS);
}

static void on_received(void *context, const struct aws_error *error,
                        const struct sqs_message *messages, size_t count) {
    struct inbox *b = flight_land(context);
    if (b == NULL)
        return;
    int64_t now = clock_mono_ms();
    bool was_short = b->short_poll;
    b->polling = false;
    if (error == NULL) {
        inbox_no_trouble(b);
        for (size_t i = 0; i < count; i++)
            keep(b, &messages[i], now);
        if (count == 0 && !was_short && now - b->poll_started < EMPTY_PAUSE_MS)
            inbox_delay(b, now, EMPTY_PAUSE_MS);
        if (count > 0)
            gather(b, now, count);
        if (was_short)
            b->asked = false;
        if (count > 0 && b->hub != NULL)
            chan_hub_interrupt(b->hub);
    } else if (strcmp(error->code, AWS_CODE_CANCELLED) != 0) {
        if (sqs_is_no_queue(error) && now - b->born_ms > YOUNG_MS)
            b->life = INBOX_BROKEN;
        inbox_trouble(b, error, now);
    }
    inbox_leave(b);
}

void inbox_poll(struct inbox *b, int64_t now) {
    const struct sqs_receive ask = {
        .max_messages = SQS_BATCH_MAX,
        .wait_s = b->asked ? 0 : SQS_WAIT_MAX,
        .visibility_s = -1,
    };
    struct flight *f = flight_begin(b);
    b->short_poll = b->asked;
    b->poll_started = now;
    b->poll_id = f != NULL ? sqs_receive(b->client, b->url, &ask, on_received, f) : 0;
    b->polling = b->poll_id != 0;
    if (f != NULL && !b->polling)
        flight_drop(f);
    if (!b->polling)
        inbox_trouble(b, &(struct aws_error){.code = AWS_CODE_MEMORY}, now);
}
