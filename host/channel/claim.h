/*
** Claims: a spawned call runs once, also when its event comes to two processes. Knows aws, nothing
** of Lua.
**
** A deployed function has one FIFO queue for them, `awsync-claims-<function>.fifo`, which is made by
** whoever finds it missing and never received from. Who is to run a call sends one batch of three
** messages in the group of the call's id: a reference twice, under a deduplication id of its own, and
** the claim, under the call's id. SQS answers a duplicate with the SequenceNumber of the first
** message, and numbers rise within a group (SQS Developer Guide, "Exactly-once processing" and
** SendMessage): a claim above the reference is the first one, a claim below it was made by somebody
** else before. The same request sent again has the same answer, so that lost answers do no harm. A
** server whose second reference has another number than the first does not tell duplicates: every
** claim holds there.
**
** SQS remembers deduplication ids for five minutes; so long a claim holds.
*/
#ifndef AWSYNC_CHANNEL_CLAIM_H
#define AWSYNC_CHANNEL_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/aws/aws.h"

enum { CLAIM_QUEUE_SIZE = 81, CLAIM_URL_SIZE = 512 };

/* The name of the queue. Names of functions that are longer than fits in lose their end: who shares
** a queue does no harm, since calls have ids of their own. */
void claim_queue_name(const char *function, char out[CLAIM_QUEUE_SIZE]);

/* Of one process, for one call at a time. */
struct claimer;

/* Makes no request yet. The client must be freed before the claims. NULL: out of memory. */
struct claimer *claimer_new(struct aws_client *client);
/* After the client's end. */
void claimer_free(struct claimer *claimer);
/* Where the queue is. base: as of sqs_queue_base, "" when the account is not known. Copied. */
void claimer_set_queue(struct claimer *claimer, const char *function, const char *base);
/* What stands before the name in the URL of a queue, as far as it is known; else "". */
void claimer_base(struct claimer *claimer, char *out, size_t size);

/* For a process that makes calls: has the queue made unless it is known to be there. Returns at
** once. */
void claimer_prepare(struct claimer *claimer);
/* The end of an invocation: waits until nothing is in flight. */
void claimer_settle(struct claimer *claimer, int64_t deadline);

/* The claim of this call is on its way; one that was on its way before is forgotten. */
void claimer_begin(struct claimer *claimer, const char *call);
enum claim {
    CLAIM_OURS,
    CLAIM_TAKEN,  /* by another process, or by this one before */
    CLAIM_FAILED, /* nothing but faults for 15 seconds, a refusal, or the deadline: error says why */
};
/* Waits for its outcome. Where the queue cannot be made because it was deleted a moment ago, every
** claim holds. Throttling is waited out. */
enum claim claimer_wait(struct claimer *claimer, int64_t deadline, struct aws_error *error);

#endif
