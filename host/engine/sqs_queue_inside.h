/* The inside of a queue, shared by sqs_queue.c (what comes and goes) and sqs_receive.c (what is
** handed out). */
#ifndef AWSYNC_ENGINE_SQS_QUEUE_INSIDE_H
#define AWSYNC_ENGINE_SQS_QUEUE_INSIDE_H

#include "host/engine/sqs_queue.h"
#include "host/engine/sqs_recent.h"

/* A message group of a FIFO queue; lives while it has messages. */
struct sqs_group {
    struct sqs_message *first, *last; /* in order of sending */
    struct heap_node turn; /* in ready while the first message is visible, by its sequence */
    UT_hash_handle hh;
    size_t id_len;
    char id[];
};

struct sqs_queue {
    struct sqs_queue_rules rules;
    int64_t last_sequence;
    struct sqs_message *messages; /* by sequence */
    struct sqs_group *groups;     /* by id */
    struct heap ready;            /* messages of a standard queue, groups of a FIFO queue */
    struct heap hidden;           /* delayed and in flight, by due time */
    struct heap ages;             /* all, by sent_ms */
    size_t delayed, in_flight;
    struct sqs_recent sent_ids; /* deduplication ids -> struct sqs_sent */
    struct sqs_recent attempts; /* receive attempt ids -> see sqs_receive.c */
};

#define SQS_OF_NODE(type, member, node) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Sees to it that a group is in ready exactly while its first message is visible, and frees it
** when it is empty. */
void sqs_group_refresh(struct sqs_queue *q, struct sqs_group *group);
/* A hidden message becomes visible. False when memory ran out: it stays hidden. */
bool sqs_message_show(struct sqs_queue *q, struct sqs_message *m);
/* A visible message goes in flight until due_ms; on a standard queue it may be in ready or not.
** False when memory ran out: it is visible. */
bool sqs_message_hide(struct sqs_queue *q, struct sqs_message *m, int64_t due_ms);
struct sqs_message *sqs_message_find(const struct sqs_queue *q, int64_t sequence);
/* Takes the message out of everything; the caller frees it. A group that has become empty is freed.
 */
void sqs_message_detach(struct sqs_queue *q, struct sqs_message *m);

#endif
