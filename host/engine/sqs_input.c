#include "host/engine/sqs_input.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *what;    /* for messages */
    enum json_type type; /* of the member */
    enum json_type item; /* of its items */
} kinds[] = {
    [SQS_STRING] = {"a string", JSON_T_STRING, JSON_T_NULL},
    [SQS_INTEGER] = {"an integer", JSON_T_INTEGER, JSON_T_NULL},
    [SQS_STRING_LIST] = {"a list of strings", JSON_T_ARRAY, JSON_T_STRING},
    [SQS_STRING_MAP] = {"a map of strings", JSON_T_OBJECT, JSON_T_STRING},
    [SQS_STRUCTURE_LIST] = {"a list of structures", JSON_T_ARRAY, JSON_T_OBJECT},
    [SQS_STRUCTURE_MAP] = {"a map of structures", JSON_T_OBJECT, JSON_T_OBJECT},
};

static const struct sqs_member *find(const struct sqs_member *members, const char *name) {
    for (; members->name; members++) {
        if (strcmp(members->name, name) == 0)
            return members;
    }
    return NULL;
}

/* Structures lie in lists and maps only, three deep at most: input, Entries, MessageAttributes. */
bool sqs_input_check(const struct json_value *input, const struct sqs_member *members,
                     char *error_out, size_t error_size) {
    for (const struct json_value *v = input->child; v; v = v->next) {
        const struct sqs_member *member = find(members, v->key);
        if (!member || v->type == JSON_T_NULL)
            continue;
        bool ok = v->type == kinds[member->kind].type;
        if (ok && kinds[member->kind].item != JSON_T_NULL) {
            for (const struct json_value *item = v->child; item && ok; item = item->next)
                ok = item->type == kinds[member->kind].item;
        }
        if (!ok) {
            snprintf(error_out, error_size, "%s must be %s.", member->name,
                     kinds[member->kind].what);
            return false;
        }
        for (const struct json_value *item = v->child; item && member->members; item = item->next) {
            if (!sqs_input_check(item, member->members, error_out, error_size))
                return false;
        }
    }
    return true;
}

const struct json_value *sqs_get(const struct json_value *input, const char *name) {
    const struct json_value *v = json_get(input, name);
    return v && v->type != JSON_T_NULL ? v : NULL;
}

const char *sqs_get_text(const struct json_value *input, const char *name) {
    const struct json_value *v = sqs_get(input, name);
    return v && v->type == JSON_T_STRING ? v->text : NULL;
}
