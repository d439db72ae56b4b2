/* SendMessage, SendMessageBatch, and what else puts messages on a queue. */
#include "host/engine/sqs_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/random.h"
#include "host/engine/sqs_batch.h"
#include "host/engine/sqs_message_attributes.h"
#include "host/engine/sqs_shapes.h"

enum { ATTRIBUTES_MAX_BYTES = 2 * SQS_MESSAGE_MAX, DELAY_MAX_S = 900 };

/* A message of a request, checked. */
struct prepared {
    struct sqs_draft draft;
    struct buf attributes, system_attributes;
    uint8_t id[SQS_UUID_SIZE], body_md5[SQS_MD5_SIZE];
    char content_id[SQS_SHA256_TEXT_SIZE]; /* deduplication id made of the body */
    size_t size; /* bytes that count: body, names, types and values of its attributes */
    bool failed;
};

void sqs_sequence_text(int64_t sequence, char *out) {
    snprintf(out, 21, "18%018" PRId64, INT64_C(870000000000000000) + sequence * 256);
}

static void new_uuid(struct sqs_service *service, uint8_t *out) {
    random_pool_bytes(&service->ids, out, SQS_UUID_SIZE);
    out[6] = (uint8_t)((out[6] & 0x0F) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3F) | 0x80);
}

bool sqs_check_id(struct sqs_request *request, const struct json_value *input, const char *name) {
    const struct json_value *id = sqs_get(input, name);
    bool ok = !id || (id->len >= 1 && id->len <= SQS_ID_MAX);
    for (size_t i = 0; id && ok && i < id->len; i++)
        ok = id->text[i] > ' ' && id->text[i] < 0x7F;
    if (!ok)
        sqs_fail(request, "InvalidParameterValueException",
                 "Value %.200s for parameter %s is invalid. Reason: %s can only include "
                 "alphanumeric and punctuation characters. "
                 "1 to 128 in length.",
                 id->text, name, name);
    return ok;
}

static bool check_delay(struct sqs_request *request, const struct sqs_entry *entry,
                        const struct json_value *message, int64_t *delay_ms_out) {
    const struct json_value *delay = sqs_get(message, "DelaySeconds");
    *delay_ms_out = -1;
    if (!delay || (entry->fifo && delay->integer == 0))
        return true;
    if (entry->fifo || delay->integer < 0 || delay->integer > DELAY_MAX_S) {
        sqs_fail(request, "InvalidParameterValueException",
                 "Value %" PRId64 " for parameter DelaySeconds is invalid. Reason: %s",
                 delay->integer,
                 entry->fifo
                     ? "The request include parameter that is not valid for this queue type."
                     : "DelaySeconds must be >= 0 and <= 900.");
        return false;
    }
    *delay_ms_out = delay->integer * 1000;
    return true;
}

static bool check_fifo(struct sqs_request *request, const struct sqs_entry *entry,
                       const struct json_value *message) {
    const struct json_value *dedup = sqs_get(message, "MessageDeduplicationId");
    if (!sqs_check_id(request, message, "MessageGroupId"))
        return false;
    if (!entry->fifo) {
        if (dedup)
            sqs_fail(request, "InvalidParameterValueException",
                     "Value %.200s for parameter MessageDeduplicationId is invalid. Reason: The "
                     "request include parameter that is "
                     "not valid for this queue type.",
                     dedup->text);
        return !dedup;
    }
    if (!sqs_get(message, "MessageGroupId")) {
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter MessageGroupId.");
        return false;
    }
    if (!dedup && entry->attributes.number[SQS_CONTENT_DEDUP] == 0) {
        sqs_fail(request, "InvalidParameterValueException",
                 "The queue should either have ContentBasedDeduplication enabled or "
                 "MessageDeduplicationId provided explicitly");
        return false;
    }
    return sqs_check_id(request, message, "MessageDeduplicationId");
}

static bool check_body(struct sqs_request *request, const struct sqs_entry *entry,
                       const struct json_value *body, size_t size, bool batch) {
    int64_t max = entry->attributes.number[SQS_MAXIMUM_MESSAGE_SIZE];
    if ((int64_t)size > max) {
        sqs_fail(request, "InvalidParameterValueException",
                 "One or more parameters %s. Reason: Message must be shorter than %" PRId64
                 " bytes.",
                 batch ? "cannot be validated" : "are invalid", max);
        return false;
    }
    if (!sqs_characters_valid(body->text, body->len)) {
        sqs_fail(request, "InvalidMessageContents",
                 "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to "
                 "#xD7FF | #xE000 to #xFFFD | "
                 "#x10000 to #x10FFFF");
        return false;
    }
    return true;
}

/* Checks the message and fills p; false: the request has failed. p is to be released in both cases.
 */
static bool prepare(struct sqs_request *request, const struct sqs_entry *entry,
                    const struct json_value *message, bool batch, struct prepared *p) {
    p->draft = (struct sqs_draft){0};
    p->failed = true;
    p->size = 0;
    buf_init(&p->attributes, ATTRIBUTES_MAX_BYTES);
    buf_init(&p->system_attributes, ATTRIBUTES_MAX_BYTES);
    const struct json_value *body = sqs_get(message, "MessageBody");
    if (!body || body->len == 0) {
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter MessageBody.");
        return false;
    }
    p->size = body->len;
    size_t attributes_size = 0;
    const char *trace = NULL;
    int64_t delay_ms = -1;
    bool ok = sqs_message_attributes_read(request, sqs_get(message, "MessageAttributes"),
                                          &p->attributes, &attributes_size);
    p->size += attributes_size;
    ok = ok && check_delay(request, entry, message, &delay_ms) &&
         check_fifo(request, entry, message) &&
         sqs_system_attributes_read(request, sqs_get(message, "MessageSystemAttributes"),
                                    &p->system_attributes, &trace) &&
         check_body(request, entry, body, p->size, batch);
    if (!ok)
        return false;
    new_uuid(request->service, p->id);
    sqs_md5(request->service->crypto, body->text, body->len, p->body_md5);
    p->draft = (struct sqs_draft){
        .id = p->id,
        .body_md5 = p->body_md5,
        .body = body->text,
        .body_len = body->len,
        .attributes = p->attributes.data,
        .attributes_len = p->attributes.len,
        .trace = trace,
        .group = sqs_get_text(message, "MessageGroupId"),
        .dedup = sqs_get_text(message, "MessageDeduplicationId"),
        .delay_ms = delay_ms,
    };
    if (entry->fifo && !p->draft.dedup) {
        sqs_sha256_text(request->service->crypto, body->text, body->len, p->content_id);
        p->draft.dedup = p->content_id;
    }
    p->failed = false;
    return true;
}

static void release(struct prepared *p) {
    buf_free(&p->attributes);
    buf_free(&p->system_attributes);
}

/* An injected fault: a standard queue may deliver a message more than once. */
static bool is_twice(const struct sqs_request *request, const struct sqs_entry *entry) {
    const struct sqs_service_options *options = &request->service->options;
    return !entry->fifo && options->twice &&
           options->twice(options->context, sqs_operation_index(request->operation));
}

static bool send_one(struct sqs_request *request, struct sqs_entry *entry, const struct prepared *p,
                     struct sqs_sent *sent_out) {
    struct sqs_sent second;
    if (sqs_queue_send(entry->queue, &p->draft, request->now_ms, sent_out) == SQS_NO_MEMORY) {
        sqs_fail_memory(request);
        return false;
    }
    if (is_twice(request, entry))
        sqs_queue_send(entry->queue, &p->draft, request->now_ms, &second);
    sqs_stir(request->service, entry);
    return true;
}

static void write_sent(struct sqs_request *request, const struct sqs_entry *entry,
                       const struct prepared *p, const struct sqs_sent *sent) {
    char text[SQS_UUID_TEXT_SIZE];
    sqs_uuid_text(sent->id, text);
    json_member(request->out, "MessageId", text);
    sqs_hex(p->body_md5, sizeof(p->body_md5), text);
    json_member(request->out, "MD5OfMessageBody", text);
    sqs_md5_member(request->service, request->out, "MD5OfMessageAttributes", p->attributes.data,
                   p->attributes.len);
    sqs_md5_member(request->service, request->out, "MD5OfMessageSystemAttributes",
                   p->system_attributes.data, p->system_attributes.len);
    if (entry->fifo) {
        sqs_sequence_text(sent->sequence, text);
        json_member(request->out, "SequenceNumber", text);
    }
}

enum sqs_outcome sqs_op_send_message(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    struct prepared p;
    struct sqs_sent sent;
    bool ok =
        prepare(request, entry, request->input, false, &p) && send_one(request, entry, &p, &sent);
    request->payload = p.size;
    if (ok)
        write_sent(request, entry, &p, &sent);
    release(&p);
    return ok ? SQS_ANSWERED : SQS_FAILED;
}

enum sqs_outcome sqs_op_send_message_batch(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    struct sqs_batch batch;
    if (!entry || !sqs_batch_begin(&batch, request, "SendMessageBatchRequestEntry"))
        return SQS_FAILED;
    for (const struct json_value *v = batch.entries->child; v && entry->fifo; v = v->next) {
        if (!sqs_get(v, "MessageGroupId"))
            return sqs_fail(request, "InvalidParameterValueException",
                            "The request must contain the parameter MessageGroupId.");
    }
    struct prepared p[SQS_BATCH_ENTRIES];
    size_t count = 0, total = 0;
    for (const struct json_value *v = batch.entries->child; v; v = v->next) {
        if (!prepare(request, entry, v, true, &p[count]))
            sqs_batch_fail(&batch, v);
        total += p[count++].size;
    }
    request->payload = total;
    enum sqs_outcome outcome = SQS_FAILED;
    if (total > SQS_MESSAGE_MAX) {
        sqs_fail(request, "BatchRequestTooLong",
                 "Batch requests cannot be longer than %d bytes. You have sent %zu bytes.",
                 SQS_MESSAGE_MAX, total);
        goto done;
    }
    size_t i = 0;
    for (const struct json_value *v = batch.entries->child; v; v = v->next, i++) {
        struct sqs_sent sent;
        if (p[i].failed)
            continue;
        if (!send_one(request, entry, &p[i], &sent)) {
            sqs_batch_fail(&batch, v);
            continue;
        }
        sqs_batch_succeed(&batch, v);
        write_sent(request, entry, &p[i], &sent);
        json_object_end(request->out);
    }
    outcome = sqs_batch_end(&batch);

done:
    while (count)
        release(&p[--count]);
    return outcome;
}

/* --- from inside the engine ------------------------------------------------------------------- */

/* What a message carries into another queue; what it points to is the message's. */
static struct sqs_draft draft_of(const struct sqs_message *m) {
    return (struct sqs_draft){
        .id = m->id,
        .body_md5 = m->body_md5,
        .body = sqs_message_body(m),
        .body_len = m->body_len,
        .attributes = sqs_message_attributes(m),
        .attributes_len = m->attributes_len,
        .trace = sqs_message_trace(m),
        .group = sqs_message_group(m),
        .dedup = sqs_message_dedup(m),
    };
}

void sqs_dead_letter(void *dead_letter, const struct sqs_message *m) {
    const struct sqs_dead_letter *d = dead_letter;
    struct sqs_draft draft = draft_of(m);
    struct sqs_sent sent;
    draft.source = d->from->arn;
    draft.sent_ms = d->to->fifo ? d->now_ms : m->sent_ms; /* kept on standard queues only */
    draft.first_receive_ms = m->first_receive_ms;
    draft.receive_count = m->receive_count;
    sqs_queue_send(d->to->queue, &draft, d->now_ms, &sent);
    sqs_stir(d->service, d->to);
}

bool sqs_resend(struct sqs_service *service, struct sqs_entry *to, const struct sqs_message *m,
                int64_t now_ms) {
    uint8_t id[SQS_UUID_SIZE];
    struct sqs_sent sent;
    new_uuid(service, id);
    struct sqs_draft draft = draft_of(m);
    draft.id = id;
    draft.delay_ms = -1;
    draft.source = ""; /* not deduplicated */
    draft.sent_ms = now_ms;
    bool ok = sqs_queue_send(to->queue, &draft, now_ms, &sent) == SQS_OK;
    sqs_stir(service, to);
    return ok;
}

bool sqs_service_deliver(struct sqs_service *service, const char *arn, const char *body,
                         size_t len) {
    struct sqs_entry *entry = sqs_entry_find_arn(service, arn);
    if (!entry || entry->fifo || !json_utf8_valid(body, len) || !sqs_characters_valid(body, len))
        return false;
    uint8_t id[SQS_UUID_SIZE], md5[SQS_MD5_SIZE];
    new_uuid(service, id);
    sqs_md5(service->crypto, body, len, md5);
    struct sqs_draft draft = {
        .id = id, .body_md5 = md5, .body = body, .body_len = len, .delay_ms = -1};
    struct sqs_sent sent;
    bool ok = sqs_queue_send(entry->queue, &draft, sqs_now(service), &sent) == SQS_OK;
    sqs_stir(service, entry);
    sqs_settle(service);
    return ok;
}
