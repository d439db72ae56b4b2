/* What the files of the binding share: the state of one Lua state. */
#ifndef AWSYNC_BINDING_HOST_H
#define AWSYNC_BINDING_HOST_H

#include <lua.h>

#include "host/binding/binding.h"
#include "host/binding/calls.h"
#include "host/binding/codec.h"
#include "host/channel/channel.h"

/* Defaults of the limits, settable by the variables of the same names. */
#ifndef AWSYNC_MAX_DEPTH
#define AWSYNC_MAX_DEPTH 16
#endif
#ifndef AWSYNC_MAX_SPAWNS
#define AWSYNC_MAX_SPAWNS 100000
#endif

struct host {
    struct aws_client *client; /* NULL until it is needed; owned */
    struct chan_hub *hub;      /* made with the client; owned */
    struct calls calls;
    bool calls_ready;
    bool over; /* finalized */
    struct envelope_key key;
    bool key_loaded;
    char *program_dir; /* owned; NULL: none */

    char request_id[65], run[17], function[128], trace_id[256];
    int depth;
    int64_t expires_ms; /* wall clock: the tag of what this invocation makes */
    int64_t wait_until; /* clock_mono_ms: what waits raises then: the end needs time too */
    int64_t finish_until;
    long long spawns, max_depth, max_spawns;
};

/* The state's host. Raises nothing once luaopen_awsync_core has run. */
struct host *host_get(lua_State *L);
/* The same, with client and hub, and without a refused call that was not yet reported: for the
** beginning of every operation. */
struct host *host_ready(lua_State *L);
/* The fields that are the same for all operations. */
struct codec_options host_codec_options(lua_State *L, struct host *host, const char *operation,
                                        size_t limit);
/* Raises what a channel operation has brought; not for CHAN_OK, CHAN_TIMEOUT and CHAN_CLOSED.
** Returns when an interruption was ours and has been reported already: the operation is tried
** again. */
void host_raise(lua_State *L, struct host *host, const char *operation, enum chan_result result,
                const struct chan_error *error);
/* Raises that the invocation's time is over. */
int host_out_of_time(lua_State *L, const char *operation);

/* --- the parts of the module ----------------------------------------------------------------- */

int channel_new(lua_State *L);    /* Channel([options]) */
int channel_push(lua_State *L);   /* push(c, v) */
int channel_pop(lua_State *L);    /* pop(c [, timeout]) */
int channel_delete(lua_State *L); /* delete(c) */
/* Makes the metatable and the table of known channels. */
void channel_open_type(lua_State *L);

int invoke_call(lua_State *L); /* invoke(f, ...) */

int raw_wrap(lua_State *L); /* raw(v) */
void raw_open_type(lua_State *L);

#endif
