/* See runtime_api.h. */
#include "host/runtime/runtime_api.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { HEADER_MAX = 64 * 1024, EVENT_MAX = 64 * 1024 * 1024, REPLY_MAX = 4096, URL_MAX = 2048 };
enum { TRIES = 5, FIRST_PAUSE_MS = 50, CONNECT_TIMEOUT_MS = 5000 };

static const char *const header_names[RUNTIME_HEADER_COUNT] = {
    [RUNTIME_REQUEST_ID] = "Lambda-Runtime-Aws-Request-Id",
    [RUNTIME_DEADLINE_MS] = "Lambda-Runtime-Deadline-Ms",
    [RUNTIME_FUNCTION_ARN] = "Lambda-Runtime-Invoked-Function-Arn",
    [RUNTIME_TRACE_ID] = "Lambda-Runtime-Trace-Id",
    [RUNTIME_CLIENT_CONTEXT] = "Lambda-Runtime-Client-Context",
    [RUNTIME_IDENTITY] = "Lambda-Runtime-Cognito-Identity",
    [RUNTIME_TENANT_ID] = "Lambda-Runtime-Aws-Tenant-Id",
    [RUNTIME_INVOCATION_ID] = "Lambda-Runtime-Invocation-Id",
};

struct runtime_api {
    CURL *curl;
    char *base;       /* http://host:port/2018-06-01/runtime */
    struct buf reply; /* of a POST: its beginning */
    struct buf message;
    char reason[CURL_ERROR_SIZE];
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
    char *end;
    long long ms = strtoll(text, &end, 10);
    return end != text && *end == '\0' && ms > 0 ? ms : 0;
}

/* --- one request ----------------------------------------------------------------------------- */

static size_t on_event_header(char *line, size_t size, size_t count, void *context) {
    struct runtime_event *event = context;
    size_t len = size * count;
    if (len >= 5 &&
        memcmp(line, "HTTP/", 5) == 0) { /* a new answer begins: interim ones do not count */
        event_reset(event);
        return len;
    }
    const char *colon = memchr(line, ':', len);
    if (colon == NULL)
        return len;
    size_t name_len = (size_t)(colon - line);
    for (int i = 0; i < RUNTIME_HEADER_COUNT; i++) {
        if (strlen(header_names[i]) != name_len ||
            strncasecmp(line, header_names[i], name_len) != 0)
            continue;
        const char *from = colon + 1, *to = line + len;
        while (from < to && strchr(" \t", *from) != NULL)
            from++;
        while (to > from && strchr(" \t\r\n", to[-1]) != NULL)
            to--;
        buf_reset(&event->headers[i]);
        return buf_add(&event->headers[i], from, (size_t)(to - from)) ? len : 0;
    }
    return len;
}

static size_t on_event_body(char *data, size_t size, size_t count, void *context) {
    struct runtime_event *event = context;
    return buf_add(&event->body, data, size * count) ? size * count : 0;
}

/* Keeps the beginning of a reply, for the log. */
static size_t on_reply(char *data, size_t size, size_t count, void *context) {
    struct runtime_api *api = context;
    size_t len = size * count, room = REPLY_MAX - api->reply.len;
    if (len > 0)
        buf_add(&api->reply, data, len < room ? len : room);
    return len;
}

/* All options are set again for each request: none leaks from one to the next. Connections stay. */
static void set_common(struct runtime_api *api, const char *url) {
    curl_easy_reset(api->curl);
    curl_easy_setopt(api->curl, CURLOPT_URL, url);
    curl_easy_setopt(api->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(api->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(api->curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(api->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(api->curl, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(api->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(api->curl, CURLOPT_ERRORBUFFER, api->reason);
    curl_easy_setopt(api->curl, CURLOPT_USERAGENT, "awsync/" AWSYNC_VERSION);
    api->reason[0] = '\0';
    api->status = 0;
    buf_reset(&api->reply);
    buf_reset(&api->message);
}

static void pause_before(int attempt) {
    long ms = FIRST_PAUSE_MS << (attempt - 1);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0)
        ;
}

/* Sets the message and sorts the outcome of a request that was made. expected: the status of
** success. */
static enum runtime_result judge(struct runtime_api *api, CURLcode code, const char *what,
                                 long expected) {
    if (code != CURLE_OK) {
        buf_addf(&api->message, "%s: no answer from the Runtime API: %s", what,
                 api->reason[0] != '\0' ? api->reason : curl_easy_strerror(code));
        return RUNTIME_UNREACHABLE;
    }
    curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &api->status);
    if (api->status == expected)
        return RUNTIME_OK;
    buf_addf(&api->message, "%s: the Runtime API answered with status %ld%s%s", what, api->status,
             api->reply.len > 0 ? ": " : "", buf_text(&api->reply));
    return api->status == 500 ? RUNTIME_ENDED : RUNTIME_REFUSED;
}

enum runtime_result runtime_api_next(struct runtime_api *api, struct runtime_event *event) {
    char url[URL_MAX];
    snprintf(url, sizeof url, "%s/invocation/next", api->base);
    enum runtime_result result = RUNTIME_UNREACHABLE;
    for (int attempt = 1; attempt <= TRIES; attempt++) {
        event_reset(event);
        set_common(api, url);
        /* No CURLOPT_TIMEOUT: an hour may pass, frozen, before the next invocation comes. */
        curl_easy_setopt(api->curl, CURLOPT_HEADERFUNCTION, on_event_header);
        curl_easy_setopt(api->curl, CURLOPT_HEADERDATA, event);
        curl_easy_setopt(api->curl, CURLOPT_WRITEFUNCTION, on_event_body);
        curl_easy_setopt(api->curl, CURLOPT_WRITEDATA, event);
        CURLcode code = curl_easy_perform(api->curl);
        on_reply(event->body.data, 1, event->body.len, api); /* for the message, if it is one */
        result = judge(api, code, "next", 200);
        if (result == RUNTIME_OK || result == RUNTIME_ENDED)
            break;
        if (attempt < TRIES)
            pause_before(attempt);
    }
    return result;
}

static enum runtime_result post(struct runtime_api *api, const char *what, const char *url,
                                struct curl_slist *headers, const char *body, size_t len) {
    enum runtime_result result = RUNTIME_UNREACHABLE;
    for (int attempt = 1; attempt <= TRIES; attempt++) {
        set_common(api, url);
        curl_easy_setopt(api->curl, CURLOPT_POST, 1L);
        /* On a reused connection that breaks, curl would send the answer a second time by itself. */
        curl_easy_setopt(api->curl, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(api->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(api->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
        curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(api->curl, CURLOPT_WRITEFUNCTION, on_reply);
        curl_easy_setopt(api->curl, CURLOPT_WRITEDATA, api);
        CURLcode code = curl_easy_perform(api->curl);
        result = judge(api, code, what, 202);
        /* Whatever may have been heard must not be said twice. */
        if (code != CURLE_COULDNT_CONNECT)
            break;
        if (attempt < TRIES)
            pause_before(attempt);
    }
    return result;
}

/* --- answers --------------------------------------------------------------------------------- */

/* False when memory ran out; the list stays valid. */
static bool add_header(struct curl_slist **list, const char *name, const char *value) {
    struct buf line;
    buf_init(&line, HEADER_MAX + 256);
    buf_addf(&line, "%s: ", name);
    buf_adds(&line, value);
    struct curl_slist *longer = buf_ok(&line) ? curl_slist_append(*list, buf_text(&line)) : NULL;
    buf_free(&line);
    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool add_common_headers(struct curl_slist **list, const struct runtime_event *event) {
    if (!add_header(list, "Content-Type", "application/json"))
        return false;
    struct curl_slist *longer = curl_slist_append(*list, "Expect:"); /* no 100-continue */
    if (longer == NULL)
        return false;
    *list = longer;
    const char *invocation = event ? runtime_event_header(event, RUNTIME_INVOCATION_ID) : "";
    return invocation[0] == '\0' ||
           add_header(list, header_names[RUNTIME_INVOCATION_ID], invocation);
}

/* The request id is escaped: a path is made of it. */
static bool invocation_url(struct runtime_api *api, const struct runtime_event *event,
                           const char *action, char *out, size_t size) {
    char *id = curl_easy_escape(api->curl, runtime_event_header(event, RUNTIME_REQUEST_ID), 0);
    if (id == NULL)
        return false;
    int len = snprintf(out, size, "%s/invocation/%s/%s", api->base, id, action);
    curl_free(id);
    return len > 0 && (size_t)len < size;
}

static enum runtime_result out_of_memory(struct runtime_api *api, const char *what) {
    api->status = 0;
    buf_reset(&api->message);
    buf_addf(&api->message, "%s: not enough memory to answer", what);
    return RUNTIME_UNREACHABLE;
}

enum runtime_result runtime_api_respond(struct runtime_api *api, const struct runtime_event *event,
                                        const char *body, size_t len) {
    char url[URL_MAX];
    struct curl_slist *headers = NULL;
    enum runtime_result result;
    if (invocation_url(api, event, "response", url, sizeof url) &&
        add_common_headers(&headers, event))
        result = post(api, "response", url, headers, body, len);
    else
        result = out_of_memory(api, "response");
    curl_slist_free_all(headers);
    return result;
}

enum runtime_result runtime_api_fail(struct runtime_api *api, const struct runtime_event *event,
                                     const struct runtime_error *error) {
    const char *what = event ? "error" : "init/error";
    char url[URL_MAX];
    struct curl_slist *headers = NULL;
    enum runtime_result result;
    bool ready;
    if (event != NULL)
        ready = invocation_url(api, event, "error", url, sizeof url);
    else
        ready = snprintf(url, sizeof url, "%s/init/error", api->base) < (int)sizeof url;
    ready = ready && add_common_headers(&headers, event) &&
            add_header(&headers, "Lambda-Runtime-Function-Error-Type", error->type);
    if (ready && error->cause != NULL)
        ready = add_header(&headers, "Lambda-Runtime-Function-XRay-Error-Cause", error->cause);
    if (ready)
        result = post(api, what, url, headers, error->body, error->body_len);
    else
        result = out_of_memory(api, what);
    curl_slist_free_all(headers);
    return result;
}

/* --- life ------------------------------------------------------------------------------------ */

struct runtime_api *runtime_api_new(const char *authority) {
    struct runtime_api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return NULL;
    buf_init(&api->reply, REPLY_MAX);
    buf_init(&api->message, REPLY_MAX + 1024);
    struct buf base;
    buf_init(&base, URL_MAX / 2);
    buf_addf(&base, "http://%s/2018-06-01/runtime", authority);
    api->base = buf_take(&base, NULL);
    buf_free(&base);
    api->curl = curl_easy_init();
    if (api->base == NULL || api->curl == NULL) {
        runtime_api_free(api);
        return NULL;
    }
    return api;
}

void runtime_api_free(struct runtime_api *api) {
    if (api == NULL)
        return;
    if (api->curl != NULL)
        curl_easy_cleanup(api->curl);
    buf_free(&api->reply);
    buf_free(&api->message);
    free(api->base);
    free(api);
}

const char *runtime_api_message(const struct runtime_api *api) {
    return buf_text(&api->message);
}

long runtime_api_status(const struct runtime_api *api) {
    return api->status;
}
