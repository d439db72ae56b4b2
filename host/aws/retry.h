/*
** When to send again: pure logic, without clocks and without chance of its own. Source: the retry
** rules of the AWS SDKs of 2026 (three attempts, token bucket of 500, jittered backoff).
*/
#ifndef AWSYNC_AWS_RETRY_H
#define AWSYNC_AWS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum retry_class { RETRY_NEVER, RETRY_TRANSIENT, RETRY_THROTTLE };
enum {
    RETRY_ATTEMPTS = 3,
    RETRY_BUCKET = 500,
    RETRY_COST_TRANSIENT = 14,
    RETRY_COST_THROTTLE = 5,
    RETRY_DELAY_MAX_MS = 20000,
    RETRY_HINT_SLACK_MS = 5000,
    RETRY_SKEW_MS = 240000, /* a clock that is off by less is no reason */
};

/* status 0: no answer came. code: shape name; query_code: the older name or "". */
enum retry_class retry_classify(long status, const char *code, const char *query_code);
/* True when this answer says that the request was refused before it ran: a throttle, or a resource
** not ready. */
bool retry_did_not_run(long status, const char *code, const char *query_code);
bool retry_is_expired_token(const char *code);
/* True for an error that a wrong clock brings about. */
bool retry_is_skew(const char *code);

/* Milliseconds before retry number retry (0: the first). random: uniform in [0, 1). */
int64_t retry_delay_ms(enum retry_class class, int retry, double random);
/* The same after the server's wish (`x-amz-retry-after`, milliseconds; -1: none). */
int64_t retry_hint_ms(int64_t delay_ms, int64_t hint_ms);
/* Milliseconds of `x-amz-retry-after` or, in seconds or as a date, `Retry-After`; either may be
** NULL. -1: none. */
int64_t retry_read_hint(const char *amz, const char *http, int64_t now_ms);

struct retry_bucket {
    int tokens; /* begins with RETRY_BUCKET */
};
/* Takes the price of a retry. Returns it, or 0 when the bucket has too little. */
int retry_take(struct retry_bucket *bucket, enum retry_class class);
/* A request has succeeded; paid: what its last retry has cost, 0 when there was none. */
void retry_give_back(struct retry_bucket *bucket, int paid);

#endif
