/*
** One SQS queue, standard or FIFO: what waits, what is in flight, what comes next. Pure logic: no
** clock (each call is told the time, which must not go back), no JSON, no HTTP. Everything is
** O(log n) in the number of messages and of message groups; purge and free are O(n). Source of
** behaviour: Amazon SQS developer guide (visibility timeout, FIFO delivery logic, exactly-once
** processing, dead-letter queues).
*/
#ifndef AWSYNC_ENGINE_SQS_QUEUE_H
#define AWSYNC_ENGINE_SQS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/heap.h"
#include "host/engine/sqs_hash.h"

enum {
    SQS_RECEIVE_MAX = 10,             /* messages of one receive */
    SQS_ID_MAX = 128,                 /* bytes of a group id, deduplication id or attempt id */
    SQS_UUID_SIZE = 16,               /* bytes of a message id */
    SQS_IN_FLIGHT_MAX = 120000,       /* messages */
    SQS_REMEMBER_MS = 5 * 60000,      /* deduplication and receive attempts */
    SQS_VISIBILITY_MAX_MS = 43200000, /* 12 h from the receive */
};

struct sqs_queue;
struct sqs_group;

enum sqs_result {
    SQS_OK,
    SQS_DUPLICATE,  /* send: the deduplication id was seen; nothing was added */
    SQS_GONE,       /* no such message any more */
    SQS_EXPIRED,    /* FIFO: the receipt handle holds the message no longer */
    SQS_TOO_LONG,   /* more than 12 h of visibility timeout since the receive */
    SQS_OVER_LIMIT, /* standard: in_flight_max messages are in flight */
    SQS_NO_MEMORY,
};

struct sqs_queue_rules {
    bool fifo;           /* as at sqs_queue_new */
    bool dedup_by_group; /* DeduplicationScope=messageGroup */
    int64_t delay_ms;
    int64_t retention_ms; /* counts for messages that are there already, too */
    size_t in_flight_max;
};

enum sqs_message_state { SQS_VISIBLE, SQS_DELAYED, SQS_IN_FLIGHT };

/* A message in its queue, one allocation. To be read only; valid until the next call on the queue.
 */
struct sqs_message {
    int64_t sequence; /* names the message in its queue; rises from send to send */
    int64_t sent_ms, first_receive_ms;
    uint32_t receive_count;
    uint32_t generation; /* of the receipt handle: rises from receive to receive */
    uint8_t id[SQS_UUID_SIZE];
    uint8_t body_md5[16];
    uint32_t body_len, attributes_len;
    uint16_t trace_len, source_len;
    uint8_t group_len, dedup_len;

    /* private to sqs_queue.c and sqs_receive.c */
    bool changed; /* its visibility was changed since the receive */
    enum sqs_message_state state;
    uint32_t receives_here; /* since it came to this queue: what redrive counts */
    int64_t received_ms;
    struct heap_node
        turn;             /* visible on a standard queue: by sequence; hidden: by the end of that */
    struct heap_node age; /* by sent_ms */
    UT_hash_handle hh;    /* by sequence */
    struct sqs_group *group; /* FIFO */
    struct sqs_message *prev, *next;
    char data[];
};

/* Each is followed by a NUL that does not count in its length, but for the attributes. */
const char *sqs_message_body(const struct sqs_message *m);
const char *sqs_message_group(const struct sqs_message *m); /* "": none */
const char *sqs_message_dedup(const struct sqs_message *m); /* "": none */
const char *
sqs_message_source(const struct sqs_message *m); /* ARN of the queue it was dead on; "": none */
const char *sqs_message_trace(const struct sqs_message *m); /* AWSTraceHeader; "": none */
const char *sqs_message_attributes(const struct sqs_message *m);

/* What a send asks for. All pointers are borrowed for the call; texts may be NULL: none. */
struct sqs_draft {
    const uint8_t *id;       /* SQS_UUID_SIZE bytes */
    const uint8_t *body_md5; /* 16 bytes */
    const char *body;
    size_t body_len;
    const char *attributes; /* opaque here */
    size_t attributes_len;
    const char *trace;
    const char *group; /* at most SQS_ID_MAX bytes, as dedup; needed on FIFO */
    const char *dedup;
    int64_t delay_ms; /* < 0: the queue's */
    /* Of a message that comes from the queue where it was dead. It is not deduplicated. */
    const char *source; /* ARN; NULL: a send */
    int64_t sent_ms, first_receive_ms;
    uint32_t receive_count;
};

struct sqs_sent {
    uint8_t id[SQS_UUID_SIZE]; /* of the first message, for a duplicate */
    int64_t sequence;
};

/* What a receive asks for. */
struct sqs_take {
    size_t max; /* 1..SQS_RECEIVE_MAX */
    int64_t visibility_ms;
    const char
        *attempt; /* ReceiveRequestAttemptId; NULL: none. Without effect on a standard queue. */
    uint32_t max_receives; /* 0: no redrive. A message received that often goes to dead instead. */
    /* Called for each dead message, which is freed afterwards. May send to this queue. */
    void (*dead)(void *context, const struct sqs_message *m);
    void *context;
};

struct sqs_queue_counts {
    size_t visible, delayed, in_flight;
};

/* NULL when memory ran out. */
struct sqs_queue *sqs_queue_new(const struct sqs_queue_rules *rules);
void sqs_queue_free(struct sqs_queue *q);
void sqs_queue_set_rules(struct sqs_queue *q, const struct sqs_queue_rules *rules);

/* Lets the time pass: visibility timeouts, delays and retention end. The calls below do it
** themselves. */
void sqs_queue_advance(struct sqs_queue *q, int64_t now_ms);
/* When the next hidden message becomes visible; INT64_MAX: none is hidden. */
int64_t sqs_queue_next_due(const struct sqs_queue *q);

/* SQS_OK, SQS_DUPLICATE or SQS_NO_MEMORY. */
enum sqs_result sqs_queue_send(struct sqs_queue *q, const struct sqs_draft *draft, int64_t now_ms,
                               struct sqs_sent *sent_out);
/* SQS_OK (also when there is nothing: *count_out is 0) or SQS_OVER_LIMIT. out: room for
** SQS_RECEIVE_MAX. */
enum sqs_result sqs_queue_receive(struct sqs_queue *q, const struct sqs_take *take, int64_t now_ms,
                                  const struct sqs_message **out, size_t *count_out);
/* sequence and generation are a receipt handle's. SQS_OK (also when it is gone already) or
** SQS_EXPIRED. */
enum sqs_result sqs_queue_delete(struct sqs_queue *q, int64_t sequence, uint32_t generation,
                                 int64_t now_ms);
/* The last sequence that was given. */
int64_t sqs_queue_last(const struct sqs_queue *q);
/* What a receive would be given first, without being received; NULL: nothing with a sequence up to last is visible. */
const struct sqs_message *sqs_queue_peek(struct sqs_queue *q, int64_t last, int64_t now_ms);
/* Deletes a message that is there. */
void sqs_queue_remove(struct sqs_queue *q, int64_t sequence);
/* SQS_OK, SQS_GONE, SQS_EXPIRED, SQS_TOO_LONG or SQS_NO_MEMORY. */
enum sqs_result sqs_queue_change_visibility(struct sqs_queue *q, int64_t sequence,
                                            uint32_t generation, int64_t visibility_ms,
                                            int64_t now_ms);
/* Drops every message and what deduplication remembers. */
void sqs_queue_purge(struct sqs_queue *q);
struct sqs_queue_counts sqs_queue_count(struct sqs_queue *q, int64_t now_ms);

#endif
