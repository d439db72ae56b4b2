/*
** What stops a spawned call in the middle of its computing: the end of its time, and its parent's
** wish. A signal to the program's thread sets a count hook, for only that is safe in a Lua state
** that runs; the hook raises, and from then on again every few instructions, so that pcall cannot
** swallow it for ever. It is set in the coroutine that runs, and in every one that is resumed or
** gone back to (coroutine.h). Long calls of C functions go on: of those the parent is told by the
** I/O thread at the deadline.
*/
#ifndef AWSYNC_RUNTIME_INTERRUPT_H
#define AWSYNC_RUNTIME_INTERRUPT_H

#include <stdint.h>

#include <lua.h>

/* Once, on the thread that runs L. */
void interrupt_open(lua_State *L);
/* A call begins; at: clock_mono_ms of the end of its time, INT64_MAX: none. */
void interrupt_begin(int64_t at);
/* It has ended: nothing is raised any more. */
void interrupt_end(void);
/* Raises the call's end as soon as may be. Any thread. */
void interrupt_now(void);

/* The program's thread goes on in this coroutine of the state. Returns the one that it comes from,
** for interrupt_leave, when it goes back there. */
lua_State *interrupt_enter(lua_State *co);
void interrupt_leave(lua_State *before);

#endif
