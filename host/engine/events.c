#include "host/engine/events.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "host/base/clock.h"
#include "host/engine/function.h"
#include "host/engine/lambda_call.h"
#include "host/engine/sqs.h"
#include "host/json/json.h"

#define RECORD_MAX (2 * FUNCTION_PAYLOAD_MAX + 65536)
#define ARN_MAX    512

bool events_init(struct function *f) {
    const struct engine_config *config = f->config;
    struct buf arn;

    f->settings = (struct event_settings){.retries = -1, .reserved = -1};
    TAILQ_INIT(&f->events);
    TAILQ_INIT(&f->delayed);
    if (config->reserved > 0)
        f->settings.reserved = config->reserved;
    if (config->on_failure == NULL)
        return true;
    buf_init(&arn, ARN_MAX);
    buf_addf(&arn, "arn:aws:sqs:%s:%s:%s", config->region, config->account, config->on_failure);
    f->settings.on_failure = buf_take(&arn, NULL);
    return f->settings.on_failure != NULL;
}

void events_free(struct function *f) {
    free(f->settings.on_success);
    free(f->settings.on_failure);
}

/* --- the end of an event ---------------------------------------------------------------------- */

/* Raw where it is JSON: a payload was checked when it came, an answer was not. */
static void write_payload(struct json_writer *json, const char *text, size_t len) {
    char error[128];

    if (len > 0 && lambda_check_json(text, len, error, sizeof(error)))
        json_raw(json, text, len);
    else if (len == 0 || !json_string_n(json, text, len))
        json_null(json);
}

static void write_record(const struct function *f, const struct invocation *inv,
                         const char *condition, const struct outcome *outcome, struct buf *out) {
    struct json_writer json;
    struct buf arn;
    char now[CLOCK_ISO_SIZE];

    buf_init(&arn, ARN_MAX);
    buf_addf(&arn, "%s:$LATEST", f->config->function_arn);
    clock_iso_date(clock_wall_ms(), now);
    json_writer_init(&json, out);
    json_object_begin(&json);
    json_member(&json, "version", "1.0");
    json_member(&json, "timestamp", now);
    json_key(&json, "requestContext");
    json_object_begin(&json);
    json_member(&json, "requestId", inv->request_id);
    json_member(&json, "functionArn", buf_text(&arn));
    json_member(&json, "condition", condition);
    json_key(&json, "approximateInvokeCount");
    json_integer(&json, inv->attempts);
    json_object_end(&json);
    json_key(&json, "requestPayload");
    json_raw(&json, inv->payload, inv->payload_len);
    if (outcome != NULL) {
        json_key(&json, "responseContext");
        json_object_begin(&json);
        json_key(&json, "statusCode");
        json_integer(&json, 200);
        json_member(&json, "executedVersion", "$LATEST");
        if (outcome->error_type != NULL)
            json_member(&json, "functionError", "Unhandled");
        json_object_end(&json);
        json_key(&json, "responsePayload");
        write_payload(&json, outcome->body, outcome->len);
    }
    json_object_end(&json);
    buf_free(&arn);
}

/* outcome: of its last attempt; NULL: the platform has let it fall. */
static void end_event(struct function *f, struct invocation *inv, const char *condition,
                      const struct outcome *outcome) {
    bool failed = outcome == NULL || outcome->error_type != NULL;
    const char *destination = failed ? f->settings.on_failure : f->settings.on_success;
    struct buf record;

    if (outcome == NULL)
        engine_config_note(f->config, "event %s is given up: %s", inv->request_id, condition);
    if (destination != NULL) {
        buf_init(&record, RECORD_MAX);
        write_record(f, inv, condition, outcome, &record);
        if (!buf_ok(&record) || !sqs_service_deliver(f->sqs, destination, record.data, record.len))
            engine_config_note(f->config, "the record of event %s could not be sent to %s",
                               inv->request_id, destination);
        buf_free(&record);
    }
    figures_ended(f->figures, failed, true);
    invocation_free(inv);
}

/* --- waits ------------------------------------------------------------------------------------ */

/* Milliseconds until it is too old; 0 or less: it is. */
static int64_t time_left(const struct function *f, const struct invocation *inv) {
    int64_t most =
        f->settings.age_s > 0 ? (int64_t)f->settings.age_s * 1000 : f->config->event_age_ms;
    return inv->accepted_ms + most - clock_mono_ms();
}

static void wait_over(evutil_socket_t fd, short what, void *context) {
    struct invocation *inv = context;
    struct function *f = inv->function;

    (void)fd;
    (void)what;
    TAILQ_REMOVE(&f->delayed, inv, link);
    events_submit(f, inv);
    function_schedule(f);
}

static bool wait_for(struct function *f, struct invocation *inv, int64_t ms) {
    /* libevent reads a clock of 4 ms: no wait is to be too short. */
    struct timeval wait = {.tv_sec = (ms + 4) / 1000, .tv_usec = (ms + 4) % 1000 * 1000};

    if (inv->retry == NULL)
        inv->retry = evtimer_new(f->base, wait_over, inv);
    if (inv->retry == NULL || evtimer_add(inv->retry, &wait) != 0)
        return false;
    TAILQ_INSERT_TAIL(&f->delayed, inv, link);
    return true;
}

static bool throttle(struct function *f, struct invocation *inv) {
    int64_t ms = f->config->throttle_wait_ms[0], most = f->config->throttle_wait_ms[1];
    int64_t left = time_left(f, inv);

    for (int i = 0; i < inv->throttles && ms < most; i++)
        ms *= 2;
    inv->throttles++;
    ms = ms < most ? ms : most;
    return wait_for(f, inv, ms < left ? ms : left);
}

/* --- the queue -------------------------------------------------------------------------------- */

void events_submit(struct function *f, struct invocation *inv) {
    if (f->settings.reserved == 0) {
        end_event(f, inv, "ZeroReservedConcurrency", NULL);
    } else if (time_left(f, inv) <= 0) {
        end_event(f, inv, "EventAgeExceeded", NULL);
    } else if (!function_is_over_reserved(f) || !throttle(f, inv)) {
        TAILQ_INSERT_TAIL(&f->events, inv, link);
        f->events_waiting++;
    }
}

struct invocation *events_take(struct function *f) {
    struct invocation *inv;

    while (function_room(f) > 0 && (inv = TAILQ_FIRST(&f->events)) != NULL) {
        TAILQ_REMOVE(&f->events, inv, link);
        f->events_waiting--;
        if (time_left(f, inv) > 0)
            return inv;
        end_event(f, inv, "EventAgeExceeded", NULL);
    }
    return NULL;
}

void events_settle(struct function *f, struct invocation *inv, const struct outcome *outcome) {
    int most = f->settings.retries >= 0 ? f->settings.retries : f->config->max_retries;
    int64_t ms = f->config->retry_wait_ms[inv->attempts > 1 ? 1 : 0];

    if (outcome->error_type == NULL)
        end_event(f, inv, "Success", outcome);
    else if (inv->attempts > most)
        end_event(f, inv, "RetriesExhausted", outcome);
    else if (time_left(f, inv) <= ms)
        end_event(f, inv, "EventAgeExceeded", outcome);
    else if (!wait_for(f, inv, ms))
        end_event(f, inv, "RetriesExhausted", outcome);
}

void events_reconsider(struct function *f) {
    struct invocation_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
    struct invocation *inv;

    TAILQ_CONCAT(&waiting, &f->events, link);
    f->events_waiting = 0;
    while ((inv = TAILQ_FIRST(&waiting)) != NULL) {
        TAILQ_REMOVE(&waiting, inv, link);
        events_submit(f, inv);
    }
    function_schedule(f);
}
