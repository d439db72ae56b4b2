#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include "host/base/buf.h"
#include "host/engine/lambda_call.h"
#include "host/json/json.h"

#define FUNCTIONS "/functions/"
#define PREFIX    "/2015-03-31" FUNCTIONS
#define DATE_LEN  11 /* of `/2015-03-31`, which the front has seen */
#define ERROR_MAX 16384

/* --- answers ---------------------------------------------------------------------------------- */

void lambda_error(struct service_call *call, int status, const char *type, const char *reason,
                  const char *message) {
    struct buf body;
    struct json_writer json;

    buf_init(&body, ERROR_MAX * 8);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    if (reason != NULL)
        json_member(&json, "Reason", reason);
    json_member(&json, "Type", status < 500 ? "User" : "Service");
    if (!json_member(&json, "message", message) && buf_ok(&body))
        json_string(&json, "");
    json_object_end(&json);
    service_set_header(call, "x-amzn-ErrorType", type);
    service_answer(call, status, "application/json", buf_text(&body), body.len);
    buf_free(&body);
}

void lambda_fail(struct service_call *call, int status, const char *type, const char *format, ...) {
    struct buf message;
    va_list args;

    buf_init(&message, ERROR_MAX);
    va_start(args, format);
    buf_vaddf(&message, format, args);
    va_end(args);
    lambda_error(call, status, type, NULL, buf_text(&message));
    buf_free(&message);
}

bool lambda_check_json(const char *text, size_t len, char *error_out, size_t error_size) {
    struct json_reader reader;
    enum json_token token;

    json_reader_init(&reader, text, len, JSON_DEPTH_MAX);
    do
        token = json_next(&reader);
    while (token != JSON_END && token != JSON_ERROR);
    if (token == JSON_ERROR)
        json_reader_message(&reader, error_out, error_size);
    return token == JSON_END;
}

/* --- which function --------------------------------------------------------------------------- */

/* The percent-decoded name of `/DATE/functions/NAME` and what follows, as in `/invocations`; NULL
** for another path. */
static char *function_of_path(const char *path, const char **rest_out) {
    const char *name = path + sizeof(PREFIX) - 1;
    size_t len;
    char *encoded, *decoded;

    if (strncmp(path + DATE_LEN, FUNCTIONS, sizeof(FUNCTIONS) - 1) != 0)
        return NULL;
    len = strcspn(name, "/");
    *rest_out = name + len;
    if (len == 0)
        return NULL;
    encoded = strndup(name, len);
    if (encoded == NULL)
        return NULL;
    decoded = evhttp_uridecode(encoded, 0, NULL);
    free(encoded);
    return decoded;
}

static bool check_name(const struct engine_config *config, const char *operation,
                       struct service_call *call, const char *text, struct lambda_name *name) {
    if (!lambda_name_parse(text, name)) {
        lambda_fail(call, 400, "ValidationException",
                    "1 validation error detected: Value '%s' at 'functionName' failed to satisfy "
                    "constraint: Member must satisfy regular expression pattern: %s",
                    text, LAMBDA_NAME_PATTERN);
        return false;
    }
    if (name->region[0] != '\0' && strcmp(name->region, config->region) != 0) {
        lambda_fail(call, 404, "ResourceNotFoundException",
                    "Functions from '%s' are not reachable in this region ('%s')", name->region,
                    config->region);
        return false;
    }
    if (name->account[0] != '\0' && strcmp(name->account, config->account) != 0) {
        lambda_fail(
            call, 403, "AccessDeniedException",
            "User: arn:aws:iam::%s:user/awsync is not authorized to perform: lambda:%s "
            "on resource: arn:aws:lambda:%s:%s:function:%s because no resource-based policy allows "
            "the lambda:%s action",
            config->account, operation, config->region, name->account, name->function, operation);
        return false;
    }
    return true;
}

/* `Qualifier=` of the query: false when the call has been refused. */
static bool check_qualifier(struct service_call *call, struct lambda_name *name) {
    char text[LAMBDA_QUALIFIER_MAX + 1];

    switch (lambda_qualifier_of_query(service_query(call), text)) {
    case LAMBDA_QUALIFIER_NONE:
        return true;
    case LAMBDA_QUALIFIER_BAD:
        lambda_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value at 'qualifier' failed to satisfy constraint: "
            "Member "
            "must satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+");
        return false;
    case LAMBDA_QUALIFIER_GIVEN:
        break;
    }
    if (name->qualifier[0] != '\0' && strcmp(name->qualifier, text) != 0) {
        lambda_fail(
            call, 400, "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.");
        return false;
    }
    memcpy(name->qualifier, text, sizeof(text));
    return true;
}

/* There is one function, and of that one version. */
static bool find_function(const struct engine_config *config, const char *operation,
                          struct service_call *call, const char *text, struct lambda_name *name) {
    const char *qualifier;

    if (!check_name(config, operation, call, text, name) || !check_qualifier(call, name))
        return false;
    qualifier = name->qualifier[0] != '\0' ? name->qualifier : "$LATEST";
    if (config->function_name != NULL && strcmp(name->function, config->function_name) == 0 &&
        strcmp(qualifier, "$LATEST") == 0)
        return true;
    lambda_fail(call, 404, "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:%s:%s:function:%s:%s", config->region,
                config->account, name->function, qualifier);
    return false;
}

/* --- which operation -------------------------------------------------------------------------- */

static const struct operation {
    const char *method, *date, *rest;
    const char *action; /* as policies name it */
    lambda_operation serve;
} operations[] = {
    {"POST", "2015-03-31", "/invocations", "InvokeFunction", lambda_serve_invoke},
    {"GET", "2015-03-31", "", "GetFunction", lambda_get_function},
    {"GET", "2015-03-31", "/configuration", "GetFunctionConfiguration", lambda_get_configuration},
    {"PUT", "2017-10-31", "/concurrency", "PutFunctionConcurrency", lambda_put_concurrency},
    {"GET", "2019-09-30", "/concurrency", "GetFunctionConcurrency", lambda_get_concurrency},
    {"DELETE", "2017-10-31", "/concurrency", "DeleteFunctionConcurrency",
     lambda_delete_concurrency},
    {"PUT", "2019-09-25", "/event-invoke-config", "PutFunctionEventInvokeConfig",
     lambda_put_event_config},
    {"POST", "2019-09-25", "/event-invoke-config", "UpdateFunctionEventInvokeConfig",
     lambda_update_event_config},
    {"GET", "2019-09-25", "/event-invoke-config", "GetFunctionEventInvokeConfig",
     lambda_get_event_config},
    {"DELETE", "2019-09-25", "/event-invoke-config", "DeleteFunctionEventInvokeConfig",
     lambda_delete_event_config},
};

static const struct operation *find_operation(const struct service_call *call, const char *rest) {
    const char *method = service_method(call), *path = service_path(call);

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        const struct operation *o = &operations[i];
        if (strcmp(o->method, method) == 0 && strcmp(o->rest, rest) == 0 &&
            strncmp(path + 1, o->date, DATE_LEN - 1) == 0)
            return o;
    }
    return NULL;
}

bool lambda_is_invoke(const struct service_call *call) {
    const char *path = service_path(call);
    size_t len = strlen(path), end = strlen("/invocations");
    return len > end && strcmp(path + len - end, "/invocations") == 0;
}

void lambda_call(const struct engine_config *config, struct function *function,
                 struct service_call *call) {
    const struct operation *operation = NULL;
    struct lambda_name name;
    const char *rest;
    char *text = function_of_path(service_path(call), &rest);

    if (text != NULL)
        operation = find_operation(call, rest);
    if (operation == NULL)
        lambda_fail(call, 404, "UnknownOperationException",
                    "The engine has no Lambda operation %s %s: it knows Invoke, GetFunction, "
                    "GetFunctionConfiguration, and the operations of FunctionConcurrency and "
                    "FunctionEventInvokeConfig.",
                    service_method(call), service_path(call));
    else if (find_function(config, operation->action, call, text, &name))
        operation->serve(function, &name, call);
    free(text);
}
