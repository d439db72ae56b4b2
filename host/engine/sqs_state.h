/* The inside of the SQS service, shared by its operations (sqs_ops_*.c), sqs_waiters.c and
** sqs_service.c. */
#ifndef AWSYNC_ENGINE_SQS_STATE_H
#define AWSYNC_ENGINE_SQS_STATE_H

#include <event2/event.h>

#include "host/base/buf.h"
#include "host/base/heap.h"
#include "host/base/random.h"
#include "host/engine/sqs.h"
#include "host/engine/sqs_attributes.h"
#include "host/engine/sqs_crypto.h"
#include "host/engine/sqs_hash.h"
#include "host/engine/sqs_input.h"
#include "host/engine/sqs_queue.h"
#include "host/json/json.h"

enum {
    SQS_NAME_MAX = 80,
    SQS_TAGS_MAX = 50,
    SQS_MESSAGE_MAX = 1048576, /* bytes of a message, and of a batch in all */
    SQS_BATCH_ENTRIES = 10,
    SQS_PAGE_MAX = 1000,
    SQS_QUIET_MS = 60000, /* between two purges, and from a deletion to the same name again */
};

struct sqs_tag {
    char *key, *value; /* owned */
};

/* A queue with all that belongs to it. */
struct sqs_entry {
    char *name, *arn; /* owned */
    uint64_t life;    /* random: handles of an earlier queue with the name are not ours */
    struct sqs_queue *queue;
    struct sqs_attributes attributes;
    struct sqs_tag tags[SQS_TAGS_MAX];
    size_t tag_count;
    int64_t created_ms, modified_ms;
    int64_t purged_ms; /* -1: never */
    bool fifo;
    struct sqs_waiter *first_waiter, *last_waiter; /* first come first served */
    struct heap_node wake; /* in service->wakes while waiters wait for something that becomes due */
    bool stirred;          /* in service->stirred */
    struct sqs_entry *next_stirred;
    UT_hash_handle hh; /* by name */
};

struct sqs_grave; /* of a deleted queue's name */
struct sqs_move;  /* a message move task */

struct sqs_operation;

struct sqs_service {
    struct event_base *base; /* borrowed */
    struct event *timer;     /* the next deadline of a waiter or wake of a queue */
    int64_t armed_ms;        /* what timer is set to; -1: not set */
    struct event *sweep;     /* retention of queues that nobody asks */
    struct sqs_service_options options;
    int64_t epoch_ms; /* wall time minus monotonic time: the service's clock is wall time that never
                         goes back */
    struct sqs_crypto *crypto;
    struct sqs_entry *entries; /* by name */
    struct sqs_grave *graves;  /* by name, the oldest first */
    struct sqs_move *moves;    /* the newest first, running and over */
    struct heap deadlines;     /* of waiters */
    struct heap wakes;         /* of queues with waiters */
    struct sqs_entry *stirred; /* queues where something may have become receivable */
    struct buf answer;         /* reused */
    struct random_pool ids;    /* of messages */
};

/* An operation on its way. */
struct sqs_request {
    struct sqs_service *service;
    struct service_call *call;
    struct json_tree *tree; /* of input; an operation that waits takes it and leaves NULL */
    const struct json_value *input;
    struct json_writer *out; /* takes the members of the output object */
    int64_t now_ms;
    const struct sqs_operation *operation; /* NULL: not known yet */
    bool fifo;                             /* the queue it is about, by its name */
    size_t payload;                        /* bytes of messages, sent or received */
    const char *code;                      /* of the failure: shape name */
    char message[1024];
};

enum sqs_outcome {
    SQS_ANSWERED, /* the output object is complete */
    SQS_EMPTY,    /* no output: an empty body */
    SQS_FAILED,   /* code and message say why */
    SQS_WAITS,    /* the call is answered later, by sqs_waiters.c */
};

/* --- sqs_service.c --- */

int64_t sqs_now(const struct sqs_service *service);
/* Fails the request; returns SQS_FAILED. */
enum sqs_outcome sqs_fail(struct sqs_request *request, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum sqs_outcome sqs_fail_memory(struct sqs_request *request);
struct sqs_entry *sqs_entry_find(const struct sqs_service *service, const char *name);
/* By `arn:aws:sqs:REGION:ACCOUNT:NAME`; NULL: no such queue. */
struct sqs_entry *sqs_entry_find_arn(const struct sqs_service *service, const char *arn);
/* The queue of the input's QueueUrl; NULL: the request has failed. */
struct sqs_entry *sqs_entry_of(struct sqs_request *request);
/* Appends `http://HOST/ACCOUNT/NAME`. */
void sqs_entry_url(const struct sqs_request *request, const char *name, struct buf *out);
/* A new entry in the registry, with a copy of the attributes; NULL when memory ran out. */
struct sqs_entry *sqs_entry_new(struct sqs_service *service, const char *name, const char *arn,
                                bool fifo, const struct sqs_attributes *attributes, int64_t now_ms);
/* Answers its waiters that the queue is no more. */
void sqs_entry_free(struct sqs_service *service, struct sqs_entry *entry);
/* Brings attributes that were changed to the queue. */
void sqs_entry_apply(struct sqs_entry *entry);
/* Notes that the name must rest, and asks for that. */
bool sqs_grave_dig(struct sqs_service *service, const char *name, int64_t now_ms);
bool sqs_grave_fresh(struct sqs_service *service, const char *name, int64_t now_ms);
/* Moves the service's clock forward, for specs: timers that have come due run at once. */
void sqs_service_skip(struct sqs_service *service, int64_t ms);
/* Sends the answer that was written to service->answer, or an empty one, in the call's protocol. Frees the call. */
void sqs_answer(struct sqs_service *service, struct service_call *call,
                const struct sqs_operation *operation, bool empty);
/* Reports a request for billing. */
void sqs_bill(const struct sqs_service *service, const struct sqs_operation *operation, bool fifo,
              size_t payload);

/* --- sqs_send.c --- */

/* Group, deduplication and attempt ids, members of input: 1 to 128 of alphanumerics and ASCII punctuation. Absent is
** fine. False: the request has failed. */
bool sqs_check_id(struct sqs_request *request, const struct json_value *input, const char *name);

/* Moves a dead message to the queue that its own queue names. For struct sqs_take. */
struct sqs_dead_letter {
    struct sqs_service *service;
    const struct sqs_entry *from;
    struct sqs_entry *to;
    int64_t now_ms;
};
void sqs_dead_letter(void *dead_letter, const struct sqs_message *m);
/* Sends the message to another queue, as a new one. False when memory ran out. */
bool sqs_resend(struct sqs_service *service, struct sqs_entry *to, const struct sqs_message *m,
                int64_t now_ms);
/* Writes a sequence number as SQS shows it. out: 21 bytes. */
void sqs_sequence_text(int64_t sequence, char *out);

/* --- sqs_ops_receive.c --- */

/* What a receive wants, as long as it waits. Texts are borrowed from the input. */
struct sqs_receive {
    size_t max;
    int64_t visibility_ms;
    const char *attempt;
    unsigned system_attributes; /* bits, see sqs_ops_receive.c */
    const struct json_value *attribute_names;
};
struct sqs_received {
    size_t count;   /* messages */
    size_t payload; /* their bytes */
};
/* Takes what there is now and writes the members of the answer. */
enum sqs_result sqs_receive_now(struct sqs_service *service, struct sqs_entry *entry,
                                const struct sqs_receive *receive, int64_t now_ms,
                                struct json_writer *out, struct sqs_received *got_out);

/* --- sqs_waiters.c --- */

/* Lets the request wait; takes its tree. False when memory ran out. */
bool sqs_wait(struct sqs_request *request, struct sqs_entry *entry,
              const struct sqs_receive *receive, int64_t wait_ms);
/* Something of the queue may have become receivable, sooner or now. */
void sqs_stir(struct sqs_service *service, struct sqs_entry *entry);
/* Serves the waiters of stirred queues and what is due, and sets the timer. After every change. */
void sqs_settle(struct sqs_service *service);
/* The same when the timer has fired or the clock has been moved. */
void sqs_wake(struct sqs_service *service);
/* Answers all waiters of the queue: with an error when code is given, else as if their time were
** over. */
void sqs_waiters_end(struct sqs_entry *entry, const char *code, const char *message);

/* --- sqs_moves.c --- */

/* Goes on with the tasks that are due. */
void sqs_moves_run(struct sqs_service *service, int64_t now_ms);
/* When one has to go on; INT64_MAX: none runs. */
int64_t sqs_moves_due(const struct sqs_service *service);
/* The queue is no more. */
void sqs_moves_forget(struct sqs_service *service, const struct sqs_entry *source);

/* --- operations: sqs_ops_*.c, sqs_moves.c, sqs_permissions.c --- */

enum sqs_outcome sqs_op_create_queue(struct sqs_request *request);
enum sqs_outcome sqs_op_get_queue_url(struct sqs_request *request);
enum sqs_outcome sqs_op_delete_queue(struct sqs_request *request);
enum sqs_outcome sqs_op_purge_queue(struct sqs_request *request);
enum sqs_outcome sqs_op_list_queues(struct sqs_request *request);
enum sqs_outcome sqs_op_list_dead_letter_source_queues(struct sqs_request *request);
enum sqs_outcome sqs_op_get_queue_attributes(struct sqs_request *request);
enum sqs_outcome sqs_op_set_queue_attributes(struct sqs_request *request);
enum sqs_outcome sqs_op_start_message_move_task(struct sqs_request *request);
enum sqs_outcome sqs_op_list_message_move_tasks(struct sqs_request *request);
enum sqs_outcome sqs_op_cancel_message_move_task(struct sqs_request *request);
enum sqs_outcome sqs_op_add_permission(struct sqs_request *request);
enum sqs_outcome sqs_op_remove_permission(struct sqs_request *request);
enum sqs_outcome sqs_op_tag_queue(struct sqs_request *request);
enum sqs_outcome sqs_op_untag_queue(struct sqs_request *request);
enum sqs_outcome sqs_op_list_queue_tags(struct sqs_request *request);
enum sqs_outcome sqs_op_send_message(struct sqs_request *request);
enum sqs_outcome sqs_op_send_message_batch(struct sqs_request *request);
enum sqs_outcome sqs_op_receive_message(struct sqs_request *request);
enum sqs_outcome sqs_op_delete_message(struct sqs_request *request);
enum sqs_outcome sqs_op_delete_message_batch(struct sqs_request *request);
enum sqs_outcome sqs_op_change_message_visibility(struct sqs_request *request);
enum sqs_outcome sqs_op_change_message_visibility_batch(struct sqs_request *request);

#endif
