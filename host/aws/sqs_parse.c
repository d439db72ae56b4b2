#include "host/aws/sqs_parse.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/error.h"

/* False only when the digest was computed and differs: a system without MD5 cannot check. */
static bool md5_fits(const char *body, size_t len, const char *expected) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!EVP_Digest(body, len, digest, &size, EVP_md5(), NULL))
        return true;
    static const char hex[] = "0123456789abcdef";
    if (strlen(expected) != 2 * (size_t)size)
        return false;
    for (unsigned i = 0; i < size; i++)
        if (expected[2 * i] != hex[digest[i] >> 4] || expected[2 * i + 1] != hex[digest[i] & 15])
            return false;
    return true;
}

static int64_t read_integer(const char *text) {
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

static bool read_message(const struct json_value *v, struct sqs_message *out,
                         struct aws_error *error) {
    *out = (struct sqs_message){0};
    const struct json_value *body = json_get(v, "Body"), *attributes = json_get(v, "Attributes");
    const char *expected = json_get_text(v, "MD5OfBody");
    out->receipt_handle = json_get_text(v, "ReceiptHandle");
    out->message_id = json_get_text(v, "MessageId");
    if (body == NULL || body->type != JSON_T_STRING || out->receipt_handle == NULL ||
        out->message_id == NULL) {
        error_set(error, AWS_CODE_MALFORMED,
                  "ReceiveMessage: a message without Body, ReceiptHandle or MessageId");
        return false;
    }
    if (expected != NULL && !md5_fits(body->text, body->len, expected)) {
        error_set(error, AWS_CODE_MALFORMED,
                  "ReceiveMessage: the body of message %.80s has another MD5 than %.40s",
                  out->message_id, expected);
        return false;
    }
    out->body = body->text;
    out->body_len = body->len;
    out->group_id = json_get_text(attributes, "MessageGroupId");
    out->deduplication_id = json_get_text(attributes, "MessageDeduplicationId");
    out->receive_count = (int)read_integer(json_get_text(attributes, "ApproximateReceiveCount"));
    out->sent_ms = read_integer(json_get_text(attributes, "SentTimestamp"));
    return true;
}

static bool no_memory(struct aws_error *error) {
    error_set(error, AWS_CODE_MEMORY, "out of memory");
    return false;
}

/* The items of an array, or 0 for anything else. */
static size_t length(const struct json_value *array) {
    return array != NULL && array->type == JSON_T_ARRAY ? array->len : 0;
}

bool sqs_read_messages(const struct json_value *root, struct sqs_message **out, size_t *count,
                       struct aws_error *error) {
    const struct json_value *list = json_get(root, "Messages");
    *out = NULL;
    *count = 0;
    if (length(list) == 0)
        return true;
    struct sqs_message *messages = calloc(list->len, sizeof *messages);
    if (messages == NULL)
        return no_memory(error);
    size_t n = 0;
    for (const struct json_value *v = list->child; v != NULL; v = v->next)
        if (!read_message(v, &messages[n++], error)) {
            free(messages);
            return false;
        }
    *out = messages;
    *count = n;
    return true;
}

/* The entry that an Id names, or NULL. */
static struct sqs_outcome *entry(const struct json_value *v, struct sqs_outcome *out,
                                 size_t count) {
    const char *id = json_get_text(v, "Id");
    if (id == NULL || *id == '\0' || strlen(id) > 9 || strspn(id, "0123456789") != strlen(id))
        return NULL;
    size_t index = (size_t)strtoul(id, NULL, 10);
    return index < count ? &out[index] : NULL;
}

bool sqs_read_outcomes(const struct json_value *root, size_t count, struct sqs_outcome **outcomes,
                       struct aws_error *error) {
    struct sqs_outcome *out = calloc(count + 1, sizeof *out);
    *outcomes = out;
    if (out == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct sqs_outcome){.ok = false};
        error_copy(out[i].code, sizeof out[i].code, AWS_CODE_MALFORMED);
        error_copy(out[i].message, sizeof out[i].message, "the answer does not name the entry");
    }
    const struct json_value *good = json_get(root, "Successful"), *bad = json_get(root, "Failed");
    for (const struct json_value *v = length(good) > 0 ? good->child : NULL; v; v = v->next) {
        struct sqs_outcome *o = entry(v, out, count);
        if (o != NULL)
            *o = (struct sqs_outcome){.ok = true, .sequence = json_get_text(v, "SequenceNumber")};
    }
    for (const struct json_value *v = length(bad) > 0 ? bad->child : NULL; v; v = v->next) {
        struct sqs_outcome *o = entry(v, out, count);
        if (o == NULL)
            continue;
        const struct json_value *fault = json_get(v, "SenderFault");
        const char *code = json_get_text(v, "Code"), *message = json_get_text(v, "Message");
        *o = (struct sqs_outcome){0};
        o->sender_fault = fault != NULL && fault->type == JSON_T_BOOL && fault->boolean;
        error_copy(o->code, sizeof o->code, code != NULL ? code : "");
        error_copy(o->message, sizeof o->message, message != NULL ? message : "");
    }
    return true;
}

bool sqs_read_pairs(const struct json_value *object, struct sqs_pair **out, size_t *count,
                    struct aws_error *error) {
    *out = NULL;
    *count = 0;
    if (object == NULL || object->type != JSON_T_OBJECT || object->len == 0)
        return true;
    struct sqs_pair *pairs = calloc(object->len, sizeof *pairs);
    if (pairs == NULL)
        return no_memory(error);
    size_t n = 0;
    for (const struct json_value *v = object->child; v != NULL; v = v->next)
        if (v->type == JSON_T_STRING)
            pairs[n++] = (struct sqs_pair){v->key, v->text};
    *out = pairs;
    *count = n;
    return true;
}

bool sqs_read_texts(const struct json_value *array, const char ***out, size_t *count,
                    struct aws_error *error) {
    *out = NULL;
    *count = 0;
    if (length(array) == 0)
        return true;
    const char **texts = calloc(array->len, sizeof *texts);
    if (texts == NULL)
        return no_memory(error);
    size_t n = 0;
    for (const struct json_value *v = array->child; v != NULL; v = v->next)
        if (v->type == JSON_T_STRING)
            texts[n++] = v->text;
    *out = texts;
    *count = n;
    return true;
}
