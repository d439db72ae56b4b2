/* What failed requests mean for a channel: wait and send again, give up, or the queue is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/random.h"
#include "host/channel/internal.h"

static bool one_of(const char *code, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(code, list[i]) == 0)
            return true;
    return false;
}
#define ONE_OF(code, list) one_of((code), (list), sizeof(list) / sizeof((list)[0]))

bool fault_is_throttle(const struct aws_error *error) {
    static const char *const codes[] = {
        "Throttling",       "ThrottlingException",       "ThrottledException",
        "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
        "KmsThrottled",     "RequestLimitExceeded",      "SlowDown",
        "OverLimit",
    };
    return error->status == 429 || ONE_OF(error->code, codes);
}

bool fault_is_transient(const struct aws_error *error) {
    static const char *const codes[] = {
        AWS_CODE_CONNECT, AWS_CODE_TIMEOUT,  AWS_CODE_MALFORMED,        AWS_CODE_MEMORY,
        "InternalError",  "InternalFailure", "RequestTimeoutException", "ServiceUnavailable",
    };
    return (error->status >= 500 && error->status <= 504) || ONE_OF(error->code, codes);
}

void fault_delay(struct backoff *b, int64_t now, int64_t base_ms, int64_t cap_ms) {
    unsigned doublings = b->tries < 16 ? b->tries : 16;
    int64_t most = base_ms << doublings;
    if (most > cap_ms)
        most = cap_ms;
    if (b->tries++ == 0)
        b->since = now;
    /* At least half of it: a queue that is not there yet gains nothing by being asked at once. */
    b->until = now + 1 + most / 2 + (int64_t)(random_unit() * (double)(most / 2));
}

/* SQS takes a while to know a new queue everywhere; what has worked and is not there any more has
** been deleted. */
static bool may_appear(const struct chan *c, const struct backoff *b, int64_t now) {
    int64_t age = now - c->born_ms;
    if (c->worked)
        return age < SETTLED_MS && (c->made || b->tries < DOUBTS);
    return age < (c->made ? YOUNG_MS : OPENED_MS);
}

enum verdict fault_judge(struct chan *c, struct backoff *b, const struct aws_error *error,
                         int64_t now) {
    static const struct aws_error memory = {.code = AWS_CODE_MEMORY};
    if (!error)
        error = &memory;
    if (strcmp(error->code, AWS_CODE_CANCELLED) == 0)
        return VERDICT_GIVE_UP;
    if (sqs_is_no_queue(error)) {
        if (c->life == LIFE_GONE || !may_appear(c, b, now))
            return VERDICT_GONE;
        fault_delay(b, now, 50, 500);
        return VERDICT_AGAIN;
    }
    if (fault_is_throttle(error)) {
        fault_delay(b, now, 100, 5000);
        b->since = now; /* throttling is waited out, however long it takes */
        return VERDICT_AGAIN;
    }
    if (fault_is_transient(error) && (b->tries == 0 || now - b->since < GIVE_UP_MS)) {
        fault_delay(b, now, 50, 2000);
        return VERDICT_AGAIN;
    }
    return VERDICT_GIVE_UP;
}

void fault_clear(struct chan *c, struct backoff *b) {
    c->worked = true;
    memset(b, 0, sizeof(*b));
}

void fault_text(struct chan_error *out, const struct chan *c, const char *operation,
                const struct aws_error *aws, const char *text) {
    if (!out)
        return;
    memset(out, 0, sizeof(*out));
    if (!aws) {
        snprintf(out->text, sizeof(out->text), "%s on channel %s failed: %s", operation, c->name,
                 text);
        return;
    }
    out->aws = *aws;
    snprintf(out->text, sizeof(out->text), "%s on channel %s failed: %s: %.320s%s%s%s", operation,
             c->name, aws->code, aws->message, aws->request_id[0] ? " (request id " : "",
             aws->request_id, aws->request_id[0] ? ")" : "");
}

void fault_remember(struct chan *c, const char *operation, const struct aws_error *aws,
                    const char *text) {
    struct chan_hub *hub = c->hub;
    if (c->failure)
        return;
    c->failure = malloc(sizeof(*c->failure));
    if (!c->failure)
        return;
    if (hub->aborting && aws && strcmp(aws->code, AWS_CODE_CANCELLED) == 0) {
        aws = NULL;
        text = "the time was up before it was acknowledged";
    }
    fault_text(c->failure, c, operation, aws, text);
    c->failure_gone = c->life == LIFE_GONE;
    c->failure_listed = true;
    c->next_failed = NULL;
    *hub->failed_end = c;
    hub->failed_end = &c->next_failed;
}

static void unlist(struct chan *c) {
    struct chan_hub *hub = c->hub;
    if (!c->failure_listed)
        return;
    struct chan **at = &hub->failed;
    while (*at != c)
        at = &(*at)->next_failed;
    *at = c->next_failed;
    if (hub->failed_end == &c->next_failed)
        hub->failed_end = at;
    c->failure_listed = false;
}

void fault_forget(struct chan *c) {
    unlist(c);
    free(c->failure);
    c->failure = NULL;
}

enum chan_result fault_report(struct chan *c, struct chan_error *error) {
    if (!c->failure)
        return CHAN_OK;
    if (error)
        *error = *c->failure;
    enum chan_result result = c->failure_gone ? CHAN_DELETED : CHAN_FAILED;
    if (c->life == LIFE_BROKEN)
        unlist(c); /* every later operation says the same */
    else
        fault_forget(c);
    return result;
}
