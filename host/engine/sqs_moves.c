/* Message move tasks: StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask. Dead letters go back to the
** queues where they were dead, or to another one. Source: Amazon SQS API reference; developer guide, "Learn how to
** configure a dead-letter queue redrive": a message that was moved is a new one. */
#include "host/engine/sqs_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/base64.h"

enum {
    RATE_MAX = 500,  /* messages a second */
    LISTED_MAX = 10, /* tasks of a queue that are remembered */
    STEP = 100,      /* messages moved before others have their turn */
    HANDLE_MAX = 1024,
};

enum status { RUNNING, COMPLETED, CANCELLED, FAILED };
static const char *const status_names[] = {"RUNNING", "COMPLETED", "CANCELLED", "FAILED"};

struct sqs_move {
    struct sqs_move *next; /* the one that was begun before */
    char id[SQS_UUID_TEXT_SIZE];
    struct sqs_entry *source; /* with which the task goes */
    char *destination;        /* ARN; owned; NULL: where each message was dead */
    int64_t rate;             /* 0: as fast as it goes */
    int64_t started_ms;
    int64_t last_sequence; /* what comes later is not moved */
    size_t moved, to_move;
    enum status status;
    const char *reason; /* of FAILED */
};

/* --- moving ----------------------------------------------------------------------------------- */

static void move_one(struct sqs_service *service, struct sqs_move *task, int64_t now_ms) {
    struct sqs_queue *from = task->source->queue;
    const struct sqs_message *m = sqs_queue_peek(from, task->last_sequence, now_ms);
    if (!m) {
        task->status = COMPLETED;
        return;
    }
    const char *arn = task->destination ? task->destination : sqs_message_source(m);
    struct sqs_entry *to = sqs_entry_find_arn(service, arn);
    if (to && sqs_resend(service, to, m, now_ms)) {
        sqs_queue_remove(from, m->sequence);
        task->moved++;
        return;
    }
    task->status = FAILED;
    task->reason = to     ? "InternalFailure"
                   : *arn ? "AWS.SimpleQueueService.NonExistentQueue"
                          : "CouldNotDetermineMessageSource";
}

/* How many may go now. */
static int64_t allowance(const struct sqs_move *task, int64_t now_ms) {
    if (task->rate == 0)
        return STEP;
    int64_t due = (now_ms - task->started_ms) * task->rate / 1000 + 1 - (int64_t)task->moved;
    return due < STEP ? due : STEP;
}

void sqs_moves_run(struct sqs_service *service, int64_t now_ms) {
    for (struct sqs_move *task = service->moves; task; task = task->next) {
        for (int64_t left = allowance(task, now_ms); left > 0 && task->status == RUNNING; left--)
            move_one(service, task, now_ms);
    }
}

int64_t sqs_moves_due(const struct sqs_service *service) {
    int64_t due_ms = INT64_MAX;
    for (const struct sqs_move *task = service->moves; task; task = task->next) {
        if (task->status != RUNNING)
            continue;
        int64_t at_ms = task->started_ms;
        if (task->rate > 0)
            at_ms += ((int64_t)task->moved * 1000 + task->rate - 1) / task->rate;
        if (at_ms < due_ms)
            due_ms = at_ms;
    }
    return due_ms;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static void drop(struct sqs_move **at) {
    struct sqs_move *task = *at;
    *at = task->next;
    free(task->destination);
    free(task);
}

void sqs_moves_forget(struct sqs_service *service, const struct sqs_entry *source) {
    for (struct sqs_move **at = &service->moves; *at;) {
        if ((*at)->source == source)
            drop(at);
        else
            at = &(*at)->next;
    }
}

/* Makes room for one more of the queue's. */
static void forget_oldest(struct sqs_service *service, const struct sqs_entry *source) {
    size_t count = 0;
    for (struct sqs_move **at = &service->moves; *at;) {
        if ((*at)->source == source && ++count >= LISTED_MAX)
            drop(at);
        else
            at = &(*at)->next;
    }
}

/* A TaskHandle is base64 of JSON, as AWS's are. */
static void write_handle(struct json_writer *out, const struct sqs_move *task, const char *arn) {
    struct buf plain, text;
    struct json_writer w;
    buf_init(&plain, HANDLE_MAX);
    buf_init(&text, 2 * HANDLE_MAX);
    json_writer_init(&w, &plain);
    json_object_begin(&w);
    json_member(&w, "taskId", task->id);
    json_member(&w, "sourceArn", arn);
    json_object_end(&w);
    base64_encode(&text, buf_text(&plain), plain.len);
    json_member(out, "TaskHandle", buf_text(&text));
    buf_free(&plain);
    buf_free(&text);
}

/* The task of the input's TaskHandle; NULL: the request has failed. */
static struct sqs_move *read_handle(struct sqs_request *request) {
    const struct json_value *handle = sqs_get(request->input, "TaskHandle");
    if (!handle || handle->len == 0) {
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter TaskHandle.");
        return NULL;
    }
    struct buf plain;
    buf_init(&plain, HANDLE_MAX);
    bool ok = base64_decode(&plain, handle->text, handle->len);
    struct json_tree *tree = ok ? json_parse(buf_text(&plain), plain.len, 8, NULL, 0) : NULL;
    const char *id = tree ? json_get_text(json_root(tree), "taskId") : NULL;
    struct sqs_move *task = id ? request->service->moves : NULL;
    while (task && strcmp(task->id, id) != 0)
        task = task->next;
    if (!id)
        sqs_fail(request, "InvalidParameterValueException",
                 "Value for parameter TaskHandle is invalid.");
    else if (!task)
        sqs_fail(request, "ResourceNotFoundException", "Task does not exist.");
    json_tree_free(tree);
    buf_free(&plain);
    return task;
}

/* --- operations ------------------------------------------------------------------------------- */

/* The queue of an ARN in the input; NULL: the request has failed. */
static struct sqs_entry *read_arn(struct sqs_request *request, const char *member) {
    const char *arn = sqs_get_text(request->input, member);
    struct sqs_entry *entry = arn ? sqs_entry_find_arn(request->service, arn) : NULL;
    if (!arn)
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter %s.", member);
    else if (!entry)
        sqs_fail(request, "ResourceNotFoundException",
                 "The resource that you specified for the %s parameter doesn't exist.", member);
    return entry;
}

static bool is_dead_letter_queue(const struct sqs_service *service, const struct sqs_entry *entry) {
    for (const struct sqs_entry *e = service->entries; e; e = e->hh.next) {
        if (e->attributes.dead_letter_arn && strcmp(e->attributes.dead_letter_arn, entry->arn) == 0)
            return true;
    }
    return false;
}

static bool is_running(const struct sqs_service *service, const struct sqs_entry *source) {
    for (const struct sqs_move *task = service->moves; task; task = task->next) {
        if (task->source == source && task->status == RUNNING)
            return true;
    }
    return false;
}

static bool read_number(struct sqs_request *request, const char *member, int64_t most,
                        int64_t initial, int64_t *out) {
    const struct json_value *v = sqs_get(request->input, member);
    *out = v ? v->integer : initial;
    if (!v || (v->integer >= 1 && v->integer <= most))
        return true;
    sqs_fail(request, "InvalidParameterValueException",
             "Value %" PRId64 " for parameter %s is invalid. Reason: Must be between 1 and %" PRId64
             ", if provided.",
             v->integer, member, most);
    return false;
}

static bool refuse(struct sqs_request *request, const char *message) {
    sqs_fail(request, "InvalidParameterValueException", "%s", message);
    return false;
}

/* What a task may be: to NULL is each message's own queue. */
static bool check(struct sqs_request *request, const struct sqs_entry *from,
                  const struct sqs_entry *to) {
    if (!is_dead_letter_queue(request->service, from))
        return refuse(request, "Source queue must be configured as a Dead Letter Queue.");
    if (to == from)
        return refuse(request, "Source queue and destination queue must not be the same.");
    if (to && to->fifo != from->fifo)
        return refuse(request, "Source queue and destination queue must be of the same type.");
    if (is_running(request->service, from))
        return refuse(request, "There is already a task running. Only one active task is allowed "
                               "for a source queue arn at a given time.");
    return true;
}

enum sqs_outcome sqs_op_start_message_move_task(struct sqs_request *request) {
    struct sqs_service *service = request->service;
    struct sqs_entry *from = read_arn(request, "SourceArn"), *to = NULL;
    int64_t rate;
    if (!from || !read_number(request, "MaxNumberOfMessagesPerSecond", RATE_MAX, 0, &rate))
        return SQS_FAILED;
    if (sqs_get(request->input, "DestinationArn") && !(to = read_arn(request, "DestinationArn")))
        return SQS_FAILED;
    if (!check(request, from, to))
        return SQS_FAILED;
    struct sqs_move *task = calloc(1, sizeof(*task));
    if (!task || (to && !(task->destination = strdup(to->arn)))) {
        free(task);
        return sqs_fail_memory(request);
    }
    random_pool_uuid(&service->ids, task->id);
    task->source = from;
    task->rate = rate;
    task->started_ms = request->now_ms;
    task->last_sequence = sqs_queue_last(from->queue);
    task->to_move = sqs_queue_count(from->queue, request->now_ms).visible;
    forget_oldest(service, from);
    task->next = service->moves;
    service->moves = task;
    write_handle(request->out, task, from->arn);
    return SQS_ANSWERED;
}

static void member_integer(struct json_writer *out, const char *name, int64_t value) {
    json_key(out, name);
    json_integer(out, value);
}

static void write_task(struct json_writer *out, const struct sqs_move *task) {
    const char *source = task->source->arn;
    json_object_begin(out);
    if (task->status == RUNNING)
        write_handle(out, task, source);
    json_member(out, "Status", status_names[task->status]);
    json_member(out, "SourceArn", source);
    if (task->destination)
        json_member(out, "DestinationArn", task->destination);
    if (task->rate > 0)
        member_integer(out, "MaxNumberOfMessagesPerSecond", task->rate);
    member_integer(out, "ApproximateNumberOfMessagesMoved", (int64_t)task->moved);
    member_integer(out, "ApproximateNumberOfMessagesToMove", (int64_t)task->to_move);
    if (task->status == FAILED)
        json_member(out, "FailureReason", task->reason);
    member_integer(out, "StartedTimestamp", task->started_ms);
    json_object_end(out);
}

enum sqs_outcome sqs_op_list_message_move_tasks(struct sqs_request *request) {
    const struct sqs_entry *source = read_arn(request, "SourceArn");
    int64_t most, count = 0;
    if (!source || !read_number(request, "MaxResults", LISTED_MAX, 1, &most))
        return SQS_FAILED;
    for (const struct sqs_move *task = request->service->moves; task && count < most;
         task = task->next) {
        if (task->source != source)
            continue;
        if (count++ == 0) {
            json_key(request->out, "Results");
            json_array_begin(request->out);
        }
        write_task(request->out, task);
    }
    if (count > 0)
        json_array_end(request->out);
    return SQS_ANSWERED;
}

enum sqs_outcome sqs_op_cancel_message_move_task(struct sqs_request *request) {
    struct sqs_move *task = read_handle(request);
    if (!task)
        return SQS_FAILED;
    if (task->status != RUNNING)
        return sqs_fail(request, "UnsupportedOperation",
                        "Only a task that is RUNNING can be cancelled; this one is %s.",
                        status_names[task->status]);
    task->status = CANCELLED;
    member_integer(request->out, "ApproximateNumberOfMessagesMoved", (int64_t)task->moved);
    return SQS_ANSWERED;
}
