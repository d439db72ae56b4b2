/* What the handler learns of its invocation beside the event. */
#ifndef AWSYNC_RUNTIME_CONTEXT_H
#define AWSYNC_RUNTIME_CONTEXT_H

#include <lua.h>

#include "host/runtime/runtime_api.h"

/* Pushes the context table. Raises. */
void context_push(lua_State *L, const struct runtime_event *event);
/* Once, before the first context: reads what is the same for all of them. Makes os.getenv answer
** for `_X_AMZN_TRACE_ID`, which changes with each invocation, from the event that *current points to
** (NULL: the environment's own). Raises. */
void context_open(lua_State *L, const struct runtime_event *const *current);

#endif
