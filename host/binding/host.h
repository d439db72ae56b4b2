/* What the files of the binding share: the state of one Lua state. */
#ifndef AWSYNC_BINDING_HOST_H
#define AWSYNC_BINDING_HOST_H

#include <lua.h>

#include "host/aws/budget.h"
#include "host/binding/binding.h"
#include "host/binding/calls.h"
#include "host/binding/codec.h"
#include "host/binding/family.h"
#include "host/channel/channel.h"

/* Defaults of the limits, settable by the variables of the same names. */
#ifndef AWSYNC_MAX_DEPTH
#define AWSYNC_MAX_DEPTH 16
#endif
#ifndef AWSYNC_MAX_SPAWNS
#define AWSYNC_MAX_SPAWNS 100000
#endif

enum { SQS_RECORD_MAX = 1048576 }; /* bytes of a record: what SQS takes */

/* What a channel that is met while a value is encoded will be known to. */
enum host_encoding {
    ENCODING_VALUE,    /* somebody: it leaves this invocation's family */
    ENCODING_CALL,     /* a call of our own */
    ENCODING_DETACHED, /* a call that is nobody's child */
    ENCODING_OUR_OWN,  /* who reads a channel of our own */
};

struct host {
    struct aws_client *client; /* NULL until it is needed; owned */
    struct chan_hub *hub;      /* made with the client; owned */
    struct calls calls;
    bool calls_ready;
    bool over; /* finalized */
    struct envelope_key key;
    bool key_loaded;
    char *program_dir; /* owned; NULL: none */

    struct family family;
    enum host_encoding encoding;
    char identity
        [65]; /* of the event: the call's id, else the request id. Names pushes and calls. */
    char request_id[65], function[128], trace_id[256];
    char run[17]; /* "" until it is asked for: host_run */
    /* What stands before the name in the URL of a queue of this account; "" while not known. */
    char queue_base[CLAIM_URL_SIZE];
    char account[16]; /* that runs this function; "": not known */
    int depth;
    int64_t expires_ms; /* wall clock: the tag of what this invocation makes */
    int64_t wait_until; /* clock_mono_ms: what waits raises then: the end needs time too */
    int64_t finish_until, words_at, report_until;
    long long spawns, max_depth, max_spawns;
    int64_t max_cost; /* nanodollars; 0: not set */
    int memory_mb;    /* of the function; 0: not known */
    struct budget budget;
    uint64_t requests_before; /* of the client, when the invocation began */
};

/* The state's host. Raises nothing once luaopen_awsync_core has run. */
struct host *host_get(lua_State *L);
/* The same, with client and hub, and without a refused call that was not yet reported: for the
** beginning of every operation. */
struct host *host_ready(lua_State *L);
/* The name of the run: the caller's, else AWSYNC_RUN, else random letters, which cost a system call and
** are drawn when something is to be named. Borrowed. */
const char *host_run(struct host *host);
/* The fields that are the same for all operations. */
struct codec_options host_codec_options(lua_State *L, struct host *host, const char *operation,
                                        size_t limit);
/* Raises what a channel operation has brought; not for CHAN_OK, CHAN_TIMEOUT and CHAN_CLOSED.
** Returns when an interruption was ours and has been reported already: the operation is tried
** again. */
void host_raise(lua_State *L, struct host *host, const char *operation, enum chan_result result,
                const struct chan_error *error);
/* What every slice of a wait does before: takes exit records in, has more of them come, raises
** what they bring. */
void host_listen(lua_State *L, struct host *host, const char *operation, int64_t until);
/* A frame of lua/awsync, whose lines and names say nothing to the program's author. */
bool host_own_frame(lua_State *L, lua_Debug *ar);
/* As luaL_where(L, 1), of a C function or a hook: pushes the program's own line, not awsync's. */
void host_where(lua_State *L);
/* As luaL_error, with that line. */
int host_error(lua_State *L, const char *format, ...);
/* Lets a debug hook run, as of an interrupt: it may raise. */
void host_run_hook(lua_State *L);
/* What this invocation has used of its budget. */
struct budget_use host_use(const struct host *host);
/* Raises that AWSYNC_MAX_COST is spent. */
int host_out_of_money(lua_State *L, struct host *host, const char *operation);
/* Raises that the invocation's time is over. */
int host_out_of_time(lua_State *L, const char *operation);

/* --- the parts of the module ----------------------------------------------------------------- */

int channel_new(lua_State *L);      /* Channel([options]) */
int channel_push(lua_State *L);     /* push(c, v [, timeout]) -> true | nil, "timeout" */
int channel_pop(lua_State *L);      /* pop(c [, timeout]) -> value | nil, "timeout" or "closed" */
int channel_range(lua_State *L);    /* for v in range(c) */
int channel_close(lua_State *L);    /* close(c) */
int channel_len(lua_State *L);      /* len(c) -> integer */
int channel_cap(lua_State *L);      /* cap(c) -> integer, or math.huge */
int channel_lease(lua_State *L);    /* lease(c [, timeout]) -> value, handle | nil, nil, reason */
int channel_sender(lua_State *L);   /* sender(c) -> view */
int channel_receiver(lua_State *L); /* receiver(c) -> view */
int channel_delete(lua_State *L);   /* delete(c) */
int channel_select(lua_State *L);   /* select{cases} -> index, "timeout" or "default" [, v, err] */
/* Makes the metatables and the table of known channels. */
void channel_open_type(lua_State *L);
void channel_open_range(lua_State *L);
void channel_open_lease(lua_State *L);
void channel_open_wait(lua_State *L);

int raw_wrap(lua_State *L); /* raw(v) */
void raw_open_type(lua_State *L);

#endif
