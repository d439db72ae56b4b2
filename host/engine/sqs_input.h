/*
** The input of an operation: one object, checked against the members that the operation knows.
** Which wire it came by doesn't matter here: a form becomes such a tree, too.
*/
#ifndef AWSYNC_ENGINE_SQS_INPUT_H
#define AWSYNC_ENGINE_SQS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/json/json.h"

enum sqs_kind {
    SQS_STRING,
    SQS_INTEGER,
    SQS_STRING_LIST,
    SQS_STRING_MAP,
    SQS_STRUCTURE_LIST,
    SQS_STRUCTURE_MAP,
};

struct sqs_member {
    const char *name; /* NULL: the end of the table */
    enum sqs_kind kind;
    const struct sqs_member *members; /* of the structures; NULL elsewhere */
};

/* The checks of types alone, as AWS does them before it looks at any value. False: error_out says
** which member should have been what. Members that are not in the table are ignored; null is as
** good as absent. */
bool sqs_input_check(const struct json_value *input, const struct sqs_member *members,
                     char *error_out, size_t error_size);

/* The member, or NULL when it is absent or null. */
const struct json_value *sqs_get(const struct json_value *input, const char *name);
/* The text of a string member or NULL. */
const char *sqs_get_text(const struct json_value *input, const char *name);

#endif
