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
    const char *arn;        /* of the invoked function; NULL or "": none */
    int depth;              /* 0: main */
    int64_t deadline_ms;    /* wall clock; 0: none. Waiting operations raise a little before it. */
    const struct envelope_claims *claims; /* of a spawned call; NULL: an ordinary event. Copied. */
};
/* An invocation begins: counts of calls start anew, channels and requests carry its names from now
** on. Raises. */
void binding_begin(lua_State *L, const struct binding_invocation *invocation);
/* Before an exit record goes out: waits until every call has been accepted and every push is
** acknowledged. As binding_finish otherwise, which comes later all the same. */
bool binding_flush(lua_State *L, char *error_out, size_t error_size);
/* It ends, also after an error: waits until every call has been accepted, every push
** acknowledged and every queue that was made is deleted, at longest until shortly before the
** deadline. False: something failed, error_out says what. Raises nothing. */
bool binding_finish(lua_State *L, char *error_out, size_t error_size);

/* --- a spawned call, for its parent: see docs/waiting.md --------------------------------------- */

/* The call of the invocation that has begun is claimed: its event may have come to two processes.
** The first function puts the claim on its way. Both raise; the second one an error of kind
** "unclaimed" when there is no telling whose the call is. */
void binding_claim_begin(lua_State *L);
enum binding_claim {
    BINDING_OURS,
    BINDING_TAKEN,  /* it runs or has run: nothing is to be done */
    BINDING_FAILED, /* here, and nobody has heard of it: its retry fails as well */
};
enum binding_claim binding_claim(lua_State *L);
/* The call has failed, and only the platform is told. */
void binding_claim_fails(lua_State *L);
/* Notes the n arguments from first on in short, for messages. Raises. */
void binding_arguments(lua_State *L, int first, int n);
/* Watches over the call: alarm is called on the I/O thread when it is cancelled, and its parent is
** told in time when its deadline comes. Does nothing without a call. Raises. */
void binding_watch(lua_State *L, void (*alarm)(void));
/* Keeps the results, from first to the top, for the record when the parent asks for them. Raises
** when they cannot travel. */
void binding_results(lua_State *L, int first);
/* The function has ended: exit records that have arrived are looked at, and raised unless failed.
** Of an ordinary event, too. Raises. */
void binding_end(lua_State *L, bool failed);
/* clock_mono_ms at which waiting operations raise; INT64_MAX: never. */
int64_t binding_wait_until(lua_State *L);
/* `square(7)`: the function that is called and its arguments in short. Borrowed; for a call. */
const char *binding_function(lua_State *L);
const char *binding_argument_text(lua_State *L);
/* True when this is a spawned call; whether it has been cancelled. */
bool binding_is_call(lua_State *L);
bool binding_is_cancelled(lua_State *L);
/* Raises that it has been cancelled, or that its time is almost over. */
int binding_stop(lua_State *L);

struct binding_outcome {
    bool failed;
    const char *kind;      /* of the error; NULL: as what was raised says */
    const char *text;      /* of the error */
    const char *traceback; /* "" none */
};
/* Keeps what was raised, on top of the stack, for binding_report. Raises when memory runs out. */
void binding_keep_raised(lua_State *L);
/* Pushes it; nil when nothing was kept. Raises nothing. */
void binding_push_raised(lua_State *L);

enum binding_heard {
    BINDING_NO_CALL, /* an ordinary event: nobody is told */
    BINDING_HEARD,   /* an ancestor has the record */
    BINDING_UNHEARD, /* all ancestors have ended, or it was detached */
    BINDING_UNSENT,  /* error says why */
};
/* After binding_finish, before the answer: sends the exit record. Raises nothing. */
enum binding_heard binding_report(lua_State *L, const struct binding_outcome *outcome, char *error,
                                  size_t error_size);
/* Pushes kind, summary and traceback (or nil) of an error object at idx. False and nothing for other values.
** Raises. */
bool binding_push_failure(lua_State *L, int idx);

/* When the value at idx was made by awsync.raw(v): pushes v. */
bool binding_unwrap_raw(lua_State *L, int idx);

#endif
