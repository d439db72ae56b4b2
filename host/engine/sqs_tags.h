/* Tags of queues. */
#ifndef AWSYNC_ENGINE_SQS_TAGS_H
#define AWSYNC_ENGINE_SQS_TAGS_H

#include "host/engine/sqs_state.h"

/* Could these pairs be added to the entry (NULL: to a new one)? tags may be NULL. False: the
** request has failed. */
bool sqs_tags_check(struct sqs_request *request, const struct sqs_entry *entry,
                    const struct json_value *tags);
/* Adds or overwrites checked pairs. False when memory ran out; some may have been added then. */
bool sqs_tags_add(struct sqs_entry *entry, const struct json_value *tags);

#endif
