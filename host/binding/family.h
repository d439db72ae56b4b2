/*
** The family of an invocation: the calls that it made and has not heard the end of, its inbox, and
** what it owes to its own ancestors. The mechanism; groups, maps and the like are lua/awsync.
**
** Exit records are taken in by waiting operations (family_look) and at the end of the function
** (binding_end). A record of a plain call raises when it is an error; that of a linked one, a
** future's, goes to the future: its table gets `done`, then `values` (packed) or `failure`.
*/
#ifndef AWSYNC_BINDING_FAMILY_H
#define AWSYNC_BINDING_FAMILY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "host/binding/envelope.h"
#include "host/binding/record.h"
#include "host/channel/claim.h"
#include "host/channel/inbox.h"

struct host;

enum { FAMILY_CLAIMED_MAX = 256, FAMILY_ARGUMENTS = 3 };

/* A call that this process has begun: when its event comes again, it is not run again. */
struct family_claimed {
    char call[RECORD_ID_SIZE];
    bool failed; /* and nobody has heard of it but the platform */
};

struct family {
    struct family_claimed claimed[FAMILY_CLAIMED_MAX]; /* the last ones; a ring */
    size_t claimed_count;
    struct claimer *claimer; /* owned; NULL until the first call, of either kind */

    bool begun;  /* the registry has what belongs there */
    bool marked; /* an error or its handler is kept there, for this invocation */

    struct inbox *inbox; /* owned; NULL until the first call */
    struct watch *watch; /* owned; NULL until the first call that is run here */

    /* As a call of somebody else's: */
    bool is_call;
    struct envelope_claims claims;
    /* In short. One that is not shown is written, then shown: the I/O thread reads what is. */
    char args[FAMILY_ARGUMENTS][256];
    atomic_int shown;
    int64_t begun_ms;      /* clock_mono_ms */
    atomic_bool cancelled; /* set on the I/O thread */
    void (*alarm)(void);   /* called there when it is; NULL: none */
    char *value;           /* results of the function as the record takes them; owned */
    size_t value_len;

    /* As a parent: */
    long long spawned;     /* calls that are expected to send a record */
    long long outstanding; /* of these and of adopted ones, those that have not */
    int64_t last_spawn_ms; /* clock_mono_ms */
    int64_t life_ms;       /* longest possible life of a call */
    int64_t scopes;        /* numbers given out */
    bool blind;            /* a channel of ours is known to strangers, or calls are unknown to us */
    lua_Integer errors;    /* of plain calls that have come */
    lua_Integer errors_taken; /* of these, those that were raised or given to on_error's function */
    char (*running)[RECORD_ID_SIZE]; /* at the end: calls still running; owned */
    size_t running_count;
    bool running_more;
};

/* Begins anew; claims NULL: not a call. now_ms: clock_mono_ms. left_ms: until the deadline;
** INT64_MAX: there is none. Raises. */
void family_begin(lua_State *L, struct host *host, const struct envelope_claims *claims,
                  int64_t now_ms, int64_t left_ms);
void binding_forget_raised(lua_State *L);
/* Before the client's end; and after it. */
void family_quit(struct host *host);
void family_free(struct host *host);

/* Every operation: raises when this call has been cancelled. */
void family_check(lua_State *L, struct host *host, const char *operation);
/* A waiting operation, before each slice of its wait: takes records in; raises what they bring. */
void family_look(lua_State *L, struct host *host, const char *operation);
/* Has records come until then. */
void family_listen(struct host *host, int64_t until);
/* All calls have ended, and nobody but them ever knew our channels: what a channel of ours has now
** is all that it will ever have. */
bool family_is_over(const struct host *host);
int family_raise_deadlock(lua_State *L, struct host *host);

/* After this call's own record, before its inbox goes: records that have come since its last look go
** to its ancestors, who wait for these calls now; not those of calls whose end is known here. Raises
** nothing. */
void family_forward(lua_State *L, struct host *host, int64_t until);

/* --- spawn.c ------------------------------------------------------------------------------------ */

enum family_tie { TIE_PLAIN, TIE_LINKED, TIE_DETACHED };

int invoke_call(lua_State *L); /* invoke(f, ...) */
/* announce(operation, n): so many calls follow. Raises when AWSYNC_MAX_COST does not pay for them. */
int family_announce(lua_State *L);
int family_spawn(lua_State *L); /* spawn(operation, future or nil, scope, namesake, f, ...) */
/* Notes a call that is on its way. future: its slot, or 0. */
void family_add(lua_State *L, struct host *host, const char *id, const char *name, int future);
/* A call that Lambda has refused has ended. True: its future has the error; false: it is the
** caller's to raise. */
bool family_refused(lua_State *L, struct host *host, const char *id, const char *text);

/* --- claim.c ------------------------------------------------------------------------------------ */

/* The claimer of this process, which knows its queue. Raises when memory runs out. */
struct claimer *family_claimer(lua_State *L, struct host *host);

/* --- functions of awsync.core ------------------------------------------------------------------- */

int family_wait(lua_State *L);     /* wait([seconds]): until something was taken in */
int family_scope(lua_State *L);    /* scope() -> a number for linked calls */
int family_cancel(lua_State *L);   /* cancel(scope) */
int family_on_error(lua_State *L); /* on_error(fn or nil) */
int family_arguments(
    lua_State *L);            /* arguments(...): what this call's error shows instead of its own */
int family_now(lua_State *L); /* now() -> seconds of a clock that never goes back */
int family_failed(lua_State *L); /* failed(kind, message) -> an error object */

#endif
