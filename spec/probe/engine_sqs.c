/*
** Shows the engine's SQS to specs: one queue on a clock of the spec's own, and the service with
** calls that came by no wire. The functions of service.h are defined here, so that no front is
** needed.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <lauxlib.h>
#include <lua.h>

#include "host/base/random.h"
#include "host/engine/service.h"
#include "host/engine/sqs.h"
#include "host/engine/sqs_crypto.h"
#include "host/engine/sqs_queue.h"
#include "host/engine/sqs_state.h"

#define QUEUE   "probe.sqs_queue"
#define SERVICE "probe.sqs_service"

/* --- a queue ---------------------------------------------------------------------------------- */

enum { DEAD_MAX = 256 };

struct dead {
    int64_t sequences[DEAD_MAX];
    size_t count;
};

static const char *const results[] = {"ok",       "duplicate",  "gone",     "expired",
                                      "too long", "over limit", "no memory"};

static struct sqs_queue *to_queue(lua_State *L) {
    struct sqs_queue **slot = luaL_checkudata(L, 1, QUEUE);
    luaL_argcheck(L, *slot, 1, "freed queue");
    return *slot;
}

static int64_t field_integer(lua_State *L, int table, const char *name, int64_t initial) {
    lua_getfield(L, table, name);
    int64_t value = lua_isnil(L, -1) ? initial : (int64_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool field_boolean(lua_State *L, int table, const char *name) {
    lua_getfield(L, table, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The text stays alive in the table. */
static const char *field_text(lua_State *L, int table, const char *name, size_t *len) {
    lua_getfield(L, table, name);
    const char *text = luaL_optlstring(L, -1, NULL, len);
    lua_pop(L, 1);
    return text;
}

static struct sqs_queue_rules read_rules(lua_State *L, int table) {
    return (struct sqs_queue_rules){
        .fifo = field_boolean(L, table, "fifo"),
        .dedup_by_group = field_boolean(L, table, "dedup_by_group"),
        .delay_ms = field_integer(L, table, "delay", 0),
        .retention_ms = field_integer(L, table, "retention", 345600000),
        .in_flight_max = (size_t)field_integer(L, table, "in_flight_max", SQS_IN_FLIGHT_MAX),
    };
}

static int queue_new(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct sqs_queue_rules rules = read_rules(L, 1);
    struct sqs_queue **slot = lua_newuserdatauv(L, sizeof(*slot), 0);
    *slot = NULL;
    luaL_setmetatable(L, QUEUE);
    *slot = sqs_queue_new(&rules);
    return *slot ? 1 : luaL_error(L, "no memory");
}

static int queue_gc(lua_State *L) {
    struct sqs_queue **slot = luaL_checkudata(L, 1, QUEUE);
    sqs_queue_free(*slot);
    *slot = NULL;
    return 0;
}

static int queue_rules(lua_State *L) {
    struct sqs_queue_rules rules = read_rules(L, 2);
    sqs_queue_set_rules(to_queue(L), &rules);
    return 0;
}

static int queue_send(lua_State *L) {
    struct sqs_queue *q = to_queue(L);
    uint8_t id[SQS_UUID_SIZE], md5[16] = {0};
    struct sqs_sent sent = {.sequence = 0};
    random_bytes(id, sizeof(id));
    struct sqs_draft draft = {
        .id = id,
        .body_md5 = md5,
        .group = field_text(L, 2, "group", NULL),
        .dedup = field_text(L, 2, "dedup", NULL),
        .trace = field_text(L, 2, "trace", NULL),
        .source = field_text(L, 2, "source", NULL),
        .delay_ms = field_integer(L, 2, "delay", -1),
        .sent_ms = field_integer(L, 2, "sent", 0),
        .first_receive_ms = field_integer(L, 2, "first_receive", 0),
        .receive_count = (uint32_t)field_integer(L, 2, "receive_count", 0),
    };
    draft.body = field_text(L, 2, "body", &draft.body_len);
    draft.attributes = field_text(L, 2, "attributes", &draft.attributes_len);
    enum sqs_result result = sqs_queue_send(q, &draft, field_integer(L, 2, "now", 0), &sent);
    lua_pushstring(L, results[result]);
    lua_pushinteger(L, sent.sequence);
    lua_pushlstring(L, (const char *)sent.id, sizeof(sent.id));
    return 3;
}

static void on_dead(void *context, const struct sqs_message *m) {
    struct dead *dead = context;
    if (dead->count < DEAD_MAX)
        dead->sequences[dead->count++] = m->sequence;
}

static void push_message(lua_State *L, const struct sqs_message *m) {
    lua_createtable(L, 0, 12);
    lua_pushinteger(L, m->sequence);
    lua_setfield(L, -2, "sequence");
    lua_pushinteger(L, m->generation);
    lua_setfield(L, -2, "generation");
    lua_pushinteger(L, m->receive_count);
    lua_setfield(L, -2, "receive_count");
    lua_pushinteger(L, m->sent_ms);
    lua_setfield(L, -2, "sent");
    lua_pushinteger(L, m->first_receive_ms);
    lua_setfield(L, -2, "first_receive");
    lua_pushlstring(L, (const char *)m->id, sizeof(m->id));
    lua_setfield(L, -2, "id");
    lua_pushlstring(L, sqs_message_body(m), m->body_len);
    lua_setfield(L, -2, "body");
    lua_pushlstring(L, sqs_message_attributes(m), m->attributes_len);
    lua_setfield(L, -2, "attributes");
    lua_pushstring(L, sqs_message_group(m));
    lua_setfield(L, -2, "group");
    lua_pushstring(L, sqs_message_dedup(m));
    lua_setfield(L, -2, "dedup");
    lua_pushstring(L, sqs_message_source(m));
    lua_setfield(L, -2, "source");
    lua_pushstring(L, sqs_message_trace(m));
    lua_setfield(L, -2, "trace");
}

/* q:receive{...} -> list of messages, list of the dead's sequences, result. */
static int queue_receive(lua_State *L) {
    struct sqs_queue *q = to_queue(L);
    const struct sqs_message *out[SQS_RECEIVE_MAX];
    struct dead dead = {.count = 0};
    size_t count = 0;
    struct sqs_take take = {
        .max = (size_t)field_integer(L, 2, "max", 1),
        .visibility_ms = field_integer(L, 2, "visibility", 30000),
        .attempt = field_text(L, 2, "attempt", NULL),
        .max_receives = (uint32_t)field_integer(L, 2, "max_receives", 0),
        .dead = on_dead,
        .context = &dead,
    };
    enum sqs_result result =
        sqs_queue_receive(q, &take, field_integer(L, 2, "now", 0), out, &count);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_message(L, out[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_createtable(L, (int)dead.count, 0);
    for (size_t i = 0; i < dead.count; i++) {
        lua_pushinteger(L, dead.sequences[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushstring(L, results[result]);
    return 3;
}

/* q:delete(sequence, generation, now) */
static int queue_delete(lua_State *L) {
    enum sqs_result result =
        sqs_queue_delete(to_queue(L), luaL_checkinteger(L, 2), (uint32_t)luaL_checkinteger(L, 3),
                         luaL_checkinteger(L, 4));
    lua_pushstring(L, results[result]);
    return 1;
}

/* q:change(sequence, generation, visibility, now) */
static int queue_change(lua_State *L) {
    enum sqs_result result =
        sqs_queue_change_visibility(to_queue(L), luaL_checkinteger(L, 2),
                                    (uint32_t)luaL_checkinteger(L, 3), luaL_checkinteger(L, 4),
                                    luaL_checkinteger(L, 5));
    lua_pushstring(L, results[result]);
    return 1;
}

/* q:count(now) -> visible, delayed, in flight */
static int queue_count(lua_State *L) {
    struct sqs_queue_counts counts = sqs_queue_count(to_queue(L), luaL_checkinteger(L, 2));
    lua_pushinteger(L, (lua_Integer)counts.visible);
    lua_pushinteger(L, (lua_Integer)counts.delayed);
    lua_pushinteger(L, (lua_Integer)counts.in_flight);
    return 3;
}

static int queue_purge(lua_State *L) {
    sqs_queue_purge(to_queue(L));
    return 0;
}

/* q:due() -> ms or nil */
static int queue_due(lua_State *L) {
    int64_t due_ms = sqs_queue_next_due(to_queue(L));
    if (due_ms == INT64_MAX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, due_ms);
    return 1;
}

/* --- the service and its calls ---------------------------------------------------------------- */

/* What is left of a call for the spec. */
struct record {
    struct service_call *call; /* NULL: answered */
    int status;
    char *type, *error_header, *body;
    size_t len;
};

/* Freed by the answer, as the front does it. */
struct service_call {
    struct record *record;
    char *target, *path, *body, *host, *account; /* path NULL: `/` */
    bool form;                                   /* speaks the query protocol */
    size_t len;
    void (*gone)(void *context);
    void *gone_context;
};

struct fake {
    char bills[512]; /* `SendMessage fifo 2;` for each request since they were asked for */
    struct event_base *base;
    struct sqs_service *service;
    struct record **records;
    size_t count, cap;
};

const char *service_method(const struct service_call *call) {
    (void)call;
    return "POST";
}

const char *service_path(const struct service_call *call) {
    return call->path ? call->path : "/";
}

const char *service_query(const struct service_call *call) {
    (void)call;
    return "";
}

const char *service_header(const struct service_call *call, const char *name) {
    if (strcmp(name, "X-Amz-Target") == 0)
        return call->target;
    if (strcmp(name, "Content-Type") == 0)
        return call->form ? "application/x-www-form-urlencoded; charset=utf-8"
                          : "application/x-amz-json-1.0";
    return NULL;
}

const char *service_body(const struct service_call *call, size_t *len_out) {
    *len_out = call->len;
    return call->body;
}

const char *service_request_id(const struct service_call *call) {
    (void)call;
    return "00000000-0000-4000-8000-000000000000";
}

const char *service_host(const struct service_call *call) {
    return call->host;
}

const char *service_region(const struct service_call *call) {
    (void)call;
    return "us-east-1";
}

const char *service_account(const struct service_call *call) {
    return call->account;
}

void service_set_header(struct service_call *call, const char *name, const char *value) {
    if (strcmp(name, "x-amzn-query-error") == 0) {
        free(call->record->error_header);
        call->record->error_header = strdup(value);
    }
}

static void call_free(struct service_call *call) {
    if (!call)
        return;
    free(call->target);
    free(call->path);
    free(call->body);
    free(call->host);
    free(call->account);
    free(call);
}

void service_answer(struct service_call *call, int status, const char *content_type,
                    const void *body, size_t len) {
    struct record *record = call->record;
    record->status = status;
    record->type = strdup(content_type);
    record->body = malloc(len + 1);
    if (len)
        memcpy(record->body, body, len);
    record->len = len;
    record->call = NULL;
    call_free(call);
}

void service_on_gone(struct service_call *call, void (*gone)(void *context), void *context) {
    call->gone = gone;
    call->gone_context = context;
}

static void record_free(struct record *record) {
    if (!record)
        return;
    call_free(record->call);
    free(record->type);
    free(record->error_header);
    free(record->body);
    free(record);
}

static struct fake *to_fake(lua_State *L) {
    struct fake *fake = luaL_checkudata(L, 1, SERVICE);
    luaL_argcheck(L, fake->service, 1, "freed service");
    return fake;
}

static void on_bill(void *context, unsigned operation, bool fifo, uint64_t units) {
    struct fake *fake = context;
    size_t len = strlen(fake->bills);
    snprintf(fake->bills + len, sizeof(fake->bills) - len, "%s %s %u;",
             sqs_operation_name(operation), fifo ? "fifo" : "standard", (unsigned)units);
}

/* s:bills() -> what was billed since the last call of it */
static int fake_bills(lua_State *L) {
    struct fake *fake = luaL_checkudata(L, 1, SERVICE);
    lua_pushstring(L, fake->bills);
    fake->bills[0] = '\0';
    return 1;
}

static int fake_new(lua_State *L) {
    bool lenient = lua_toboolean(L, 1);
    struct fake *fake = lua_newuserdatauv(L, sizeof(*fake), 0);
    struct sqs_service_options options = {.lenient = lenient, .bill = on_bill, .context = fake};
    *fake = (struct fake){0};
    luaL_setmetatable(L, SERVICE);
    fake->base = event_base_new();
    fake->service = fake->base ? sqs_service_new(fake->base, &options) : NULL;
    return fake->service ? 1 : luaL_error(L, "no service");
}

/* Frees the service; the answers to those who waited can still be taken. */
static int fake_stop(lua_State *L) {
    struct fake *fake = luaL_checkudata(L, 1, SERVICE);
    sqs_service_free(fake->service);
    fake->service = NULL;
    if (fake->base)
        event_base_free(fake->base);
    fake->base = NULL;
    return 0;
}

static int fake_gc(lua_State *L) {
    struct fake *fake = luaL_checkudata(L, 1, SERVICE);
    fake_stop(L);
    for (size_t i = 0; i < fake->count; i++)
        record_free(fake->records[i]);
    free(fake->records);
    fake->records = NULL;
    fake->count = fake->cap = 0;
    return 0;
}

/* s:call(target or nil, body [, host [, account [, path of a form]]]) -> id */
static int fake_call(lua_State *L) {
    struct fake *fake = to_fake(L);
    size_t len = 0;
    const char *target = luaL_optstring(L, 2, NULL);
    const char *path = luaL_optstring(L, 6, NULL);
    const char *body = luaL_checklstring(L, 3, &len);
    const char *host = luaL_optstring(L, 4, "127.0.0.1:4100");
    const char *account = luaL_optstring(L, 5, "123456789012");
    if (fake->count == fake->cap) {
        size_t cap = fake->cap ? fake->cap * 2 : 64;
        struct record **records = realloc(fake->records, cap * sizeof(struct record *));
        if (!records)
            return luaL_error(L, "no memory");
        fake->records = records;
        fake->cap = cap;
    }
    struct record *record = calloc(1, sizeof(*record));
    struct service_call *call = calloc(1, sizeof(*call));
    record->call = call;
    fake->records[fake->count++] = record;
    call->record = record;
    call->target = target ? strdup(target) : NULL;
    call->body = malloc(len + 1);
    memcpy(call->body, body, len + 1);
    call->len = len;
    call->path = path ? strdup(path) : NULL;
    call->form = path != NULL;
    call->host = strdup(host);
    call->account = strdup(account);
    sqs_service_call(fake->service, call);
    lua_pushinteger(L, (lua_Integer)fake->count);
    return 1;
}

static struct record *to_record(lua_State *L, struct fake *fake) {
    lua_Integer id = luaL_checkinteger(L, 2);
    luaL_argcheck(L, id >= 1 && (size_t)id <= fake->count && fake->records[id - 1], 2,
                  "no such call");
    return fake->records[id - 1];
}

/* s:take(id) -> status, body, x-amzn-query-error or nil, content type; nil: not answered yet. An
** answer can be taken once. */
static int fake_take(lua_State *L) {
    struct fake *fake = luaL_checkudata(L, 1, SERVICE);
    struct record *record = to_record(L, fake);
    if (record->call)
        return 0;
    lua_pushinteger(L, record->status);
    lua_pushlstring(L, record->body, record->len);
    lua_pushstring(L, record->error_header);
    lua_pushstring(L, record->type);
    record_free(record);
    fake->records[lua_tointeger(L, 2) - 1] = NULL;
    return 4;
}

/* s:gone(id): the client of a waiting call goes away. */
static int fake_gone(lua_State *L) {
    struct record *record = to_record(L, to_fake(L));
    luaL_argcheck(L, record->call && record->call->gone, 2, "does not wait");
    record->call->gone(record->call->gone_context);
    return 0;
}

static int fake_skip(lua_State *L) {
    sqs_service_skip(to_fake(L)->service, luaL_checkinteger(L, 2));
    return 0;
}

/* s:pass(ms): moves the clock as skip does, but the timer has not fired yet. */
static int fake_pass(lua_State *L) {
    to_fake(L)->service->epoch_ms += luaL_checkinteger(L, 2);
    return 0;
}

/* s:run(ms): lets the event base run that long. */
static int fake_run(lua_State *L) {
    lua_Integer ms = luaL_checkinteger(L, 2);
    struct timeval span = {.tv_sec = (time_t)(ms / 1000),
                           .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    struct fake *fake = to_fake(L);
    event_base_loopexit(fake->base, &span);
    event_base_dispatch(fake->base);
    return 0;
}

static int fake_deliver(lua_State *L) {
    size_t len = 0;
    struct fake *fake = to_fake(L);
    const char *arn = luaL_checkstring(L, 2);
    const char *body = luaL_checklstring(L, 3, &len);
    lua_pushboolean(L, sqs_service_deliver(fake->service, arn, body, len));
    return 1;
}

static int fake_count(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)sqs_service_queue_count(to_fake(L)->service));
    return 1;
}

/* s:error(code, message) -> as take: what the front answers for itself. */
static int fake_error(lua_State *L) {
    struct fake *fake = to_fake(L);
    const char *code = luaL_checkstring(L, 2), *message = luaL_checkstring(L, 3);
    lua_pushcfunction(L, fake_call);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_pushliteral(L, "");
    lua_call(L, 3, 1); /* an unknown operation; its record serves for ours */
    struct record *record = fake->records[lua_tointeger(L, -1) - 1];
    struct service_call *call = calloc(1, sizeof(*call));
    call->record = record;
    free(record->body);
    free(record->type);
    record->body = record->type = NULL;
    sqs_service_error(call, code, message);
    return 1;
}

/* --- handles ---------------------------------------------------------------------------------- */

/* True when of all texts that differ from a good handle in one bit none is accepted, and the good
** one is. */
static int handles_are_sealed(lua_State *L) {
    struct sqs_crypto *crypto = sqs_crypto_new();
    struct sqs_handle handle = {random_u64(), 77, 3}, back = {0, 0, 0};
    char text[SQS_HANDLE_TEXT_SIZE];
    sqs_handle_write(crypto, &handle, text);
    bool ok = sqs_handle_read(crypto, text, strlen(text), &back) && back.queue == handle.queue &&
              back.sequence == 77 && back.generation == 3;
    for (size_t i = 0; i < strlen(text) * 8; i++) {
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        ok = ok && !sqs_handle_read(crypto, text, SQS_HANDLE_TEXT_SIZE - 1, &back);
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
    }
    ok = ok && !sqs_handle_read(crypto, text, 20, &back) && !sqs_handle_read(crypto, "", 0, &back);
    sqs_crypto_free(crypto);
    lua_pushboolean(L, ok);
    return 1;
}

static const luaL_Reg queue_methods[] = {
    {"rules", queue_rules},   {"send", queue_send},     {"receive", queue_receive},
    {"delete", queue_delete}, {"change", queue_change}, {"count", queue_count},
    {"purge", queue_purge},   {"due", queue_due},       {NULL, NULL},
};

static const luaL_Reg service_methods[] = {
    {"call", fake_call},       {"take", fake_take},   {"gone", fake_gone},   {"skip", fake_skip},
    {"run", fake_run},         {"pass", fake_pass},   {"stop", fake_stop},   {"error", fake_error},
    {"deliver", fake_deliver}, {"count", fake_count}, {"bills", fake_bills}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"queue", queue_new},
    {"service", fake_new},
    {"handles_are_sealed", handles_are_sealed},
    {NULL, NULL},
};

static void new_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
    if (luaL_newmetatable(L, name)) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_probe_engine_sqs(lua_State *L);

int luaopen_probe_engine_sqs(lua_State *L) {
    new_class(L, QUEUE, queue_methods, queue_gc);
    new_class(L, SERVICE, service_methods, fake_gc);
    luaL_newlib(L, functions);
    return 1;
}
