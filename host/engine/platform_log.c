#include <stdio.h>
#include <string.h>

#include "host/base/buf.h"
#include "host/base/clock.h"
#include "host/engine/function.h"
#include "host/engine/platform_log.h"

#define LINE_MAX_SIZE 1024

/* Keeps the last LOG_TAIL_SIZE bytes. */
static void tail_add(struct log_tail *tail, const char *text, size_t len) {
    if (len >= LOG_TAIL_SIZE) {
        memcpy(tail->data, text + len - LOG_TAIL_SIZE, LOG_TAIL_SIZE);
        tail->len = LOG_TAIL_SIZE;
        return;
    }
    if (tail->len + len > LOG_TAIL_SIZE) {
        size_t drop = tail->len + len - LOG_TAIL_SIZE;
        memmove(tail->data, tail->data + drop, tail->len - drop);
        tail->len -= drop;
    }
    memcpy(tail->data + tail->len, text, len);
    tail->len += len;
}

static void write_line(const struct engine_config *config, bool platform, struct invocation *inv,
                       const char *request_id, const char *text, size_t len) {
    engine_config_log(config, platform, request_id, text, len);
    if (inv != NULL && inv->tail != NULL) {
        tail_add(inv->tail, text, len);
        tail_add(inv->tail, "\n", 1);
    }
}

void log_worker_line(const struct engine_config *config, struct invocation *inv,
                     const char *request_id, const char *text, size_t len) {
    write_line(config, false, inv, inv != NULL ? inv->request_id : request_id, text, len);
}

static void write_platform(const struct engine_config *config, struct invocation *inv,
                           struct buf *line) {
    if (buf_ok(line))
        write_line(config, true, inv, inv->request_id, line->data, line->len);
    buf_free(line);
}

void log_format_ms(int64_t us, char *out) {
    int64_t hundredths = (us + 5) / 10;
    snprintf(out, LOG_MS_SIZE, "%lld.%02d", (long long)(hundredths / 100), (int)(hundredths % 100));
}

void log_start(const struct engine_config *config, struct invocation *inv) {
    struct buf line;

    buf_init(&line, LINE_MAX_SIZE);
    buf_addf(&line, "START RequestId: %s Version: $LATEST", inv->request_id);
    write_platform(config, inv, &line);
}

void log_timed_out(const struct engine_config *config, struct invocation *inv) {
    char now[CLOCK_ISO_SIZE];
    struct buf line;

    clock_iso_date(clock_wall_ms(), now);
    buf_init(&line, LINE_MAX_SIZE);
    buf_addf(&line, "%s %s Task timed out after %d.00 seconds", now, inv->request_id,
             config->timeout_s);
    write_platform(config, inv, &line);
}

int64_t log_billed_ms(const struct report *report) {
    int64_t billed_us = report->duration_us + (report->init_us > 0 ? report->init_us : 0);
    return (billed_us + 999) / 1000;
}

void log_report(const struct engine_config *config, struct invocation *inv,
                const struct report *report) {
    char duration[LOG_MS_SIZE], init[LOG_MS_SIZE];
    struct buf line;

    buf_init(&line, LINE_MAX_SIZE);
    buf_addf(&line, "END RequestId: %s", inv->request_id);
    write_platform(config, inv, &line);

    log_format_ms(report->duration_us, duration);
    buf_init(&line, LINE_MAX_SIZE);
    buf_addf(&line,
             "REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %lld ms\tMemory Size: %d MB\t"
             "Max Memory Used: %zu MB",
             inv->request_id, duration, (long long)log_billed_ms(report), config->memory_mb,
             (report->peak_kb + 1023) / 1024);
    if (report->init_us >= 0) {
        log_format_ms(report->init_us, init);
        buf_addf(&line, "\tInit Duration: %s ms", init);
    }
    if (report->status != NULL)
        buf_addf(&line, "\tStatus: %s", report->status);
    if (report->error_type != NULL)
        buf_addf(&line, "\tError Type: %s", report->error_type);
    write_platform(config, inv, &line);
}
