/* os.exit in a function: the parent is told before the process ends. */
#ifndef AWSYNC_RUNTIME_EXIT_H
#define AWSYNC_RUNTIME_EXIT_H

#include <lua.h>

#include "host/runtime/invocation.h"

/* Replaces os.exit. The runtime is borrowed for the state's life. Raises. */
void exit_replace(lua_State *L, struct runtime *runtime);

#endif
