/*
** Channels over SQS queues: senders and receivers, for one process.
**
** A hub belongs to one process and one AWS client; channels belong to a hub. All functions here
** are called by one thread, the program's; what goes on meanwhile (batches, long polls, deletes)
** goes on on the client's I/O thread. Values are opaque bytes: text that SQS takes (UTF-8, XML
** characters). Knows aws, nothing of Lua.
**
** Waiting calls take a deadline in milliseconds of clock_mono_ms(): CHAN_FOREVER waits without
** end, a deadline in the past polls.
**
** The order of an ordered channel is that of one message group, and one batch is on its way at a
** time, sent again with the same deduplication ids after a fault. One case SQS leaves open: it
** can refuse an entry of a batch by its own fault and take later ones of the same batch, which
** then stand in front. Only what was refused is sent again, before all that follows, so that
** nothing is lost or doubled; a receiver puts such values in order again among those that it
** takes together. What is left: a receiver that took a follower before the refused value had
** arrived sees that value late, by at most nine places.
**
** Once: what pop returns is deleted at once, or together with what came with it (the group is
** locked until the last of them is deleted in any case; 75 ms at most). A process that dies
** between pop and delete leaves the value to another receiver when the visibility timeout is
** over. A delete that comes after the visibility timeout (a process stopped for so long) is a
** failure, not silence.
**
** Cost: ten values a request for send, receive and delete where sender and receiver are quick:
** three hundred requests for a thousand values, which is what batches of ten allow, and two more
** for making and deleting the queue. Pushes that follow each other quickly wait for company for
** 5 ms at most (the first of an invocation, 3 ms), and not when the program waits for something;
** any other push goes at once. Who made a queue has 5 ms to delete it before its last delete, and
** the end mark's return, go out: they go with the queue. A
** receiver of which nothing is known asks for ten and gives back what it has not asked for within
** 25 ms; then it asks for what it takes in 40 ms, and gives back after 75 ms.
**
** A queue that answers that it does not exist is asked again for five seconds if it was made here
** and for two if its URL came from another process, as long as it has never answered otherwise: SQS
** knows a new queue late. One that has worked has been deleted; within its first two seconds it is
** asked a few times more. Throttling is
** waited out until the deadline; faults of the network and the service for fifteen seconds. What SQS
** handed to a receive whose answer was lost is asked for at once, and of a long poll once more when
** its time is over.
*/
#ifndef AWSYNC_CHANNEL_H
#define AWSYNC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/aws/aws.h"

#define CHAN_FOREVER INT64_MAX

enum chan_result {
    CHAN_OK,
    CHAN_TIMEOUT,
    /* pop: closed, and everything before the end mark has been taken; push, close: closed before */
    CHAN_CLOSED,
    CHAN_DELETED,     /* its owner has deleted the queue */
    CHAN_INTERRUPTED, /* chan_hub_interrupt */
    CHAN_FAILED,      /* chan_error says why */
};

struct chan_hub;
struct chan;

struct chan_error {
    struct aws_error aws; /* aws.code is "" when the failure is not AWS's */
    char text[640];       /* a sentence that names the channel, the operation and the cause */
};

/* The client is borrowed and must outlive the hub. NULL: out of memory. */
struct chan_hub *chan_hub_new(struct aws_client *client);
/* Without waiting for what is under way: chan_hub_finish comes first where that matters. */
void chan_hub_free(struct chan_hub *hub);

/* Names what follows: deduplication ids come from invocation_id, tags from the others. Copied.
** run: what groups the queues of one program run ([a-z0-9], at most 16). expires_ms: wall
** clock; the tag by which a queue left behind can be told. */
struct chan_invocation {
    const char *invocation_id, *run, *function;
    int64_t expires_ms;
};
void chan_hub_begin(struct chan_hub *hub, const struct chan_invocation *invocation);
/* Waits until every push is acknowledged and every delete of a popped message is through. The
** first failure since the last flush, of whatever channel, that no operation has reported is
** CHAN_FAILED; CHAN_DELETED when the only failure is that a queue was deleted by its owner
** before pushes to it were acknowledged. */
enum chan_result chan_hub_flush(struct chan_hub *hub, int64_t deadline, struct chan_error *error);
/* The end of an invocation: as flush, then gives surplus messages back, ends long polls,
** deletes every queue that was made by chan_create since the last finish, and forgets all
** channels (handles stay valid and are deleted ones). Nothing is in flight afterwards, also
** after CHAN_TIMEOUT and CHAN_FAILED. An interrupt does not end it, and does not outlive it. A
** long poll that is idle is cancelled. What SQS has handed to it in that moment is fetched by
** its attempt id and given back; only what SQS hands to the dead connection later stays
** hidden, until its visibility timeout ends: lost time, not a lost value. */
enum chan_result chan_hub_finish(struct chan_hub *hub, int64_t deadline, struct chan_error *error);
/* Wakes a waiting call, or lets the next pop, or the next other call that would wait, return
** at once, with CHAN_INTERRUPTED. Any thread; async-signal-safe it is not. */
void chan_hub_interrupt(struct chan_hub *hub);
/* A program that waits in slices says until when it will wait in all (clock_mono_ms; 0: no longer than
** each call says), so that a long poll need not end with the slice: SQS bills each. */
void chan_hub_expect(struct chan_hub *hub, int64_t until);

struct chan_options {
    bool unordered;   /* a message group of its own for each message */
    int visibility_s; /* 0: 30 */
    /* A push waits while capacity values wait to be popped. Capacity 0: it waits for a pop that
    ** waits, which is then bound to take the value. Credits in a companion queue, made and deleted
    ** along with the channel's: `<name>-credits.fifo`. A credit in the hand of a process that dies
    ** is back when the visibility timeout is over, as is a value that was received. A push on a
    ** bounded channel by a second run of an invocation counts as a new one. */
    bool bounded;
    unsigned capacity;
    /* Many values in one message of up to 64 KB: what is pushed waits for company for 5 ms. One
    ** reader, however slow; a reader that leaves in the middle of a message leaves the whole of it
    ** to the next. chan_len counts messages. */
    bool stream;
    /* What has been received so many times and was not deleted goes to the FIFO queue
    ** `<name>-dead.fifo`, whose making is waited for before the channel's own is made. Deleted
    ** along with the channel when it is empty, else left (with its tags). 0: none. A receiver asks
    ** for one message at a time then, and the end mark is renewed by each that meets it. */
    int max_receives;
};
enum { CHAN_CAPACITY_MAX = 10000, CHAN_RECEIVES_MAX = 1000 };
/* A sentence that says which options exclude each other or are out of range; NULL: none. A channel
** made with such options is one that could not be made. */
const char *chan_options_refuse(const struct chan_options *options);

/* A new channel: a FIFO queue `awsync-<run>-<random>.fifo`, whose making is on its way when
** this returns. options may be NULL. Returns a handle to release by chan_release, NULL when
** memory ran out. */
struct chan *chan_create(struct chan_hub *hub, const struct chan_options *options);
/* The channel of a queue that exists (its URL came in a message). The same URL gives the same
** channel, with one more reference. The options are those that travelled with it
** (chan_options_of). */
struct chan *chan_open(struct chan_hub *hub, const char *url, const struct chan_options *options);
struct chan *chan_retain(struct chan *chan);
/* The last release of a channel that this process did not make gives its surplus messages
** back; it deletes no queue. */
void chan_release(struct chan *chan);
const struct chan_options *chan_options_of(const struct chan *chan);
/* How many values may wait on it; -1: any number. */
int chan_cap(const struct chan *chan);

/* The queue's name as far as known, for messages. Borrowed for the channel's life. */
const char *chan_name(const struct chan *chan);
/* The name is known from the start. The URL: waits until the queue has been made. *url_out is
** borrowed for the channel's life. */
enum chan_result chan_url(struct chan *chan, int64_t deadline, const char **url_out,
                          struct chan_error *error);

/* Sends: returns when the value is on its way (in the hands of the I/O thread), not when it
** has arrived. data is copied. Waits only when too much is waiting to be sent (backpressure).
** A send that failed for good is reported by the next operation on the channel or by flush. */
enum chan_result chan_push(struct chan *chan, const char *data, size_t len, int64_t deadline,
                           struct chan_error *error);
/* Takes the next value. CHAN_OK: *data_out is the caller's, to be freed with free(),
** NUL-terminated. The message is deleted by the I/O thread at once. */
enum chan_result chan_pop(struct chan *chan, int64_t deadline, char **data_out, size_t *len_out,
                          struct chan_error *error);
/* No more pushes: after everything that was pushed here has arrived, an end mark follows and
** stays in the queue for every receiver. What another process pushes later stands behind the
** mark and is never popped. CHAN_CLOSED: this process has closed it or has seen its end. On an
** unordered channel a receiver is at the end when two receives in a row found the mark and
** nothing else, and GetQueueAttributes counts no other message, visible or not: while another
** process holds one, it can come back. What this process holds by leases does not count; the end
** is one for the time being then. */
enum chan_result chan_close(struct chan *chan, struct chan_error *error);
/* How many values wait to be popped, those included that this process holds or has on their
** way. SQS's figure (approximate: it may lag behind for a while), one request. */
enum chan_result chan_len(struct chan *chan, int64_t deadline, size_t *len_out,
                          struct chan_error *error);
/* How many values a pop could still get if nobody pushes any more: those that wait, and those that
** another process holds and may give back or leave behind by its death. What this process pushed
** or popped has been acknowledged before SQS is asked. One request; SQS's figure, as of chan_len. */
enum chan_result chan_rest(struct chan *chan, int64_t deadline, size_t *rest_out,
                           struct chan_error *error);

/* Takes the next value without deleting it. The message stays hidden for as long as the lease is
** held: the I/O thread renews its visibility timeout. CHAN_OK: a handle, to be ended by exactly
** one of chan_lease_done and chan_lease_return. chan_hub_finish gives back what is still held
** (the handle is a lost one then). On an ordered channel nobody else receives meanwhile. On a
** bounded one the value keeps its place until chan_lease_done. Not on a stream (CHAN_FAILED). */
struct chan_lease;
enum chan_result chan_lease(struct chan *chan, int64_t deadline, struct chan_lease **lease_out,
                            struct chan_error *error);
/* Borrowed until the lease is ended or given back by chan_hub_finish; NULL after that.
** NUL-terminated. */
const char *chan_lease_data(const struct chan_lease *lease, size_t *len_out);
/* Renewing has failed for a whole visibility timeout, or the process was stopped for so long: the
** value may be with another receiver. */
bool chan_lease_lost(const struct chan_lease *lease);
/* The work is done: deletes the message. Frees the handle, whatever comes out. CHAN_FAILED: the
** lease was lost. CHAN_DELETED: the queue has been deleted. */
enum chan_result chan_lease_done(struct chan_lease *lease, struct chan_error *error);
/* Gives the message back at once. Frees the handle. */
enum chan_result chan_lease_return(struct chan_lease *lease, struct chan_error *error);

/* Dead letters, up to ten: the next of each message group that nobody holds. take: deletes them;
** otherwise they stay where they are (of an ordered channel, which has one group, only the first
** ten can be looked at). url: of the queue of dead letters. letters has room for ten; the caller
** frees each data. Blocks; not from a callback. */
struct chan_letter {
    char *data; /* NUL-terminated */
    size_t len;
    int receives;
    int64_t sent_ms; /* wall clock */
};
enum chan_result chan_dead_letters(struct aws_client *client, const char *url, int64_t deadline,
                                   bool take, struct chan_letter *letters, size_t *count_out,
                                   struct chan_error *error);

/* One of several operations, whichever is ready first; a random one among those that are. */
struct chan_case {
    struct chan *chan; /* NULL: never ready */
    const char *data;  /* a push of this; NULL: a pop */
    size_t len;
    bool lease; /* the pop leases what it takes, as of chan_lease */
};
/* *which_out: the case that was done, then the result and the rest are as of chan_pop
** (*data_out, *len_out), chan_lease (*lease_out, which may be NULL without such a case) and
** chan_push; -1 with CHAN_TIMEOUT and CHAN_INTERRUPTED. A case that is not done leases nothing. A deadline
** in the past asks every channel once (`default`). What other cases' channels receive waits
** for the next pop, or goes back. All channels belong to hub; data is copied when its case is
** done. */
enum chan_result chan_select(struct chan_hub *hub, const struct chan_case *cases, size_t count,
                             int64_t deadline, int *which_out, char **data_out, size_t *len_out,
                             struct chan_lease **lease_out, struct chan_error *error);

/* Deletes the queue, after what was pushed to it has been sent. Further operations give
** CHAN_DELETED. Twice is fine. Returns when the deletion is on its way; chan_hub_finish waits
** for it. */
enum chan_result chan_delete(struct chan *chan, struct chan_error *error);

#endif
