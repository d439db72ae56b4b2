/* AddPermission and RemovePermission: statements of the queue's policy, by their labels. The policy is kept and shown; the
** engine has one account, whose queues are all its own. Source: Amazon SQS API reference. */
#include "host/engine/sqs_state.h"

#include <stdlib.h>
#include <string.h>

#include "host/engine/sqs_shapes.h"

enum {
    ACTIONS_MAX = 7,
    STATEMENTS_MAX = 20,
    ACCOUNT_DIGITS = 12,
    POLICY_MAX = 262144,
};

/* --- JSON, copied ----------------------------------------------------------------------------- */

static void write_value(struct json_writer *out, const struct json_value *v) {
    switch (v->type) {
    case JSON_T_STRING:
        json_string_n(out, v->text, v->len);
        break;
    case JSON_T_INTEGER:
        json_integer(out, v->integer);
        break;
    case JSON_T_DOUBLE:
        json_double(out, v->number);
        break;
    case JSON_T_BOOL:
        json_bool(out, v->boolean);
        break;
    case JSON_T_NULL:
        json_null(out);
        break;
    case JSON_T_ARRAY:
        json_array_begin(out);
        for (const struct json_value *item = v->child; item; item = item->next)
            write_value(out, item);
        json_array_end(out);
        break;
    case JSON_T_OBJECT:
        json_object_begin(out);
        for (const struct json_value *item = v->child; item; item = item->next) {
            json_key_n(out, item->key, item->key_len);
            write_value(out, item);
        }
        json_object_end(out);
        break;
    }
}

/* One text alone, several as a list: each between before and after. */
static void write_texts(struct json_writer *out, const struct json_value *list, const char *before,
                        const char *after) {
    struct buf text;
    buf_init(&text, 1024);
    if (list->len > 1)
        json_array_begin(out);
    for (const struct json_value *v = list->child; v; v = v->next) {
        buf_reset(&text);
        buf_addf(&text, "%s%s%s", before, v->text, after);
        json_string(out, buf_text(&text));
    }
    if (list->len > 1)
        json_array_end(out);
    buf_free(&text);
}

/* --- the policy ------------------------------------------------------------------------------- */

/* Its statements: one alone, or the first of a list; NULL: there are none. */
static const struct json_value *first_statement(const struct json_value *policy, bool *list_out) {
    const struct json_value *statements = json_get(policy, "Statement");
    *list_out = statements && statements->type == JSON_T_ARRAY;
    return *list_out ? statements->child : statements;
}

static bool has_label(const struct json_value *statement, const char *label) {
    const char *sid = json_get_text(statement, "Sid");
    return sid && strcmp(sid, label) == 0;
}

static size_t count_statements(const struct json_value *policy, const char *label, bool *found) {
    bool list;
    size_t count = 0;
    *found = false;
    for (const struct json_value *s = first_statement(policy, &list); s;
         s = list ? s->next : NULL) {
        count++;
        *found = *found || has_label(s, label);
    }
    return count;
}

/* Appends the statements but for the one with the label. */
static void write_others(struct json_writer *out, const struct json_value *policy,
                         const char *label) {
    bool list;
    for (const struct json_value *s = first_statement(policy, &list); s;
         s = list ? s->next : NULL) {
        if (!has_label(s, label))
            write_value(out, s);
    }
}

static void write_statement(const struct sqs_request *request, const struct sqs_entry *entry,
                            const char *label, struct json_writer *out) {
    json_object_begin(out);
    json_member(out, "Sid", label);
    json_member(out, "Effect", "Allow");
    json_key(out, "Principal");
    json_object_begin(out);
    json_key(out, "AWS");
    write_texts(out, sqs_get(request->input, "AWSAccountIds"), "arn:aws:iam::", ":root");
    json_object_end(out);
    json_key(out, "Action");
    write_texts(out, sqs_get(request->input, "Actions"), "SQS:", "");
    json_member(out, "Resource", entry->arn);
    json_object_end(out);
}

/* Gives the queue a policy with what is left of the old one, and the new statement if there is one. */
static enum sqs_outcome change(struct sqs_request *request, struct sqs_entry *entry,
                               const struct json_value *old, const char *label, bool add) {
    struct buf text, id;
    struct json_writer w;
    buf_init(&text, POLICY_MAX);
    buf_init(&id, 1024);
    buf_addf(&id, "%s/SQSDefaultPolicy", entry->arn);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    if (!old) {
        json_member(&w, "Version", "2008-10-17");
        json_member(&w, "Id", buf_text(&id));
    }
    for (const struct json_value *v = old ? old->child : NULL; v; v = v->next) {
        if (strcmp(v->key, "Statement") == 0)
            continue;
        json_key_n(&w, v->key, v->key_len);
        write_value(&w, v);
    }
    json_key(&w, "Statement");
    json_array_begin(&w);
    if (old)
        write_others(&w, old, label);
    if (add)
        write_statement(request, entry, label, &w);
    json_array_end(&w);
    json_object_end(&w);
    buf_free(&id);
    char *policy = buf_take(&text, NULL);
    if (!policy)
        return sqs_fail_memory(request);
    free(entry->attributes.text[SQS_POLICY]);
    entry->attributes.text[SQS_POLICY] = policy;
    entry->modified_ms = request->now_ms;
    return SQS_EMPTY;
}

/* --- what is asked ---------------------------------------------------------------------------- */

/* The label; NULL: the request has failed. */
static const char *read_label(struct sqs_request *request) {
    const struct json_value *label = sqs_get(request->input, "Label");
    if (!label || label->len == 0) {
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter Label.");
        return NULL;
    }
    bool ok = label->len <= SQS_NAME_MAX;
    for (size_t i = 0; i < label->len && ok; i++) {
        char c = label->text[i];
        ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
             c == '-' || c == '_';
    }
    if (ok)
        return label->text;
    sqs_fail(request, "InvalidParameterValueException",
             "Value %.200s for parameter Label is invalid. Reason: Can only include alphanumeric "
             "characters, hyphens, or underscores. 1 to 80 in length.",
             label->text);
    return NULL;
}

/* What only the owner may do cannot be granted. */
static bool may_be_granted(const char *action) {
    static const char *const owners[] = {"AddPermission",
                                         "CancelMessageMoveTask",
                                         "CreateQueue",
                                         "DeleteQueue",
                                         "ListMessageMoveTasks",
                                         "ListQueues",
                                         "ListQueueTags",
                                         "RemovePermission",
                                         "SetQueueAttributes",
                                         "StartMessageMoveTask",
                                         "TagQueue",
                                         "UntagQueue"};
    for (size_t i = 0; i < sizeof(owners) / sizeof(*owners); i++) {
        if (strcmp(owners[i], action) == 0)
            return false;
    }
    return strcmp(action, "*") == 0 || sqs_operation_find(action);
}

static bool check_actions(struct sqs_request *request) {
    const struct json_value *actions = sqs_get(request->input, "Actions");
    if (!actions || !actions->child) {
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter Actions.");
        return false;
    }
    if (actions->len > ACTIONS_MAX) {
        sqs_fail(request, "OverLimit", "%zu Actions were found, maximum allowed is %d.",
                 actions->len, ACTIONS_MAX);
        return false;
    }
    for (const struct json_value *v = actions->child; v; v = v->next) {
        if (may_be_granted(v->text))
            continue;
        sqs_fail(request, "InvalidParameterValueException",
                 "Value SQS:%.100s for parameter ActionName is invalid. Reason: Only the queue "
                 "owner is allowed to invoke this action.",
                 v->text);
        return false;
    }
    return true;
}

static bool check_accounts(struct sqs_request *request) {
    const struct json_value *accounts = sqs_get(request->input, "AWSAccountIds");
    if (!accounts || !accounts->child) {
        sqs_fail(request, "MissingRequiredParameterException",
                 "The request must contain the parameter PrincipalId.");
        return false;
    }
    for (const struct json_value *v = accounts->child; v; v = v->next) {
        if (v->len == ACCOUNT_DIGITS && strspn(v->text, "0123456789") == v->len)
            continue;
        sqs_fail(request, "InvalidParameterValueException",
                 "Value [%.100s] for parameter PrincipalId is invalid. Reason: Unable to verify.",
                 v->text);
        return false;
    }
    return true;
}

static struct json_tree *read_policy(const struct sqs_entry *entry) {
    const char *text = entry->attributes.text[SQS_POLICY];
    return text ? json_parse(text, strlen(text), JSON_DEPTH_DEFAULT, NULL, 0) : NULL;
}

enum sqs_outcome sqs_op_add_permission(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    const char *label = entry ? read_label(request) : NULL;
    if (!label || !check_accounts(request) || !check_actions(request))
        return SQS_FAILED;
    struct json_tree *tree = read_policy(entry);
    const struct json_value *old = tree ? json_root(tree) : NULL;
    bool found;
    enum sqs_outcome outcome = SQS_FAILED;
    size_t count = count_statements(old, label, &found);
    if (found)
        sqs_fail(request, "InvalidParameterValueException",
                 "Value %s for parameter Label is invalid. Reason: Already exists.", label);
    else if (count >= STATEMENTS_MAX)
        sqs_fail(request, "OverLimit", "A policy can have at most %d statements.", STATEMENTS_MAX);
    else
        outcome = change(request, entry, old, label, true);
    json_tree_free(tree);
    return outcome;
}

enum sqs_outcome sqs_op_remove_permission(struct sqs_request *request) {
    struct sqs_entry *entry = sqs_entry_of(request);
    const char *label = entry ? read_label(request) : NULL;
    if (!label)
        return SQS_FAILED;
    struct json_tree *tree = read_policy(entry);
    const struct json_value *old = tree ? json_root(tree) : NULL;
    bool found;
    enum sqs_outcome outcome = SQS_FAILED;
    size_t count = count_statements(old, label, &found);
    if (!found) {
        sqs_fail(request, "InvalidParameterValueException",
                 "Value %s for parameter Label is invalid. Reason: can't find label on existing "
                 "policy.",
                 label);
    } else if (count == 1) {
        free(entry->attributes.text[SQS_POLICY]);
        entry->attributes.text[SQS_POLICY] = NULL;
        entry->modified_ms = request->now_ms;
        outcome = SQS_EMPTY;
    } else {
        outcome = change(request, entry, old, label, false);
    }
    json_tree_free(tree);
    return outcome;
}
