#include "host/engine/sqs_attributes.h"

#include <stdlib.h>
#include <string.h>

#include "host/engine/sqs_redrive.h"
#include "host/engine/sqs_state.h"

enum kind { NUMBER, CHOICE, TEXT, READ_ONLY };

/* The first choice is the default. */
static const char *const booleans_off[] = {"false", "true", NULL};
static const char *const booleans_on[] = {"true", "false", NULL};
static const char *const scopes[] = {"queue", "messageGroup", NULL};
static const char *const limits[] = {"perQueue", "perMessageGroupId", NULL};

static const struct {
    const char *name;
    enum kind kind;
    bool fifo_only;
    int32_t min, max, initial; /* NUMBER */
    const char *const *choices;
} table[SQS_ATTRIBUTES] = {
    [SQS_DELAY_SECONDS] = {"DelaySeconds", NUMBER, false, 0, 900, 0, NULL},
    [SQS_MAXIMUM_MESSAGE_SIZE] = {"MaximumMessageSize", NUMBER, false, 1024, 1048576, 1048576,
                                  NULL},
    [SQS_RETENTION_SECONDS] = {"MessageRetentionPeriod", NUMBER, false, 60, 1209600, 345600, NULL},
    [SQS_WAIT_SECONDS] = {"ReceiveMessageWaitTimeSeconds", NUMBER, false, 0, 20, 0, NULL},
    [SQS_VISIBILITY_SECONDS] = {"VisibilityTimeout", NUMBER, false, 0, 43200, 30, NULL},
    [SQS_MANAGED_SSE] = {"SqsManagedSseEnabled", CHOICE, false, 0, 0, 0, booleans_on},
    [SQS_KMS_REUSE_SECONDS] = {"KmsDataKeyReusePeriodSeconds", NUMBER, false, 60, 86400, 300, NULL},
    [SQS_FIFO] = {"FifoQueue", CHOICE, true, 0, 0, 0, booleans_on},
    [SQS_CONTENT_DEDUP] = {"ContentBasedDeduplication", CHOICE, true, 0, 0, 0, booleans_off},
    [SQS_DEDUP_SCOPE] = {"DeduplicationScope", CHOICE, true, 0, 0, 0, scopes},
    [SQS_THROUGHPUT_LIMIT] = {"FifoThroughputLimit", CHOICE, true, 0, 0, 0, limits},
    [SQS_POLICY] = {"Policy", TEXT, false, 0, 0, 0, NULL},
    [SQS_REDRIVE] = {"RedrivePolicy", TEXT, false, 0, 0, 0, NULL},
    [SQS_REDRIVE_ALLOW] = {"RedriveAllowPolicy", TEXT, false, 0, 0, 0, NULL},
    [SQS_KMS_KEY] = {"KmsMasterKeyId", TEXT, false, 0, 0, 0, NULL},
    [SQS_ARN] = {"QueueArn", READ_ONLY, false, 0, 0, 0, NULL},
    [SQS_CREATED] = {"CreatedTimestamp", READ_ONLY, false, 0, 0, 0, NULL},
    [SQS_MODIFIED] = {"LastModifiedTimestamp", READ_ONLY, false, 0, 0, 0, NULL},
    [SQS_COUNT_VISIBLE] = {"ApproximateNumberOfMessages", READ_ONLY, false, 0, 0, 0, NULL},
    [SQS_COUNT_IN_FLIGHT] = {"ApproximateNumberOfMessagesNotVisible", READ_ONLY, false, 0, 0, 0,
                             NULL},
    [SQS_COUNT_DELAYED] = {"ApproximateNumberOfMessagesDelayed", READ_ONLY, false, 0, 0, 0, NULL},
};

enum sqs_attribute sqs_attribute_find(const char *name) {
    unsigned i = 0;
    while (i < SQS_ATTRIBUTES && strcmp(table[i].name, name) != 0)
        i++;
    return (enum sqs_attribute)i;
}

const char *sqs_attribute_name(enum sqs_attribute attribute) {
    return table[attribute].name;
}

/* --- life ------------------------------------------------------------------------------------- */

void sqs_attributes_init(struct sqs_attributes *a, bool fifo) {
    *a = (struct sqs_attributes){0};
    for (unsigned i = 0; i < SQS_ATTRIBUTES; i++) {
        if (table[i].kind == NUMBER)
            a->number[i] = table[i].initial;
    }
    a->number[SQS_FIFO] = fifo ? 0 : 1;
}

void sqs_attributes_free(struct sqs_attributes *a) {
    for (unsigned i = 0; i < SQS_ATTRIBUTES; i++)
        free(a->text[i]);
    free(a->dead_letter_arn);
    *a = (struct sqs_attributes){0};
}

bool sqs_attributes_copy(struct sqs_attributes *copy, const struct sqs_attributes *a) {
    *copy = *a;
    bool ok = true;
    for (unsigned i = 0; i < SQS_ATTRIBUTES; i++) {
        copy->text[i] = a->text[i] ? strdup(a->text[i]) : NULL;
        ok = ok && (copy->text[i] || !a->text[i]);
    }
    copy->dead_letter_arn = a->dead_letter_arn ? strdup(a->dead_letter_arn) : NULL;
    ok = ok && (copy->dead_letter_arn || !a->dead_letter_arn);
    if (!ok)
        sqs_attributes_free(copy);
    return ok;
}

/* --- setting ---------------------------------------------------------------------------------- */

/* A decimal number within the attribute's range, digits only. */
static bool read_number(enum sqs_attribute i, const char *text, int64_t *out) {
    int64_t value = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 10; digits++)
        value = value * 10 + (text[digits] - '0');
    if (digits == 0 || text[digits] != '\0' || value < table[i].min || value > table[i].max)
        return false;
    *out = value;
    return true;
}

static bool read_choice(enum sqs_attribute i, const char *text, int64_t *out) {
    for (int64_t c = 0; table[i].choices[c]; c++) {
        if (strcmp(table[i].choices[c], text) == 0) {
            *out = c;
            return true;
        }
    }
    return false;
}

static bool invalid_value(struct sqs_request *request, enum sqs_attribute i) {
    sqs_fail(request, "InvalidAttributeValue", "Invalid value for the parameter %s.",
             table[i].name);
    return false;
}

static bool set_plain_text(struct sqs_request *request, enum sqs_attribute i,
                           struct sqs_attributes *a, const char *text) {
    if (i == SQS_POLICY && *text) {
        struct json_tree *tree = json_parse(text, strlen(text), JSON_DEPTH_DEFAULT, NULL, 0);
        bool object = tree && json_root(tree)->type == JSON_T_OBJECT;
        json_tree_free(tree);
        if (!object)
            return invalid_value(request, i);
    }
    char *copy = *text ? strdup(text) : NULL;
    if (*text && !copy) {
        sqs_fail_memory(request);
        return false;
    }
    free(a->text[i]);
    a->text[i] = copy;
    return true;
}

static bool set_one(struct sqs_request *request, bool exists, bool fifo, const char *arn,
                    struct sqs_attributes *a, const struct json_value *pair) {
    enum sqs_attribute i = sqs_attribute_find(pair->key);
    if (i == SQS_ATTRIBUTES || table[i].kind == READ_ONLY) {
        sqs_fail(request, "InvalidAttributeName", "Unknown Attribute %.100s.", pair->key);
        return false;
    }
    if (table[i].fifo_only && !fifo) {
        if (i == SQS_DEDUP_SCOPE || i == SQS_THROUGHPUT_LIMIT)
            sqs_fail(request, "InvalidAttributeName",
                     "You can specify the %s only when FifoQueue is set to true.", table[i].name);
        else
            sqs_fail(request, "InvalidAttributeName", "Unknown Attribute %s.", table[i].name);
        return false;
    }
    if (i == SQS_FIFO && exists && strcmp(pair->text, "true") != 0) {
        sqs_fail(request, "InvalidAttributeValue",
                 "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not "
                 "supported.");
        return false;
    }
    if (strlen(pair->text) != pair->len)
        return invalid_value(request, i);
    if (table[i].kind == NUMBER)
        return read_number(i, pair->text, &a->number[i]) || invalid_value(request, i);
    if (table[i].kind == CHOICE)
        return read_choice(i, pair->text, &a->number[i]) || invalid_value(request, i);
    if (i == SQS_REDRIVE)
        return sqs_redrive_set(request, fifo, arn, a, pair->text);
    if (i == SQS_REDRIVE_ALLOW)
        return sqs_redrive_allow_set(request, a, pair->text);
    return set_plain_text(request, i, a, pair->text);
}

bool sqs_attributes_apply(struct sqs_request *request, const struct sqs_entry *entry, bool fifo,
                          const char *arn, struct sqs_attributes *a,
                          const struct json_value *pairs) {
    for (const struct json_value *pair = pairs ? pairs->child : NULL; pair; pair = pair->next) {
        if (!set_one(request, entry != NULL, fifo, arn, a, pair))
            return false;
    }
    if (a->number[SQS_THROUGHPUT_LIMIT] != 0 && a->number[SQS_DEDUP_SCOPE] == 0) {
        sqs_fail(request, "InvalidAttributeValue",
                 "Invalid value for the parameter FifoThroughputLimit. Reason: perMessageGroupId "
                 "needs DeduplicationScope "
                 "messageGroup.");
        return false;
    }
    return true;
}

/* --- showing ---------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

const char *sqs_attributes_difference(const struct sqs_attributes *a,
                                      const struct sqs_attributes *b,
                                      const struct json_value *pairs) {
    for (const struct json_value *pair = pairs ? pairs->child : NULL; pair; pair = pair->next) {
        enum sqs_attribute i = sqs_attribute_find(pair->key);
        if (a->number[i] != b->number[i] || !same_text(a->text[i], b->text[i]))
            return table[i].name;
    }
    return NULL;
}

static int64_t computed(struct sqs_entry *entry, enum sqs_attribute attribute, int64_t now_ms) {
    if (attribute == SQS_CREATED)
        return entry->created_ms / 1000;
    if (attribute == SQS_MODIFIED)
        return entry->modified_ms / 1000;
    struct sqs_queue_counts counts = sqs_queue_count(entry->queue, now_ms);
    return (int64_t)(attribute == SQS_COUNT_VISIBLE     ? counts.visible
                     : attribute == SQS_COUNT_IN_FLIGHT ? counts.in_flight
                                                        : counts.delayed);
}

bool sqs_attribute_text(struct sqs_entry *entry, enum sqs_attribute attribute, int64_t now_ms,
                        struct buf *out) {
    const struct sqs_attributes *a = &entry->attributes;
    if (table[attribute].fifo_only && !entry->fifo)
        return false;
    if (attribute == SQS_KMS_REUSE_SECONDS && !a->text[SQS_KMS_KEY])
        return false;
    if (attribute == SQS_ARN) {
        buf_adds(out, entry->arn);
    } else if (attribute == SQS_MANAGED_SSE && a->text[SQS_KMS_KEY]) {
        buf_adds(out, "false"); /* a key of KMS takes its place */
    } else if (table[attribute].kind == READ_ONLY) {
        buf_addf(out, "%lld", (long long)computed(entry, attribute, now_ms));
    } else if (table[attribute].kind == NUMBER) {
        buf_addf(out, "%lld", (long long)a->number[attribute]);
    } else if (table[attribute].kind == CHOICE) {
        buf_adds(out, table[attribute].choices[a->number[attribute]]);
    } else {
        if (!a->text[attribute])
            return false;
        buf_adds(out, a->text[attribute]);
    }
    return true;
}
