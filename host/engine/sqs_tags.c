#include "host/engine/sqs_tags.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 128, VALUE_MAX = 256 };

static struct sqs_tag *find(const struct sqs_entry *entry, const char *key) {
    for (size_t i = 0; entry && i < entry->tag_count; i++) {
        if (strcmp(entry->tags[i].key, key) == 0)
            return (struct sqs_tag *)&entry->tags[i];
    }
    return NULL;
}

/* Lengths are characters. */
static size_t characters(const char *text, size_t len) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

bool sqs_tags_check(struct sqs_request *request, const struct sqs_entry *entry,
                    const struct json_value *tags) {
    size_t count = entry ? entry->tag_count : 0;
    for (const struct json_value *v = tags ? tags->child : NULL; v; v = v->next) {
        if (v->key_len == 0 || characters(v->key, v->key_len) > KEY_MAX ||
            strlen(v->key) != v->key_len) {
            sqs_fail(request, "InvalidParameterValueException",
                     "Tag keys must be between 1 and 128 characters in length.");
            return false;
        }
        if (characters(v->text, v->len) > VALUE_MAX || strlen(v->text) != v->len) {
            sqs_fail(request, "InvalidParameterValueException",
                     "Tag values must be between 0 and 256 characters in length.");
            return false;
        }
        count += !find(entry, v->key);
    }
    if (count > SQS_TAGS_MAX) {
        sqs_fail(request, "InvalidParameterValueException",
                 "Too many tags: a queue can have at most %d.", SQS_TAGS_MAX);
        return false;
    }
    return true;
}

bool sqs_tags_add(struct sqs_entry *entry, const struct json_value *tags) {
    for (const struct json_value *v = tags ? tags->child : NULL; v; v = v->next) {
        char *value = strdup(v->text);
        if (!value)
            return false;
        struct sqs_tag *tag = find(entry, v->key);
        if (tag) {
            free(tag->value);
            tag->value = value;
            continue;
        }
        char *key = strdup(v->key);
        if (!key) {
            free(value);
            return false;
        }
        entry->tags[entry->tag_count++] = (struct sqs_tag){key, value};
    }
    return true;
}

enum sqs_outcome sqs_op_tag_queue(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    const struct json_value *tags = sqs_get(request->input, "Tags");
    if (!tags || !tags->child)
        return sqs_fail(request, "MissingRequiredParameterException",
                        "The request must contain the parameter Tags.");
    if (!sqs_tags_check(request, entry, tags))
        return SQS_FAILED;
    return sqs_tags_add(entry, tags) ? SQS_EMPTY : sqs_fail_memory(request);
}

enum sqs_outcome sqs_op_untag_queue(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    const struct json_value *keys = sqs_get(request->input, "TagKeys");
    if (!keys || !keys->child)
        return sqs_fail(request, "MissingRequiredParameterException",
                        "The request must contain the parameter TagKeys.");
    for (const struct json_value *v = keys->child; v; v = v->next) {
        struct sqs_tag *tag = find(entry, v->text);
        if (!tag)
            continue;
        free(tag->key);
        free(tag->value);
        *tag = entry->tags[--entry->tag_count];
    }
    return SQS_EMPTY;
}

enum sqs_outcome sqs_op_list_queue_tags(struct sqs_request *request) {
    const struct sqs_entry *entry = sqs_entry_of(request);
    if (!entry)
        return SQS_FAILED;
    if (entry->tag_count == 0)
        return SQS_ANSWERED;
    json_key(request->out, "Tags");
    json_object_begin(request->out);
    for (size_t i = 0; i < entry->tag_count; i++)
        json_member(request->out, entry->tags[i].key, entry->tags[i].value);
    json_object_end(request->out);
    return SQS_ANSWERED;
}
