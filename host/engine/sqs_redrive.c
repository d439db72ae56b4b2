#include "host/engine/sqs_redrive.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RECEIVES = 1000, SOURCES_MAX = 10, POLICY_DEPTH = 8, POLICY_MAX = 8192 };

static const struct json_value *permission_of(const struct json_value *policy) {
    const struct json_value *v = json_get(policy, "redrivePermission");
    return v && v->type == JSON_T_STRING ? v : NULL;
}

/* Does the target let this queue send its dead to it? */
static bool allows(const struct sqs_entry *target, const char *source_arn) {
    const char *text = target->attributes.text[SQS_REDRIVE_ALLOW];
    struct json_tree *tree = text ? json_parse(text, strlen(text), POLICY_DEPTH, NULL, 0) : NULL;
    if (!tree)
        return true;
    const struct json_value *permission = permission_of(json_root(tree));
    bool ok = permission && strcmp(permission->text, "allowAll") == 0;
    if (permission && strcmp(permission->text, "byQueue") == 0) {
        const struct json_value *sources = json_get(json_root(tree), "sourceQueueArns");
        for (const struct json_value *v = sources ? sources->child : NULL; v && !ok; v = v->next)
            ok = strcmp(v->text, source_arn) == 0;
    }
    json_tree_free(tree);
    return ok;
}

/* maxReceiveCount comes as a number or as its text; 0: neither. */
static int64_t receive_count(const struct json_value *v) {
    if (v && v->type == JSON_T_INTEGER)
        return v->integer >= 1 && v->integer <= MAX_RECEIVES ? v->integer : 0;
    if (!v || v->type != JSON_T_STRING || v->len == 0 || v->len > 4)
        return 0;
    int64_t count = 0;
    for (size_t i = 0; i < v->len; i++) {
        if (v->text[i] < '0' || v->text[i] > '9')
            return 0;
        count = count * 10 + (v->text[i] - '0');
    }
    return count <= MAX_RECEIVES ? count : 0;
}

static bool refuse(struct sqs_request *request, const char *policy, const char *reason) {
    sqs_fail(request, "InvalidParameterValueException",
             "Value %.600s for parameter RedrivePolicy is invalid. Reason: %s", policy, reason);
    return false;
}

static char *written(const char *arn, int64_t count) {
    struct buf text;
    struct json_writer w;
    buf_init(&text, POLICY_MAX);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_member(&w, "deadLetterTargetArn", arn);
    json_key(&w, "maxReceiveCount");
    json_integer(&w, count);
    json_object_end(&w);
    return buf_take(&text, NULL);
}

bool sqs_redrive_set(struct sqs_request *request, bool fifo, const char *arn,
                     struct sqs_attributes *a, const char *policy) {
    bool ok = false;
    char *text = NULL, *target_arn = NULL;
    int64_t count = 0;
    struct json_tree *tree = NULL;
    if (*policy) {
        tree = json_parse(policy, strlen(policy), POLICY_DEPTH, NULL, 0);
        const struct json_value *root = tree ? json_root(tree) : NULL;
        if (!root || root->type != JSON_T_OBJECT) {
            refuse(request, policy, "Redrive policy is not a valid JSON map.");
            goto done;
        }
        const char *target_text = json_get_text(root, "deadLetterTargetArn");
        if (!target_text) {
            refuse(request, policy,
                   "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.");
            goto done;
        }
        if (!json_get(root, "maxReceiveCount")) {
            refuse(request, policy,
                   "Redrive policy does not contain mandatory attribute: maxReceiveCount.");
            goto done;
        }
        count = receive_count(json_get(root, "maxReceiveCount"));
        if (count == 0) {
            refuse(request, policy,
                   "Invalid value for maxReceiveCount: must be between 1 and 1000.");
            goto done;
        }
        const struct sqs_entry *target = sqs_entry_find_arn(request->service, target_text);
        if (!target) {
            refuse(request, policy, "Dead letter target does not exist.");
            goto done;
        }
        if (target->fifo != fifo) {
            refuse(request, policy, "Dead-letter queue must be same type of queue as the source.");
            goto done;
        }
        if (!allows(target, arn)) {
            refuse(request, policy,
                   "The dead-letter queue does not allow redrive from this queue.");
            goto done;
        }
        target_arn = strdup(target_text);
        text = written(target_text, count);
        if (!target_arn || !text) {
            sqs_fail_memory(request);
            goto done;
        }
    }
    free(a->text[SQS_REDRIVE]);
    free(a->dead_letter_arn);
    a->text[SQS_REDRIVE] = text;
    a->dead_letter_arn = target_arn;
    a->max_receives = count;
    text = target_arn = NULL;
    ok = true;

done:
    free(text);
    free(target_arn);
    json_tree_free(tree);
    return ok;
}

static bool allow_policy_valid(const struct json_value *root) {
    const struct json_value *permission = permission_of(root);
    const struct json_value *sources = json_get(root, "sourceQueueArns");
    if (!permission)
        return false;
    if (strcmp(permission->text, "allowAll") == 0 || strcmp(permission->text, "denyAll") == 0)
        return !sources;
    if (strcmp(permission->text, "byQueue") != 0 || !sources || sources->type != JSON_T_ARRAY ||
        sources->len == 0 || sources->len > SOURCES_MAX)
        return false;
    for (const struct json_value *v = sources->child; v; v = v->next) {
        if (v->type != JSON_T_STRING)
            return false;
    }
    return true;
}

bool sqs_redrive_allow_set(struct sqs_request *request, struct sqs_attributes *a,
                           const char *policy) {
    char *text = NULL;
    if (*policy) {
        struct json_tree *tree = json_parse(policy, strlen(policy), POLICY_DEPTH, NULL, 0);
        bool valid = tree && allow_policy_valid(json_root(tree));
        json_tree_free(tree);
        if (!valid) {
            sqs_fail(request, "InvalidAttributeValue",
                     "Invalid value for the parameter RedriveAllowPolicy.");
            return false;
        }
        text = strdup(policy);
        if (!text) {
            sqs_fail_memory(request);
            return false;
        }
    }
    free(a->text[SQS_REDRIVE_ALLOW]);
    a->text[SQS_REDRIVE_ALLOW] = text;
    return true;
}
