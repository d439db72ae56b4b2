/*
** SQS by its JSON protocol (API version 2012-11-05). Each call is sent at once and answered by its
** callback on the I/O thread, exactly once; error is NULL on success and then the answer is valid.
** All inputs are copied. Returns as aws_submit: an id, or 0 when memory ran out and the callback
** will not be called.
*/
#ifndef AWSYNC_AWS_SQS_H
#define AWSYNC_AWS_SQS_H

#include "host/aws/aws.h"

enum { SQS_BATCH_MAX = 10, SQS_WAIT_MAX = 20 };
enum { SQS_PAYLOAD_MAX = 1048576 }; /* bytes of one message and of one batch */

typedef void (*sqs_done)(void *context, const struct aws_error *error);
typedef void (*sqs_url_done)(void *context, const struct aws_error *error, const char *url);

struct sqs_pair {
    const char *name, *value;
};
uint64_t sqs_create_queue(struct aws_client *client, const char *name,
                          const struct sqs_pair *attributes, size_t attribute_count,
                          const struct sqs_pair *tags, size_t tag_count, sqs_url_done done,
                          void *context);
uint64_t sqs_get_queue_url(struct aws_client *client, const char *name, sqs_url_done done,
                           void *context);
/* What stands before the name in the URL of each queue of this account, where requests go now:
** `https://sqs.eu-west-1.amazonaws.com/123456789012/`. From any thread. False: there is no endpoint,
** or out is too small. */
bool sqs_queue_base(struct aws_client *client, const char *account, char *out, size_t size);
uint64_t sqs_delete_queue(struct aws_client *client, const char *url, sqs_done done, void *context);
uint64_t sqs_tag_queue(struct aws_client *client, const char *url, const struct sqs_pair *tags,
                       size_t tag_count, sqs_done done, void *context);

/* One page of queue names that begin with prefix (NULL: all). token NULL: the first; next_token
** NULL: that was the last. */
typedef void (*sqs_list_done)(void *context, const struct aws_error *error, const char *const *urls,
                              size_t count, const char *next_token);
uint64_t sqs_list_queues(struct aws_client *client, const char *prefix, const char *token,
                         sqs_list_done done, void *context);

typedef void (*sqs_pairs_done)(void *context, const struct aws_error *error,
                               const struct sqs_pair *pairs, size_t count);
uint64_t sqs_get_attributes(struct aws_client *client, const char *url, const char *const *names,
                            size_t count, sqs_pairs_done done, void *context);
uint64_t sqs_list_tags(struct aws_client *client, const char *url, sqs_pairs_done done,
                       void *context);

/* --- messages --------------------------------------------------------------------------------- */

struct sqs_send {
    const char *body;
    size_t body_len;
    const char *group_id;         /* NULL on standard queues */
    const char *deduplication_id; /* NULL: none */
    int delay_s;                  /* standard queues only */
};
struct sqs_outcome { /* of one entry of a batch */
    bool ok;
    bool sender_fault; /* sending it again is useless */
    char code[96];
    char message[256];
    /* Of a message that a FIFO queue has taken: decimal, rises within a message group; a duplicate
    ** has that of the first one. Borrowed for the callback; NULL: none came. */
    const char *sequence;
};
/* outcomes: one for each entry, in their order. Valid only without an error of the whole call.
** Entries that failed by the service's fault are not sent again here: that is the caller's to do,
** with the same deduplication id. */
typedef void (*sqs_batch_done)(void *context, const struct aws_error *error,
                               const struct sqs_outcome *outcomes, size_t count);
/* 1..SQS_BATCH_MAX entries of SQS_PAYLOAD_MAX bytes together. */
uint64_t sqs_send_batch(struct aws_client *client, const char *url, const struct sqs_send *entries,
                        size_t count, sqs_batch_done done, void *context);
uint64_t sqs_delete_batch(struct aws_client *client, const char *url,
                          const char *const *receipt_handles, size_t count, sqs_batch_done done,
                          void *context);
/* visibility_s: 0..43200 seconds from now; the same for all. */
uint64_t sqs_change_visibility_batch(struct aws_client *client, const char *url,
                                     const char *const *receipt_handles, size_t count,
                                     int visibility_s, sqs_batch_done done, void *context);

struct sqs_receive {
    int max_messages;       /* 1..10 */
    int wait_s;             /* 0..20; the request's time limit is 10 s more */
    int visibility_s;       /* -1: the queue's */
    const char *attempt_id; /* ReceiveRequestAttemptId; NULL: none. Only FIFO queues. */
};
struct sqs_message {
    const char *body; /* NUL-terminated; may hold NULs */
    size_t body_len;
    const char *receipt_handle;
    const char *message_id;
    const char *group_id;         /* or NULL */
    const char *deduplication_id; /* or NULL */
    int receive_count;            /* ApproximateReceiveCount */
    int64_t sent_ms;              /* SentTimestamp */
};
/* messages are borrowed for the callback. Their MD5 has been checked: one that differs is an error
** of the call. */
typedef void (*sqs_receive_done)(void *context, const struct aws_error *error,
                                 const struct sqs_message *messages, size_t count);
uint64_t sqs_receive(struct aws_client *client, const char *url, const struct sqs_receive *in,
                     sqs_receive_done done, void *context);

/* True when error says that the queue is not there (or not yet, or no more). */
bool sqs_is_no_queue(const struct aws_error *error);

#endif
