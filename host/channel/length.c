/* How many values wait, or are out with somebody: asks SQS, and counts what is here. */
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/channel/internal.h"

/* The asker may have gone when the answer comes. */
struct question {
    struct request request;
    const char *operation;
    bool rest; /* also what is out with a receiver */
    bool answered, abandoned;
    struct backoff backoff;
    enum verdict verdict;
    struct aws_error error;
    size_t count; /* of messages */
};

static const char *const counted[] = {"ApproximateNumberOfMessages",
                                      "ApproximateNumberOfMessagesNotVisible",
                                      "ApproximateNumberOfMessagesDelayed"};

static size_t names_asked(const struct question *q) {
    return q->rest ? sizeof counted / sizeof counted[0] : 1;
}

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
        q->count = 0;
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < names_asked(q); k++)
                if (strcmp(pairs[i].name, counted[k]) == 0)
                    q->count += (size_t)strtoull(pairs[i].value, NULL, 10);
    }
    q->answered = true;
    if (q->abandoned)
        free(q);
    hub_leave(c);
}

static bool ask(struct chan *c, struct question *q) {
    if (c->born_ms == 0)
        c->born_ms = clock_mono_ms();
    q->answered = false;
    struct request *r = request_for(&q->request, c);
    return request_begin(r, sqs_get_attributes(c->hub->client, c->url, counted, names_asked(q),
                                               on_attributes, q));
}

/* CHAN_TIMEOUT with *asked: the question is still under way. */
static enum chan_result wait_answer(struct chan *c, struct question *q, int64_t deadline,
                                    bool *asked, struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    for (;;) {
        enum chan_result result = queue_state(c, q->operation, error);
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
                fault_text(error, c, q->operation, &q->error, NULL);
                return CHAN_FAILED;
            }
        }
        /* What is on its way here would be counted twice or not at all. */
        if (!*asked && queue_ready(c) && (q->rest ? receiver_quiet(c) : sender_idle(c))) {
            if (now < q->backoff.until)
                until = q->backoff.until < deadline ? q->backoff.until : deadline;
            else if (ask(c, q))
                *asked = true;
            else {
                fault_text(error, c, q->operation, NULL, "out of memory");
                return CHAN_FAILED;
            }
        }
        if (!hub_wait(hub, until) && clock_mono_ms() >= deadline && !(*asked && q->answered))
            return CHAN_TIMEOUT;
    }
}

/* What the queue holds, by SQS's figures, without the end mark. */
static enum chan_result question_put(struct chan *c, const char *operation, bool rest,
                                     int64_t deadline, size_t *count_out,
                                     struct chan_error *error) {
    bool asked = false;
    *count_out = 0;
    if (error)
        memset(error, 0, sizeof(*error));
    struct question *q = calloc(1, sizeof(*q));
    if (!q) {
        fault_text(error, c, operation, NULL, "out of memory");
        return CHAN_FAILED;
    }
    q->operation = operation;
    q->rest = rest;
    enum chan_result result = wait_answer(c, q, deadline, &asked, error);
    if (result == CHAN_OK) {
        bool hidden = !rest && c->in.ending.mark; /* the mark is here, and not counted */
        size_t marks = (c->closing || c->in.end_seen) && !hidden ? 1 : 0;
        *count_out = q->count > marks ? q->count - marks : 0;
    }
    if (asked && !q->answered)
        q->abandoned = true;
    else
        free(q);
    return result;
}

enum chan_result chan_len(struct chan *c, int64_t deadline, size_t *len_out,
                          struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    pthread_mutex_lock(&hub->lock);
    enum chan_result result = question_put(c, "len", false, deadline, len_out, error);
    if (result == CHAN_OK)
        *len_out = c->in.closed ? 0 : *len_out + c->in.held.count;
    hub_settle(c);
    pthread_mutex_unlock(&hub->lock);
    return result;
}

enum chan_result chan_rest(struct chan *c, int64_t deadline, size_t *rest_out,
                           struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    pthread_mutex_lock(&hub->lock);
    enum chan_result result = question_put(c, "pop", true, deadline, rest_out, error);
    if (result == CHAN_OK) {
        size_t own = 0;
        for (const struct chan_lease *lease = c->leases; lease; lease = lease->next)
            own++;
        *rest_out = *rest_out > own ? *rest_out - own : 0;
    }
    hub_settle(c);
    pthread_mutex_unlock(&hub->lock);
    return result;
}
