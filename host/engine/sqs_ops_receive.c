/* ReceiveMessage. */
#include "host/engine/sqs_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/engine/sqs_message_attributes.h"

/* Bits of sqs_receive.system_attributes: 1 << index. */
enum system_attribute {
    SENDER_ID,
    SENT_TIMESTAMP,
    RECEIVE_COUNT,
    FIRST_RECEIVE,
    SEQUENCE_NUMBER,
    DEDUPLICATION_ID,
    GROUP_ID,
    TRACE_HEADER,
    SOURCE_ARN,
    SYSTEM_ATTRIBUTES,
};

static const char *const system_names[SYSTEM_ATTRIBUTES] = {
    [SENDER_ID] = "SenderId",
    [SENT_TIMESTAMP] = "SentTimestamp",
    [RECEIVE_COUNT] = "ApproximateReceiveCount",
    [FIRST_RECEIVE] = "ApproximateFirstReceiveTimestamp",
    [SEQUENCE_NUMBER] = "SequenceNumber",
    [DEDUPLICATION_ID] = "MessageDeduplicationId",
    [GROUP_ID] = "MessageGroupId",
    [TRACE_HEADER] = "AWSTraceHeader",
    [SOURCE_ARN] = "DeadLetterQueueSourceArn",
};

/* --- writing ---------------------------------------------------------------------------------- */

static void member_number(struct json_writer *out, const char *name, int64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    json_member(out, name, text);
}

static void member_text(struct json_writer *out, const char *name, const char *text) {
    if (*text)
        json_member(out, name, text);
}

/* The account is the last but one part of an ARN. */
static void member_account(struct json_writer *out, const char *name, const char *arn) {
    const char *end = strrchr(arn, ':'), *begin = end;
    while (begin && begin > arn && begin[-1] != ':')
        begin--;
    json_key(out, name);
    json_string_n(out, begin, (size_t)(end - begin));
}

static void write_system_attributes(struct json_writer *out, const struct sqs_entry *entry,
                                    const struct sqs_message *m, unsigned bits) {
    char text[24];
    json_key(out, "Attributes");
    json_object_begin(out);
    for (unsigned i = 0; i < SYSTEM_ATTRIBUTES; i++) {
        const char *name = system_names[i];
        if (!(bits & 1U << i))
            continue;
        switch ((enum system_attribute)i) {
        case SENDER_ID:
            member_account(out, name, entry->arn);
            break;
        case SENT_TIMESTAMP:
            member_number(out, name, m->sent_ms);
            break;
        case RECEIVE_COUNT:
            member_number(out, name, m->receive_count);
            break;
        case FIRST_RECEIVE:
            member_number(out, name, m->first_receive_ms);
            break;
        case SEQUENCE_NUMBER:
            sqs_sequence_text(m->sequence, text);
            if (entry->fifo)
                json_member(out, name, text);
            break;
        case DEDUPLICATION_ID:
            member_text(out, name, sqs_message_dedup(m));
            break;
        case GROUP_ID:
            member_text(out, name, sqs_message_group(m));
            break;
        case TRACE_HEADER:
            member_text(out, name, sqs_message_trace(m));
            break;
        case SOURCE_ARN:
            member_text(out, name, sqs_message_source(m));
            break;
        case SYSTEM_ATTRIBUTES:
            break;
        }
    }
    json_object_end(out);
}

/* True when the message has an attribute of the bits: an empty Attributes is not shown. */
static bool has_system_attributes(const struct sqs_entry *entry, const struct sqs_message *m,
                                  unsigned bits) {
    unsigned there =
        1U << SENDER_ID | 1U << SENT_TIMESTAMP | 1U << RECEIVE_COUNT | 1U << FIRST_RECEIVE;
    there |= entry->fifo ? 1U << SEQUENCE_NUMBER : 0;
    there |= m->dedup_len ? 1U << DEDUPLICATION_ID : 0;
    there |= m->group_len ? 1U << GROUP_ID : 0;
    there |= m->trace_len ? 1U << TRACE_HEADER : 0;
    there |= m->source_len ? 1U << SOURCE_ARN : 0;
    return (bits & there) != 0;
}

static void write_message(struct sqs_service *service, const struct sqs_entry *entry,
                          const struct sqs_receive *receive, const struct sqs_message *m,
                          struct json_writer *out) {
    struct sqs_handle handle = {entry->life, m->sequence, m->generation};
    char text[SQS_HANDLE_TEXT_SIZE];
    json_object_begin(out);
    sqs_uuid_text(m->id, text);
    json_member(out, "MessageId", text);
    sqs_handle_write(service->crypto, &handle, text);
    json_member(out, "ReceiptHandle", text);
    sqs_hex(m->body_md5, sizeof(m->body_md5), text);
    json_member(out, "MD5OfBody", text);
    json_key(out, "Body");
    json_string_n(out, sqs_message_body(m), m->body_len);
    if (has_system_attributes(entry, m, receive->system_attributes))
        write_system_attributes(out, entry, m, receive->system_attributes);
    sqs_message_attributes_write(service, out, sqs_message_attributes(m), m->attributes_len,
                                 receive->attribute_names);
    json_object_end(out);
}

enum sqs_result sqs_receive_now(struct sqs_service *service, struct sqs_entry *entry,
                                const struct sqs_receive *receive, int64_t now_ms,
                                struct json_writer *out, struct sqs_received *got_out) {
    const struct sqs_attributes *a = &entry->attributes;
    const struct sqs_message *messages[SQS_RECEIVE_MAX];
    struct sqs_dead_letter dead_letter = {
        .service = service,
        .from = entry,
        .to = a->dead_letter_arn ? sqs_entry_find_arn(service, a->dead_letter_arn) : NULL,
        .now_ms = now_ms,
    };
    struct sqs_take take = {
        .max = receive->max,
        .visibility_ms = receive->visibility_ms,
        .attempt = receive->attempt,
        .max_receives = dead_letter.to ? (uint32_t)a->max_receives : 0,
        .dead = sqs_dead_letter,
        .context = &dead_letter,
    };
    *got_out = (struct sqs_received){0};
    enum sqs_result result =
        sqs_queue_receive(entry->queue, &take, now_ms, messages, &got_out->count);
    if (got_out->count == 0)
        return result;
    json_key(out, "Messages");
    json_array_begin(out);
    for (size_t i = 0; i < got_out->count; i++) {
        const struct sqs_message *m = messages[i];
        write_message(service, entry, receive, m, out);
        got_out->payload +=
            m->body_len + sqs_message_attributes_size(sqs_message_attributes(m), m->attributes_len);
    }
    json_array_end(out);
    return result;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* An integer within its range, or its default. False: the request has failed. */
static bool read_integer(struct sqs_request *request, const char *name, int64_t min, int64_t max,
                         int64_t initial, const char *reason, int64_t *out) {
    const struct json_value *v = sqs_get(request->input, name);
    *out = v ? v->integer : initial;
    if (*out >= min && *out <= max)
        return true;
    sqs_fail(request, "InvalidParameterValueException",
             "Value %" PRId64 " for parameter %s is invalid. Reason: %s", *out, name, reason);
    return false;
}

/* Adds the named system attributes. queue_names: names of queue attributes are let pass, as the
** deprecated member's type has them. */
static bool read_names(struct sqs_request *request, const char *member, bool queue_names,
                       unsigned *bits) {
    const struct json_value *names = sqs_get(request->input, member);
    for (const struct json_value *v = names ? names->child : NULL; v; v = v->next) {
        unsigned i = 0;
        while (i < SYSTEM_ATTRIBUTES && strcmp(system_names[i], v->text) != 0)
            i++;
        if (i < SYSTEM_ATTRIBUTES) {
            *bits |= 1U << i;
        } else if (strcmp(v->text, "All") == 0) {
            *bits |= (1U << SYSTEM_ATTRIBUTES) - 1;
        } else if (!queue_names || sqs_attribute_find(v->text) == SQS_ATTRIBUTES) {
            sqs_fail(request, "InvalidAttributeName", "Unknown Attribute %.100s.", v->text);
            return false;
        }
    }
    return true;
}

enum sqs_outcome sqs_op_receive_message(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    const int64_t *initial = entry->attributes.number;
    struct sqs_receive receive = {.attribute_names =
                                      sqs_get(request->input, "MessageAttributeNames")};
    int64_t max = 0, wait_s = 0, visibility_s = 0;
    if (!read_integer(request, "MaxNumberOfMessages", 1, SQS_RECEIVE_MAX, 1,
                      "Must be between 1 and 10, if provided.", &max) ||
        !read_integer(request, "WaitTimeSeconds", 0, 20, initial[SQS_WAIT_SECONDS],
                      "Must be >= 0 and <= 20, if provided.", &wait_s) ||
        !read_integer(request, "VisibilityTimeout", 0, 43200, initial[SQS_VISIBILITY_SECONDS],
                      "Must be >= 0 and <= 43200, if provided.", &visibility_s) ||
        !read_names(request, "AttributeNames", true, &receive.system_attributes) ||
        !read_names(request, "MessageSystemAttributeNames", false, &receive.system_attributes) ||
        !sqs_check_id(request, request->input, "ReceiveRequestAttemptId"))
        return SQS_FAILED;
    receive.attempt = sqs_get_text(request->input, "ReceiveRequestAttemptId");
    receive.max = (size_t)max;
    receive.visibility_ms = visibility_s * 1000;
    struct sqs_received got;
    enum sqs_result result =
        sqs_receive_now(request->service, entry, &receive, request->now_ms, request->out, &got);
    request->payload = got.payload;
    sqs_stir(request->service, entry);
    if (got.count > 0 || (wait_s == 0 && result == SQS_OK))
        return SQS_ANSWERED;
    if (wait_s == 0)
        return sqs_fail(request, "OverLimit",
                        "Too many messages are in flight: at most %d are allowed.",
                        SQS_IN_FLIGHT_MAX);
    return sqs_wait(request, entry, &receive, wait_s * 1000) ? SQS_WAITS : sqs_fail_memory(request);
}
