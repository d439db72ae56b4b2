/* Reading the answers of SQS. All results borrow from the tree. */
#ifndef AWSYNC_AWS_SQS_PARSE_H
#define AWSYNC_AWS_SQS_PARSE_H

#include "host/aws/sqs.h"
#include "host/json/json.h"

/* Each gives a list that the caller frees, or NULL for an empty one. False with an error: memory ran
** out. */

/* The messages of a ReceiveMessage answer. An error also where a member is missing, or a body's MD5
** differs. */
bool sqs_read_messages(const struct json_value *root, struct sqs_message **out, size_t *count,
                       struct aws_error *error);
/* The outcomes of a batch of count entries with the ids 0..count-1; never NULL. An entry that the
** answer does not name has failed by the service's fault. */
bool sqs_read_outcomes(const struct json_value *root, size_t count, struct sqs_outcome **outcomes,
                       struct aws_error *error);
/* The string members of an object (NULL: none). */
bool sqs_read_pairs(const struct json_value *object, struct sqs_pair **out, size_t *count,
                    struct aws_error *error);
/* The strings of an array (NULL: none). */
bool sqs_read_texts(const struct json_value *array, const char ***out, size_t *count,
                    struct aws_error *error);

#endif
