#include <stdlib.h>
#include <string.h>

#include "host/base/base64.h"
#include "host/base/buf.h"
#include "host/engine/call.h"
#include "host/engine/function.h"
#include "host/engine/lambda_call.h"
#include "host/engine/lambda_invoke.h"
#include "host/engine/service.h"
#include "host/json/json.h"

#define CLIENT_CONTEXT_MAX 3583
#define TENANT_ID_MAX      256
#define TRACE_ID_MAX       1024

enum invoke_type { INVOKE_SYNC, INVOKE_EVENT, INVOKE_DRY_RUN };

/* --- answers ---------------------------------------------------------------------------------- */

void lambda_invoke_answer(struct invocation *inv, const struct outcome *outcome) {
    struct service_call *call = inv->call;
    struct buf tail;

    inv->call = NULL;
    service_set_header(call, "X-Amz-Executed-Version", "$LATEST");
    if (outcome->error_type != NULL)
        service_set_header(call, "X-Amz-Function-Error", "Unhandled");
    if (inv->tail != NULL) {
        buf_init(&tail, 2 * LOG_TAIL_SIZE);
        if (base64_encode(&tail, inv->tail->data, inv->tail->len))
            service_set_header(call, "X-Amz-Log-Result", buf_text(&tail));
        buf_free(&tail);
    }
    service_answer(call, 200, "application/json", outcome->body, outcome->len);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static bool read_type(struct service_call *call, enum invoke_type *out) {
    const char *text = service_header(call, "X-Amz-Invocation-Type");

    if (text == NULL || strcmp(text, "RequestResponse") == 0)
        *out = INVOKE_SYNC;
    else if (strcmp(text, "Event") == 0)
        *out = INVOKE_EVENT;
    else if (strcmp(text, "DryRun") == 0)
        *out = INVOKE_DRY_RUN;
    else {
        lambda_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value '%s' at 'invocationType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
            text);
        return false;
    }
    return true;
}

static bool read_log_type(struct service_call *call, bool *tail_out) {
    const char *text = service_header(call, "X-Amz-Log-Type");

    *tail_out = text != NULL && strcmp(text, "Tail") == 0;
    if (text == NULL || *tail_out || strcmp(text, "None") == 0)
        return true;
    lambda_fail(call, 400, "ValidationException",
                "1 validation error detected: Value '%s' at 'logType' failed to satisfy "
                "constraint: Member must satisfy enum value set: [None, Tail]",
                text);
    return false;
}

/* Both limits and the JSON. An absent payload is an empty object. */
static bool read_payload(struct service_call *call, enum invoke_type type, const char **text_out,
                         size_t *len_out) {
    size_t max = type == INVOKE_EVENT ? FUNCTION_EVENT_MAX : FUNCTION_PAYLOAD_MAX;
    char error[256];

    *text_out = service_body(call, len_out);
    if (*len_out > max) {
        lambda_fail(call, 413, "RequestTooLargeException",
                    "%zu byte payload is too large for the %s invocation type (limit %zu bytes)",
                    *len_out, type == INVOKE_EVENT ? "Event" : "RequestResponse", max);
        return false;
    }
    if (*len_out == 0) {
        *text_out = "{}";
        *len_out = 2;
    } else if (!lambda_check_json(*text_out, *len_out, error, sizeof(error))) {
        lambda_fail(call, 400, "InvalidRequestContentException",
                    "Could not parse request body into json: %s", error);
        return false;
    }
    return true;
}

/* Header texts hold no line ends; between the tokens of JSON they are blanks like others. */
static void flatten(char *text) {
    for (; *text != '\0'; text++)
        if (*text == '\r' || *text == '\n' || *text == '\t')
            *text = ' ';
}

static bool read_client_context(struct service_call *call, enum invoke_type type, char **out) {
    const char *text = service_header(call, "X-Amz-Client-Context");
    struct buf decoded;
    char error[256];
    bool good;

    *out = NULL;
    if (text == NULL || type != INVOKE_SYNC)
        return true;
    buf_init(&decoded, CLIENT_CONTEXT_MAX);
    good = strlen(text) <= CLIENT_CONTEXT_MAX && base64_decode(&decoded, text, strlen(text)) &&
           lambda_check_json(buf_text(&decoded), decoded.len, error, sizeof(error));
    if (good) {
        *out = buf_take(&decoded, NULL);
        if (*out != NULL)
            flatten(*out);
    } else {
        lambda_fail(call, 400, "InvalidRequestContentException",
                    "Client context must be a valid Base64-encoded JSON object.");
    }
    buf_free(&decoded);
    return good;
}

static bool read_tenant(struct service_call *call, const char **out) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/=+-@ ";
    const char *text = service_header(call, "X-Amz-Tenant-Id");

    *out = text;
    if (text == NULL ||
        (*text != '\0' && strlen(text) <= TENANT_ID_MAX && text[strspn(text, allowed)] == '\0'))
        return true;
    lambda_fail(
        call, 400, "ValidationException",
        "1 validation error detected: Value at 'tenantId' failed to satisfy constraint: Member "
        "must "
        "satisfy regular expression pattern: [a-zA-Z0-9\\._:\\/=+\\-@ ]+");
    return false;
}

/* --- invoke ----------------------------------------------------------------------------------- */

/* That of the caller, else a new one that is not sampled. NULL: no memory. */
static char *make_trace_id(const struct service_call *call) {
    const char *given = service_header(call, "X-Amzn-Trace-Id");
    unsigned char bytes[24];
    struct buf text;

    if (given != NULL && strlen(given) <= TRACE_ID_MAX)
        return strdup(given);
    buf_init(&text, TRACE_ID_MAX);
    random_bytes(bytes, sizeof(bytes));
    buf_adds(&text, "Root=1-");
    hex_encode(&text, bytes, 4);
    buf_addc(&text, '-');
    hex_encode(&text, bytes + 4, 12);
    buf_adds(&text, ";Parent=");
    hex_encode(&text, bytes + 16, 8);
    buf_adds(&text, ";Sampled=0");
    return buf_take(&text, NULL);
}

static char *copy_bytes(const char *text, size_t len) {
    char *out = malloc(len + 1);
    if (out != NULL) {
        memcpy(out, text, len);
        out[len] = '\0';
    }
    return out;
}

/* An invocation for the call, with copies of what outlives it. NULL: no memory. */
static struct invocation *make_invocation(struct service_call *call, enum invoke_type type,
                                          const char *tenant, bool tail, const char *payload,
                                          size_t len) {
    struct invocation *inv = invocation_new(service_request_id(call));

    if (inv == NULL)
        return NULL;
    inv->payload = payload;
    inv->payload_len = len;
    inv->trace_id = make_trace_id(call);
    if (inv->trace_id == NULL)
        goto fail;
    if (tenant != NULL && (inv->tenant_id = strdup(tenant)) == NULL)
        goto fail;
    if (type == INVOKE_EVENT) {
        inv->payload = inv->owned_payload = copy_bytes(payload, len);
        if (inv->owned_payload == NULL)
            goto fail;
        return inv;
    }
    inv->call = call;
    if (tail && (inv->tail = calloc(1, sizeof(*inv->tail))) == NULL)
        goto fail;
    return inv;

fail:
    invocation_free(inv);
    return NULL;
}

static void invoke(struct function *function, struct service_call *call, enum invoke_type type) {
    const char *payload, *tenant, *reason;
    char *client_context = NULL;
    size_t len;
    bool tail;
    struct invocation *inv, *second = NULL; /* the same event once more */

    if (!read_log_type(call, &tail) || !read_payload(call, type, &payload, &len) ||
        !read_tenant(call, &tenant) || !read_client_context(call, type, &client_context))
        return;
    if (type == INVOKE_DRY_RUN) {
        free(client_context);
        service_set_header(call, "X-Amz-Executed-Version", "$LATEST");
        service_answer(call, 204, NULL, NULL, 0);
        return;
    }
    if (type == INVOKE_SYNC && (reason = function_throttles(function)) != NULL) {
        free(client_context);
        lambda_error(call, 429, "TooManyRequestsException", reason, "Rate Exceeded.");
        return;
    }
    inv = make_invocation(call, type, tenant, tail, payload, len);
    if (inv == NULL) {
        free(client_context);
        lambda_error(call, 500, "ServiceException", NULL, "Out of memory.");
        return;
    }
    inv->client_context = client_context;
    if (type == INVOKE_EVENT && call_is_twice(call))
        second = make_invocation(call, type, tenant, tail, payload, len);
    function_submit(function, inv);
    if (second != NULL)
        function_submit(function, second);
    if (type == INVOKE_EVENT)
        service_answer(call, 202, NULL, NULL, 0);
    function_schedule(function); /* a caller does not wait for the start of a worker */
}

void lambda_serve_invoke(struct function *f, const struct lambda_name *name,
                         struct service_call *call) {
    enum invoke_type type;

    (void)name;
    if (read_type(call, &type))
        invoke(f, call, type);
}
