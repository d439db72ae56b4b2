/* How many values wait: asks SQS, and adds what is here. */
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/channel/internal.h"

/* The asker may have gone when the answer comes. */
struct question {
    struct request request;
    bool answered, abandoned;
    struct backoff backoff;
    enum verdict verdict;
    struct aws_error error;
    size_t visible;
};

static void on_attributes(void *context, const struct aws_error *error,
                          const struct sqs_pair *pairs, size_t count) {
    struct question *q = context;
    struct chan *c = hub_enter(&q->request);
    if (error) {
        q->error = *error;
        q->verdict = fault_judge(c, &q->backoff, error, clock_mono_ms());
        if (q->verdict == VERDICT_GONE)
            queue_gone(c);
    } else {
        fault_clear(c, &q->backoff);
        q->error.code[0] = '\0';
        for (size_t i = 0; i < count; i++)
            if (strcmp(pairs[i].name, "ApproximateNumberOfMessages") == 0)
                q->visible = (size_t)strtoull(pairs[i].value, NULL, 10);
    }
    q->answered = true;
    if (q->abandoned)
        free(q);
    hub_leave(c);
}

static bool ask(struct chan *c, struct question *q) {
    static const char *const names[] = {"ApproximateNumberOfMessages"};
    if (c->born_ms == 0)
        c->born_ms = clock_mono_ms();
    q->answered = false;
    struct request *r = request_for(&q->request, c);
    return request_begin(r, sqs_get_attributes(c->hub->client, c->url, names, 1, on_attributes, q));
}

/* CHAN_TIMEOUT with *asked: the question is still under way. */
static enum chan_result wait_answer(struct chan *c, struct question *q, int64_t deadline,
                                    bool *asked, struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    for (;;) {
        enum chan_result result = queue_state(c, "len", error);
        int64_t now = clock_mono_ms(), until = deadline;
        if (result != CHAN_OK)
            return result;
        if (hub->interrupted) {
            hub->interrupted = false;
            return CHAN_INTERRUPTED;
        }
        if (*asked && q->answered) {
            *asked = false;
            if (!q->error.code[0])
                return CHAN_OK;
            if (q->verdict == VERDICT_GIVE_UP) {
                fault_text(error, c, "len", &q->error, NULL);
                return CHAN_FAILED;
            }
        }
        /* What is on its way here would be counted twice or not at all. */
        if (!*asked && queue_ready(c) && sender_idle(c)) {
            if (now < q->backoff.until)
                until = q->backoff.until < deadline ? q->backoff.until : deadline;
            else if (ask(c, q))
                *asked = true;
            else {
                fault_text(error, c, "len", NULL, "out of memory");
                return CHAN_FAILED;
            }
        }
        if (!hub_wait(hub, until) && clock_mono_ms() >= deadline && !(*asked && q->answered))
            return CHAN_TIMEOUT;
    }
}

enum chan_result chan_len(struct chan *c, int64_t deadline, size_t *len_out,
                          struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    bool asked = false;
    *len_out = 0;
    if (error)
        memset(error, 0, sizeof(*error));
    struct question *q = calloc(1, sizeof(*q));
    pthread_mutex_lock(&hub->lock);
    enum chan_result result = CHAN_FAILED;
    if (!q)
        fault_text(error, c, "len", NULL, "out of memory");
    else
        result = wait_answer(c, q, deadline, &asked, error);
    if (result == CHAN_OK) {
        size_t marks = c->closing || c->in.end_seen ? 1 : 0;
        *len_out = q->visible > marks ? q->visible - marks : 0;
        *len_out = c->in.closed ? 0 : *len_out + c->in.held.count;
    }
    if (asked && !q->answered)
        q->abandoned = true;
    else
        free(q);
    hub_settle(c);
    pthread_mutex_unlock(&hub->lock);
    return result;
}
