/* The engine as specs see it: start, stop, figures, what it has logged; and a signer for their
** requests. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include <event2/event.h>

#include "host/engine/engine.h"
#include "host/engine/fault.h"
#include "host/engine/lambda_name.h"
#include "host/engine/prices.h"
#include "sigv4/sigv4.h"

#define ENGINE_NAME "probe.engine"
#define LIST_MAX    64
#define FATES_MAX   1000

struct log_line {
    struct log_line *next;
    bool platform;
    char request_id[40];
    size_t len;
    char text[];
};

struct box {
    struct engine *engine;
    pthread_mutex_t lock;
    struct log_line *first, **last;
};

static void on_log(void *context, bool platform, const char *request_id, const char *text,
                   size_t len) {
    struct box *box = context;
    struct log_line *line = malloc(sizeof(*line) + len);

    if (line == NULL)
        return;
    line->next = NULL;
    line->platform = platform;
    line->len = len;
    memcpy(line->text, text, len);
    strncat(memset(line->request_id, 0, sizeof(line->request_id)), request_id,
            sizeof(line->request_id) - 1);
    pthread_mutex_lock(&box->lock);
    *box->last = line;
    box->last = &line->next;
    pthread_mutex_unlock(&box->lock);
}

/* Takes the oldest line, or NULL. */
static struct log_line *take_line(struct box *box) {
    pthread_mutex_lock(&box->lock);
    struct log_line *line = box->first;
    if (line != NULL) {
        box->first = line->next;
        if (box->first == NULL)
            box->last = &box->first;
    }
    pthread_mutex_unlock(&box->lock);
    return line;
}

static struct box *check_box(lua_State *L) {
    return luaL_checkudata(L, 1, ENGINE_NAME);
}

static struct engine *check_engine(lua_State *L) {
    struct box *box = check_box(L);
    if (box->engine == NULL)
        luaL_error(L, "the engine has been stopped");
    return box->engine;
}

/* Options are read from the table at index 1; texts stay on the stack as long as they are borrowed.
 */
static const char *text_option(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    return luaL_optstring(L, -1, NULL);
}

static lua_Integer integer_option(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    lua_Integer value = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return value;
}

static const char *const *list_option(lua_State *L, const char *name, const char **list) {
    if (lua_getfield(L, 1, name) == LUA_TNIL)
        return NULL;
    lua_Integer count = luaL_len(L, -1);
    int table = lua_gettop(L);
    luaL_argcheck(L, count < LIST_MAX, 1, "list too long");
    luaL_checkstack(L, (int)count, "list too long");
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, table, i);
        list[i - 1] = luaL_checkstring(L, -1);
    }
    list[count] = NULL;
    return list;
}

static int start(lua_State *L) {
    const char *command[LIST_MAX], *environment[LIST_MAX];
    char error[256] = "";
    struct fault_spec fault;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = (struct box){0};
    box->last = &box->first;
    pthread_mutex_init(&box->lock, NULL);
    luaL_setmetatable(L, ENGINE_NAME);
    luaL_checkstack(L, 32, NULL);

    struct engine_options options = {
        .port = (int)integer_option(L, "port"),
        .region = text_option(L, "region"),
        .account = text_option(L, "account"),
        .access_key_id = text_option(L, "access_key_id"),
        .secret_access_key = text_option(L, "secret_access_key"),
        .log = on_log,
        .log_context = box,
        .lenient = integer_option(L, "lenient") != 0,
        .function_name = text_option(L, "function_name"),
        .command = list_option(L, "command", command),
        .task_root = text_option(L, "task_root"),
        .handler = text_option(L, "handler"),
        .environment = list_option(L, "environment", environment),
        .concurrency = (int)integer_option(L, "concurrency"),
        .memory_mb = (int)integer_option(L, "memory_mb"),
        .timeout_s = (int)integer_option(L, "timeout_s"),
        .max_retries = (int)integer_option(L, "max_retries"),
        .retry_wait_ms = {integer_option(L, "retry_wait_ms"), integer_option(L, "retry_wait_ms")},
        .init_timeout_ms = integer_option(L, "init_timeout_ms"),
        .throttle_wait_ms = {integer_option(L, "throttle_wait_ms"),
                             integer_option(L, "throttle_wait_max_ms")},
        .event_age_ms = integer_option(L, "event_age_ms"),
        .reserved = (int)integer_option(L, "reserved"),
        .on_failure = text_option(L, "on_failure"),
    };
    const char *faults = text_option(L, "fault");
    if (faults != NULL) {
        if (!fault_parse(&fault, faults, error, sizeof(error)))
            return luaL_error(L, "%s", error);
        options.fault = &fault;
    }
    box->engine = engine_start(&options, error, sizeof(error));
    if (box->engine == NULL) {
        lua_pushnil(L);
        lua_pushstring(L, error);
        return 2;
    }
    lua_pushvalue(L, 2);
    return 1;
}

static int stop(lua_State *L) {
    struct box *box = check_box(L);
    engine_stop(box->engine);
    box->engine = NULL;
    return 0;
}

static int collect(lua_State *L) {
    struct box *box = check_box(L);
    struct log_line *line;
    stop(L);
    while ((line = take_line(box)) != NULL)
        free(line);
    pthread_mutex_destroy(&box->lock);
    return 0;
}

/* facts() -> endpoint, port, access key id, secret, region */
static int facts(lua_State *L) {
    struct engine *engine = check_engine(L);
    lua_pushstring(L, engine_endpoint(engine));
    lua_pushinteger(L, engine_port(engine));
    lua_pushstring(L, engine_access_key_id(engine));
    lua_pushstring(L, engine_secret_access_key(engine));
    lua_pushstring(L, engine_region(engine));
    return 5;
}

static int figures(lua_State *L) {
    struct engine_figures now;
    engine_figures(check_engine(L), &now);
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, (lua_Integer)now.invocations);
    lua_setfield(L, -2, "invocations");
    lua_pushinteger(L, (lua_Integer)now.failed);
    lua_setfield(L, -2, "failed");
    lua_pushinteger(L, (lua_Integer)now.failed_events);
    lua_setfield(L, -2, "failed_events");
    lua_pushinteger(L, (lua_Integer)now.pending);
    lua_setfield(L, -2, "pending");
    lua_pushinteger(L, (lua_Integer)now.workers);
    lua_setfield(L, -2, "workers");
    lua_pushinteger(L, (lua_Integer)now.queues);
    lua_setfield(L, -2, "queues");
    return 1;
}

/* usage() -> { SendMessage = { calls, units, calls of FIFO queues, units }, ..., attempts =, billed_ms =,
** memory_mb =, dollars = } */
static int usage(lua_State *L) {
    struct engine_usage now;
    engine_usage(check_engine(L), &now);
    lua_newtable(L);
    for (int i = 0; i < ENGINE_SQS_OPERATIONS; i++) {
        const struct engine_requests *row = &now.sqs[i];
        if (row->calls[ENGINE_STANDARD] + row->calls[ENGINE_FIFO] == 0)
            continue;
        lua_createtable(L, 4, 0);
        for (int kind = 0; kind < ENGINE_QUEUE_KINDS; kind++) {
            lua_pushinteger(L, (lua_Integer)row->calls[kind]);
            lua_rawseti(L, -2, 2 * kind + 1);
            lua_pushinteger(L, (lua_Integer)row->units[kind]);
            lua_rawseti(L, -2, 2 * kind + 2);
        }
        lua_setfield(L, -2, row->operation);
    }
    lua_pushinteger(L, (lua_Integer)now.attempts);
    lua_setfield(L, -2, "attempts");
    lua_pushinteger(L, (lua_Integer)now.billed_ms);
    lua_setfield(L, -2, "billed_ms");
    lua_pushinteger(L, now.memory_mb);
    lua_setfield(L, -2, "memory_mb");
    lua_pushnumber(L, prices_estimate(&now).total);
    lua_setfield(L, -2, "dollars");
    return 1;
}

/* faults() -> { drop =, delay =, ... } */
static int faults(lua_State *L) {
    uint64_t counts[FAULT_KINDS];
    engine_faults(check_engine(L), counts);
    lua_createtable(L, 0, FAULT_KINDS);
    for (int i = 0; i < FAULT_KINDS; i++) {
        lua_pushinteger(L, (lua_Integer)counts[i]);
        lua_setfield(L, -2, fault_name((enum fault_kind)i));
    }
    return 1;
}

/* fates(spec, count) -> a text for each of so many calls of operation 0; nil, message for a bad spec */
static int fates(lua_State *L) {
    char error[256];
    struct fault_spec spec;
    if (!fault_parse(&spec, luaL_checkstring(L, 1), error, sizeof(error))) {
        lua_pushnil(L);
        lua_pushstring(L, error);
        return 2;
    }
    size_t count = (size_t)luaL_checkinteger(L, 2);
    struct fault_fate fate[FATES_MAX];
    bool twice[FATES_MAX];
    luaL_argcheck(L, count <= FATES_MAX, 2, "too many");
    struct fault *fault = fault_new(&spec);
    for (size_t i = 0; i < count; i++) {
        fate[i] = fault_decide(fault, 0, false);
        twice[i] = fault_twice(fault, 0);
    }
    fault_free(fault);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushfstring(L, "%s%s%s", fate[i].ending < FAULT_KINDS ? fault_name(fate[i].ending) : "",
                        fate[i].delay_ms > 0 ? "+delay" : "", twice[i] ? "+twice" : "");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int wait_idle(lua_State *L) {
    lua_pushboolean(L, engine_wait_idle(check_engine(L), luaL_checkinteger(L, 2)));
    return 1;
}

/* line() -> text, platform, request id; nothing when there is none */
static int line(lua_State *L) {
    struct box *box = check_box(L);
    luaL_Buffer out;
    struct log_line *taken = take_line(box);
    if (taken == NULL)
        return 0;
    bool platform = taken->platform;
    char request_id[sizeof(taken->request_id)];
    memcpy(request_id, taken->request_id, sizeof(request_id));
    size_t len = taken->len;
    char *copy = luaL_buffinitsize(L, &out, len);
    memcpy(copy, taken->text, len);
    free(taken);
    luaL_pushresultsize(&out, len);
    lua_pushboolean(L, platform);
    lua_pushstring(L, request_id);
    return 3;
}

/* sign{method, target, body, headers = {{name, value}...}, key, secret, token, region, service,
** wall_ms} -> x-amz-date, authorization */
static int sign(lua_State *L) {
    struct sigv4_header headers[LIST_MAX];
    struct sigv4_signed out;
    size_t body_len = 0, count = 0;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 3 * LIST_MAX, NULL);
    lua_getfield(L, 1, "body");
    const char *body = luaL_optlstring(L, -1, "", &body_len);
    lua_getfield(L, 1, "headers");
    int list = lua_gettop(L);
    for (lua_Integer i = 1; i <= luaL_len(L, list) && count < LIST_MAX; i++) {
        lua_geti(L, list, i);
        int pair = lua_gettop(L);
        lua_geti(L, pair, 1);
        lua_geti(L, pair, 2);
        headers[count++] = (struct sigv4_header){luaL_checkstring(L, -2), luaL_checkstring(L, -1)};
    }
    struct sigv4_request request = {.method = text_option(L, "method"),
                                    .target = text_option(L, "target"),
                                    .headers = headers,
                                    .header_count = count,
                                    .body = body,
                                    .body_len = body_len};
    struct sigv4_credentials credentials = {text_option(L, "key"), text_option(L, "secret"),
                                            text_option(L, "token")};
    struct sigv4_scope scope = {.region = text_option(L, "region"),
                                .service = text_option(L, "service"),
                                .wall_ms = integer_option(L, "wall_ms")};
    enum sigv4_result result = sigv4_sign(&request, &credentials, &scope, NULL, &out, NULL);
    if (result != SIGV4_OK) {
        sigv4_signed_free(&out);
        return luaL_error(L, "%s", sigv4_result_text(result));
    }
    lua_pushstring(L, out.amz_date);
    lua_pushstring(L, out.authorization);
    sigv4_signed_free(&out);
    return 2;
}

/* name(text) -> function, qualifier, region, account; nil when it is none */
static int name(lua_State *L) {
    struct lambda_name out;
    if (!lambda_name_parse(luaL_checkstring(L, 1), &out))
        return 0;
    lua_pushstring(L, out.function);
    lua_pushstring(L, out.qualifier);
    lua_pushstring(L, out.region);
    lua_pushstring(L, out.account);
    return 4;
}

/* The library is unloaded with this one, and leak checkers see its globals no more. */
__attribute__((destructor)) static void forget_globals(void) {
    libevent_global_shutdown();
}

__attribute__((visibility("default"))) int luaopen_probe_engine(lua_State *L);
int luaopen_probe_engine(lua_State *L) {
    static const luaL_Reg methods[] = {{"stop", stop},       {"facts", facts},
                                       {"figures", figures}, {"wait_idle", wait_idle},
                                       {"usage", usage},     {"faults", faults},
                                       {"line", line},       {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"start", start}, {"sign", sign}, {"name", name}, {"fates", fates}, {NULL, NULL}};
    if (luaL_newmetatable(L, ENGINE_NAME)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
    }
    luaL_newlib(L, functions);
    return 1;
}
