/* The operations of Lambda's API that read and change the function's settings. Source: Lambda API
** reference 2015-03-31; the dates in the paths are those of the operations. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "host/base/clock.h"
#include "host/engine/function.h"
#include "host/engine/lambda_call.h"
#include "host/json/json.h"

#define ANSWER_MAX 65536
#define ARN_MAX    512
/* An account's 1,000 executions, of which 100 stay unreserved. */
#define RESERVED_MAX   900
#define UNRESERVED_MIN 100

#define DESTINATION_PATTERN                                                                        \
    "^$|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}(-gov)?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)"

static void send_json(struct service_call *call, struct buf *body) {
    if (buf_ok(body))
        service_answer(call, 200, "application/json", body->data, body->len);
    else
        lambda_error(call, 500, "ServiceException", NULL, "Out of memory.");
    buf_free(body);
}

static void integer(struct json_writer *json, const char *key, int64_t value) {
    json_key(json, key);
    json_integer(json, value);
}

/* --- GetFunction, GetFunctionConfiguration ---------------------------------------------------- */

static const char *architecture(void) {
    struct utsname machine;
    return uname(&machine) == 0 && strcmp(machine.machine, "aarch64") == 0 ? "arm64" : "x86_64";
}

/* Without the environment: it holds the key of signed calls. */
static void write_configuration(const struct function *f, const struct lambda_name *name,
                                struct json_writer *json) {
    const struct engine_config *config = f->config;
    struct buf text;
    char date[CLOCK_ISO_SIZE];

    clock_iso_date(f->created_ms, date);
    buf_init(&text, ARN_MAX);
    json_object_begin(json);
    json_member(json, "FunctionName", config->function_name);
    buf_addf(&text, "%s%s%s", config->function_arn, name->qualifier[0] != '\0' ? ":" : "",
             name->qualifier);
    json_member(json, "FunctionArn", buf_text(&text));
    json_member(json, "Runtime", "provided.al2023");
    buf_reset(&text);
    buf_addf(&text, "arn:aws:iam::%s:role/awsync", config->account);
    json_member(json, "Role", buf_text(&text));
    json_member(json, "Handler", config->handler);
    integer(json, "CodeSize", 0);
    json_member(json, "Description", "");
    integer(json, "Timeout", config->timeout_s);
    integer(json, "MemorySize", config->memory_mb);
    buf_reset(&text);
    buf_addf(&text, "%.23s+0000", date);
    json_member(json, "LastModified", buf_text(&text));
    json_member(json, "Version", "$LATEST");
    json_member(json, "RevisionId", f->revision);
    json_member(json, "State", "Active");
    json_member(json, "LastUpdateStatus", "Successful");
    json_member(json, "PackageType", "Zip");
    json_key(json, "Architectures");
    json_array_begin(json);
    json_string(json, architecture());
    json_array_end(json);
    json_key(json, "TracingConfig");
    json_object_begin(json);
    json_member(json, "Mode", "PassThrough");
    json_object_end(json);
    json_key(json, "LoggingConfig");
    json_object_begin(json);
    json_member(json, "LogFormat", "Text");
    buf_reset(&text);
    buf_addf(&text, "/aws/lambda/%s", config->function_name);
    json_member(json, "LogGroup", buf_text(&text));
    json_object_end(json);
    json_object_end(json);
    buf_free(&text);
}

void lambda_get_configuration(struct function *f, const struct lambda_name *name,
                              struct service_call *call) {
    struct buf body;
    struct json_writer json;

    buf_init(&body, ANSWER_MAX);
    json_writer_init(&json, &body);
    write_configuration(f, name, &json);
    send_json(call, &body);
}

void lambda_get_function(struct function *f, const struct lambda_name *name,
                         struct service_call *call) {
    struct buf body;
    struct json_writer json;

    buf_init(&body, ANSWER_MAX);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    json_key(&json, "Configuration");
    write_configuration(f, name, &json);
    json_key(&json, "Code");
    json_object_begin(&json);
    json_object_end(&json);
    if (f->settings.reserved >= 0) {
        json_key(&json, "Concurrency");
        json_object_begin(&json);
        integer(&json, "ReservedConcurrentExecutions", f->settings.reserved);
        json_object_end(&json);
    }
    json_object_end(&json);
    send_json(call, &body);
}

/* --- what is asked ---------------------------------------------------------------------------- */

/* The body as a tree whose root is an object; NULL when the call has been refused. */
static struct json_tree *read_body(struct service_call *call) {
    size_t len;
    const char *text = service_body(call, &len);
    char error[256] = "an object is needed";
    struct json_tree *tree =
        json_parse(len > 0 ? text : "{}", len > 0 ? len : 2, 64, error, sizeof(error));

    if (tree != NULL && json_root(tree)->type == JSON_T_OBJECT)
        return tree;
    json_tree_free(tree);
    lambda_fail(call, 400, "InvalidRequestContentException",
                "Could not parse request body into json: %s", error);
    return NULL;
}

static bool is_null(const struct json_value *value) {
    return value == NULL || value->type == JSON_T_NULL;
}

/* member: as the message names it. False when the call has been refused. */
static bool check_range(struct service_call *call, const struct json_value *value,
                        const char *member, int64_t least, int64_t most) {
    bool small;

    if (value->type != JSON_T_INTEGER) {
        lambda_fail(call, 400, "SerializationException", "'%s' must be an integer", member);
        return false;
    }
    small = value->integer < least;
    if (!small && value->integer <= most)
        return true;
    lambda_fail(call, 400, "ValidationException",
                "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: "
                "Member must have value %s than or equal to %lld",
                (long long)value->integer, member, small ? "greater" : "less",
                (long long)(small ? least : most));
    return false;
}

/* --- reserved concurrency --------------------------------------------------------------------- */

/* It belongs to a function, not to a version. */
static bool refuse_qualifier(const struct lambda_name *name, struct service_call *call) {
    if (name->qualifier[0] == '\0')
        return false;
    lambda_fail(call, 400, "InvalidParameterValueException",
                "This operation is permitted on Lambda functions only. Aliases and versions do not "
                "support this operation. Please specify either a function name or an unqualified "
                "function ARN.");
    return true;
}

static void answer_concurrency(const struct function *f, struct service_call *call) {
    struct buf body;
    struct json_writer json;

    buf_init(&body, ANSWER_MAX);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    if (f->settings.reserved >= 0)
        integer(&json, "ReservedConcurrentExecutions", f->settings.reserved);
    json_object_end(&json);
    send_json(call, &body);
}

void lambda_put_concurrency(struct function *f, const struct lambda_name *name,
                            struct service_call *call) {
    struct json_tree *tree = NULL;
    const struct json_value *value;

    if (refuse_qualifier(name, call) || (tree = read_body(call)) == NULL)
        return;
    value = json_get(json_root(tree), "ReservedConcurrentExecutions");
    if (is_null(value)) {
        lambda_fail(call, 400, "ValidationException",
                    "1 validation error detected: Value null at 'reservedConcurrentExecutions' "
                    "failed to satisfy constraint: Member must not be null");
    } else if (check_range(call, value, "reservedConcurrentExecutions", 0, INT64_MAX)) {
        if (value->integer > RESERVED_MAX) {
            lambda_fail(call, 400, "InvalidParameterValueException",
                        "Specified ReservedConcurrentExecutions for function decreases account's "
                        "UnreservedConcurrentExecution below its minimum value of [%d].",
                        UNRESERVED_MIN);
        } else {
            f->settings.reserved = (int)value->integer;
            answer_concurrency(f, call);
            events_reconsider(f);
        }
    }
    json_tree_free(tree);
}

void lambda_get_concurrency(struct function *f, const struct lambda_name *name,
                            struct service_call *call) {
    if (!refuse_qualifier(name, call))
        answer_concurrency(f, call);
}

void lambda_delete_concurrency(struct function *f, const struct lambda_name *name,
                               struct service_call *call) {
    if (refuse_qualifier(name, call))
        return;
    f->settings.reserved = -1;
    service_answer(call, 204, NULL, NULL, 0);
    events_reconsider(f);
}

/* --- event invoke config ---------------------------------------------------------------------- */

/* Reads DestinationConfig.WHICH.Destination. *arn_out: a copy, NULL for none; *given_out: it was
** there at all. False when the call has been refused. */
static bool read_destination(const struct function *f, struct service_call *call,
                             const struct json_value *destinations, const char *which,
                             char **arn_out, bool *given_out) {
    const struct json_value *one = json_get(destinations, which);
    const char *arn = json_get_text(one, "Destination");
    struct buf prefix;
    bool ours;
    size_t len;

    *arn_out = NULL;
    *given_out = !is_null(one);
    if (arn == NULL || arn[0] == '\0')
        return true;
    len = strlen(arn);
    if (strncmp(arn, "arn:aws", 7) != 0 || len > ARN_MAX) {
        lambda_fail(call, 400, "ValidationException",
                    "1 validation error detected: Value '%.600s' at 'destinationConfig.%s"
                    ".destination' failed to satisfy constraint: Member must satisfy regular "
                    "expression pattern: %s",
                    arn, strcmp(which, "OnFailure") == 0 ? "onFailure" : "onSuccess",
                    DESTINATION_PATTERN);
        return false;
    }
    buf_init(&prefix, ARN_MAX);
    buf_addf(&prefix, "arn:aws:sqs:%s:%s:", f->config->region, f->config->account);
    ours = strncmp(arn, buf_text(&prefix), prefix.len) == 0 && strchr(arn, '.') == NULL &&
           len > prefix.len;
    buf_free(&prefix);
    if (!ours) {
        lambda_fail(call, 400, "InvalidParameterValueException",
                    "The destination ARN %s is invalid: the engine delivers to standard SQS queues "
                    "of its own region and account.",
                    arn);
        return false;
    }
    *arn_out = strdup(arn);
    if (*arn_out == NULL)
        lambda_error(call, 500, "ServiceException", NULL, "Out of memory.");
    return *arn_out != NULL;
}

static void write_destination(struct json_writer *json, const char *which, const char *arn) {
    json_key(json, which);
    json_object_begin(json);
    if (arn != NULL)
        json_member(json, "Destination", arn);
    json_object_end(json);
}

static void answer_event_config(const struct function *f, struct service_call *call) {
    const struct event_settings *s = &f->settings;
    struct buf body, arn;
    struct json_writer json;

    buf_init(&body, ANSWER_MAX);
    buf_init(&arn, ARN_MAX);
    buf_addf(&arn, "%s:$LATEST", f->config->function_arn);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    json_key(&json, "LastModified");
    json_double(&json, (double)s->modified_ms / 1000);
    json_member(&json, "FunctionArn", buf_text(&arn));
    if (s->retries >= 0)
        integer(&json, "MaximumRetryAttempts", s->retries);
    if (s->age_s > 0)
        integer(&json, "MaximumEventAgeInSeconds", s->age_s);
    json_key(&json, "DestinationConfig");
    json_object_begin(&json);
    write_destination(&json, "OnSuccess", s->on_success);
    write_destination(&json, "OnFailure", s->on_failure);
    json_object_end(&json);
    json_object_end(&json);
    buf_free(&arn);
    send_json(call, &body);
}

static bool refuse_unconfigured(const struct function *f, struct service_call *call) {
    if (f->settings.configured)
        return false;
    lambda_fail(call, 404, "ResourceNotFoundException",
                "The function %s:$LATEST doesn't have an EventInvokeConfig",
                f->config->function_arn);
    return true;
}

static void replace(char **to, char **from) {
    free(*to);
    *to = *from;
    *from = NULL;
}

/* whole: what is not given is set back, as PutFunctionEventInvokeConfig does. */
static void change_event_config(struct function *f, struct service_call *call, bool whole) {
    struct event_settings *s = &f->settings;
    struct json_tree *tree = read_body(call);
    const struct json_value *retries, *age, *destinations;
    char *on_success = NULL, *on_failure = NULL;
    bool success_given = false, failure_given = false;

    if (tree == NULL)
        return;
    retries = json_get(json_root(tree), "MaximumRetryAttempts");
    age = json_get(json_root(tree), "MaximumEventAgeInSeconds");
    destinations = json_get(json_root(tree), "DestinationConfig");
    if (is_null(retries) && is_null(age) && is_null(destinations)) {
        lambda_fail(call, 400, "InvalidParameterValueException",
                    "You must specify at least one of error handling or destination setting.");
        goto done;
    }
    if ((!is_null(retries) &&
         !check_range(call, retries, "maximumRetryAttempts", 0, EVENT_RETRIES_MAX)) ||
        (!is_null(age) &&
         !check_range(call, age, "maximumEventAgeInSeconds", EVENT_AGE_MIN_S, EVENT_AGE_MAX_S)) ||
        !read_destination(f, call, destinations, "OnSuccess", &on_success, &success_given) ||
        !read_destination(f, call, destinations, "OnFailure", &on_failure, &failure_given))
        goto done;
    if (whole || !is_null(retries))
        s->retries = is_null(retries) ? -1 : (int)retries->integer;
    if (whole || !is_null(age))
        s->age_s = is_null(age) ? 0 : (int)age->integer;
    if (whole || success_given)
        replace(&s->on_success, &on_success);
    if (whole || failure_given)
        replace(&s->on_failure, &on_failure);
    s->configured = true;
    s->modified_ms = clock_wall_ms();
    answer_event_config(f, call);
done:
    free(on_success);
    free(on_failure);
    json_tree_free(tree);
}

void lambda_put_event_config(struct function *f, const struct lambda_name *name,
                             struct service_call *call) {
    (void)name;
    change_event_config(f, call, true);
}

void lambda_update_event_config(struct function *f, const struct lambda_name *name,
                                struct service_call *call) {
    (void)name;
    if (!refuse_unconfigured(f, call))
        change_event_config(f, call, false);
}

void lambda_get_event_config(struct function *f, const struct lambda_name *name,
                             struct service_call *call) {
    (void)name;
    if (!refuse_unconfigured(f, call))
        answer_event_config(f, call);
}

void lambda_delete_event_config(struct function *f, const struct lambda_name *name,
                                struct service_call *call) {
    struct event_settings *s = &f->settings;

    (void)name;
    if (refuse_unconfigured(f, call))
        return;
    free(s->on_success);
    free(s->on_failure);
    *s = (struct event_settings){.retries = -1, .reserved = s->reserved};
    service_answer(call, 204, NULL, NULL, 0);
}
