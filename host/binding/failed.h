/* Errors that come from another lambda, as Lua values: see docs/waiting.md. */
#ifndef AWSYNC_BINDING_FAILED_H
#define AWSYNC_BINDING_FAILED_H

#include <stdbool.h>

#include <lua.h>

/* Kinds. */
#define FAILED_ERROR     "error"
#define FAILED_TIMEOUT   "timeout"
#define FAILED_MEMORY    "memory"
#define FAILED_KILLED    "killed"
#define FAILED_CANCELLED "cancelled"
#define FAILED_DEADLOCK  "deadlock"
#define FAILED_UNCLAIMED "unclaimed"

/* Makes the metatable of error objects. */
void failed_open_type(lua_State *L);
/* Pushes that metatable: awsync.core.Error, under which error objects travel. */
void failed_push_type(lua_State *L);
/* True when the value at idx is an error object. */
bool failed_is(lua_State *L, int idx);
/* Makes the table at the stack's top an error object. */
void failed_mark(lua_State *L);
/* Sets one of its texts when it is not empty. */
void failed_set(lua_State *L, const char *field, const char *text);
/* Raises an error object of this kind whose message is the string at the stack's top. */
int failed_raise(lua_State *L, const char *kind);
/* Pushes the message as a text, without the rest: `main.lua:3: no such file (in work(7), request
** id ...)`. */
void failed_push_summary(lua_State *L, int idx);
/* The kind of any error value: FAILED_ERROR when it is no error object. Borrowed from it. */
const char *failed_kind(lua_State *L, int idx);

#endif
