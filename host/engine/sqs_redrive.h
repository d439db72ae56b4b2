/* RedrivePolicy and RedriveAllowPolicy. Source: Amazon SQS developer guide, dead-letter queues. */
#ifndef AWSYNC_ENGINE_SQS_REDRIVE_H
#define AWSYNC_ENGINE_SQS_REDRIVE_H

#include "host/engine/sqs_state.h"

/* Puts the policy into a; "" removes it. arn: of the queue that gets it. False: the request has
** failed. */
bool sqs_redrive_set(struct sqs_request *request, bool fifo, const char *arn,
                     struct sqs_attributes *a, const char *policy);
bool sqs_redrive_allow_set(struct sqs_request *request, struct sqs_attributes *a,
                           const char *policy);

#endif
