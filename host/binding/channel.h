/* What the files of the channel binding share: the Lua object of a channel, and its waits. */
#ifndef AWSYNC_BINDING_CHANNEL_H
#define AWSYNC_BINDING_CHANNEL_H

#include "host/binding/host.h"

#define CHANNEL_TYPE "awsync.Channel"

enum { CHANNEL_NAME_SIZE = 81 };

/* One user value: of a view made here, the channel that it is a view of. */
struct channel {
    struct chan *chan; /* owned reference; NULL before the opening, after the end of the handle */
    bool own;          /* made here */
    bool travelled;    /* has been put into a value or a call */
    bool over;         /* deleted, or its scope has ended */
    bool sender, receiver;        /* which directions it has; both: the channel, one: a view */
    char name[CHANNEL_NAME_SIZE]; /* for messages when chan is NULL */
};

struct channel_wait;

/* --- channel.c ------------------------------------------------------------------------------- */

/* The channel at arg, which must not have ended. Raises otherwise. */
struct channel *channel_check(lua_State *L, int arg);
/* The same for an operation that only a sender or only a receiver has. */
struct channel *channel_to_send(lua_State *L, int arg, const char *operation);
struct channel *channel_to_receive(lua_State *L, int arg, const char *operation);

/* --- channel_options.c ----------------------------------------------------------------------- */

/* The table of options at arg. Raises for what is unknown or of the wrong type. */
void channel_read_options(lua_State *L, int arg, struct chan_options *options);

/* --- lease.c --------------------------------------------------------------------------------- */

/* Pushes the value and the handle of what a wait has leased; the handle owns it then. Raises what
** cannot be decoded, and has given it back. */
void channel_push_lease(lua_State *L, struct host *host, const char *operation,
                        struct channel_wait *wait);
/* Pushes nil, nil and why there is no lease; returns their number. */
int channel_push_no_lease(lua_State *L, const char *reason);

/* --- wait.c ---------------------------------------------------------------------------------- */

/* One wait of the program's: keeps its channels, and what came, while Lua code runs meanwhile. */
struct channel_wait {
    char *data; /* owned: the value that came */
    size_t len;
    int which;                /* the case that was done */
    struct chan_lease *lease; /* owned: what came by a case that leases */
    size_t count;
    struct chan_case cases[]; /* chan is an owned reference */
};

/* Pushes a userdata for so many cases, all of them never ready. Raises when memory runs out. */
struct channel_wait *channel_wait_new(lua_State *L, size_t count);
/* data NULL: a pop, which leases when the case is made so afterwards. data is borrowed for the wait. */
void channel_wait_set(struct channel_wait *wait, size_t i, struct chan *chan, const char *data,
                      size_t len);
/* Waits until one is done: CHAN_OK, CHAN_CLOSED (a pop has seen the end) or CHAN_TIMEOUT. Raises
** the rest, an interrupt by a debug hook, and the end of the invocation's time. */
enum chan_result channel_wait_run(lua_State *L, struct host *host, const char *operation,
                                  struct channel_wait *wait, int64_t deadline);
/* Gives up what it keeps: not only when the collector comes, for it may be large. */
void channel_wait_end(struct channel_wait *wait);

/* The end of one slice of a wait: to be called again and again until deadline. */
int64_t channel_slice(const struct host *host, int64_t deadline);
/* After a slice that brought nothing: false when the deadline has passed. Lets a debug hook run,
** which may raise; raises the end of the invocation's time. */
bool channel_go_on(lua_State *L, const struct host *host, const char *operation, int64_t deadline);
/* Seconds from now -> a deadline. */
int64_t channel_deadline(lua_Number seconds);
/* The same of an argument: none or nil is never. Raises what is not 0 or more seconds. */
int64_t channel_arg_deadline(lua_State *L, int arg);

#endif
