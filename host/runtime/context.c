/*
** See context.h.
**
** The trace id of an invocation is given to the AWS client and to os.getenv, and is not put into
** the environment itself: the I/O thread reads the environment at any time, and setenv beside
** getenv in another thread is undefined. A child process of the program therefore does not
** inherit it.
*/
#include "host/runtime/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/base/clock.h"
#include "host/binding/codec.h"

/* Of the function, from the environment as it was at the start. */
static struct { const char *name, *version, *log_group, *log_stream, *memory; } constant;

/* Upvalue: deadline in milliseconds of the wall clock, or nil. -> seconds, never less than 0. */
static int context_remaining(lua_State *L) {
    if (lua_isnil(L, lua_upvalueindex(1))) {
        lua_pushnumber(L, HUGE_VAL);
        return 1;
    }
    lua_Integer left = lua_tointeger(L, lua_upvalueindex(1)) - clock_wall_ms();
    lua_pushnumber(L, left > 0 ? (lua_Number)left / 1000 : 0);
    return 1;
}

static void set_text(lua_State *L, const char *field, const char *text) {
    if (text == NULL || text[0] == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

/* text -> its JSON value */
static int decode(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    codec_decode_json(L, text, len, "context");
    return 1;
}

/* A header that holds JSON: decoded, or as it came when it is none. */
static void set_json(lua_State *L, const char *field, const char *text) {
    if (text[0] == '\0')
        return;
    lua_pushcfunction(L, decode);
    lua_pushstring(L, text);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        lua_pop(L, 1);
        lua_pushstring(L, text);
    }
    lua_setfield(L, -2, field);
}

void context_push(lua_State *L, const struct runtime_event *event) {
    lua_createtable(L, 0, 16);
    set_text(L, "request_id", runtime_event_header(event, RUNTIME_REQUEST_ID));
    set_text(L, "invoked_function_arn", runtime_event_header(event, RUNTIME_FUNCTION_ARN));
    set_text(L, "trace_id", runtime_event_header(event, RUNTIME_TRACE_ID));
    set_text(L, "tenant_id", runtime_event_header(event, RUNTIME_TENANT_ID));
    set_json(L, "client_context", runtime_event_header(event, RUNTIME_CLIENT_CONTEXT));
    set_json(L, "identity", runtime_event_header(event, RUNTIME_IDENTITY));
    set_text(L, "function_name", constant.name);
    set_text(L, "function_version", constant.version);
    set_text(L, "log_group", constant.log_group);
    set_text(L, "log_stream", constant.log_stream);
    if (constant.memory != NULL) {
        lua_pushinteger(L, strtol(constant.memory, NULL, 10));
        lua_setfield(L, -2, "memory_limit");
    }
    int64_t deadline = runtime_event_deadline(event);
    if (deadline > 0) {
        lua_pushnumber(L, (lua_Number)deadline / 1000);
        lua_setfield(L, -2, "deadline");
        lua_pushinteger(L, deadline);
    } else {
        lua_pushnil(L);
    }
    lua_pushcclosure(L, context_remaining, 1);
    lua_setfield(L, -2, "remaining");
}

/* Upvalues: Lua's own os.getenv, the place of the current event. */
static int context_getenv(lua_State *L) {
    const struct runtime_event *const *current = lua_touserdata(L, lua_upvalueindex(2));
    if (*current != NULL && strcmp(luaL_checkstring(L, 1), "_X_AMZN_TRACE_ID") == 0) {
        const char *trace_id = runtime_event_header(*current, RUNTIME_TRACE_ID);
        if (trace_id[0] != '\0')
            lua_pushstring(L, trace_id);
        else
            lua_pushnil(L);
        return 1;
    }
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

void context_open(lua_State *L, const struct runtime_event *const *current) {
    constant.name = getenv("AWS_LAMBDA_FUNCTION_NAME");
    constant.version = getenv("AWS_LAMBDA_FUNCTION_VERSION");
    constant.log_group = getenv("AWS_LAMBDA_LOG_GROUP_NAME");
    constant.log_stream = getenv("AWS_LAMBDA_LOG_STREAM_NAME");
    constant.memory = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    lua_getglobal(L, "os");
    lua_getfield(L, -1, "getenv");
    lua_pushlightuserdata(L, (void *)(uintptr_t)current);
    lua_pushcclosure(L, context_getenv, 2);
    lua_setfield(L, -2, "getenv");
    lua_pop(L, 1);
}
