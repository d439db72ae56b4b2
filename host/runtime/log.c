/* See log.h. */
#include "host/runtime/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/ascii.h"
#include "host/base/clock.h"

enum { LINE_MAX_BYTES = 1024 * 1024, MESSAGE_MAX_BYTES = 64 * 1024 }; /* longer messages are cut */

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

/* The runtime has one log, as the process has one stderr; only the program's thread writes it. */
static bool json_format;
static enum log_level least = LOG_LEVEL_INFO;
static char request[128];

void log_open(void) {
    const char *format = getenv("AWS_LAMBDA_LOG_FORMAT"), *level = getenv("AWS_LAMBDA_LOG_LEVEL");
    json_format = format != NULL && ascii_same(format, "JSON");
    least = LOG_LEVEL_INFO;
    for (int i = 0; level != NULL && i <= LOG_LEVEL_FATAL; i++)
        if (ascii_same(level, level_names[i]))
            least = (enum log_level)i;
}

void log_set_request(const char *request_id) {
    size_t len = strnlen(request_id, sizeof request - 1);
    memcpy(request, request_id, len);
    request[len] = '\0';
}

/* One write for a line: lines of several processes on one pipe stay whole. */
static void write_out(const struct buf *line) {
    fflush(stdout); /* what the program printed before comes before */
    const char *data = buf_text(line);
    size_t left = line->len;
    while (left > 0) {
        ssize_t n = write(STDERR_FILENO, data, left);
        if (n <= 0 && (n == 0 || errno != EINTR))
            return;
        data += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
}

void log_json_text(struct json_writer *w, const char *text, size_t len) {
    if (json_string_n(w, text, len))
        return;
    struct buf clean;
    buf_init(&clean, len);
    while (len > 0) {
        size_t n = json_utf8_length(text, len), step = n > 0 ? n : 1;
        buf_add(&clean, n > 0 ? text : "?", step);
        text += step;
        len -= step;
    }
    json_string_n(w, buf_text(&clean), clean.len);
    buf_free(&clean);
}

bool log_add_stack(struct buf *out, const char *traceback) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_array_begin(&w);
    const char *line = strchr(traceback, '\n'); /* behind the title `stack traceback:` */
    while (line != NULL) {
        line++;
        while (*line == '\t')
            line++;
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        log_json_text(&w, line, len);
        line = end;
    }
    json_array_end(&w);
    return buf_ok(out);
}

static void json_line(enum log_level level, const char *type, const char *message,
                      const char *traceback) {
    char when[CLOCK_ISO_SIZE];
    clock_iso_date(clock_wall_ms(), when);
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    struct json_writer w;
    json_writer_init(&w, &line);
    json_object_begin(&w);
    json_member(&w, "timestamp", when);
    json_member(&w, "level", level_names[level]);
    if (request[0] != '\0')
        json_member(&w, "requestId", request);
    json_key(&w, "message");
    log_json_text(&w, message, strnlen(message, MESSAGE_MAX_BYTES));
    if (type != NULL)
        json_member(&w, "errorType", type);
    if (traceback != NULL && traceback[0] != '\0') {
        struct buf stack;
        buf_init(&stack, LINE_MAX_BYTES / 2);
        if (log_add_stack(&stack, traceback)) {
            json_key(&w, "stackTrace");
            json_raw(&w, buf_text(&stack), stack.len);
        }
        buf_free(&stack);
    }
    json_object_end(&w);
    buf_addc(&line, '\n');
    if (buf_ok(&line))
        write_out(&line);
    buf_free(&line);
}

static void text_line(enum log_level level, const char *message, const char *traceback) {
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    buf_addf(&line, "[%s] %s%s", level_names[level], request, request[0] != '\0' ? " " : "");
    buf_add(&line, message, strnlen(message, MESSAGE_MAX_BYTES));
    buf_addc(&line, '\n');
    if (traceback != NULL && traceback[0] != '\0') {
        buf_adds(&line, traceback);
        buf_addc(&line, '\n');
    }
    if (buf_ok(&line))
        write_out(&line);
    buf_free(&line);
}

static void emit(enum log_level level, const char *type, const char *message,
                 const char *traceback) {
    if (level < least)
        return;
    if (json_format)
        json_line(level, type, message, traceback);
    else
        text_line(level, message, traceback);
}

void log_line(enum log_level level, const char *format, ...) {
    struct buf text;
    buf_init(&text, LINE_MAX_BYTES / 2);
    va_list args;
    va_start(args, format);
    buf_vaddf(&text, format, args);
    va_end(args);
    emit(level, NULL, buf_text(&text), NULL);
    buf_free(&text);
}

void log_error(const char *type, const char *message, const char *traceback) {
    emit(LOG_LEVEL_ERROR, type, message, traceback);
}
