#include "host/aws/retry.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"

static bool among(const char *const *names, const char *name) {
    if (name == NULL || *name == '\0')
        return false;
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static const char *const throttles[] = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    "TransactionInProgressException",
    "KmsThrottled",
    "KMS.ThrottlingException",
    NULL,
};
static const char *const transients[] = {
    "RequestTimeout",  "RequestTimeoutException", "TimeoutError", "InternalError",
    "InternalFailure", "ServiceUnavailable",      NULL,
};
/* Answers of Lambda with status 502 that come from before the function. */
static const char *const not_ready[] = {
    "ResourceNotReadyException",
    "ENINotReadyException",
    NULL,
};
static const char *const skews[] = {
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "AuthFailure",
    "AccessDenied",
    "AccessDeniedException",
    NULL,
};
static const char *const expired[] = {"ExpiredToken", "ExpiredTokenException", NULL};

enum retry_class retry_classify(long status, const char *code, const char *query_code) {
    if (status == 429 || among(throttles, code) || among(throttles, query_code))
        return RETRY_THROTTLE;
    if (status == 0 || status == 500 || status == 502 || status == 503 || status == 504 ||
        among(transients, code) || among(transients, query_code))
        return RETRY_TRANSIENT;
    return RETRY_NEVER;
}

bool retry_did_not_run(long status, const char *code, const char *query_code) {
    return status == 429 || among(throttles, code) || among(throttles, query_code) ||
           (status == 502 && among(not_ready, code));
}

bool retry_is_expired_token(const char *code) {
    return among(expired, code);
}

bool retry_is_skew(const char *code) {
    return among(skews, code);
}

int64_t retry_delay_ms(enum retry_class class, int retry, double random) {
    int64_t most = class == RETRY_THROTTLE ? 1000 : 50;
    for (int i = 0; i < retry && most < RETRY_DELAY_MAX_MS; i++)
        most *= 2;
    if (most > RETRY_DELAY_MAX_MS)
        most = RETRY_DELAY_MAX_MS;
    return (int64_t)(random * (double)most);
}

int64_t retry_hint_ms(int64_t delay_ms, int64_t hint_ms) {
    int64_t most = delay_ms + RETRY_HINT_SLACK_MS;
    if (hint_ms > most)
        hint_ms = most;
    return hint_ms > delay_ms ? hint_ms : delay_ms;
}

/* A whole number of at most nine digits, or -1. */
static int64_t read_count(const char *text) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] != '\0')
        return -1;
    return strtol(text, NULL, 10);
}

int64_t retry_read_hint(const char *amz, const char *http, int64_t now_ms) {
    int64_t count = amz != NULL ? read_count(amz) : -1;
    if (count >= 0 || http == NULL)
        return count;
    count = read_count(http);
    if (count >= 0)
        return count * 1000;
    int64_t date = clock_parse_http(http);
    if (date < 0)
        return -1;
    return date > now_ms ? date - now_ms : 0;
}

int retry_take(struct retry_bucket *bucket, enum retry_class class) {
    int cost = class == RETRY_THROTTLE ? RETRY_COST_THROTTLE : RETRY_COST_TRANSIENT;
    if (bucket->tokens < cost)
        return 0;
    bucket->tokens -= cost;
    return cost;
}

void retry_give_back(struct retry_bucket *bucket, int paid) {
    bucket->tokens += paid > 0 ? paid : 1;
    if (bucket->tokens > RETRY_BUCKET)
        bucket->tokens = RETRY_BUCKET;
}
