/*
** The door of the binding for the programs that embed it: the module `awsync.core`, and what
** surrounds one invocation.
**
** All state of a Lua state lies in one userdata of its registry, which luaopen_awsync_core
** makes: the AWS client, the hub of its channels, the calls on their way. Without the functions
** below, as in a plain lua5.4, the whole life of the state is one invocation.
*/
#ifndef AWSYNC_BINDING_H
#define AWSYNC_BINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "host/binding/envelope.h"

/* Opens the module. May be called many times in one state. */
int luaopen_awsync_core(lua_State *L);

/* Makes what luaopen makes, without the module. Raises. */
void binding_open(lua_State *L);

/* Where the key file is looked for; copied. Before the first use of a key. Raises. */
void binding_set_program_dir(lua_State *L, const char *directory);
/* The key of this deployment, len 0 when there is none. Raises when there is one that cannot be
** used. */
const struct envelope_key *binding_key(lua_State *L);

struct binding_invocation {
    const char *request_id; /* NULL: a random one */
    const char *run;        /* NULL or "": AWSYNC_RUN, else a random one */
    const char *function;   /* name, for tags and messages; NULL: none */
    const char *trace_id;   /* X-Ray; NULL or "": none */
    int depth;              /* 0: main */
    int64_t deadline_ms;    /* wall clock; 0: none. Waiting operations raise a little before it. */
};
/* An invocation begins: counts of calls start anew, channels and requests carry its names from now
** on. Raises. */
void binding_begin(lua_State *L, const struct binding_invocation *invocation);
/* It ends, also after an error: waits until every call has been accepted, every push
** acknowledged and every queue that was made is deleted, at longest until shortly before the
** deadline. False: something failed, error_out says what. Raises nothing. */
bool binding_finish(lua_State *L, char *error_out, size_t error_size);

/* When the value at idx was made by awsync.raw(v): pushes v. */
bool binding_unwrap_raw(lua_State *L, int idx);

#endif
