/* See exit.h. */
#include "host/runtime/exit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lauxlib.h>

#include "host/binding/binding.h"
#include "host/runtime/interrupt.h"
#include "host/runtime/log.h"

/* exit([code [, close]]): what was pushed arrives, what was made here is deleted, and the parent
** learns of it. */
static int exit_process(lua_State *L) {
    struct runtime *runtime = lua_touserdata(L, lua_upvalueindex(1));
    int code = EXIT_SUCCESS;
    if (lua_isboolean(L, 1))
        code = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        code = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    interrupt_end();
    char error[1024] = "", text[64];
    binding_end(L, true);
    if (!binding_flush(L, error, sizeof error))
        log_line(LOG_LEVEL_ERROR, "%s", error);
    snprintf(text, sizeof text, "the process was ended by os.exit(%d)", code);
    lua_settop(L, 0);
    lua_pushstring(L, text);
    binding_keep_raised(L);
    luaL_traceback(L, L, NULL, 1);
    const struct binding_outcome outcome = {.failed = true,
                                            .kind = "killed",
                                            .text = text,
                                            .traceback = lua_tostring(L, -1)};
    enum binding_heard heard = binding_report(L, &outcome, error, sizeof error);
    if (heard == BINDING_UNSENT)
        log_line(LOG_LEVEL_ERROR, "%s", error);
    if (!binding_finish(L, error, sizeof error))
        log_line(LOG_LEVEL_ERROR, "%s", error);
    if (heard != BINDING_NO_CALL)
        log_line(LOG_LEVEL_ERROR, "%s (in %s(%s))", text, binding_function(L),
                 binding_argument_text(L));
    fflush(NULL);
    /* A parent that has been told deals with it: the platform must not run the call again. */
    if (heard == BINDING_HEARD)
        runtime_api_respond(runtime->api, runtime->current, "null", 4);
    _exit(code); /* not exit: the I/O thread is still running */
}

void exit_replace(lua_State *L, struct runtime *runtime) {
    lua_getglobal(L, "os");
    lua_pushlightuserdata(L, runtime);
    lua_pushcclosure(L, exit_process, 1);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}
