/* The registry of queues, and the way from a call to its operation and back. */
#include "host/engine/sqs_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/engine/sqs_query.h"
#include "host/engine/sqs_shapes.h"

#define CONTENT_TYPE "application/x-amz-json-1.0"

enum {
    INPUT_DEPTH = 64,
    ANSWER_MAX = 128 * 1024 * 1024, /* ten messages of 1 MiB, each byte written in six */
    ANSWER_KEEP = 1024 * 1024,      /* a larger buffer is given back after use */
    SWEEP_SECONDS = 30,
    UNIT = 64 * 1024, /* bytes of payload that are billed as one request */
};

struct sqs_grave {
    UT_hash_handle hh;
    int64_t deleted_ms;
    char name[];
};

int64_t sqs_now(const struct sqs_service *service) {
    return service->epoch_ms + clock_mono_ms();
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    sqs_wake(context);
}

static void on_sweep(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct sqs_service *service = context;
    int64_t now_ms = sqs_now(service);
    for (struct sqs_entry *entry = service->entries; entry; entry = entry->hh.next)
        sqs_queue_advance(entry->queue, now_ms);
    sqs_grave_fresh(service, "", now_ms);
}

struct sqs_service *sqs_service_new(struct event_base *base,
                                    const struct sqs_service_options *options) {
    struct sqs_service *service = calloc(1, sizeof(*service));
    if (!service)
        return NULL;
    service->base = base;
    service->options = *options;
    service->armed_ms = -1;
    service->epoch_ms = clock_wall_ms() - clock_mono_ms();
    heap_init(&service->deadlines);
    heap_init(&service->wakes);
    buf_init(&service->answer, ANSWER_MAX);
    service->crypto = sqs_crypto_new();
    service->timer = evtimer_new(base, on_timer, service);
    service->sweep = event_new(base, -1, EV_PERSIST, on_sweep, service);
    struct timeval pause = {.tv_sec = SWEEP_SECONDS};
    if (service->crypto && service->timer && service->sweep &&
        event_add(service->sweep, &pause) == 0)
        return service;
    sqs_service_free(service);
    return NULL;
}

static void graves_free(struct sqs_service *service) {
    while (service->graves) {
        struct sqs_grave *grave = service->graves;
        HASH_DELETE(hh, service->graves, grave);
        free(grave);
    }
}

void sqs_service_free(struct sqs_service *service) {
    if (!service)
        return;
    for (struct sqs_entry *entry = service->entries; entry; entry = entry->hh.next)
        sqs_waiters_end(entry, NULL, NULL);
    while (service->entries)
        sqs_entry_free(service, service->entries);
    graves_free(service);
    heap_free(&service->deadlines);
    heap_free(&service->wakes);
    if (service->timer)
        event_free(service->timer);
    if (service->sweep)
        event_free(service->sweep);
    sqs_crypto_free(service->crypto);
    buf_free(&service->answer);
    free(service);
}

void sqs_service_skip(struct sqs_service *service, int64_t ms) {
    service->epoch_ms += ms;
    sqs_wake(service);
}

size_t sqs_service_queue_count(const struct sqs_service *service) {
    return HASH_COUNT(service->entries);
}

/* --- registry --------------------------------------------------------------------------------- */

struct sqs_entry *sqs_entry_find(const struct sqs_service *service, const char *name) {
    struct sqs_entry *entry = NULL;
    HASH_FIND_STR(service->entries, name, entry);
    return entry;
}

struct sqs_entry *sqs_entry_find_arn(const struct sqs_service *service, const char *arn) {
    const char *colon = strrchr(arn, ':');
    struct sqs_entry *entry = colon ? sqs_entry_find(service, colon + 1) : NULL;
    return entry && strcmp(entry->arn, arn) == 0 ? entry : NULL;
}

/* True when the URL's path ends in /ACCOUNT/NAME with this account; clients reach us by many a
** host name. */
static struct sqs_entry *find_url(const struct sqs_request *request, const char *url) {
    const char *name = strrchr(url, '/');
    const char *account = service_account(request->call);
    size_t account_len = strlen(account);
    if (!name || (size_t)(name - url) <= account_len || name[-1 - (ptrdiff_t)account_len] != '/' ||
        memcmp(name - account_len, account, account_len) != 0)
        return NULL;
    return sqs_entry_find(request->service, name + 1);
}

struct sqs_entry *sqs_entry_of(struct sqs_request *request) {
    const char *url = sqs_get_text(request->input, "QueueUrl");
    struct sqs_entry *entry = url ? find_url(request, url) : NULL;
    if (!entry)
        sqs_fail(request, "QueueDoesNotExist", "The specified queue does not exist.");
    return entry;
}

void sqs_entry_url(const struct sqs_request *request, const char *name, struct buf *out) {
    buf_addf(out, "http://%s/%s/%s", service_host(request->call), service_account(request->call),
             name);
}

void sqs_entry_apply(struct sqs_entry *entry) {
    const int64_t *number = entry->attributes.number;
    struct sqs_queue_rules rules = {
        .fifo = entry->fifo,
        .dedup_by_group = number[SQS_DEDUP_SCOPE] != 0,
        .delay_ms = number[SQS_DELAY_SECONDS] * 1000,
        .retention_ms = number[SQS_RETENTION_SECONDS] * 1000,
        .in_flight_max = SQS_IN_FLIGHT_MAX,
    };
    if (entry->queue)
        sqs_queue_set_rules(entry->queue, &rules);
    else
        entry->queue = sqs_queue_new(&rules);
}

static void entry_drop(struct sqs_entry *entry) {
    sqs_queue_free(entry->queue);
    sqs_attributes_free(&entry->attributes);
    for (size_t i = 0; i < entry->tag_count; i++) {
        free(entry->tags[i].key);
        free(entry->tags[i].value);
    }
    free(entry->name);
    free(entry->arn);
    free(entry);
}

struct sqs_entry *sqs_entry_new(struct sqs_service *service, const char *name, const char *arn,
                                bool fifo, const struct sqs_attributes *attributes,
                                int64_t now_ms) {
    struct sqs_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    entry->name = strdup(name);
    entry->arn = strdup(arn);
    entry->life = random_u64();
    entry->fifo = fifo;
    entry->created_ms = entry->modified_ms = now_ms;
    entry->purged_ms = -1;
    if (!entry->name || !entry->arn || !sqs_attributes_copy(&entry->attributes, attributes))
        goto failed;
    sqs_entry_apply(entry);
    if (!entry->queue)
        goto failed;
    HASH_ADD_KEYPTR(hh, service->entries, entry->name, strlen(entry->name), entry);
    if (entry->hh.tbl)
        return entry;
failed:
    entry_drop(entry);
    return NULL;
}

void sqs_entry_free(struct sqs_service *service, struct sqs_entry *entry) {
    HASH_DELETE(hh, service->entries, entry);
    sqs_waiters_end(entry, "QueueDoesNotExist", "The specified queue does not exist.");
    sqs_moves_forget(service, entry);
    heap_remove(&service->wakes, &entry->wake);
    for (struct sqs_entry **at = &service->stirred; *at; at = &(*at)->next_stirred) {
        if (*at == entry) {
            *at = entry->next_stirred;
            break;
        }
    }
    entry_drop(entry);
}

bool sqs_grave_dig(struct sqs_service *service, const char *name, int64_t now_ms) {
    if (service->options.lenient)
        return true;
    size_t len = strlen(name);
    struct sqs_grave *grave = calloc(1, sizeof(*grave) + len + 1);
    if (!grave)
        return false;
    memcpy(grave->name, name, len);
    grave->deleted_ms = now_ms;
    HASH_ADD_KEYPTR(hh, service->graves, grave->name, len, grave);
    if (grave->hh.tbl)
        return true;
    free(grave);
    return false;
}

bool sqs_grave_fresh(struct sqs_service *service, const char *name, int64_t now_ms) {
    while (service->graves && now_ms - service->graves->deleted_ms >= SQS_QUIET_MS) {
        struct sqs_grave *grave = service->graves;
        HASH_DELETE(hh, service->graves, grave);
        free(grave);
    }
    struct sqs_grave *grave = NULL;
    HASH_FIND_STR(service->graves, name, grave);
    return grave != NULL;
}

/* --- calls ------------------------------------------------------------------------------------ */

enum sqs_outcome sqs_fail(struct sqs_request *request, const char *code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(request->message, sizeof(request->message), format, args);
    va_end(args);
    /* What was cut off may have left half a character. */
    size_t end = len < 0 ? 0 : strlen(request->message);
    while (end && !json_utf8_valid(request->message, end))
        end--;
    request->message[end] = '\0';
    request->code = code;
    return SQS_FAILED;
}

enum sqs_outcome sqs_fail_memory(struct sqs_request *request) {
    return sqs_fail(request, "InternalFailure", "The engine has run out of memory.");
}

void sqs_bill(const struct sqs_service *service, const struct sqs_operation *operation, bool fifo,
              size_t payload) {
    const struct sqs_service_options *options = &service->options;
    uint64_t units = payload > UNIT ? (payload + UNIT - 1) / UNIT : 1;
    if (options->bill)
        options->bill(options->context, sqs_operation_index(operation), fifo, units);
}

void sqs_answer(struct sqs_service *service, struct service_call *call,
                const struct sqs_operation *operation, bool empty) {
    if (!buf_ok(&service->answer))
        sqs_service_error(call, "InternalFailure", "The engine has run out of memory.");
    else if (sqs_query_asked(call))
        sqs_query_answer(call, operation->name, empty ? NULL : &service->answer);
    else if (empty)
        service_answer(call, 200, CONTENT_TYPE, "", 0);
    else
        service_answer(call, 200, CONTENT_TYPE, service->answer.data, service->answer.len);
    if (service->answer.cap > ANSWER_KEEP)
        buf_free(&service->answer);
}

/* Of the JSON protocol; NULL: unknown. */
static const struct sqs_operation *find_target(const struct service_call *call,
                                               const char **name_out) {
    static const char prefix[] = "AmazonSQS.";
    const char *target = service_header(call, "X-Amz-Target");
    *name_out = target && strncmp(target, prefix, sizeof(prefix) - 1) == 0
                    ? target + sizeof(prefix) - 1
                    : "";
    return sqs_operation_find(*name_out);
}

unsigned sqs_service_operation(const struct service_call *call) {
    const char *name;
    const struct sqs_operation *operation =
        sqs_query_asked(call) ? sqs_query_operation(call) : find_target(call, &name);
    return operation ? sqs_operation_index(operation) : SQS_OPERATION_COUNT;
}

/* Finds the operation and makes the tree of its input. False: the request has failed. */
static bool read_json(struct sqs_request *request) {
    const char *name;
    char error[256] = "";
    size_t len = 0;
    request->operation = find_target(request->call, &name);
    if (!request->operation) {
        sqs_fail(request, "UnknownOperationException",
                 "The action %s is not valid for this endpoint.", name);
        return false;
    }
    const char *body = service_body(request->call, &len);
    if (len == 0) {
        body = "{}";
        len = 2;
    }
    request->tree = json_parse(body, len, INPUT_DEPTH, error, sizeof(error));
    if (!request->tree)
        sqs_fail(request, "SerializationException", "%s", error);
    return request->tree != NULL;
}

/* FIFO queues, and they alone, have names that end so. */
static bool names_fifo(const struct json_value *input) {
    const char *name = sqs_get_text(input, "QueueUrl");
    if (!name)
        name = sqs_get_text(input, "QueueName");
    if (!name)
        name = sqs_get_text(input, "SourceArn");
    size_t len = name ? strlen(name) : 0;
    return len > 5 && strcmp(name + len - 5, ".fifo") == 0;
}

static enum sqs_outcome run(struct sqs_request *request) {
    char error[256] = "";
    if (!(sqs_query_asked(request->call) ? sqs_query_read(request) : read_json(request)))
        return SQS_FAILED;
    request->input = json_root(request->tree);
    if (request->input->type != JSON_T_OBJECT)
        return sqs_fail(request, "SerializationException", "The body must be a JSON object.");
    if (!sqs_input_check(request->input, request->operation->input, error, sizeof(error)))
        return sqs_fail(request, "SerializationException", "%s", error);
    request->fifo = names_fifo(request->input);
    return request->operation->run(request);
}

void sqs_service_call(struct sqs_service *service, struct service_call *call) {
    struct json_writer out;
    struct sqs_request request = {.service = service,
                                  .call = call,
                                  .out = &out,
                                  .now_ms = sqs_now(service)};
    /* What has come due belongs to those who wait already. */
    const struct heap_node *wake = heap_least(&service->wakes);
    if (wake && wake->key <= request.now_ms)
        sqs_wake(service);
    buf_reset(&service->answer);
    json_writer_init(&out, &service->answer);
    json_object_begin(&out);
    enum sqs_outcome outcome = run(&request);
    json_object_end(&out);
    if (outcome != SQS_WAITS && request.operation)
        sqs_bill(service, request.operation, request.fifo,
                 outcome == SQS_FAILED ? 0 : request.payload);
    if (outcome == SQS_FAILED)
        sqs_service_error(call, request.code, request.message);
    else if (outcome != SQS_WAITS)
        sqs_answer(service, call, request.operation, outcome == SQS_EMPTY);
    json_tree_free(request.tree);
    sqs_settle(service);
}
