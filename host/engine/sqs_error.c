#include "host/engine/sqs_error.h"

#include <string.h>

#include "host/base/buf.h"
#include "host/engine/sqs.h"
#include "host/engine/sqs_query.h"
#include "host/json/json.h"

#define CLASSIC "AWS.SimpleQueueService."

/* Amazon SQS API reference, error lists and awsQueryError traits; statuses as recorded. */
static const struct sqs_error errors[] = {
    {"QueueDoesNotExist", CLASSIC "NonExistentQueue", 400, false},
    {"QueueDeletedRecently", CLASSIC "QueueDeletedRecently", 400, false},
    {"QueueNameExists", "QueueAlreadyExists", 400, false},
    {"BatchEntryIdsNotDistinct", CLASSIC "BatchEntryIdsNotDistinct", 400, false},
    {"BatchRequestTooLong", CLASSIC "BatchRequestTooLong", 400, false},
    {"EmptyBatchRequest", CLASSIC "EmptyBatchRequest", 400, false},
    {"InvalidBatchEntryId", CLASSIC "InvalidBatchEntryId", 400, false},
    {"TooManyEntriesInBatchRequest", CLASSIC "TooManyEntriesInBatchRequest", 400, false},
    {"UnsupportedOperation", CLASSIC "UnsupportedOperation", 400, false},
    {"MessageNotInflight", CLASSIC "MessageNotInflight", 400, false},
    {"PurgeQueueInProgress", CLASSIC "PurgeQueueInProgress", 403, false},
    {"OverLimit", "OverLimit", 403, false},
    {"RequestThrottled", "RequestThrottled", 403, false},
    {"InvalidSecurity", "InvalidSecurity", 403, false},
    {"InvalidAddress", "InvalidAddress", 404, false},
    {"ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404, false},
    {"ResourceNotFoundException", "ResourceNotFoundException", 404, false},
    {"InvalidAttributeName", "InvalidAttributeName", 400, false},
    {"InvalidAttributeValue", "InvalidAttributeValue", 400, false},
    {"InvalidMessageContents", "InvalidMessageContents", 400, false},
    {"InvalidIdFormat", "InvalidIdFormat", 400, false},
    {"InvalidParameterValueException", "InvalidParameterValue", 400, true},
    {"MissingRequiredParameterException", "MissingParameter", 400, true},
    {"UnknownOperationException", "InvalidAction", 400, true},
    {"SerializationException", "MalformedInput", 400, true},
    {"AccessDeniedException", "AccessDenied", 403, true},
    {"UnrecognizedClientException", "InvalidClientTokenId", 403, true},
    {"InvalidSignatureException", "SignatureDoesNotMatch", 403, true},
    {"IncompleteSignatureException", "IncompleteSignature", 400, true},
    {"ExpiredTokenException", "ExpiredToken", 403, true},
    {"ThrottlingException", "ThrottlingException", 400, true},
    {"InternalFailure", "InternalFailure", 500, true},
    {"ServiceUnavailable", "ServiceUnavailable", 503, true},
};

struct sqs_error sqs_error_find(const char *code) {
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
        if (strcmp(errors[i].code, code) == 0)
            return errors[i];
    }
    return (struct sqs_error){code, code, 400, true};
}

void sqs_service_error(struct service_call *call, const char *code, const char *message) {
    if (sqs_query_asked(call)) {
        sqs_query_error(call, code, message);
        return;
    }
    struct sqs_error error = sqs_error_find(code);
    struct buf body, header;
    struct json_writer w;
    buf_init(&body, 64 * 1024);
    buf_init(&header, 256);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_key(&w, "__type");
    struct buf type;
    buf_init(&type, 256);
    buf_addf(&type, "%s#%s", error.front ? "com.amazon.coral.service" : "com.amazonaws.sqs",
             error.code);
    json_string(&w, buf_text(&type));
    buf_free(&type);
    if (!json_utf8_valid(message, strlen(message)))
        message = "The request is invalid.";
    json_member(&w, "message", message);
    json_object_end(&w);
    buf_addf(&header, "%s;%s", error.query_code, error.status < 500 ? "Sender" : "Receiver");
    service_set_header(call, "x-amzn-query-error", buf_text(&header));
    service_answer(call, error.status, "application/x-amz-json-1.0", buf_text(&body), body.len);
    buf_free(&header);
    buf_free(&body);
}
