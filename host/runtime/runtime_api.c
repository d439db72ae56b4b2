/* See runtime_api.h. */
#include "host/runtime/runtime_api.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/ascii.h"
#include "host/runtime/runtime_http.h"

#define ROOT       "/2018-06-01/runtime"
#define USER_AGENT "User-Agent: awsync/" AWSYNC_VERSION "\r\n"
#define JSON_TYPE  "Content-Type: application/json\r\n"

enum { HEADER_MAX = 64 * 1024, EVENT_MAX = 64 * 1024 * 1024, REPLY_MAX = 4096 };
enum { TRIES = 5, FIRST_PAUSE_MS = 50 };

#define NAME(text)                                                                                 \
    { text, sizeof(text) - 1 }
static const struct {
    const char *text;
    size_t len;
} header_names[RUNTIME_HEADER_COUNT] = {
    [RUNTIME_REQUEST_ID] = NAME("Lambda-Runtime-Aws-Request-Id"),
    [RUNTIME_DEADLINE_MS] = NAME("Lambda-Runtime-Deadline-Ms"),
    [RUNTIME_FUNCTION_ARN] = NAME("Lambda-Runtime-Invoked-Function-Arn"),
    [RUNTIME_TRACE_ID] = NAME("Lambda-Runtime-Trace-Id"),
    [RUNTIME_CLIENT_CONTEXT] = NAME("Lambda-Runtime-Client-Context"),
    [RUNTIME_IDENTITY] = NAME("Lambda-Runtime-Cognito-Identity"),
    [RUNTIME_TENANT_ID] = NAME("Lambda-Runtime-Aws-Tenant-Id"),
    [RUNTIME_INVOCATION_ID] = NAME("Lambda-Runtime-Invocation-Id"),
};

struct runtime_api {
    struct runtime_http *http;
    struct buf reply; /* of a POST: its beginning */
    struct buf message;
    struct buf path, headers; /* of the answer that goes out */
    long status;
};

/* --- events ---------------------------------------------------------------------------------- */

void runtime_event_init(struct runtime_event *event) {
    for (int i = 0; i < RUNTIME_HEADER_COUNT; i++)
        buf_init(&event->headers[i], HEADER_MAX);
    buf_init(&event->body, EVENT_MAX);
}

void runtime_event_free(struct runtime_event *event) {
    for (int i = 0; i < RUNTIME_HEADER_COUNT; i++)
        buf_free(&event->headers[i]);
    buf_free(&event->body);
}

static void event_reset(struct runtime_event *event) {
    for (int i = 0; i < RUNTIME_HEADER_COUNT; i++)
        buf_reset(&event->headers[i]);
    buf_reset(&event->body);
}

const char *runtime_event_header(const struct runtime_event *event, enum runtime_header header) {
    return buf_text(&event->headers[header]);
}

int64_t runtime_event_deadline(const struct runtime_event *event) {
    const char *text = runtime_event_header(event, RUNTIME_DEADLINE_MS);
    int64_t ms = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (ms > (INT64_MAX - 9) / 10)
            return 0;
        ms = ms * 10 + (*text - '0');
    }
    return *text == '\0' ? ms : 0;
}

/* --- one request ----------------------------------------------------------------------------- */

static bool on_event_header(void *context, const char *name, size_t name_len, const char *value,
                            size_t value_len) {
    struct runtime_event *event = context;
    for (int i = 0; i < RUNTIME_HEADER_COUNT; i++) {
        const char *wanted = header_names[i].text;
        if (header_names[i].len != name_len)
            continue;
        /* Mostly it comes as it is written here, and that is seen at once. */
        if (memcmp(name, wanted, name_len) != 0 && !ascii_same_n(name, wanted, name_len))
            continue;
        buf_reset(&event->headers[i]);
        return buf_add(&event->headers[i], value, value_len);
    }
    return true;
}

static void pause_before(int attempt) {
    long ms = FIRST_PAUSE_MS << (attempt - 1);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0)
        ;
}

/* Sets the message and sorts the outcome of a request that was made. content: of the answer;
** expected: the status of success. */
static enum runtime_result judge(struct runtime_api *api, enum runtime_exchange exchange,
                                 const char *what, const struct buf *content, long expected) {
    buf_reset(&api->message);
    if (exchange != EXCHANGE_DONE) {
        buf_addf(&api->message, "%s: no answer from the Runtime API: %s", what,
                 runtime_http_reason(api->http));
        return RUNTIME_UNREACHABLE;
    }
    if (api->status == expected)
        return RUNTIME_OK;
    buf_addf(&api->message, "%s: the Runtime API answered with status %ld%s%.*s", what, api->status,
             content->len > 0 ? ": " : "",
             (int)(content->len < REPLY_MAX ? content->len : REPLY_MAX), buf_text(content));
    return api->status == 500 ? RUNTIME_ENDED : RUNTIME_REFUSED;
}

static enum runtime_exchange exchange(struct runtime_api *api,
                                      const struct runtime_request *request,
                                      struct runtime_reply *reply) {
    enum runtime_exchange result = runtime_http_exchange(api->http, request, reply);
    api->status = reply->status;
    return result;
}

enum runtime_result runtime_api_next(struct runtime_api *api, struct runtime_event *event) {
    const struct runtime_request request = {
        .method = "GET",
        .path = ROOT "/invocation/next",
        .headers = USER_AGENT,
    };
    enum runtime_result result = RUNTIME_UNREACHABLE;
    for (int attempt = 1; attempt <= TRIES; attempt++) {
        struct runtime_reply reply = {.on_header = on_event_header,
                                      .context = event,
                                      .body = &event->body};
        event_reset(event);
        enum runtime_exchange done = exchange(api, &request, &reply);
        result = judge(api, done, "next", &event->body, 200);
        if (result == RUNTIME_OK || result == RUNTIME_ENDED)
            break;
        if (attempt < TRIES)
            pause_before(attempt);
    }
    return result;
}

static enum runtime_result post(struct runtime_api *api, const char *what,
                                const struct runtime_request *request) {
    enum runtime_result result = RUNTIME_UNREACHABLE;
    for (int attempt = 1; attempt <= TRIES; attempt++) {
        struct runtime_reply reply = {.body = &api->reply, .cut = true};
        buf_reset(&api->reply);
        enum runtime_exchange done = exchange(api, request, &reply);
        result = judge(api, done, what, &api->reply, 202);
        /* Whatever may have been heard must not be said twice. */
        if (done != EXCHANGE_UNHEARD)
            break;
        if (attempt < TRIES)
            pause_before(attempt);
    }
    return result;
}

/* --- answers --------------------------------------------------------------------------------- */

static void add_header(struct buf *headers, const char *name, const char *value) {
    buf_adds(headers, name);
    buf_adds(headers, ": ");
    buf_adds(headers, value);
    buf_adds(headers, "\r\n");
}

static void add_common_headers(struct buf *headers, const struct runtime_event *event) {
    const char *invocation =
        event != NULL ? runtime_event_header(event, RUNTIME_INVOCATION_ID) : "";
    buf_adds(headers, USER_AGENT JSON_TYPE);
    if (invocation[0] != '\0')
        add_header(headers, header_names[RUNTIME_INVOCATION_ID].text, invocation);
}

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '-' && c <= '9' && c != '/') ||
           c == '_' || c == '~';
}

/* The request id is escaped: a path is made of it. */
static void add_invocation_path(struct buf *path, const struct runtime_event *event,
                                const char *action) {
    const char *id = runtime_event_header(event, RUNTIME_REQUEST_ID);
    buf_adds(path, ROOT "/invocation/");
    while (*id != '\0') {
        size_t len = 0;
        while (is_plain(id[len]))
            len++;
        buf_add(path, id, len);
        id += len;
        if (*id != '\0')
            buf_addf(path, "%%%02X", (unsigned char)*id++);
    }
    buf_addc(path, '/');
    buf_adds(path, action);
}

static enum runtime_result out_of_memory(struct runtime_api *api, const char *what) {
    api->status = 0;
    buf_reset(&api->message);
    buf_addf(&api->message, "%s: not enough memory to answer", what);
    return RUNTIME_UNREACHABLE;
}

/* Sends what is in api->path and api->headers. */
static enum runtime_result send_answer(struct runtime_api *api, const char *what, const char *body,
                                       size_t len) {
    if (!buf_ok(&api->path) || !buf_ok(&api->headers))
        return out_of_memory(api, what);
    const struct runtime_request request = {
        .method = "POST",
        .path = buf_text(&api->path),
        .headers = buf_text(&api->headers),
        .body = body,
        .len = len,
    };
    return post(api, what, &request);
}

enum runtime_result runtime_api_respond(struct runtime_api *api, const struct runtime_event *event,
                                        const char *body, size_t len) {
    buf_reset(&api->path);
    buf_reset(&api->headers);
    add_invocation_path(&api->path, event, "response");
    add_common_headers(&api->headers, event);
    return send_answer(api, "response", body, len);
}

enum runtime_result runtime_api_fail(struct runtime_api *api, const struct runtime_event *event,
                                     const struct runtime_error *error) {
    buf_reset(&api->path);
    buf_reset(&api->headers);
    if (event != NULL)
        add_invocation_path(&api->path, event, "error");
    else
        buf_adds(&api->path, ROOT "/init/error");
    add_common_headers(&api->headers, event);
    add_header(&api->headers, "Lambda-Runtime-Function-Error-Type", error->type);
    if (error->cause != NULL)
        add_header(&api->headers, "Lambda-Runtime-Function-XRay-Error-Cause", error->cause);
    return send_answer(api, event != NULL ? "error" : "init/error", error->body, error->body_len);
}

/* --- life ------------------------------------------------------------------------------------ */

struct runtime_api *runtime_api_new(const char *authority) {
    struct runtime_api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return NULL;
    buf_init(&api->reply, REPLY_MAX);
    buf_init(&api->message, REPLY_MAX + 1024);
    buf_init(&api->path, HEADER_MAX * 4);
    buf_init(&api->headers, HEADER_MAX * 3);
    api->http = runtime_http_new(authority);
    if (api->http == NULL) {
        runtime_api_free(api);
        return NULL;
    }
    return api;
}

void runtime_api_free(struct runtime_api *api) {
    if (api == NULL)
        return;
    runtime_http_free(api->http);
    buf_free(&api->reply);
    buf_free(&api->message);
    buf_free(&api->path);
    buf_free(&api->headers);
    free(api);
}

const char *runtime_api_message(const struct runtime_api *api) {
    return buf_text(&api->message);
}

long runtime_api_status(const struct runtime_api *api) {
    return api->status;
}
