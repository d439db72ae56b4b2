#include "host/aws/attempt.h"

#include <stdio.h>
#include <string.h>

#include "host/base/ascii.h"
#include "host/base/clock.h"

enum { TIMEOUT_MS = 60000, SKEW_TOOK_MAX_MS = 900000, PATIENT_DELAY_MS = 2000 };

/* --- one attempt ------------------------------------------------------------------------------ */

void attempt_begin(void *context) {
    struct request *r = context;
    r->timer = 0;
    provider_get(r->client->provider, &r->wait, clock_wall_ms() + r->client->skew_ms);
}

/* Adds the headers that are not signed. */
static bool add_plain_headers(struct request *r) {
    struct http_exchange *x = &r->exchange;
    char count[64];
    int max = r->client->config.max_attempts;
    bool typed = false;
    for (size_t i = 0; i < r->in.header_count; i++)
        typed = typed || ascii_same(r->in.headers[i].name, "content-type");
    snprintf(count, sizeof count, "attempt=%d; max=%d", r->error.attempts, max);
    return http_header_add(x, "User-Agent", r->client->config.user_agent) &&
           http_header_add(x, "amz-sdk-invocation-id", r->invocation) &&
           http_header_add(x, "amz-sdk-request", count) &&
           (r->trace_id == NULL || http_header_add(x, "X-Amzn-Trace-Id", r->trace_id)) &&
           http_header_add(x, "Expect", NULL) && http_header_add(x, "Accept", NULL) &&
           (typed || http_header_add(x, "Content-Type", NULL));
}

static enum sigv4_result sign(struct request *r) {
    const struct endpoint *endpoint = &r->client->config.endpoints[r->in.service];
    struct sigv4_header headers[REQUEST_HEADERS_MAX + 2];
    size_t count = 0;
    headers[count++] = (struct sigv4_header){"Host", endpoint->host};
    if (r->keys->session_token != NULL)
        headers[count++] = (struct sigv4_header){"X-Amz-Security-Token", r->keys->session_token};
    for (size_t i = 0; i < r->in.header_count; i++)
        headers[count++] = (struct sigv4_header){r->in.headers[i].name, r->in.headers[i].value};
    struct sigv4_request request = {
        .method = r->in.method,
        .target = r->sign_target,
        .headers = headers,
        .header_count = count,
        .body = r->in.body_len > 0 ? r->in.body : "",
        .body_len = r->in.body_len,
    };
    struct sigv4_credentials keys = {
        .access_key_id = r->keys->access_key_id,
        .secret_access_key = r->keys->secret_access_key,
        .session_token = r->keys->session_token,
    };
    r->signed_skew = r->client->skew_ms;
    struct sigv4_scope scope = {
        .region = endpoint->region,
        .service = config_service_name(r->in.service),
        .wall_ms = clock_wall_ms() + r->signed_skew,
    };
    struct sigv4_signed out;
    enum sigv4_result result = sigv4_sign(&request, &keys, &scope, r->client->keys, &out, NULL);
    bool added = result == SIGV4_OK;
    for (size_t i = 0; i < count && added; i++)
        added = http_header_add(&r->exchange, headers[i].name, headers[i].value);
    added = added && http_header_add(&r->exchange, "X-Amz-Date", out.amz_date) &&
            http_header_add(&r->exchange, "Authorization", out.authorization);
    sigv4_signed_free(&out);
    return result == SIGV4_OK && !added ? SIGV4_NO_MEMORY : result;
}

void attempt_keys_ready(void *context, struct credentials *got, const struct aws_error *error) {
    struct request *r = context;
    struct http_exchange *x = &r->exchange;
    if (got == NULL) {
        int attempts = r->error.attempts;
        bool may_have_run = r->error.may_have_run;
        r->error = *error;
        r->error.attempts = attempts;
        r->error.may_have_run = may_have_run;
        request_fail(r);
        return;
    }
    credentials_release(r->keys);
    r->keys = credentials_keep(got);
    http_headers_free(x);
    enum sigv4_result signed_as = sign(r);
    if (signed_as != SIGV4_OK) {
        if (signed_as == SIGV4_NO_MEMORY)
            request_fail_with(r, AWS_CODE_MEMORY, "out of memory");
        else
            request_fail_with(r, AWS_CODE_CONFIG, sigv4_result_text(signed_as));
        return;
    }
    int attempts = r->error.attempts + 1;
    r->may_have_run = r->may_have_run || r->error.may_have_run;
    r->error = (struct aws_error){.attempts = attempts};
    x->method = r->in.method;
    x->url = r->url;
    x->body = r->in.body;
    x->body_len = r->in.body_len;
    x->timeout_ms = r->in.timeout_ms > 0 ? r->in.timeout_ms : TIMEOUT_MS;
    x->ca_bundle = r->client->config.ca_bundle;
    x->once = r->in.unsafe;
    if (!add_plain_headers(r))
        request_fail_with(r, AWS_CODE_MEMORY, "out of memory");
    else if (!http_begin(io_http(r->client->io), x))
        request_fail_with(r, AWS_CODE_MEMORY, x->message);
    else {
        r->client->requests++;
        if (attempts > 1)
            r->client->retries++;
    }
}

/* --- the answer ------------------------------------------------------------------------------- */

/* The service's clock counts, once it differs by minutes. Cached answers and slow ones say nothing
** of now. */
static void learn_clock(struct request *r) {
    struct headers headers = http_headers(&r->exchange);
    const char *date = headers_get(headers, "date");
    int64_t server = date != NULL ? clock_parse_http(date) : -1;
    if (server < 0 || r->exchange.took_ms > SKEW_TOOK_MAX_MS || headers_get(headers, "age") != NULL)
        return;
    int64_t offset = server - clock_wall_ms(), change = offset - r->client->skew_ms;
    if (change >= RETRY_SKEW_MS || change <= -RETRY_SKEW_MS)
        r->client->skew_ms = offset;
}

/* Fills r->error from what came or did not come. */
static void read_failure(struct request *r) {
    const struct http_exchange *x = &r->exchange;
    static const char *const codes[] = {
        [HTTP_NOT_CONNECTED] = AWS_CODE_CONNECT, [HTTP_UNTRUSTED] = AWS_CODE_CONNECT,
        [HTTP_LOST] = AWS_CODE_CONNECT,          [HTTP_TIMEOUT] = AWS_CODE_TIMEOUT,
        [HTTP_TOO_LONG] = AWS_CODE_MALFORMED,    [HTTP_BAD_URL] = AWS_CODE_CONFIG,
        [HTTP_NO_MEMORY] = AWS_CODE_MEMORY,
    };
    int attempts = r->error.attempts;
    if (x->outcome == HTTP_ANSWERED) {
        error_read(&r->error, x->status, http_headers(x), buf_text(&x->answer), x->answer.len);
        r->error.may_have_run =
            x->status >= 500 && !retry_did_not_run(x->status, r->error.code, r->error.query_code);
    } else {
        r->error = (struct aws_error){.may_have_run = x->sent};
        if (x->outcome == HTTP_TOO_LONG)
            error_set(&r->error, AWS_CODE_MALFORMED, "the answer is longer than %zu bytes",
                      x->answer.max);
        else
            error_set(&r->error, codes[x->outcome], "%s", x->message);
    }
    r->error.attempts = attempts;
}

/* Whether and how the failure allows another attempt by the common rules. */
static enum retry_class classify(const struct request *r) {
    const struct http_exchange *x = &r->exchange;
    const struct aws_error *e = &r->error;
    switch (x->outcome) {
    case HTTP_ANSWERED:
        if (r->in.unsafe && !retry_did_not_run(x->status, e->code, e->query_code))
            return RETRY_NEVER;
        return retry_classify(x->status, e->code, e->query_code);
    case HTTP_NOT_CONNECTED:
        return RETRY_TRANSIENT;
    case HTTP_LOST:
    case HTTP_TIMEOUT:
        return r->in.unsafe && x->sent ? RETRY_NEVER : RETRY_TRANSIENT;
    default:
        return RETRY_NEVER;
    }
}

static void fail_later(void *context) {
    struct request *r = context;
    r->timer = 0;
    request_fail(r);
}

static void again_after(struct request *r, int64_t delay_ms, aws_task task) {
    r->timer = io_timer(r->client->io, delay_ms, task, r);
    if (r->timer == 0)
        request_fail(r);
}

/* Once each: a wrong clock has been set right, expired keys can be had anew. Neither costs
** anything. */
static bool cured(struct request *r) {
    int64_t learned = r->client->skew_ms - r->signed_skew;
    if (r->exchange.outcome != HTTP_ANSWERED)
        return false;
    if (!r->skew_tried && retry_is_skew(r->error.code) &&
        (learned >= RETRY_SKEW_MS || learned <= -RETRY_SKEW_MS))
        return r->skew_tried = true;
    if (!r->keys_tried && retry_is_expired_token(r->error.code) &&
        provider_refuse(r->client->provider, r->keys))
        return r->keys_tried = true;
    return false;
}

/* Whether the request goes on by its patience. */
static bool is_patient(struct request *r, enum retry_class class) {
    int64_t now = clock_mono_ms();
    if (r->in.patience_ms == 0)
        return false;
    if (r->trouble_ms == 0 || class == RETRY_THROTTLE)
        r->trouble_ms = now;
    return now - r->trouble_ms < r->in.patience_ms;
}

void attempt_answered(struct http_exchange *x) {
    struct request *r = x->context;
    struct aws_client *client = r->client;
    if (x->outcome == HTTP_ANSWERED) {
        learn_clock(r);
        if (x->status >= 200 && x->status < 300) {
            request_succeed(r);
            return;
        }
    }
    read_failure(r);
    if (cured(r)) {
        attempt_begin(r);
        return;
    }
    enum retry_class class = classify(r);
    if (class == RETRY_THROTTLE)
        client->throttles++;
    if (class == RETRY_NEVER ||
        (!is_patient(r, class) && r->retries + 1 >= client->config.max_attempts)) {
        request_fail(r);
        return;
    }
    struct headers headers = http_headers(x);
    int64_t delay = retry_delay_ms(class, r->retries, random_unit());
    if (r->in.patience_ms > 0 && class == RETRY_TRANSIENT && delay > PATIENT_DELAY_MS)
        delay = PATIENT_DELAY_MS;
    if (x->outcome == HTTP_ANSWERED)
        delay = retry_hint_ms(delay, retry_read_hint(headers_get(headers, "x-amz-retry-after"),
                                                     headers_get(headers, "retry-after"),
                                                     clock_wall_ms() + client->skew_ms));
    int paid = retry_take(&client->bucket, class);
    if (paid > 0 || is_patient(r, class)) {
        r->paid = paid;
        r->retries++;
        again_after(r, delay, attempt_begin);
    } else if (r->in.long_poll) {
        again_after(r, delay, fail_later); /* so that a loop of polls does not spin */
    } else {
        request_fail(r);
    }
}
