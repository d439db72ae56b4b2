/*
** coroutine.resume and coroutine.wrap as Lua's own, but for what interrupt.h has to know: which
** coroutine runs. A hook belongs to one coroutine, and those that the program made before are
** reached by theirs. Coroutines that C code resumes, and handlers of coroutine.close, are not seen.
*/
#ifndef AWSYNC_RUNTIME_COROUTINE_H
#define AWSYNC_RUNTIME_COROUTINE_H

#include <lua.h>

/* After luaL_openlibs. Raises when memory runs out. */
void coroutine_replace(lua_State *L);

#endif
