/*
** The runtime's own lines of log, on stderr. Plain C, no Lua.
**
** Text: `[ERROR] REQUEST-ID message`. With AWS_LAMBDA_LOG_FORMAT=JSON one object a line:
** timestamp, level, requestId, message and, for errors, errorType and stackTrace. Lines below
** AWS_LAMBDA_LOG_LEVEL (INFO) are left out.
*/
#ifndef AWSYNC_RUNTIME_LOG_H
#define AWSYNC_RUNTIME_LOG_H

#include <stdbool.h>

#include "host/base/buf.h"
#include "host/json/json.h"

enum log_level {
    LOG_LEVEL_TRACE,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_FATAL
};

/* Reads the environment. */
void log_open(void);
/* The invocation that the lines belong to from now on; "" none. Copied. */
void log_set_request(const char *request_id);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An error with what Lua says of its stack: text as luaL_traceback makes it, "" none. */
void log_error(const char *type, const char *message, const char *traceback);

/* Writes any bytes as a JSON string: what is no UTF-8 is shown as `?`. */
void log_json_text(struct json_writer *w, const char *text, size_t len);
/* Appends the lines of a traceback as a JSON list of strings, without the title. */
bool log_add_stack(struct buf *out, const char *traceback);

#endif
