/*
** Dead letters: a FIFO queue `<name>-dead.fifo` for what has been received max_receives times and
** not been deleted. Made before the channel's queue, which names its ARN; deleted along with it
** when nothing is in it, else left for whoever wants to look.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

static void on_attributes(void *context, const struct aws_error *error,
                          const struct sqs_pair *pairs, size_t count) {
    struct chan *c = hub_enter(context);
    size_t letters = 0;
    c->life_call = false;
    if (error) {
        enum verdict verdict = fault_judge(c, &c->life_backoff, error, clock_mono_ms());
        if (verdict == VERDICT_AGAIN)
            goto done;
        fault_remember(c, "a look at the queue of dead letters", error, NULL);
        c->life = verdict == VERDICT_GONE || c->deleting ? LIFE_GONE : LIFE_BROKEN;
        goto done;
    }
    fault_clear(c, &c->life_backoff);
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, "QueueArn") == 0) {
            free(c->arn);
            c->arn = strdup(pairs[i].value);
        } else if (strncmp(pairs[i].name, "ApproximateNumberOfMessages", 27) == 0)
            letters += (size_t)strtoull(pairs[i].value, NULL, 10);
    c->looked = c->deleting && letters == 0;
    if (c->deleting && letters > 0)
        c->life = LIFE_GONE; /* for us: it stays */
done:
    if (c->owner)
        hub_mark(c->owner);
    hub_leave(c);
}

bool dead_step(struct chan *c) {
    static const char *const names[] = {"QueueArn", "ApproximateNumberOfMessages",
                                        "ApproximateNumberOfMessagesNotVisible"};
    if (c->kind != KIND_DEAD || c->life != LIFE_READY || !c->made)
        return false;
    /* Asked for the name at first, and before the deletion whether it is empty: letters come there
    ** only as long as the channel's queue is. */
    bool channel_gone = !c->owner || c->owner->life == LIFE_GONE;
    if (c->deleting ? c->looked && channel_gone : c->arn != NULL)
        return !c->deleting;
    if (c->deleting && !channel_gone)
        return true;
    struct request *r = request_for(&c->life_request, c);
    c->looked = false;
    c->life_call =
        request_begin(r, sqs_get_attributes(c->hub->client, c->url, names, 3, on_attributes, r));
    if (!c->life_call)
        fault_delay(&c->life_backoff, clock_mono_ms(), 50, 500);
    return true;
}

/* --- reading them ----------------------------------------------------------------------------- */

struct reading {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned refs;
    bool answered;
    struct aws_error error;
    bool failed;
    size_t count;
    struct chan_letter letters[SQS_BATCH_MAX];
    char *receipts[SQS_BATCH_MAX];
};

static void drop_letters(struct reading *r) {
    for (size_t i = 0; i < r->count; i++) {
        free(r->letters[i].data);
        free(r->receipts[i]);
    }
    r->count = 0;
}

static void leave(struct reading *r) {
    bool last = --r->refs == 0;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    drop_letters(r);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void answer(struct reading *r, const struct aws_error *error) {
    r->answered = true;
    r->failed = error != NULL;
    if (error)
        r->error = *error;
}

static void on_letters(void *context, const struct aws_error *error,
                       const struct sqs_message *messages, size_t count) {
    struct reading *r = context;
    pthread_mutex_lock(&r->lock);
    answer(r, error);
    for (size_t i = 0; !error && i < count && r->count < SQS_BATCH_MAX; i++) {
        const struct sqs_message *m = &messages[i];
        struct chan_letter *letter = &r->letters[r->count];
        letter->data = malloc(m->body_len + 1);
        r->receipts[r->count] = strdup(m->receipt_handle);
        if (!letter->data || !r->receipts[r->count]) {
            free(letter->data);
            free(r->receipts[r->count]);
            break;
        }
        memcpy(letter->data, m->body, m->body_len);
        letter->data[m->body_len] = '\0';
        letter->len = m->body_len;
        letter->receives = m->receive_count;
        letter->sent_ms = m->sent_ms;
        r->count++;
    }
    leave(r);
}

static void on_done(void *context, const struct aws_error *error,
                    const struct sqs_outcome *outcomes, size_t count) {
    struct reading *r = context;
    (void)outcomes;
    (void)count;
    pthread_mutex_lock(&r->lock);
    answer(r, error);
    leave(r);
}

/* Waits for the answer to a call that has just been started, with the lock held. */
static enum chan_result await(struct reading *r, uint64_t id, int64_t deadline) {
    if (id == 0) {
        r->refs--;
        return CHAN_FAILED;
    }
    while (!r->answered) {
        struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
                                 .tv_nsec = (long)(deadline % 1000) * 1000000};
        if (deadline == CHAN_FOREVER)
            pthread_cond_wait(&r->changed, &r->lock);
        else if (pthread_cond_timedwait(&r->changed, &r->lock, &until) != 0 && !r->answered)
            return CHAN_TIMEOUT;
    }
    return r->failed ? CHAN_FAILED : CHAN_OK;
}

static struct reading *new_reading(void) {
    struct reading *r = calloc(1, sizeof(*r));
    pthread_condattr_t attr;
    if (!r)
        return NULL;
    r->refs = 1;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    return r;
}

enum chan_result chan_dead_letters(struct aws_client *client, const char *url, int64_t deadline,
                                   bool take, struct chan_letter *letters, size_t *count_out,
                                   struct chan_error *error) {
    char attempt[48];
    *count_out = 0;
    if (error)
        memset(error, 0, sizeof(*error));
    struct reading *r = new_reading();
    if (!r) {
        if (error)
            snprintf(error->text, sizeof(error->text), "dead letters of %s: out of memory", url);
        return CHAN_FAILED;
    }
    random_uuid(attempt);
    const struct sqs_receive ask = {.max_messages = SQS_BATCH_MAX,
                                    .wait_s = 1,
                                    .visibility_s = 30,
                                    .attempt_id = attempt};
    pthread_mutex_lock(&r->lock);
    r->refs++;
    enum chan_result result = await(r, sqs_receive(client, url, &ask, on_letters, r), deadline);
    if (result == CHAN_OK && r->count > 0) {
        const char *const *receipts = (const char *const *)r->receipts;
        r->answered = false;
        r->refs++;
        uint64_t id =
            take ? sqs_delete_batch(client, url, receipts, r->count, on_done, r)
                 : sqs_change_visibility_batch(client, url, receipts, r->count, 0, on_done, r);
        result = await(r, id, deadline);
    }
    if (result == CHAN_OK) {
        memcpy(letters, r->letters, r->count * sizeof(*letters));
        *count_out = r->count;
        for (size_t i = 0; i < r->count; i++)
            r->letters[i].data = NULL;
    } else if (error) {
        if (r->answered && r->failed)
            error->aws = r->error;
        snprintf(error->text, sizeof(error->text), "dead letters of %.200s: %s%s%.200s", url,
                 r->failed                ? r->error.code
                 : result == CHAN_TIMEOUT ? "the time was up"
                                          : "out of memory",
                 r->failed ? ": " : "", r->failed ? r->error.message : "");
    }
    leave(r);
    return result;
}
