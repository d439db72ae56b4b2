/*
** The inside of the channel room.
**
** One lock for each hub guards everything below. Public functions run on the program's thread:
** they change state, mark the channel and wait on the hub's condition. chan_step runs on the I/O
** thread, for marked channels, after answers and when a channel's timer fires: it looks at the
** state and starts what is due, so it may be called at any time and as often as one likes.
** Callbacks of requests come later and on the I/O thread, never from within the call that starts
** them; requests are therefore started with the lock held.
*/
#ifndef AWSYNC_CHANNEL_INTERNAL_H
#define AWSYNC_CHANNEL_INTERNAL_H

#include <pthread.h>

#include "host/aws/aws.h"
#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/channel/channel.h"

enum {
    HOLD_MS = 75,       /* surplus that nobody asks for goes back after this */
    YOUNG_MS = 5000,    /* so long a queue made here may answer that it does not exist (yet) */
    OPENED_MS = 2000,   /* and one that was there before its URL came here */
    SETTLED_MS = 2000,  /* after this, a queue that has worked is known everywhere */
    DOUBTS = 3,         /* before this, so many times an opened one may say that it is not there */
    GIVE_UP_MS = 15000, /* of nothing but faults of the network or the service */
    POLL_GRACE_MS = 50, /* a pop that only polls gives a long poll under way so long to answer */
    POLL_LIMIT_MS = 5000, /* and no pop that only polls takes longer than this */
    IDLE_POLL_MS = 200,   /* finish waits for a poll that ends in this time; others are cancelled */
    ATTEMPT_LIFE_MS = 240000,
    SEND_PARALLEL = 8, /* batches under way on an unordered channel */
    ACK_PARALLEL = 4,
    PUSH_MAX_ENTRIES = 10000, /* waiting to be sent on one channel, before push waits */
    PUSH_MAX_BYTES = 16 << 20,
    STREAM_BYTES = 65536, /* what SQS counts as one request */
    STREAM_MS = 5,        /* a stream's values wait so long for company */
    LINGER_MS = 5,        /* and others, when pushes follow each other within LINGER_GAP_US */
    LINGER_GAP_US = 500,
    FIRST_LINGER_MS = 3,
    SPARED_MS = 5,
    DEDUP_SIZE = 129,
};

/* The deduplication id of the end mark: for every receiver it is told by this, and closing
** twice makes one. */
#define END_MARK "awsync-end"

/* When to try again, and since when it has not worked. All zero: no trouble. */
struct backoff {
    int64_t until, since;
    unsigned tries;
};

/* A call to SQS under way. */
struct request {
    struct chan *c;
    struct request *prev, *next;
    uint64_t id; /* for aws_cancel */
    bool cancelled;
};

/* What a place in the line of all that this process pushes means: turn.c. */
enum turn_kind {
    TURN_PASSES, /* goes as soon as its channel can */
    TURN_WAITS,  /* goes when nothing is before it */
    TURN_DELETES, /* no entry but the deletion of a queue; leaves the line when nothing is before it */
};
struct turn {
    struct turn *before, *after;
    struct chan *c;
    enum turn_kind kind;
    bool taken; /* it has a place; all else counts only then */
};

struct entry { /* a value on its way out */
    struct entry *next;
    struct turn turn;
    size_t len;
    bool end;    /* the end mark */
    bool packed; /* many values of a stream */
    /* On bounded channels and their companions: the message of the other queue that is deleted
    ** when this has arrived. Owned. */
    struct message *ack;
    char dedup[DEDUP_SIZE];
    char data[];
};

struct message { /* a value on its way in; body NULL once the program has it */
    struct message *next;
    char *body;
    size_t len;
    char *receipt;
    bool end;                /* the end mark */
    int away_s;              /* given back, it is visible after so many seconds */
    int64_t expires_ms;      /* when it may be somebody else's again */
    int64_t sent_ms;         /* SQS's clock */
    struct chan_lease *pack; /* of a stream: the message that this is a part of */
    char dedup[DEDUP_SIZE];
};

struct message_list {
    struct message *first, **end;
    size_t count;
};

struct sender {
    struct entry *first, **end;
    size_t count, bytes; /* waiting */
    size_t flying;       /* bytes under way */
    bool lingering;      /* what waits, waits for company */
    unsigned active;     /* batches under way */
    int64_t done_ms;     /* when the last one was answered */
    int64_t first_ms;    /* when the first that waits was pushed */
    uint64_t sequence;
    unsigned epoch; /* the hub's, when prefix was made */
    char prefix[40];
    struct backoff backoff;
};

/* Of an unordered channel: whether its end has come. ending.c. */
struct ending {
    unsigned alone;        /* receives in a row that found the mark and nothing else */
    struct message *mark;  /* kept while it is asked how many messages there are */
    bool asking, counting; /* it is to be known; a request is under way */
    unsigned looks;        /* answers that there are more */
    int64_t at, pause_until;
    bool provisional; /* closed only as long as this process holds leases */
    struct request request;
    struct backoff backoff;
};

struct receiver {
    struct message_list held; /* received and not asked for yet, in order */
    int64_t touched_ms;       /* the last arrival or pop */
    bool wanted;              /* a pop waits */
    int64_t want_until;
    bool want_short; /* the waiting pop only polls */
    bool short_done; /* and its poll has been answered */
    bool active, is_short;
    struct request request;
    int64_t poll_started, poll_ends;
    int poll_max;
    bool lost; /* the answer to attempt was lost: the same messages come for the same id */
    int64_t attempt_ms;
    char attempt[48];
    /* A server that does not know that a long poll was cut may hand it messages until lost_until.
    ** When the first question for them has found none, another is due at look_at (0: none), with
    ** the attempt id in missed. */
    int64_t lost_until, look_at;
    char missed[48];
    struct backoff backoff;
    bool end_seen; /* the end mark; on an unordered channel values can still be there */
    bool closed;   /* and everything before it has been taken */
    struct ending ending;
    /* pace, in microseconds between a pop's return and the next pop; -1: not known */
    int64_t popped_us, gap_us;
    struct chan_error *failed; /* for the waiting pop */
    bool recall;               /* of a companion: an offer is to be taken back */
    struct stream_seen *seen;  /* of a stream */
};

struct acks {
    struct message_list popped;  /* to be deleted */
    struct message_list surplus; /* to be given back */
    int64_t oldest_ms;
    unsigned deleting, returning; /* batches under way */
    unsigned pending; /* messages that will come here when something else has been answered */
    struct backoff delete_backoff, return_backoff;
};

/* A waiting pop of an unbuffered channel tells it the senders: capacity.c. */
struct offers {
    bool out;   /* one is out, and not known to be taken */
    bool over;  /* the pop's time is up: it is to come back */
    bool tried; /* to take it back */
    bool renewing;
    int64_t made_ms, recall_at, renew_at;
    unsigned alone; /* so often the select's push found a single one */
    uint64_t count;
    char nonce[20];
};

struct chan_lease {
    struct chan *c;
    struct chan_lease *prev, *next;
    struct message *m;
    size_t len; /* of the value, whose text is m->body; of a pack: values left */
    int64_t renew_at;
    bool renewing; /* a renewal is under way */
    bool lost;     /* the visibility timeout ended */
    bool over;     /* the program has done with it */
    bool finished; /* what over means: deleted, else given back */
    bool own;      /* a pack, not the program's */
};

/* What a queue is for: a channel, the credits of one, the dead letters of one. */
enum kind { KIND_CHANNEL, KIND_CREDITS, KIND_DEAD };

enum life { LIFE_MAKING, LIFE_READY, LIFE_BROKEN, LIFE_GONE };

struct chan {
    struct chan_hub *hub;
    struct chan *prev, *next; /* all of the hub */
    struct chan *in_bucket;   /* same hash of the URL */
    struct chan *next_dirty;
    struct chan *next_failed;
    unsigned refs;  /* handles */
    unsigned calls; /* answers and timers to come */
    struct request *requests;
    bool dirty, listed, forgotten;
    bool counted_sending, counted_busy;

    enum life life;
    bool made;            /* by this invocation */
    bool deleting;        /* by this process */
    struct turn deletion; /* its place */
    bool closing;         /* by this process */
    bool worked;          /* the queue has answered before */
    bool maybe;           /* making or deleting it failed, but may have had its effect */
    bool life_call;       /* CreateQueue, GetQueueUrl or DeleteQueue is under way */
    struct request life_request;
    int64_t born_ms; /* made, or first used; 0: not yet */
    struct backoff life_backoff;
    char name[96];
    char *url; /* NULL while unknown */
    struct chan_options options;
    enum kind kind;
    struct chan *owner;          /* of a companion: its channel */
    struct chan *credits, *dead; /* companions, or NULL; a reference each */
    char *arn;                   /* of a queue of dead letters, when it is known */
    bool looked;                 /* it has been seen to be empty */

    struct sender out;
    struct receiver in;
    struct acks acks;
    struct offers offers;
    struct chan_lease *leases;
    struct backoff lease_backoff;
    struct chan_error *failure; /* until it is reported; of a broken channel for ever */
    bool failure_listed;
    bool failure_gone; /* the failure is that the queue was deleted under our pushes */

    uint64_t timer;
    int64_t timer_at;
};

enum { URL_BUCKETS = 1024 };

struct chan_hub {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct aws_client *client;
    struct chan *all;
    struct chan *buckets[URL_BUCKETS];
    struct chan *dirty;
    struct chan *failed, **failed_end;
    struct turn *first_turn, *last_turn;
    bool posted, interrupted, dead, finishing, aborting;
    unsigned flushing;
    size_t chans, sending, busy;
    unsigned epoch; /* counts invocations */
    char invocation_id[128], run[20], function[128];
    int64_t expires_ms;
    /* pace of the program over all channels, as receiver's */
    int64_t done_us, gap_us;
    unsigned quick_ops;
    int64_t horizon;  /* chan_hub_expect */
    size_t lingering; /* channels */
    unsigned waiting; /* the program waits: nothing more will be pushed */
};

/* --- hub.c: all with the lock held, where not said otherwise ---------------------------------- */

/* Has chan_step called soon. False: out of memory; the next mark tries again. */
bool hub_mark(struct chan *c);
/* Sleeps until something has changed or the deadline has passed (then false). */
bool hub_wait(struct chan_hub *hub, int64_t deadline);
void hub_count(bool *counted, bool is, size_t *total);
void chan_step(struct chan *c, int64_t now);
/* The context of a call that is about to be started: r, which must live until the callback. */
static inline struct request *request_for(struct request *r, struct chan *c) {
    *r = (struct request){.c = c};
    return r;
}
/* Notes a call that was just started; id 0: it was not, and false is returned. */
bool request_begin(struct request *r, uint64_t id);
void request_cancel(struct request *r);
/* Begin and end of every callback of a request: the first takes the lock, the second runs
** chan_step and gives it back. */
struct chan *hub_enter(struct request *r);
void hub_leave(struct chan *c);
/* Counts the channel's work anew and frees it when nobody needs it any more: the last thing done
** with a channel. */
void hub_settle(struct chan *c);
void hub_insert_url(struct chan *c);
struct chan *hub_find_url(struct chan_hub *hub, const char *url);
void hub_unlock(struct chan_hub *hub);
/* Begin and end of each push and pop: the program's pace. */
void hub_op_begin(struct chan_hub *hub);
void hub_op_end(struct chan_hub *hub);

/* --- turn.c ----------------------------------------------------------------------------------- */

/* At the end of the line. A deletion gets no place where nobody is before it; one that has a place
** keeps it. */
void turn_take(struct turn *t, struct chan *c, enum turn_kind kind);
/* Leaves the line; marks the channel whose turn has come by that. Without a place: nothing. */
void turn_end(struct turn *t);
/* by gets the place of t. */
void turn_replace(struct turn *by, struct turn *t);
/* Nothing that it has to wait for is before it. */
bool turn_has_come(const struct turn *t);

/* --- finish.c --------------------------------------------------------------------------------- */

/* Drops all work that waits and cancels what is under way. */
void chan_abort(struct chan *c);

/* --- fault.c ---------------------------------------------------------------------------------- */

enum verdict { VERDICT_AGAIN, VERDICT_GIVE_UP, VERDICT_GONE };
/* What to do about a failed request: sets the backoff for VERDICT_AGAIN. error NULL: it could not
** be started (memory). */
enum verdict fault_judge(struct chan *c, struct backoff *b, const struct aws_error *error,
                         int64_t now);
/* After a request that worked. */
void fault_clear(struct chan *c, struct backoff *b);
void fault_delay(struct backoff *b, int64_t now, int64_t base_ms, int64_t cap_ms);
bool fault_is_transient(const struct aws_error *error);
bool fault_is_throttle(const struct aws_error *error);
/* `push on channel X failed: Code: message (request id R)`. out may be NULL; aws NULL: text is the
** cause. */
void fault_text(struct chan_error *out, const struct chan *c, const char *operation,
                const struct aws_error *aws, const char *text);
/* Remembers a failure until an operation on the channel or a flush reports it; the first wins. */
void fault_remember(struct chan *c, const char *operation, const struct aws_error *aws,
                    const char *text);
/* Reports what was remembered: CHAN_OK when there is nothing. */
enum chan_result fault_report(struct chan *c, struct chan_error *error);
void fault_forget(struct chan *c);

/* --- queue.c ---------------------------------------------------------------------------------- */

void queue_step(struct chan *c, int64_t now);
/* The queue is there and usable. */
bool queue_ready(const struct chan *c);
/* Deletes the queue when everything that was pushed before, on any channel, has arrived. */
void queue_doom(struct chan *c);
/* The queue has been deleted, here or by others: what waits to be sent is lost and remembered as a
** failure. */
void queue_gone(struct chan *c);
/* What every operation asks first: CHAN_OK, CHAN_INTERRUPTED, CHAN_DELETED or CHAN_FAILED. */
enum chan_result queue_state(struct chan *c, const char *operation, struct chan_error *error);

/* --- sender.c --------------------------------------------------------------------------------- */

void sender_step(struct chan *c, int64_t now);
void sender_init(struct chan *c);
/* Forgets what waits; returns whether there was something. */
bool sender_drop(struct chan *c);
bool sender_idle(const struct chan *c);
bool sender_has_room(const struct chan *c, size_t len);
enum chan_result sender_push(struct chan *c, const char *data, size_t len, int64_t deadline,
                             struct chan_error *error);
/* On a companion: sends a text that is its own deduplication id; ack as in struct entry. */
/* Another end mark; ack, the one that it stands for, is deleted when it has arrived. */
bool sender_add_end(struct chan *c, struct message *ack);
size_t sender_value_max(const struct chan *c);
bool sender_add_credit(struct chan *c, const char *dedup, struct message *ack);

/* --- receiver.c ------------------------------------------------------------------------------ */

void receiver_init(struct chan *c);
void receiver_step(struct chan *c, int64_t now);
/* The next value, if one is here: its body is the caller's; its receipt is on the way to be
** deleted. */
char *receiver_take(struct chan *c, int64_t now, size_t *len_out);
void receiver_cancel(struct chan *c);
void receiver_drop(struct chan *c);
/* For the waiting pop, if there is one. */
void receiver_fail(struct chan *c, const struct aws_error *error);
/* Nothing of this channel is on its way to SQS: what a receive finds now is all there is. */
bool receiver_quiet(const struct chan *c);
/* All that it holds goes back. */
void receiver_give_back(struct chan *c);
/* The program has done with m: on the way to be deleted, on a bounded channel after its credit. */
void receiver_done(struct chan *c, struct message *m, int64_t now);

/* --- ending.c --------------------------------------------------------------------------------- */

/* A mark has come; then what came with it is judged: marks, whether one did; alone, whether nothing
** else is here. */
void ending_meet(struct chan *c, struct message *m);
void ending_judge(struct chan *c, bool marks, bool alone, int64_t now);
void ending_step(struct chan *c, int64_t now, bool leaving);
int64_t ending_wake(const struct chan *c, int64_t now);
void ending_lease_over(struct chan *c);
void ending_forget(struct chan *c);

/* --- capacity.c --------------------------------------------------------------------------------
 */

/* The URL or name of a companion; NULL: no memory. To be freed. */
char *companion_name(const char *of, const char *suffix);
/* Puts the credits of a new channel on their way. */
bool credit_seed(struct chan *companion);
/* A credit is in hand; drops what is none any more. */
bool credit_ready(struct chan *c, int64_t now);
/* The credit for a push: CHAN_TIMEOUT when there is none. */
enum chan_result credit_take(struct chan *c, struct message **credit_out, struct chan_error *error);
/* How the sending of an entry ended, on which a message of the other queue waited. */
enum fate { FATE_ARRIVED, FATE_REFUSED, FATE_LOST, FATE_DROPPED };
void credit_settle(struct chan *c, struct message *ack, enum fate fate);
/* The id of the credit that stands behind the one that came with m; false: it came with none. */
bool credit_next(const struct chan *c, const struct message *m, char *dedup);
/* Of two credits of one place the older one has been used. */
void credit_keep(struct chan *companion, struct message *m, int64_t now);
void credit_recalled(struct chan *companion, int64_t now);
bool is_unbuffered(const struct chan *c);
void offers_step(struct chan *c, int64_t now);
int64_t offers_wake(const struct chan *c, int64_t now);

/* --- lease.c ------------------------------------------------------------------------------------
 */

struct chan_lease *lease_new(struct chan *c, struct message *m, int64_t now);
/* The end of a lease, which must not be used after it. */
void lease_end(struct chan_lease *lease, bool finished, int64_t now);
/* Gives back all of the channel's; the program's become lost ones. */
void lease_return_all(struct chan *c, int64_t now);
void lease_step(struct chan *c, int64_t now);
int64_t lease_wake(const struct chan *c, int64_t now);

/* --- stream.c -----------------------------------------------------------------------------------
 */

/* Of a channel that is a stream: makes one entry of the values that wait first, in front of the
** others. False: no memory. */
bool stream_pack(struct chan *c);
/* The values of a message become the held ones. */
void stream_unpack(struct chan *c, struct message *m, int64_t now);
/* A value was taken. */
void stream_taken(struct message *m, int64_t now);
void stream_forget_seen(struct chan *c);
/* The end of the channel: forgets packs too. */
void stream_forget(struct chan *c);

/* --- dead.c -------------------------------------------------------------------------------------
 */

/* A step in the life of a queue of dead letters; true: nothing else is due. */
bool dead_step(struct chan *c);

/* --- ack.c ------------------------------------------------------------------------------------ */

void ack_init(struct chan *c);
void ack_step(struct chan *c, int64_t now);
void ack_popped(struct chan *c, struct message *m, int64_t now);
void ack_return(struct chan *c, struct message *m);
bool ack_idle(const struct chan *c);
void ack_drop(struct chan *c);
void message_free(struct message *m);
void list_init(struct message_list *list);
void list_add(struct message_list *list, struct message *m);
struct message *list_take(struct message_list *list);
void list_clear(struct message_list *list);

/* The earlier of two times, where 0 is none. */
static inline int64_t sooner(int64_t a, int64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}
/* A time that has passed is none: what was due has just been done; if not, it waits for something
** that steps again. */
static inline int64_t later(int64_t at, int64_t now) {
    return at > now ? at : 0;
}
/* Each step says when it wants to be called again by this: later than now, or 0. */
int64_t sender_wake(const struct chan *c, int64_t now);
int64_t receiver_wake(const struct chan *c, int64_t now);
int64_t ack_wake(const struct chan *c, int64_t now);
int64_t queue_wake(const struct chan *c, int64_t now);

#endif
