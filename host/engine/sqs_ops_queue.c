/* Operations on queues: CreateQueue, GetQueueUrl, DeleteQueue, PurgeQueue, GetQueueAttributes,
** SetQueueAttributes. */
#include "host/engine/sqs_state.h"

#include <stdlib.h>
#include <string.h>

#include "host/engine/sqs_tags.h"

#define FIFO_SUFFIX ".fifo"

static bool ends_in_fifo(const char *name) {
    size_t len = strlen(name), suffix_len = strlen(FIFO_SUFFIX);
    return len > suffix_len && strcmp(name + len - suffix_len, FIFO_SUFFIX) == 0;
}

/* The queue's name, checked against the kind that its attributes ask for; NULL: the request has
** failed. */
static const char *read_name(struct sqs_request *request, const struct json_value *attributes,
                             bool *fifo_out) {
    const struct json_value *name = sqs_get(request->input, "QueueName");
    const char *asked = json_get_text(attributes, "FifoQueue");
    if (!name) {
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter QueueName.");
        return NULL;
    }
    bool suffix = strlen(name->text) == name->len && ends_in_fifo(name->text);
    bool fifo = asked && strcmp(asked, "true") == 0;
    size_t plain_len = suffix ? name->len - strlen(FIFO_SUFFIX) : name->len;
    bool ok = name->len >= 1 && name->len <= SQS_NAME_MAX && suffix == fifo;
    for (size_t i = 0; i < plain_len && ok; i++) {
        char c = name->text[i];
        ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
             c == '-' || c == '_';
    }
    if (!ok) {
        sqs_fail(request, "InvalidParameterValueException",
                 fifo ? "The name of a FIFO queue can only include alphanumeric characters, "
                        "hyphens, or underscores, must end with "
                        ".fifo suffix and be 1 to 80 in length."
                      : "Can only include alphanumeric characters, hyphens, or underscores. 1 to "
                        "80 in length.");
        return NULL;
    }
    *fifo_out = fifo;
    return name->text;
}

static void write_url(struct sqs_request *request, const char *name) {
    struct buf url;
    buf_init(&url, 1024);
    sqs_entry_url(request, name, &url);
    json_member(request->out, "QueueUrl", buf_text(&url));
    buf_free(&url);
}

/* The same name again: fine when every attribute that is given equals what the queue has. */
static enum sqs_outcome create_again(struct sqs_request *request, const struct sqs_entry *entry,
                                     const struct json_value *pairs) {
    struct sqs_attributes asked;
    if (!sqs_attributes_copy(&asked, &entry->attributes))
        return sqs_fail_memory(request);
    enum sqs_outcome outcome = SQS_FAILED;
    if (sqs_attributes_apply(request, NULL, entry->fifo, entry->arn, &asked, pairs)) {
        const char *other = sqs_attributes_difference(&asked, &entry->attributes, pairs);
        if (other) {
            sqs_fail(
                request, "QueueNameExists",
                "A queue already exists with the same name and a different value for attribute %s",
                other);
        } else {
            write_url(request, entry->name);
            outcome = SQS_ANSWERED;
        }
    }
    sqs_attributes_free(&asked);
    return outcome;
}

enum sqs_outcome sqs_op_create_queue(struct sqs_request *request) {
    const struct json_value *pairs = sqs_get(request->input, "Attributes");
    bool fifo = false;
    const char *name = read_name(request, pairs, &fifo);
    if (!name)
        return SQS_FAILED;
    struct sqs_entry *entry = sqs_entry_find(request->service, name);
    if (entry)
        return create_again(request, entry, pairs);
    struct sqs_attributes attributes;
    struct buf arn;
    enum sqs_outcome outcome = SQS_FAILED;
    buf_init(&arn, 512);
    buf_addf(&arn, "arn:aws:sqs:%s:%s:%s", service_region(request->call),
             service_account(request->call), name);
    sqs_attributes_init(&attributes, fifo);
    const struct json_value *tags = sqs_get(request->input, "tags");
    if (!sqs_attributes_apply(request, NULL, fifo, buf_text(&arn), &attributes, pairs))
        goto done;
    if (!sqs_tags_check(request, NULL, tags))
        goto done;
    if (sqs_grave_fresh(request->service, name, request->now_ms)) {
        sqs_fail(request, "QueueDeletedRecently",
                 "You must wait 60 seconds after deleting a queue before you can create another "
                 "with the same name.");
        goto done;
    }
    entry =
        sqs_entry_new(request->service, name, buf_text(&arn), fifo, &attributes, request->now_ms);
    if (!entry || !sqs_tags_add(entry, tags)) {
        if (entry)
            sqs_entry_free(request->service, entry);
        sqs_fail_memory(request);
        goto done;
    }
    write_url(request, name);
    outcome = SQS_ANSWERED;

done:
    sqs_attributes_free(&attributes);
    buf_free(&arn);
    return outcome;
}

enum sqs_outcome sqs_op_get_queue_url(struct sqs_request *request) {
    const char *name = sqs_get_text(request->input, "QueueName");
    const char *owner = sqs_get_text(request->input, "QueueOwnerAWSAccountId");
    if (!name || !*name)
        return sqs_fail(
            request, "InvalidParameterValueException",
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name.");
    if (!sqs_entry_find(request->service, name) ||
        (owner && *owner && strcmp(owner, service_account(request->call)) != 0))
        return sqs_fail(request, "QueueDoesNotExist", "The specified queue does not exist.");
    write_url(request, name);
    return SQS_ANSWERED;
}

enum sqs_outcome sqs_op_delete_queue(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    if (!sqs_grave_dig(request->service, entry->name, request->now_ms))
        return sqs_fail_memory(request);
    sqs_entry_free(request->service, entry);
    return SQS_EMPTY;
}

enum sqs_outcome sqs_op_purge_queue(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    if (!request->service->options.lenient && entry->purged_ms >= 0 &&
        request->now_ms - entry->purged_ms < SQS_QUIET_MS)
        return sqs_fail(request, "PurgeQueueInProgress",
                        "Only one PurgeQueue operation on %s is allowed every 60 seconds.",
                        entry->name);
    entry->purged_ms = request->now_ms;
    sqs_queue_purge(entry->queue);
    return SQS_EMPTY;
}

/* --- attributes ------------------------------------------------------------------------------- */

enum sqs_outcome sqs_op_get_queue_attributes(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    const struct json_value *names = sqs_get(request->input, "AttributeNames");
    bool wanted[SQS_ATTRIBUTES] = {false};
    for (const struct json_value *v = names ? names->child : NULL; v; v = v->next) {
        enum sqs_attribute i = sqs_attribute_find(v->text);
        bool all = strcmp(v->text, "All") == 0;
        if (i == SQS_ATTRIBUTES && !all)
            return sqs_fail(request, "InvalidAttributeName", "Unknown Attribute %.100s.", v->text);
        for (unsigned j = 0; all && j < SQS_ATTRIBUTES; j++)
            wanted[j] = true;
        if (!all)
            wanted[i] = true;
    }
    struct buf text;
    bool any = false;
    buf_init(&text, SQS_MESSAGE_MAX);
    for (unsigned i = 0; i < SQS_ATTRIBUTES; i++) {
        buf_reset(&text);
        if (!wanted[i] || !sqs_attribute_text(entry, (enum sqs_attribute)i, request->now_ms, &text))
            continue;
        if (!any) {
            json_key(request->out, "Attributes");
            json_object_begin(request->out);
            any = true;
        }
        json_key(request->out, sqs_attribute_name((enum sqs_attribute)i));
        json_string_n(request->out, buf_text(&text), text.len);
    }
    if (any)
        json_object_end(request->out);
    buf_free(&text);
    return SQS_ANSWERED;
}

enum sqs_outcome sqs_op_set_queue_attributes(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    const struct json_value *pairs = sqs_get(request->input, "Attributes");
    if (!pairs)
        return sqs_fail(request, "MissingRequiredParameterException",
                        "The request must contain the parameter Attribute.Name.");
    struct sqs_attributes changed; /* all or nothing */
    if (!sqs_attributes_copy(&changed, &entry->attributes))
        return sqs_fail_memory(request);
    if (!sqs_attributes_apply(request, entry, entry->fifo, entry->arn, &changed, pairs)) {
        sqs_attributes_free(&changed);
        return SQS_FAILED;
    }
    sqs_attributes_free(&entry->attributes);
    entry->attributes = changed;
    entry->modified_ms = request->now_ms;
    sqs_entry_apply(entry);
    sqs_stir(request->service, entry);
    return SQS_EMPTY;
}
