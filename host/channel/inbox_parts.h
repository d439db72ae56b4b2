/*
** The inside of an inbox (inbox.h), for its own files.
**
** Its lock guards everything below. The functions that begin something are called with the lock held,
** on any thread; answers come on the I/O thread: they take the lock by flight_land, and give it back by
** inbox_leave, which looks at what is due.
*/
#ifndef AWSYNC_INBOX_PARTS_H
#define AWSYNC_INBOX_PARTS_H

#include <pthread.h>

#include "host/aws/sqs.h"
#include "host/channel/inbox.h"

enum { INBOX_GIVE_UP_MS = 15000 };

enum inbox_life { INBOX_NONE, INBOX_MAKING, INBOX_READY, INBOX_BROKEN, INBOX_GONE };

struct record {
    struct record *next;
    size_t len;
    char data[];
};

struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct aws_client *client;
    struct chan_hub *hub;

    unsigned epoch; /* counts openings: answers to an older one's requests say nothing */
    unsigned pending;
    enum inbox_life life;
    bool closing, making, deleting;
    char name[INBOX_NAME_SIZE], run[20], function[128];
    char *url;
    int64_t expires_ms, born_ms;

    struct record *first, **end;
    bool polling, short_poll, asked;
    uint64_t poll_id;
    int64_t poll_started, listen_until;
    long long expected; /* records, at most */
    int64_t arrived_ms; /* when the last one came */
    int64_t gap_us;     /* between two of them, about */
    char *receipts[SQS_BATCH_MAX];
    size_t receipt_count;
    int64_t oldest_ms;

    int64_t trouble_since, retry_at; /* 0: no trouble */
    unsigned tries;
    bool timer;
    struct aws_error trouble;

    unsigned char *cancelled; /* a bit for each scope */
    size_t cancelled_bytes;
    bool tag_due, tagging;
};

/* A request under way. */
struct flight {
    struct inbox *inbox;
    unsigned epoch;
};

/* --- inbox.c ---------------------------------------------------------------------------------- */

/* Begins what is due. */
void inbox_step(struct inbox *b);

/* --- inbox_flight.c --------------------------------------------------------------------------- */

/* The context of a request that is about to be started; NULL: out of memory. */
struct flight *flight_begin(struct inbox *b);
/* It was not started. */
void flight_drop(struct flight *f);
/* The begin of every answer: frees f and takes the lock. NULL: it is an older opening's, and the lock is
** not taken. */
struct inbox *flight_land(struct flight *f);
/* The end of every answer. */
void inbox_leave(struct inbox *b);
/* Nothing is begun for so long. */
void inbox_delay(struct inbox *b, int64_t now, int64_t ms);
/* Has inbox_step called again at retry_at. */
void inbox_arm(struct inbox *b, int64_t now);
void inbox_trouble(struct inbox *b, const struct aws_error *error, int64_t now);
void inbox_no_trouble(struct inbox *b);

/* --- inbox_queue.c, inbox_receive.c, inbox_scopes.c -------------------------------------------- */

/* Each begins one request. */
void inbox_make(struct inbox *b);
void inbox_delete_queue(struct inbox *b);
void inbox_poll(struct inbox *b, int64_t now);
void inbox_delete_received(struct inbox *b);
void inbox_tag(struct inbox *b);

#endif
