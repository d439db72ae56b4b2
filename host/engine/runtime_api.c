/*
** The Runtime API, version 2018-06-01, of one worker: each has an address of its own, as every
** sandbox has. Answers and states follow AWS's runtime interface emulator.
*/
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/engine/function.h"
#include "host/engine/http.h"
#include "host/json/json.h"

#define PREFIX      "/2018-06-01/runtime/"
#define BACKLOG     16
#define MAX_BODY    (256 * 1024 * 1024) /* so that an answer too large is read and refused by us */
#define ERROR_MAX   8192
#define STATUS_JSON "{\"status\":\"OK\"}"

static void answer(struct http_request *request, int status, const char *reason, const char *body,
                   size_t len) {
    http_set_header(request, "Content-Type", "application/json");
    http_answer(request, status, reason, body, len);
}

static void accept_answer(struct http_request *request) {
    answer(request, 202, "Accepted", STATUS_JSON, sizeof(STATUS_JSON) - 1);
}

static void refuse(struct http_request *request, int status, const char *type,
                   const char *message) {
    struct buf body;
    struct json_writer json;

    buf_init(&body, ERROR_MAX);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    json_member(&json, "errorMessage", message);
    json_member(&json, "errorType", type);
    json_object_end(&json);
    answer(request, status, type, buf_text(&body), body.len);
    buf_free(&body);
}

/* `Runtime.ExitError`, `Function.Unknown`: (Runtime|Function)\.[A-Z][a-zA-Z]+ */
static bool is_error_type(const char *text) {
    if (strncmp(text, "Runtime.", 8) == 0)
        text += 8;
    else if (strncmp(text, "Function.", 9) == 0)
        text += 9;
    else
        return false;
    if (*text < 'A' || *text > 'Z' || text[1] == '\0')
        return false;
    while (*++text != '\0')
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')))
            return false;
    return true;
}

static const char *error_type(struct http_request *request) {
    const char *type = http_header(request, "Lambda-Runtime-Function-Error-Type");
    return type != NULL && is_error_type(type) ? type : "Runtime.Unknown";
}

/* --- next ------------------------------------------------------------------------------------- */

static void connection_gone(struct http_request *request, void *context) {
    struct worker *w = context;

    function_worker_left(w->function, w);
    http_drop(request);
}

void runtime_api_give(struct worker *w) {
    const struct engine_config *config = w->function->config;
    const struct invocation *inv = w->invocation;
    struct http_request *request = w->asking;
    struct buf deadline;

    w->asking = NULL;
    buf_init(&deadline, 32);
    buf_addf(&deadline, "%lld",
             (long long)(clock_wall_ms() + (int64_t)config->timeout_s * 1000 -
                         (clock_mono_us() - inv->started_us) / 1000));
    http_set_header(request, "Lambda-Runtime-Aws-Request-Id", inv->request_id);
    http_set_header(request, "Lambda-Runtime-Invocation-Id", inv->invocation_id);
    http_set_header(request, "Lambda-Runtime-Deadline-Ms", buf_text(&deadline));
    http_set_header(request, "Lambda-Runtime-Invoked-Function-Arn", config->function_arn);
    if (inv->trace_id != NULL)
        http_set_header(request, "Lambda-Runtime-Trace-Id", inv->trace_id);
    if (inv->client_context != NULL)
        http_set_header(request, "Lambda-Runtime-Client-Context", inv->client_context);
    if (inv->tenant_id != NULL)
        http_set_header(request, "Lambda-Runtime-Aws-Tenant-Id", inv->tenant_id);
    buf_free(&deadline);
    answer(request, 200, "OK", inv->payload, inv->payload_len);
}

static void on_next(struct worker *w, struct http_request *request) {
    if ((w->state != WORKER_STARTING && w->state != WORKER_ANSWERED) || w->asking != NULL) {
        refuse(request, 403, "InvalidStateTransition",
               "Transition from the present state to Ready is not allowed");
        return;
    }
    http_watch(request, connection_gone, w);
    function_worker_asks(w->function, w, request);
}

/* --- response, error -------------------------------------------------------------------------- */

/* Refuses an answer that does not belong to what the worker is doing. */
static bool may_answer(struct worker *w, struct http_request *request, const char *id) {
    const struct invocation *inv = w->invocation;
    const char *invocation_id = http_header(request, "Lambda-Runtime-Invocation-Id");

    if (inv != NULL && w->state == WORKER_BUSY && strcmp(inv->request_id, id) == 0) {
        if (invocation_id == NULL || strcmp(invocation_id, inv->invocation_id) == 0)
            return true;
        refuse(request, 410, "InvocationTimedOut", "The invocation is over");
    } else if (function_is_late(w->function, id)) {
        refuse(request, 410, "InvocationTimedOut", "The invocation has timed out");
    } else if (strcmp(w->answered_id, id) == 0) {
        refuse(request, 403, "InvalidStateTransition", "The invocation has been answered");
    } else {
        refuse(request, 400, "InvalidRequestID", "Invalid request ID");
    }
    return false;
}

static void settle_too_large(struct worker *w, size_t len) {
    struct buf text, body;
    struct json_writer json;

    buf_init(&text, ERROR_MAX);
    buf_init(&body, ERROR_MAX);
    buf_addf(&text,
             "Response payload size (%zu bytes) exceeded maximum allowed payload size (%d bytes).",
             len, FUNCTION_ANSWER_MAX);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    json_member(&json, "errorType", "Function.ResponseSizeTooLarge");
    json_member(&json, "errorMessage", buf_text(&text));
    json_object_end(&json);
    function_settle(w->function, w,
                    &(struct outcome){.error_type = "Function.ResponseSizeTooLarge",
                                      .status = "error",
                                      .body = buf_text(&body),
                                      .len = body.len});
    buf_free(&text);
    buf_free(&body);
}

/* The invocation ends with the request's body. error: NULL: none. */
static void settle(struct worker *w, struct http_request *request, const char *error) {
    size_t len;
    const char *body = http_body(request, &len);

    if (len > FUNCTION_ANSWER_MAX) {
        settle_too_large(w, len);
        refuse(request, 413, "RequestEntityTooLarge",
               "Exceeded maximum allowed payload size (6291556 bytes).");
        return;
    }
    function_settle(w->function, w,
                    &(struct outcome){.error_type = error, .body = body, .len = len});
    accept_answer(request);
}

static void on_response(struct worker *w, struct http_request *request, const char *id) {
    const char *mode = http_header(request, "Lambda-Runtime-Function-Response-Mode");

    if (!may_answer(w, request, id))
        return;
    if (mode != NULL && strcmp(mode, "streaming") != 0)
        refuse(request, 400, "InvalidFunctionResponseMode", "Invalid function response mode");
    else
        settle(w, request, NULL);
}

static void on_error(struct worker *w, struct http_request *request, const char *id) {
    if (may_answer(w, request, id))
        settle(w, request, error_type(request));
}

static void on_init_error(struct worker *w, struct http_request *request) {
    size_t len;
    const char *body;

    if (w->state != WORKER_STARTING) {
        refuse(request, 403, "InvalidStateTransition",
               "Transition from the present state to InitError is not allowed");
        return;
    }
    body = http_body(request, &len);
    function_init_failed(w->function, w,
                         &(struct outcome){.error_type = error_type(request),
                                           .status = "error",
                                           .body = body,
                                           .len = len > FUNCTION_ANSWER_MAX ? 0 : len});
    accept_answer(request);
}

/* --- routing ---------------------------------------------------------------------------------- */

/* `invocation/ID/WHAT`: the id is cut out in place. NULL when path has another form. */
static char *split_invocation(char *path, const char **what_out) {
    char *slash;

    if (strncmp(path, "invocation/", 11) != 0)
        return NULL;
    path += 11;
    slash = strchr(path, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    *what_out = slash + 1;
    return path;
}

static void route(struct worker *w, struct http_request *request, char *path) {
    bool gets = strcmp(http_method(request), "GET") == 0;
    bool posts = strcmp(http_method(request), "POST") == 0;
    const char *what = "";
    const char *id;

    path[strcspn(path, "?")] = '\0';
    if (strcmp(path, "invocation/next") == 0 && gets) {
        on_next(w, request);
    } else if (strcmp(path, "init/error") == 0 && posts) {
        on_init_error(w, request);
    } else if (posts && (id = split_invocation(path, &what)) != NULL &&
               strcmp(what, "response") == 0) {
        on_response(w, request, id);
    } else if (posts && strcmp(what, "error") == 0) {
        on_error(w, request, path + strlen("invocation/"));
    } else {
        refuse(request, 404, "NotFound", "There is nothing at this path");
    }
}

static void on_request(struct http_request *request, void *context) {
    const char *uri = http_target(request);
    char *path;

    if (strncmp(uri, PREFIX, sizeof(PREFIX) - 1) != 0) {
        refuse(request, 404, "NotFound", "There is nothing at this path");
        return;
    }
    path = strdup(uri + sizeof(PREFIX) - 1);
    if (path == NULL) {
        refuse(request, 500, "InternalServerError", "Out of memory");
        return;
    }
    route(context, request, path);
    free(path);
}

bool runtime_api_open(struct worker *w, int *port_out) {
    *port_out = 0;
    w->http = http_listen(w->function->base, port_out, BACKLOG, MAX_BODY);
    if (w->http == NULL)
        return false;
    http_serve(w->http, on_request, w);
    return true;
}
