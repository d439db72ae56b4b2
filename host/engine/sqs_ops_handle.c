/* What is done with receipt handles: DeleteMessage, ChangeMessageVisibility, and their batches. */
#include "host/engine/sqs_state.h"

#include <inttypes.h>

#include "host/engine/sqs_batch.h"

static bool missing(struct sqs_request *request, const char *name) {
    sqs_fail(request, "MissingRequiredParameterException",
             "The request must contain the parameter %s.", name);
    return false;
}

/* The handle in the input (a request's or an entry's), which must be one of this queue. */
static bool read_handle(struct sqs_request *request, const struct sqs_entry *entry,
                        const struct json_value *input, struct sqs_handle *out) {
    const struct json_value *v = sqs_get(input, "ReceiptHandle");
    if (!v || v->len == 0)
        return missing(request, "ReceiptHandle");
    if (sqs_handle_read(request->service->crypto, v->text, v->len, out) &&
        out->queue == entry->life)
        return true;
    sqs_fail(request, "ReceiptHandleIsInvalid",
             "The input receipt handle \"%.800s\" is not a valid receipt handle.", v->text);
    return false;
}

static bool refuse_handle(struct sqs_request *request, const struct json_value *input,
                          const char *reason) {
    sqs_fail(request, "InvalidParameterValueException",
             "Value %.800s for parameter ReceiptHandle is invalid. Reason: %s",
             sqs_get_text(input, "ReceiptHandle"), reason);
    return false;
}

static bool delete_one(struct sqs_request *request, struct sqs_entry *entry,
                       const struct json_value *input) {
    struct sqs_handle handle;
    if (!read_handle(request, entry, input, &handle))
        return false;
    if (sqs_queue_delete(entry->queue, handle.sequence, handle.generation, request->now_ms) ==
        SQS_EXPIRED)
        return refuse_handle(request, input, "The receipt handle has expired.");
    sqs_stir(request->service, entry);
    return true;
}

static bool change_one(struct sqs_request *request, struct sqs_entry *entry,
                       const struct json_value *input) {
    struct sqs_handle handle;
    const struct json_value *timeout = sqs_get(input, "VisibilityTimeout");
    if (!sqs_get(input, "ReceiptHandle"))
        return missing(request, "ReceiptHandle");
    if (!timeout)
        return missing(request, "VisibilityTimeout");
    if (timeout->integer < 0 || timeout->integer > SQS_VISIBILITY_MAX_MS / 1000) {
        sqs_fail(request, "InvalidParameterValueException",
                 "Value %" PRId64 " for parameter VisibilityTimeout is invalid. Reason: Must be "
                 "between 0 and 43200, if provided.",
                 timeout->integer);
        return false;
    }
    if (!read_handle(request, entry, input, &handle))
        return false;
    switch (sqs_queue_change_visibility(entry->queue, handle.sequence, handle.generation,
                                        timeout->integer * 1000, request->now_ms)) {
    case SQS_OK:
        sqs_stir(request->service, entry);
        return true;
    case SQS_TOO_LONG:
        sqs_fail(request, "InvalidParameterValueException",
                 "Value %" PRId64 " for parameter VisibilityTimeout is invalid. Reason: Total "
                 "VisibilityTimeout for the message is "
                 "beyond the limit [43200 seconds]",
                 timeout->integer);
        return false;
    case SQS_NO_MEMORY:
        sqs_fail_memory(request);
        return false;
    default:
        return refuse_handle(
            request, input,
            "Message does not exist or is not available for visibility timeout change.");
    }
}

typedef bool (*one)(struct sqs_request *request, struct sqs_entry *entry,
                    const struct json_value *input);

static enum sqs_outcome single(struct sqs_request *request, one operation) {
    struct sqs_entry *entry = sqs_entry_of(request);
    return entry && operation(request, entry, request->input) ? SQS_EMPTY : SQS_FAILED;
}

static enum sqs_outcome batched(struct sqs_request *request, one operation,
                                const char *entry_name) {
    struct sqs_entry *entry = sqs_entry_of(request);
    struct sqs_batch batch;
    if (!entry || !sqs_batch_begin(&batch, request, entry_name))
        return SQS_FAILED;
    for (const struct json_value *v = batch.entries->child; v; v = v->next) {
        if (!operation(request, entry, v)) {
            sqs_batch_fail(&batch, v);
            continue;
        }
        sqs_batch_succeed(&batch, v);
        json_object_end(request->out);
    }
    return sqs_batch_end(&batch);
}

enum sqs_outcome sqs_op_delete_message(struct sqs_request *request) {
    return single(request, delete_one);
}

enum sqs_outcome sqs_op_delete_message_batch(struct sqs_request *request) {
    return batched(request, delete_one, "DeleteMessageBatchRequestEntry");
}

enum sqs_outcome sqs_op_change_message_visibility(struct sqs_request *request) {
    return single(request, change_one);
}

enum sqs_outcome sqs_op_change_message_visibility_batch(struct sqs_request *request) {
    return batched(request, change_one, "ChangeMessageVisibilityBatchRequestEntry");
}
