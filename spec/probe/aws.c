/* The client for specs: every answer becomes a JSON text in a queue that `take` empties. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lauxlib.h"
#include "lua.h"

#include "host/aws/lambda.h"
#include "host/aws/sqs.h"
#include "host/json/json.h"

#define CLIENT "probe.aws.client"
enum { RESULT_MAX = 32 << 20, LIST_MAX = 64 };

struct result {
    lua_Integer tag;
    struct buf text;
    struct result *next;
};

/* Outlives the userdata's calls: callbacks write into it until the client is freed. */
struct station {
    struct aws_client *client;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct result *first, *last;
};

/* Context of one call. */
struct ticket {
    struct station *station;
    lua_Integer tag;
};

/* --- results ---------------------------------------------------------------------------------- */

static struct result *result_new(const struct ticket *t, struct json_writer *w) {
    struct result *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    r->tag = t->tag;
    buf_init(&r->text, RESULT_MAX);
    json_writer_init(w, &r->text);
    json_object_begin(w);
    return r;
}

static void deliver(struct ticket *t, struct result *r, struct json_writer *w) {
    struct station *s = t->station;
    json_object_end(w);
    pthread_mutex_lock(&s->lock);
    if (s->last != NULL)
        s->last->next = r;
    else
        s->first = r;
    s->last = r;
    pthread_cond_signal(&s->ready);
    pthread_mutex_unlock(&s->lock);
    free(t);
}

static void put(struct json_writer *w, const char *key, const char *text) {
    if (text != NULL)
        json_member(w, key, text);
}

static void put_integer(struct json_writer *w, const char *key, int64_t value) {
    json_key(w, key);
    json_integer(w, value);
}

static void put_bool(struct json_writer *w, const char *key, bool value) {
    json_key(w, key);
    json_bool(w, value);
}

static void put_error(struct json_writer *w, const struct aws_error *e) {
    if (e == NULL)
        return;
    json_key(w, "error");
    json_object_begin(w);
    put(w, "code", e->code);
    put(w, "query_code", e->query_code);
    put(w, "message", e->message);
    put(w, "request_id", e->request_id);
    put_integer(w, "status", e->status);
    put_integer(w, "attempts", e->attempts);
    put_bool(w, "may_have_run", e->may_have_run);
    json_object_end(w);
}

static void on_response(void *context, const struct aws_response *response) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, response->error);
    put_integer(&w, "status", response->status);
    json_key(&w, "body");
    if (!json_string_n(&w, response->body, response->body_len))
        json_string(&w, "(no text)");
    put_integer(&w, "length", (int64_t)response->body_len);
    put(&w, "x_test", aws_response_header(response, "X-TEST"));
    deliver(context, r, &w);
}

static void on_plain(void *context, const struct aws_error *error) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    deliver(context, r, &w);
}

static void on_url(void *context, const struct aws_error *error, const char *url) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    put(&w, "url", url);
    deliver(context, r, &w);
}

static void on_list(void *context, const struct aws_error *error, const char *const *urls,
                    size_t count, const char *next_token) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "urls");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        json_string(&w, urls[i]);
    json_array_end(&w);
    put(&w, "next_token", next_token);
    deliver(context, r, &w);
}

static void on_pairs(void *context, const struct aws_error *error, const struct sqs_pair *pairs,
                     size_t count) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "pairs");
    json_object_begin(&w);
    for (size_t i = 0; i < count; i++)
        put(&w, pairs[i].name, pairs[i].value);
    json_object_end(&w);
    deliver(context, r, &w);
}

static void on_batch(void *context, const struct aws_error *error,
                     const struct sqs_outcome *outcomes, size_t count) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "outcomes");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&w);
        put_bool(&w, "ok", outcomes[i].ok);
        put_bool(&w, "sender_fault", outcomes[i].sender_fault);
        put(&w, "code", outcomes[i].code);
        put(&w, "message", outcomes[i].message);
        json_object_end(&w);
    }
    json_array_end(&w);
    deliver(context, r, &w);
}

static void on_receive(void *context, const struct aws_error *error,
                       const struct sqs_message *messages, size_t count) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "messages");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        const struct sqs_message *m = &messages[i];
        json_object_begin(&w);
        json_key(&w, "body");
        json_string_n(&w, m->body, m->body_len);
        put(&w, "receipt_handle", m->receipt_handle);
        put(&w, "message_id", m->message_id);
        put(&w, "group_id", m->group_id);
        put(&w, "deduplication_id", m->deduplication_id);
        put_integer(&w, "receive_count", m->receive_count);
        put_integer(&w, "sent_ms", m->sent_ms);
        json_object_end(&w);
    }
    json_array_end(&w);
    deliver(context, r, &w);
}

static void on_invoke(void *context, const struct aws_error *error,
                      const struct lambda_result *result) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    if (result != NULL) {
        put_integer(&w, "status", result->status);
        put(&w, "payload", result->payload);
        put(&w, "function_error", result->function_error);
        put(&w, "log_result", result->log_result);
        put(&w, "request_id", result->request_id);
    }
    deliver(context, r, &w);
}

static void on_task(void *context) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    deliver(context, r, &w);
}

/* --- the client ------------------------------------------------------------------------------- */

static struct station *check_station(lua_State *L) {
    struct station **s = luaL_checkudata(L, 1, CLIENT);
    luaL_argcheck(L, *s != NULL, 1, "client is closed");
    return *s;
}

/* The text of a field or NULL; stays on the stack. */
static const char *field(lua_State *L, int table, const char *name) {
    if (!lua_istable(L, table))
        return NULL;
    lua_getfield(L, table, name);
    return lua_isnil(L, -1) ? NULL : luaL_checkstring(L, -1);
}

static lua_Integer field_integer(lua_State *L, int table, const char *name, lua_Integer none) {
    if (!lua_istable(L, table))
        return none;
    lua_getfield(L, table, name);
    return luaL_optinteger(L, -1, none);
}

static bool field_bool(lua_State *L, int table, const char *name) {
    if (!lua_istable(L, table))
        return false;
    lua_getfield(L, table, name);
    return lua_toboolean(L, -1);
}

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

static struct ticket *ticket_new(lua_State *L, struct station *s, lua_Integer tag) {
    struct ticket *t = malloc(sizeof *t);
    if (t == NULL)
        luaL_error(L, "out of memory");
    *t = (struct ticket){s, tag};
    return t;
}

static int push_id(lua_State *L, struct ticket *t, uint64_t id) {
    if (id == 0)
        free(t);
    lua_pushinteger(L, (lua_Integer)id);
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

/* --- SQS and Lambda --------------------------------------------------------------------------- */

/* Pairs of a table field; texts stay on the stack. */
static size_t field_pairs(lua_State *L, int table, const char *name, struct sqs_pair *out) {
    size_t count = 0;
    lua_getfield(L, table, name);
    int list = lua_gettop(L);
    if (!lua_istable(L, list))
        return 0;
    lua_pushnil(L);
    while (count < LIST_MAX && lua_next(L, list)) {
        out[count++] = (struct sqs_pair){luaL_checkstring(L, -2), luaL_checkstring(L, -1)};
        lua_pushvalue(L, -2);
    }
    return count;
}

static size_t field_texts(lua_State *L, int table, const char *name, const char **out) {
    size_t count = 0;
    lua_getfield(L, table, name);
    int list = lua_gettop(L);
    if (!lua_istable(L, list))
        return 0;
    for (lua_Integer i = 1; i <= luaL_len(L, list) && count < LIST_MAX; i++) {
        lua_geti(L, list, i);
        out[count++] = luaL_checkstring(L, -1);
    }
    return count;
}

static size_t field_sends(lua_State *L, int table, struct sqs_send *out) {
    size_t count = 0;
    lua_getfield(L, table, "entries");
    int list = lua_gettop(L);
    for (lua_Integer i = 1; i <= luaL_len(L, list) && count < LIST_MAX; i++) {
        lua_geti(L, list, i);
        int entry = lua_gettop(L);
        struct sqs_send *e = &out[count++];
        *e = (struct sqs_send){.group_id = field(L, entry, "group"),
                               .deduplication_id = field(L, entry, "dedup"),
                               .delay_s = (int)field_integer(L, entry, "delay", 0)};
        lua_getfield(L, entry, "body");
        e->body = luaL_checklstring(L, -1, &e->body_len);
    }
    return count;
}

/* sqs(tag, operation, arguments) -> id */
static int client_sqs(lua_State *L) {
    static const char *const names[] = {"create", "url",        "delete_queue", "tag",
                                        "list",   "attributes", "tags",         "send",
                                        "delete", "visibility", "receive",      NULL};
    struct station *s = check_station(L);
    lua_Integer tag = luaL_checkinteger(L, 2);
    int op = luaL_checkoption(L, 3, NULL, names);
    luaL_checktype(L, 4, LUA_TTABLE);
    luaL_checkstack(L, 20 + 6 * LIST_MAX, "arguments");
    struct sqs_pair pairs[LIST_MAX], tags[LIST_MAX];
    struct sqs_send sends[LIST_MAX];
    const char *texts[LIST_MAX];
    size_t count = 0, tag_count = 0;
    const char *url = field(L, 4, "url"), *name = field(L, 4, "name");
    const char *token = field(L, 4, "token"), *attempt = field(L, 4, "attempt");
    struct sqs_receive in = {.max_messages = (int)field_integer(L, 4, "max", 10),
                             .wait_s = (int)field_integer(L, 4, "wait", 0),
                             .visibility_s = (int)field_integer(L, 4, "visibility", -1),
                             .attempt_id = attempt};
    if (op == 0)
        count = field_pairs(L, 4, "attributes", pairs);
    if (op == 0 || op == 3)
        tag_count = field_pairs(L, 4, "tags", tags);
    if (op == 5)
        count = field_texts(L, 4, "names", texts);
    if (op == 7)
        count = field_sends(L, 4, sends);
    if (op == 8 || op == 9)
        count = field_texts(L, 4, "handles", texts);

    struct aws_client *c = s->client;
    struct ticket *t = ticket_new(L, s, tag);
    uint64_t id = 0;
    switch (op) {
    case 0:
        id = sqs_create_queue(c, name, pairs, count, tags, tag_count, on_url, t);
        break;
    case 1:
        id = sqs_get_queue_url(c, name, on_url, t);
        break;
    case 2:
        id = sqs_delete_queue(c, url, on_plain, t);
        break;
    case 3:
        id = sqs_tag_queue(c, url, tags, tag_count, on_plain, t);
        break;
    case 4:
        id = sqs_list_queues(c, name, token, on_list, t);
        break;
    case 5:
        id = sqs_get_attributes(c, url, texts, count, on_pairs, t);
        break;
    case 6:
        id = sqs_list_tags(c, url, on_pairs, t);
        break;
    case 7:
        id = sqs_send_batch(c, url, sends, count, on_batch, t);
        break;
    case 8:
        id = sqs_delete_batch(c, url, texts, count, on_batch, t);
        break;
    case 9:
        id = sqs_change_visibility_batch(c, url, texts, count, in.visibility_s, on_batch, t);
        break;
    default:
        id = sqs_receive(c, url, &in, on_receive, t);
    }
    return push_id(L, t, id);
}

/* lambda(tag, arguments) -> id */
static int client_lambda(lua_State *L) {
    static const char *const types[] = {"RequestResponse", "Event", "DryRun", NULL};
    struct station *s = check_station(L);
    lua_Integer tag = luaL_checkinteger(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct lambda_invoke in = {
        .function = field(L, 3, "fn"),
        .qualifier = field(L, 3, "qualifier"),
        .client_context = field(L, 3, "context"),
        .log_tail = field_bool(L, 3, "log"),
        .timeout_ms = field_integer(L, 3, "timeout_ms", 0),
    };
    lua_getfield(L, 3, "type");
    in.type = (enum lambda_invocation_type)luaL_checkoption(L, -1, "RequestResponse", types);
    lua_getfield(L, 3, "payload");
    in.payload = luaL_optlstring(L, -1, "", &in.payload_len);
    struct ticket *t = ticket_new(L, s, tag);
    return push_id(L, t, lambda_invoke(s->client, &in, on_invoke, t));
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
