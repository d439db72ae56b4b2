/* See failure.h. */
#include "host/runtime/failure.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/binding/binding.h"
#include "host/binding/codec.h"
#include "host/json/json.h"
#include "host/runtime/log.h"
#include "host/runtime/memory.h"

/* An answer carries 6 MB at most; nobody reads an error message of that size. */
enum { MESSAGE_MAX = 256 * 1024, TRACEBACK_MAX = 64 * 1024, CAUSE_MAX = 32 * 1024 };

void failure_init(struct failure *failure) {
    failure->type = ERROR_FUNCTION;
    failure->quiet = failure->foreign = false;
    buf_init(&failure->message, MESSAGE_MAX);
    buf_init(&failure->traceback, TRACEBACK_MAX);
}

void failure_free(struct failure *failure) {
    buf_free(&failure->message);
    buf_free(&failure->traceback);
}

void failure_set(struct failure *failure, const char *type, const char *format, ...) {
    failure->type = type;
    buf_reset(&failure->traceback);
    buf_reset(&failure->message);
    va_list args;
    va_start(args, format);
    buf_vaddf(&failure->message, format, args);
    va_end(args);
}

/* --- the protected call ---------------------------------------------------------------------- */

/* The extra space of the state holds the failure of the call that is running: a message handler
** has no argument, and an upvalue would have to be allocated outside any protection. */
static struct failure **slot(lua_State *L) {
    return (struct failure **)lua_getextraspace(L);
}

/* Message handler: keeps the traceback, passes the error object on. */
static int keep_traceback(lua_State *L) {
    struct failure *failure = *slot(L);
    luaL_traceback(L, L, NULL, 1);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    static const char own_frame[] = "\n\t[C]: in ?"; /* the host's call, at the bottom */
    size_t tail = sizeof own_frame - 1;
    if (len > tail && memcmp(text + len - tail, own_frame, tail) == 0)
        len -= tail;
    buf_reset(&failure->traceback);
    if (len > strlen("stack traceback:"))
        buf_add(&failure->traceback, text, len);
    lua_pop(L, 1);
    return 1;
}

/* 1: error object -> its JSON text. */
static int plain_text(lua_State *L) {
    codec_encode_json(L, 1, "error");
    return 1;
}

/* An error of another lambda, on the stack: kind, summary, traceback. The traceback is that of the
** other lambda, then that of this one. */
static void describe_foreign(lua_State *L, struct failure *failure) {
    const char *kind = lua_tostring(L, -3), *trace = lua_tostring(L, -1);
    lua_getfield(L, 1, "fn");
    failure->foreign = !lua_isnil(L, -1);
    lua_pop(L, 1);
    failure->quiet = kind != NULL && strcmp(kind, "cancelled") == 0;
    if (trace != NULL) {
        struct buf own;
        buf_init(&own, TRACEBACK_MAX);
        buf_adds(&own, buf_text(&failure->traceback));
        buf_reset(&failure->traceback);
        size_t len = strlen(trace);
        buf_add(&failure->traceback, trace, len < TRACEBACK_MAX / 2 ? len : TRACEBACK_MAX / 2);
        const char *lines = strchr(buf_text(&own), '\n');
        if (lines != NULL)
            buf_addf(&failure->traceback, "\n\t[raised here]%.*s", TRACEBACK_MAX / 2 - 64, lines);
        buf_free(&own);
    }
    lua_pop(L, 1);
}

/* 1: error object, 2: the failure. */
static int describe(lua_State *L) {
    struct failure *failure = lua_touserdata(L, 2);
    lua_settop(L, 1);
    binding_keep_raised(L);
    if (binding_push_failure(L, 1))
        describe_foreign(L, failure);
    else if (lua_istable(L, 1) && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) {
        lua_pushcfunction(L, plain_text);
        lua_pushvalue(L, 1);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK)
            lua_pushliteral(L, "(error object is a table that has no __tostring)");
    } else if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "nil");
    } else {
        luaL_tolstring(L, 1, NULL);
    }
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    buf_reset(&failure->message);
    buf_add(&failure->message, text, len < MESSAGE_MAX ? len : MESSAGE_MAX);
    return 0;
}

static void fill(lua_State *L, int status, const char *type, struct failure *failure) {
    void *memory;
    lua_getallocf(L, &memory);
    size_t len = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    /* A coroutine that ran out of memory passes it on as an ordinary error of this very text. */
    if (status == LUA_ERRMEM || (text != NULL && strcmp(text, "not enough memory") == 0)) {
        const struct memory *m = memory;
        size_t bound_mb = m->bound >> 20;
        if (m->bound > 0)
            failure_set(failure, ERROR_MEMORY,
                        "not enough memory: Lua may use %zu MB of the function's %ld MB", bound_mb,
                        m->function_mb);
        else
            failure_set(failure, ERROR_MEMORY, "not enough memory");
        return;
    }
    failure->type = type;
    lua_pushcfunction(L, describe);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, failure);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        buf_reset(&failure->message);
        buf_adds(&failure->message, "(an error whose text cannot be made)");
    }
}

bool failure_call(lua_State *L, lua_CFunction function, void *argument, const char *const *type,
                  struct failure *failure) {
    struct failure *outer = *slot(L);
    *slot(L) = failure;
    lua_settop(L, 0);
    lua_pushcfunction(L, keep_traceback);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    int status = lua_pcall(L, 1, 0, 1);
    if (status != LUA_OK) {
        fill(L, status, *type, failure);
        lua_settop(L, 0);
        lua_gc(L,
               LUA_GCCOLLECT); /* what the failed call held; after a lack of memory it is needed */
    }
    lua_settop(L, 0);
    *slot(L) = outer;
    return status == LUA_OK;
}

/* --- its forms ------------------------------------------------------------------------------- */

void failure_log(const struct failure *failure) {
    log_error(failure->type, buf_text(&failure->message), buf_text(&failure->traceback));
}

bool failure_body(const struct failure *failure, struct buf *out) {
    struct buf stack;
    buf_init(&stack, TRACEBACK_MAX * 6);
    struct json_writer w;
    json_writer_init(&w, out);
    json_object_begin(&w);
    json_key(&w, "errorMessage");
    log_json_text(&w, buf_text(&failure->message), failure->message.len);
    json_member(&w, "errorType", failure->type);
    if (log_add_stack(&stack, buf_text(&failure->traceback))) {
        json_key(&w, "stackTrace");
        json_raw(&w, buf_text(&stack), stack.len);
    }
    json_object_end(&w);
    buf_free(&stack);
    return buf_ok(out);
}

/* One line of a traceback, `main.lua:3: in function 'f'`, as X-Ray's frame. */
static void cause_frame(struct json_writer *w, const char *line, size_t len) {
    const char *in = memmem(line, len, ": in ", 5);
    if (in == NULL)
        return;
    const char *number = NULL;
    for (const char *p = line; p < in; p++)
        if (*p == ':')
            number = p + 1;
    json_object_begin(w);
    json_key(w, "path");
    log_json_text(w, line, (size_t)((number != NULL ? number - 1 : in) - line));
    json_key(w, "line");
    json_integer(w, number != NULL ? strtol(number, NULL, 10) : 0);
    json_key(w, "label");
    log_json_text(w, in + 5, len - (size_t)(in + 5 - line));
    json_object_end(w);
}

bool failure_cause(const struct failure *failure, const char *directory, struct buf *out) {
    struct buf text;
    buf_init(&text, CAUSE_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_member(&w, "working_directory", directory);
    json_key(&w, "exceptions");
    json_array_begin(&w);
    json_object_begin(&w);
    json_member(&w, "type", failure->type);
    json_key(&w, "message");
    log_json_text(&w, buf_text(&failure->message), failure->message.len);
    json_key(&w, "stack");
    json_array_begin(&w);
    const char *line = strchr(buf_text(&failure->traceback), '\n');
    while (line != NULL) {
        line += line[1] == '\t' ? 2 : 1;
        const char *end = strchr(line, '\n');
        cause_frame(&w, line, end != NULL ? (size_t)(end - line) : strlen(line));
        line = end;
    }
    json_array_end(&w);
    json_object_end(&w);
    json_array_end(&w);
    json_key(&w, "paths");
    json_array_begin(&w);
    json_array_end(&w);
    json_object_end(&w);
    bool fits = buf_ok(&text) && buf_add(out, buf_text(&text), text.len);
    buf_free(&text);
    return fits;
}
