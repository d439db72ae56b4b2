/* See invocation.h. */
#include "host/runtime/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/aws/lambda.h"
#include "host/base/clock.h"
#include "host/binding/binding.h"
#include "host/binding/codec.h"
#include "host/json/json.h"
#include "host/runtime/context.h"
#include "host/runtime/failure.h"
#include "host/runtime/handler.h"
#include "host/runtime/interrupt.h"
#include "host/runtime/log.h"

/* Bytes. A text of the largest size that may go out at most doubles as a JSON string. */
enum { PAYLOAD_MAX = 8 * 1024 * 1024, ANSWER_MAX = 2 * LAMBDA_SYNC_PAYLOAD_MAX + 1024 };
enum { UNDONE_SIZE = 1024, ANSWER_HEAD = 64 };

struct work {
    const struct runtime_event *event;
    const char *function;   /* this one's name, or NULL */
    const char *error_type; /* of an error that is raised now */
    bool again;             /* a call that has been run before */
    struct buf payload;     /* of an envelope, when it is one */
    struct buf answer;      /* JSON */
};

/* --- the result ------------------------------------------------------------------------------ */

static void check_size(lua_State *L, struct work *work, size_t len) {
    if (len <= LAMBDA_SYNC_PAYLOAD_MAX)
        return;
    work->error_type = ERROR_TOO_LARGE;
    luaL_error(L, "the result has %I bytes as JSON; an answer may have %d", (LUAI_UACINT)len,
               LAMBDA_SYNC_PAYLOAD_MAX);
}

/* Appends the JSON text at the stack's top to the answer and pops it. */
static void take_text(lua_State *L, struct work *work) {
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    check_size(L, work, len); /* before there is a second copy of it */
    if (!buf_add(&work->answer, text, len))
        luaL_error(L, "not enough memory");
    lua_pop(L, 1);
}

static bool is_response(lua_State *L, int idx) {
    if (!lua_istable(L, idx))
        return false;
    lua_pushliteral(L, "statusCode");
    bool there = lua_rawget(L, idx) != LUA_TNIL;
    lua_pop(L, 1);
    return there;
}

/* The handler's result at the stack's top. */
static void answer_result(lua_State *L, struct work *work) {
    int result = lua_gettop(L);
    if (binding_unwrap_raw(L, result)) {
        codec_encode_json(L, lua_gettop(L), "return");
        take_text(L, work);
        return;
    }
    codec_encode_json(L, result, "return");
    if (is_response(L, result)) {
        take_text(L, work);
        return;
    }
    size_t len;
    const char *body = lua_tolstring(L, -1, &len);
    check_size(L, work, len);
    struct json_writer w;
    buf_reserve(&work->answer, len + len / 8 + ANSWER_HEAD); /* room for most, at once */
    buf_adds(&work->answer, "{\"statusCode\":200,\"body\":");
    json_writer_init(&w, &work->answer);
    json_string_n(&w, body, len);
    buf_addc(&work->answer, '}');
    if (!buf_ok(&work->answer))
        luaL_error(L, "not enough memory");
    check_size(L, work, work->answer.len);
}

static int encode_plain(lua_State *L) {
    codec_encode_json(L, 1, "return");
    return 1;
}

/* A call's result, which nobody waits for: itself where it has a JSON form that an answer can
** carry, else null. */
static void answer_call(lua_State *L, struct work *work) {
    lua_pushcfunction(L, encode_plain);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_rawlen(L, -1) > LAMBDA_SYNC_PAYLOAD_MAX) {
        lua_pop(L, 1);
        lua_pushliteral(L, "null");
    }
    take_text(L, work);
}

/* --- the two kinds of events ----------------------------------------------------------------- */

static void begin(lua_State *L, const struct work *work, const struct envelope_claims *claims) {
    const struct runtime_event *event = work->event;
    struct binding_invocation invocation = {
        .request_id = runtime_event_header(event, RUNTIME_REQUEST_ID),
        .run = claims != NULL ? claims->run : NULL,
        .function = claims != NULL ? claims->function : work->function,
        .trace_id = runtime_event_header(event, RUNTIME_TRACE_ID),
        .arn = runtime_event_header(event, RUNTIME_FUNCTION_ARN),
        .depth = claims != NULL ? claims->depth : 0,
        .deadline_ms = runtime_event_deadline(event),
        .claims = claims,
    };
    binding_begin(L, &invocation);
}

/* What the function pushed and popped is acknowledged, then its calls' records are looked at: who has
** popped what a call pushed last mostly finds its record then, and the call finds the inbox. */
static void settle(lua_State *L, struct work *work) {
    char undone[UNDONE_SIZE];
    undone[0] = '\0'; /* and not all of it, here and below: each invocation comes by */
    if (!binding_flush(L, undone, sizeof undone)) {
        work->error_type = ERROR_DELIVERY;
        luaL_error(L, "%s", undone);
    }
    binding_end(L, false);
}

static void run_event(lua_State *L, struct work *work) {
    begin(L, work, NULL);
    bool with_context = handler_push(L);
    work->error_type = ERROR_EVENT;
    codec_decode_json(L, buf_text(&work->event->body), work->event->body.len, "event");
    work->error_type = ERROR_FUNCTION;
    if (with_context)
        context_push(L, work->event);
    lua_call(L, with_context ? 2 : 1, 1);
    settle(L, work);
    work->error_type = ERROR_RESULT;
    answer_result(L, work);
}

/* False: the call is another process's, or was this one's before, and has its answer here. */
static bool claim(lua_State *L, struct work *work) {
    enum binding_claim claim = binding_claim(L);
    if (claim == BINDING_OURS)
        return true;
    work->again = true;
    if (claim == BINDING_FAILED)
        luaL_error(L, "this call has failed before, and it is not run again");
    log_line(LOG_LEVEL_WARN, "this call has been delivered twice; it is not run again");
    lua_pushnil(L);
    answer_call(L, work);
    return false;
}

static void run_call(lua_State *L, struct work *work) {
    const struct runtime_event *event = work->event;
    const struct envelope_key *key = binding_key(L);
    struct envelope_claims claims;
    enum envelope_result result = envelope_open(key, buf_text(&event->body), event->body.len,
                                                clock_wall_ms(), &claims, &work->payload);
    if (result != ENVELOPE_OK)
        luaL_error(L, "the call is refused: %s", envelope_result_text(result));
    begin(L, work, &claims);
    binding_claim_begin(L);
    struct codec_options options = {
        .operation = "call",
        .limit = PAYLOAD_MAX,
        .key = key,
        .request_id = runtime_event_header(event, RUNTIME_REQUEST_ID),
    };
    int arguments = codec_decode_call(L, buf_text(&work->payload), work->payload.len, &options);
    buf_free(&work->payload);
    int function = lua_gettop(L) - arguments;
    binding_arguments(L, function + 1, arguments);
    if (!claim(L, work))
        return;
    binding_watch(L, interrupt_now);
    work->error_type = ERROR_FUNCTION;
    interrupt_begin(binding_wait_until(L));
    lua_call(L, arguments, LUA_MULTRET);
    interrupt_end();
    settle(L, work);
    work->error_type = ERROR_RESULT;
    binding_results(L, function);
    lua_settop(L, function);
    answer_call(L, work);
}

/* 1: the work. Its buffers belong to the caller, who outlives an error that is raised here. */
static int run(lua_State *L) {
    struct work *work = lua_touserdata(L, 1);
    if (envelope_is(buf_text(&work->event->body), work->event->body.len)) {
        work->error_type = ERROR_ENVELOPE;
        run_call(L, work);
    } else {
        run_event(L, work);
    }
    return 0;
}

/* --- the answer ------------------------------------------------------------------------------ */

static enum runtime_result answer_failure(struct runtime *runtime,
                                          const struct runtime_event *event,
                                          const struct failure *failure) {
    struct buf body, cause;
    buf_init(&body, LAMBDA_SYNC_PAYLOAD_MAX);
    buf_init(&cause, LAMBDA_SYNC_PAYLOAD_MAX);
    struct runtime_error error = {.type = failure->type, .body = "{}", .body_len = 2};
    if (failure_body(failure, &body)) {
        error.body = buf_text(&body);
        error.body_len = body.len;
    }
    bool traced = runtime_event_header(event, RUNTIME_TRACE_ID)[0] != '\0';
    if (traced && failure_cause(failure, runtime->root, &cause))
        error.cause = buf_text(&cause);
    enum runtime_result result = runtime_api_fail(runtime->api, event, &error);
    buf_free(&body);
    buf_free(&cause);
    return result;
}

/* An error of the call that was raised under another call into Lua. */
static int end_failed(lua_State *L) {
    binding_end(L, true);
    return 0;
}

static void note_running(lua_State *L) {
    lua_settop(L, 0);
    lua_pushcfunction(L, end_failed);
    lua_pcall(L, 0, 0, 0);
    lua_settop(L, 0);
}

/* Tells the parent how the call has ended. BINDING_UNSENT after a success makes a failure of it. */
static enum binding_heard report(lua_State *L, bool ok, struct failure *failure) {
    char error[UNDONE_SIZE];
    error[0] = '\0';
    struct binding_outcome outcome = {.failed = !ok};
    if (!ok) {
        outcome.kind = failure->type == NULL || strcmp(failure->type, ERROR_MEMORY) == 0 ? "memory"
                       : strcmp(failure->type, ERROR_DELIVERY) == 0                      ? "error"
                                                                                         : NULL;
        outcome.text = buf_text(&failure->message);
        outcome.traceback = buf_text(&failure->traceback);
    }
    enum binding_heard heard = binding_report(L, &outcome, error, sizeof error);
    if (heard == BINDING_UNSENT && ok) {
        failure_set(failure, ERROR_DELIVERY, "%s", error);
        failure_log(failure);
    } else if (heard == BINDING_UNSENT) {
        log_line(LOG_LEVEL_ERROR, "%s", error);
    }
    return heard;
}

enum runtime_result invocation_handle(struct runtime *runtime, const struct runtime_event *event) {
    struct work work = {.event = event,
                        .function = runtime->function,
                        .error_type = ERROR_FUNCTION};
    struct failure failure;
    buf_init(&work.payload, PAYLOAD_MAX);
    buf_init(&work.answer, ANSWER_MAX);
    failure_init(&failure);
    log_set_request(runtime_event_header(event, RUNTIME_REQUEST_ID));
    runtime->current = event;

    bool ok = failure_call(runtime->L, run, &work, &work.error_type, &failure);
    interrupt_end();
    if (!ok)
        note_running(runtime->L);
    char undone[UNDONE_SIZE];
    undone[0] = '\0';
    if (!binding_flush(runtime->L, undone, sizeof undone)) {
        if (ok)
            failure_set(&failure, ERROR_DELIVERY, "%s", undone);
        else
            log_line(LOG_LEVEL_ERROR, "%s", undone);
        ok = false;
    }
    enum binding_heard heard = work.again ? BINDING_NO_CALL : report(runtime->L, ok, &failure);
    if (!ok && heard != BINDING_NO_CALL && !failure.foreign)
        buf_addf(&failure.message, " (in %s(%s))", binding_function(runtime->L),
                 binding_argument_text(runtime->L));
    if (!binding_finish(runtime->L, undone, sizeof undone)) {
        if (ok && heard == BINDING_NO_CALL)
            failure_set(&failure, ERROR_DELIVERY, "%s", undone);
        else
            log_line(LOG_LEVEL_ERROR, "%s", undone);
        ok = ok && heard != BINDING_NO_CALL;
    }
    if (ok && heard == BINDING_UNSENT)
        ok = false;
    else if (!ok && failure.quiet && heard != BINDING_NO_CALL)
        log_line(LOG_LEVEL_INFO, "%s", buf_text(&failure.message));
    else if (!ok)
        failure_log(&failure);
    /* What an ancestor has been told is that one's to deal with; nobody failed where the reader
    ** has left. The platform must not run the call again. */
    if (!ok && (heard == BINDING_HEARD || (heard == BINDING_UNHEARD && failure.quiet))) {
        ok = true;
        buf_reset(&work.answer);
        buf_adds(&work.answer, "null");
    }
    if (!ok && heard != BINDING_NO_CALL)
        binding_claim_fails(runtime->L);
    fflush(stdout); /* the process may be frozen as soon as the answer is out */

    enum runtime_result result =
        ok ? runtime_api_respond(runtime->api, event, buf_text(&work.answer), work.answer.len)
           : answer_failure(runtime, event, &failure);
    if (result != RUNTIME_OK)
        log_line(LOG_LEVEL_ERROR, "%s", runtime_api_message(runtime->api));
    runtime->current = NULL;
    log_set_request("");
    failure_free(&failure);
    buf_free(&work.payload);
    buf_free(&work.answer);
    return result;
}
