/*
** The inbox of an invocation: a standard queue for the exit records of the calls that it made, and
** the three ways in which its calls deal with it: deliver a record, look for the mark that they
** are cancelled, tell of a deadline. Knows aws, nothing of Lua; records are opaque text.
**
** A standard queue: records carry their call's id, so that order and doubles do no harm, and a
** thousand calls may end in the same second. Nor has it attempt ids: what was in an answer that was
** lost comes again after the visibility timeout, which is therefore short. What was received is
** deleted ten at a time or before that, and only while the parent goes on waiting: the end of the
** invocation deletes the queue.
**
** Cancelled scopes are marked by tags on the queue, `awsync:cancelled.<n>` with ranges as in
** `1-3 7`: a call asks for them every WATCH_EVERY_MS, which is one request, and the absence of the
** queue, or an expiry (tag `awsync:expires`) that is over, means that everything in it is
** cancelled.
*/
#ifndef AWSYNC_CHANNEL_INBOX_H
#define AWSYNC_CHANNEL_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/channel/channel.h"

enum {
    INBOX_NAME_SIZE = 64,
    INBOX_URL_SIZE = 512,
    WATCH_EVERY_MS = 5000, /* how often a running call looks whether it is cancelled */
};

/* --- the parent's side ------------------------------------------------------------------------ */

struct inbox;

/* Makes no request yet. The client must be freed before the inbox. NULL: out of memory. */
struct inbox *inbox_new(struct aws_client *client);
/* After the client's end. */
void inbox_free(struct inbox *inbox);
/* Whose waiting operation a record interrupts; NULL before the hub is freed. */
void inbox_set_hub(struct inbox *inbox, struct chan_hub *hub);
/* Has the queue `awsync-<run>-in-<random>` made, with the tags of the channels; returns at once. */
void inbox_open(struct inbox *inbox, const char *run, const char *function, int64_t expires_ms);
bool inbox_is_open(struct inbox *inbox);
/* Where a call finds it: its URL, `@` and when it was made (wall clock, ms); its name while that is
** not known yet; "" when it is not open. */
void inbox_address(struct inbox *inbox, char *out, size_t size);
/* Long polls begin until then (clock_mono_ms): to be said again while the program waits. expected:
** so many records can come; while there are many, and they come quickly, up to ten are received at
** once, 100 ms late at most. */
void inbox_listen(struct inbox *inbox, int64_t until, long long expected);
/* Asks once for what is there, without waiting for more; a long poll that has been under way for
** a moment is answer enough. Waits for the answer, at longest until then. */
void inbox_ask(struct inbox *inbox, int64_t until);
/* The next record: the caller's, to be freed with free(); NULL: none has arrived. */
char *inbox_take(struct inbox *inbox, size_t *len_out);
/* Waits until a record is there, or the deadline. */
void inbox_wait(struct inbox *inbox, int64_t deadline);
/* True when it could not be made or asked for many seconds: error says why. */
bool inbox_failed(struct inbox *inbox, struct aws_error *error);
/* Marks the scope as cancelled (1..); the tag is on its way when this returns. */
void inbox_cancel_scope(struct inbox *inbox, int64_t scope);
/* Ends polls and deletes the queue. Nothing of it is in flight afterwards, but for what the
** deadline cut off. The inbox can be opened again. False: it could not be deleted in time. */
bool inbox_close(struct inbox *inbox, int64_t deadline);

/* Of a channel: true when this invocation made it. */
bool chan_made_here(const struct chan *chan);

/* --- the call's side: delivery ---------------------------------------------------------------- */

enum delivery {
    DELIVERY_DONE,
    DELIVERY_NOBODY, /* none of the queues is there */
    DELIVERY_FAILED, /* error says why */
};
/* The URL of the first of the addresses, and when its queue was made (0: not known). True: it came
** as a name. */
bool inbox_read_address(const char *addresses, const char *base, char url_out[INBOX_URL_SIZE],
                        int64_t *made_ms);
/* addresses: as inbox_address writes them, with blanks between them, the nearest first: the record
** goes to the first queue that is there. base: what makes a URL of a name (sqs_queue_base).
** issued_ms: wall clock, when the call was made; a queue that is not there may be too new within a
** second or so of that, unless it was made seconds ago. Waits for the outcome until the deadline. */
enum delivery inbox_deliver(struct aws_client *client, const char *addresses, const char *base,
                            int64_t issued_ms, const char *text, size_t len, int64_t deadline,
                            struct aws_error *error);
/* The same without waiting; any thread. False: out of memory. */
bool inbox_deliver_soon(struct aws_client *client, const char *addresses, const char *base,
                        int64_t issued_ms, const char *text, size_t len);

/* --- the call's side: what happens to it ------------------------------------------------------ */

struct watch;

struct watch_options {
    const char *addresses; /* of the call's inboxes, the nearest first; copied */
    const char *base;      /* what makes a URL of a name; copied */
    int64_t scope;         /* 0: it cannot be cancelled */
    /* On the I/O thread, once, when it is cancelled. */
    void (*on_cancel)(void *context);
    /* On the I/O thread, once, at last_words_ms (clock_mono_ms; 0: never). */
    void (*on_last_words)(void *context);
    int64_t last_words_ms;
    void *context;
};
struct watch *watch_new(struct aws_client *client);
/* After the client's end. */
void watch_free(struct watch *watch);
void watch_begin(struct watch *watch, const struct watch_options *options);
/* No callback runs afterwards. */
void watch_end(struct watch *watch);

#endif
