/* The client for specs: every answer becomes a JSON text in a queue that `take` empties. */
#include <errno.h>
#include <time.h>

#include "spec/probe/aws_calls.h"

static void read_options(lua_State *L, int table, struct aws_options *out) {
    luaL_checkstack(L, 12, "options");
    *out = (struct aws_options){
        .region = field(L, table, "region"),
        .endpoint = field(L, table, "endpoint"),
        .profile = field(L, table, "profile"),
        .access_key_id = field(L, table, "access_key_id"),
        .secret_access_key = field(L, table, "secret_access_key"),
        .session_token = field(L, table, "session_token"),
        .max_attempts = (int)field_integer(L, table, "max_attempts", 0),
        .max_lambda = (int)field_integer(L, table, "max_lambda", 0),
        .ca_bundle = field(L, table, "ca_bundle"),
    };
}

static int client_new(lua_State *L) {
    struct aws_options options;
    read_options(L, 1, &options);
    struct station **place = lua_newuserdatauv(L, sizeof *place, 0);
    *place = NULL;
    luaL_setmetatable(L, CLIENT);
    struct station *s = calloc(1, sizeof *s);
    if (s == NULL)
        return luaL_error(L, "out of memory");
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->ready, NULL);
    s->client = aws_client_new(&options);
    *place = s;
    return 1;
}

static int client_close(lua_State *L) {
    struct station **place = luaL_checkudata(L, 1, CLIENT);
    struct station *s = *place;
    if (s == NULL)
        return 0;
    *place = NULL;
    aws_client_free(s->client);
    int left = 0;
    while (s->first != NULL) {
        struct result *r = s->first;
        s->first = r->next;
        buf_free(&r->text);
        free(r);
        left++;
    }
    pthread_cond_destroy(&s->ready);
    pthread_mutex_destroy(&s->lock);
    free(s);
    lua_pushinteger(L, left);
    return 1;
}

static enum aws_service check_service(lua_State *L, int table) {
    static const char *const names[] = {"sqs", "lambda", "sts", "iam", "logs", NULL};
    lua_getfield(L, table, "service");
    return (enum aws_service)luaL_checkoption(L, -1, "sqs", names);
}

/* submit(tag, request): fields as struct aws_request; headers = {{name, value}, ...} */
static int client_submit(lua_State *L) {
    struct station *s = check_station(L);
    lua_Integer tag = luaL_checkinteger(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_checkstack(L, 20 + 3 * LIST_MAX, "headers");
    struct aws_header headers[LIST_MAX];
    struct aws_request r = {.service = check_service(L, 3)};
    r.method = field(L, 3, "method");
    r.target = field(L, 3, "target");
    if (r.method == NULL)
        r.method = "POST";
    if (r.target == NULL)
        r.target = "/";
    lua_getfield(L, 3, "body");
    r.body = luaL_optlstring(L, -1, "", &r.body_len);
    r.timeout_ms = field_integer(L, 3, "timeout_ms", 0);
    r.long_poll = field_bool(L, 3, "long_poll");
    r.unsafe = field_bool(L, 3, "unsafe");
    lua_getfield(L, 3, "headers");
    int list = lua_gettop(L);
    if (lua_istable(L, list))
        for (lua_Integer i = 1; i <= luaL_len(L, list) && i <= LIST_MAX; i++) {
            lua_geti(L, list, i);
            lua_geti(L, -1, 1);
            lua_geti(L, -2, 2);
            headers[r.header_count++] =
                (struct aws_header){luaL_checkstring(L, -2), luaL_checkstring(L, -1)};
        }
    r.headers = headers;
    struct ticket *t = ticket_new(L, s, tag);
    return push_id(L, t, aws_submit(s->client, &r, on_response, t));
}

/* call(request) -> ok, status, body, code: the blocking form */
static int client_call(lua_State *L) {
    struct station *s = check_station(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct aws_request r = {.service = check_service(L, 2), .method = "POST", .target = "/"};
    struct aws_answer a;
    aws_call(s->client, &r, &a);
    lua_pushboolean(L, a.ok);
    lua_pushinteger(L, a.status);
    lua_pushlstring(L, a.body != NULL ? a.body : "", a.body_len);
    lua_pushstring(L, a.error.code);
    aws_answer_free(&a);
    return 4;
}

/* take([seconds]) -> tag, JSON text | nothing */
static int client_take(lua_State *L) {
    struct station *s = check_station(L);
    lua_Number seconds = luaL_optnumber(L, 2, 30);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (lua_Number)(time_t)seconds) * 1e9);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    int waited = 0;
    while (s->first == NULL && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&s->ready, &s->lock, &until);
    struct result *r = s->first;
    if (r != NULL) {
        s->first = r->next;
        if (s->first == NULL)
            s->last = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    if (r == NULL)
        return 0;
    lua_pushinteger(L, r->tag);
    lua_pushlstring(L, buf_text(&r->text), r->text.len);
    buf_free(&r->text);
    free(r);
    return 2;
}

static int client_cancel(lua_State *L) {
    aws_cancel(check_station(L)->client, (uint64_t)luaL_checkinteger(L, 2));
    return 0;
}

static int client_region(lua_State *L) {
    lua_pushstring(L, aws_client_region(check_station(L)->client));
    return 1;
}

static int client_trace(lua_State *L) {
    aws_client_set_trace_id(check_station(L)->client, luaL_optstring(L, 2, NULL));
    return 0;
}

static int client_counters(lua_State *L) {
    struct aws_counters c;
    aws_client_counters(check_station(L)->client, &c);
    lua_pushinteger(L, (lua_Integer)c.requests);
    lua_pushinteger(L, (lua_Integer)c.retries);
    lua_pushinteger(L, (lua_Integer)c.throttles);
    return 3;
}

static int client_post(lua_State *L) {
    struct station *s = check_station(L);
    struct ticket *t = ticket_new(L, s, luaL_checkinteger(L, 2));
    bool ok = aws_post(s->client, on_task, t);
    return push_id(L, t, ok);
}

/* timer(tag, ms) -> id, ticket */
static int client_timer(lua_State *L) {
    struct station *s = check_station(L);
    lua_Integer tag = luaL_checkinteger(L, 2), delay_ms = luaL_checkinteger(L, 3);
    struct ticket *t = ticket_new(L, s, tag);
    push_id(L, t, aws_timer(s->client, delay_ms, on_task, t));
    lua_pushlightuserdata(L, t);
    return 2;
}

/* timer_cancel(id, ticket): only for a timer that cannot have run yet */
static int client_timer_cancel(lua_State *L) {
    struct station *s = check_station(L);
    aws_timer_cancel(s->client, (uint64_t)luaL_checkinteger(L, 2));
    free(lua_touserdata(L, 3));
    return 0;
}

static const luaL_Reg methods[] = {
    {"submit", client_submit},
    {"call", client_call},
    {"take", client_take},
    {"cancel", client_cancel},
    {"close", client_close},
    {"region", client_region},
    {"trace", client_trace},
    {"counters", client_counters},
    {"post", client_post},
    {"timer", client_timer},
    {"timer_cancel", client_timer_cancel},
    {"sqs", client_sqs},
    {"lambda", client_lambda},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_probe_aws(lua_State *L);
int luaopen_probe_aws(lua_State *L) {
    if (luaL_newmetatable(L, CLIENT)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, client_close);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, client_close);
        lua_setfield(L, -2, "__close");
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, client_new);
    lua_setfield(L, -2, "client");
    return 1;
}
