/* `bootstrap`: Lambda's custom runtime for Lua programs. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "host/binding/binding.h"
#include "host/runtime/context.h"
#include "host/runtime/coroutine.h"
#include "host/runtime/failure.h"
#include "host/runtime/exit.h"
#include "host/runtime/handler.h"
#include "host/runtime/interrupt.h"
#include "host/runtime/invocation.h"
#include "host/runtime/log.h"
#include "host/runtime/memory.h"
#include "host/runtime/runtime_api.h"

enum { EXIT_USAGE = 2, WARNING_MAX = 64 * 1024 };
/* So many invocations in a row without a request id, and the API is broken. */
enum { NAMELESS_MAX = 5 };

/* --- the state ------------------------------------------------------------------------------- */

struct warnings {
    struct buf line; /* so far: they come in pieces */
    bool off;
};

/* Lua's warnings, such as errors in finalizers. context: struct warnings. */
static void on_warning(void *context, const char *piece, int to_be_continued) {
    struct warnings *warnings = context;
    if (warnings->line.len == 0 && !to_be_continued && piece[0] == '@') { /* a control message */
        if (strcmp(piece, "@off") == 0 || strcmp(piece, "@on") == 0)
            warnings->off = piece[2] == 'f';
        return;
    }
    buf_adds(&warnings->line, piece);
    if (to_be_continued)
        return;
    if (!warnings->off)
        log_line(LOG_LEVEL_WARN, "%s", buf_text(&warnings->line));
    buf_reset(&warnings->line);
}

struct start {
    struct handler handler;
    struct runtime *runtime;
};

static int start_state(lua_State *L) {
    struct start *start = lua_touserdata(L, 1);
    lua_gc(L, LUA_GCSTOP); /* nothing of what is made here is garbage */
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_awsync_core);
    lua_setfield(L, -2, "awsync.core");
    lua_pop(L, 1);
    handler_set_paths(L, &start->handler);
    context_open(L, &start->runtime->current);
    exit_replace(L, start->runtime);
    interrupt_open(L);
    coroutine_replace(L);
    binding_open(L);
    binding_set_program_dir(L, start->handler.root);
    lua_gc(L, LUA_GCRESTART);
    handler_load(L, &start->handler);
    return 0;
}

/* Opens the state and loads the program; a failure is logged and told to Lambda. */
static bool start_program(struct runtime *runtime, struct start *start) {
    struct failure failure;
    failure_init(&failure);
    bool ok = failure_call(runtime->L, start_state, start, &start->handler.error_type, &failure);
    if (!ok) {
        failure_log(&failure);
        struct buf body;
        buf_init(&body, 6 * 1024 * 1024);
        failure_body(&failure, &body);
        struct runtime_error error = {.type = failure.type,
                                      .body = buf_text(&body),
                                      .body_len = body.len};
        if (runtime_api_fail(runtime->api, NULL, &error) != RUNTIME_OK)
            log_line(LOG_LEVEL_ERROR, "%s", runtime_api_message(runtime->api));
        buf_free(&body);
    }
    fflush(stdout);
    failure_free(&failure);
    return ok;
}

/* --- the loop -------------------------------------------------------------------------------- */

/* Until the Runtime API ends it. */
static void serve(struct runtime *runtime) {
    struct runtime_event event;
    runtime_event_init(&event);
    int nameless = 0;
    for (;;) {
        if (runtime_api_next(runtime->api, &event) != RUNTIME_OK) {
            log_line(LOG_LEVEL_FATAL, "%s", runtime_api_message(runtime->api));
            break;
        }
        if (runtime_event_header(&event, RUNTIME_REQUEST_ID)[0] == '\0') {
            log_line(LOG_LEVEL_ERROR, "an invocation without a request id cannot be answered");
            if (++nameless == NAMELESS_MAX)
                break;
            continue;
        }
        nameless = 0;
        if (invocation_handle(runtime, &event) == RUNTIME_ENDED)
            break;
    }
    runtime_event_free(&event);
}

static int run(const char *authority, const char *handler_spec) {
    struct memory memory;
    struct runtime runtime = {0};
    struct start start = {.runtime = &runtime};
    struct warnings warnings = {.off = false};
    buf_init(&warnings.line, WARNING_MAX);
    memory_open(&memory);
    log_open();
    handler_open(&start.handler);
    if (start.handler.spec == NULL)
        start.handler.spec = handler_spec;
    runtime.root = start.handler.root;
    runtime.function = getenv("AWS_LAMBDA_FUNCTION_NAME");
    runtime.api = runtime_api_new(authority);
    runtime.L = lua_newstate(memory_alloc, &memory);
    if (runtime.api == NULL || runtime.L == NULL) {
        log_line(LOG_LEVEL_FATAL, "not enough memory to start");
        goto done;
    }
    lua_setwarnf(runtime.L, on_warning, &warnings);
    if (start_program(&runtime, &start))
        serve(&runtime);
done:
    if (runtime.L != NULL)
        lua_close(runtime.L);
    runtime_api_free(runtime.api);
    buf_free(&warnings.line);
    return EXIT_FAILURE; /* this program never ends by itself but for a failure */
}

/* Not SIG_IGN, which the program's own child processes would inherit. */
static void on_broken_pipe(int number) {
    (void)number;
}

int main(int argc, char **argv) {
    const char *handler = NULL;
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("awsync bootstrap " AWSYNC_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: bootstrap [FILE.FUNCTION | --version]\n");
        return EXIT_USAGE;
    }
    if (argc == 2)
        handler = argv[1]; /* a container image may say so instead of _HANDLER */
    const char *authority = getenv("AWS_LAMBDA_RUNTIME_API");
    if (authority == NULL || authority[0] == '\0') {
        fprintf(stderr, "bootstrap: AWS_LAMBDA_RUNTIME_API is not set: this program is a runtime "
                        "that Lambda starts; "
                        "`awsync run FILE` runs a program on this machine\n");
        return EXIT_USAGE;
    }
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = on_broken_pipe}, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run(authority, handler);
}
