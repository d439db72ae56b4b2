/* Lines of log: START, END, REPORT and what workers write; and the log tail that Invoke returns. */
#ifndef AWSYNC_ENGINE_PLATFORM_LOG_H
#define AWSYNC_ENGINE_PLATFORM_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "host/engine/internal.h"

struct invocation;

enum { LOG_TAIL_SIZE = 4096 };

/* The last bytes of an invocation's log. */
struct log_tail {
    size_t len;
    char data[LOG_TAIL_SIZE];
};

/* inv may be NULL for what is written outside of invocations: request_id is then the line's. */
void log_worker_line(const struct engine_config *config, struct invocation *inv,
                     const char *request_id, const char *text, size_t len);

void log_start(const struct engine_config *config, struct invocation *inv);
/* `TIME ID Task timed out after 3.00 seconds` */
void log_timed_out(const struct engine_config *config, struct invocation *inv);

struct report {
    int64_t duration_us;
    int64_t init_us; /* -1: none */
    size_t peak_kb;
    const char *status;     /* NULL: none */
    const char *error_type; /* NULL: none */
};
/* Billed are duration and init together, as whole milliseconds. */
int64_t log_billed_ms(const struct report *report);
/* END and REPORT. */
void log_report(const struct engine_config *config, struct invocation *inv,
                const struct report *report);

/* Microseconds as milliseconds with two digits: `12.34`. Independent of the locale. */
enum { LOG_MS_SIZE = 32 };
void log_format_ms(int64_t us, char *out);

#endif
