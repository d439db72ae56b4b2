#include "host/engine/sqs_batch.h"

#include <string.h>

#include "host/engine/sqs_error.h"

static bool id_valid(const struct json_value *id) {
    if (id->len == 0 || id->len > SQS_NAME_MAX)
        return false;
    for (size_t i = 0; i < id->len; i++) {
        char c = id->text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

bool sqs_batch_begin(struct sqs_batch *batch, struct sqs_request *request, const char *entry_name) {
    batch->request = request;
    batch->succeeded = batch->failed = 0;
    batch->entries = sqs_get(request->input, "Entries");
    if (!batch->entries || batch->entries->len == 0) {
        sqs_fail(request, "EmptyBatchRequest", "There should be at least one %s in the request.",
                 entry_name);
        return false;
    }
    if (batch->entries->len > SQS_BATCH_ENTRIES) {
        sqs_fail(request, "TooManyEntriesInBatchRequest",
                 "Maximum number of entries per request are %d. You have sent %zu.",
                 SQS_BATCH_ENTRIES, batch->entries->len);
        return false;
    }
    size_t number = 0;
    for (const struct json_value *v = batch->entries->child; v; v = v->next) {
        const struct json_value *id = sqs_get(v, "Id");
        number++;
        if (!id) {
            sqs_fail(request, "MissingRequiredParameterException",
                     "The request must contain the parameter %s.%zu.Id.", entry_name, number);
            return false;
        }
        if (!id_valid(id)) {
            sqs_fail(request, "InvalidBatchEntryId",
                     "A batch entry id can only contain alphanumeric characters, hyphens and "
                     "underscores. It can be at most %d "
                     "letters long.",
                     SQS_NAME_MAX);
            return false;
        }
        for (const struct json_value *other = batch->entries->child; other != v;
             other = other->next) {
            if (strcmp(sqs_get_text(other, "Id"), id->text) == 0) {
                sqs_fail(request, "BatchEntryIdsNotDistinct", "Id %s repeated.", id->text);
                return false;
            }
        }
    }
    return true;
}

void sqs_batch_succeed(struct sqs_batch *batch, const struct json_value *entry) {
    struct json_writer *out = batch->request->out;
    if (batch->succeeded++ == 0) {
        json_key(out, "Successful");
        json_array_begin(out);
    }
    json_object_begin(out);
    json_member(out, "Id", sqs_get_text(entry, "Id"));
}

void sqs_batch_fail(struct sqs_batch *batch, const struct json_value *entry) {
    size_t i = batch->failed++;
    batch->failures[i].id = sqs_get_text(entry, "Id");
    batch->failures[i].code = batch->request->code;
    memcpy(batch->failures[i].message, batch->request->message, sizeof(batch->request->message));
    batch->request->code = NULL;
}

enum sqs_outcome sqs_batch_end(struct sqs_batch *batch) {
    struct json_writer *out = batch->request->out;
    if (batch->succeeded)
        json_array_end(out);
    if (batch->failed) {
        json_key(out, "Failed");
        json_array_begin(out);
        for (size_t i = 0; i < batch->failed; i++) {
            struct sqs_error error = sqs_error_find(batch->failures[i].code);
            json_object_begin(out);
            json_member(out, "Id", batch->failures[i].id);
            json_key(out, "SenderFault");
            json_bool(out, error.status < 500);
            json_member(out, "Code", error.query_code);
            json_member(out, "Message", batch->failures[i].message);
            json_object_end(out);
        }
        json_array_end(out);
    }
    return SQS_ANSWERED;
}
