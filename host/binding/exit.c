/* The exit record of a spawned call: what its parent learns. See binding.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/base/clock.h"
#include "host/binding/failed.h"
#include "host/binding/family.h"
#include "host/binding/host.h"
#include "host/json/json.h"

enum { VALUE_MAX = SQS_RECORD_MAX - 16 * 1024, TEXT_MAX = 64 * 1024, ARGUMENT_MAX = 40 };

/* --- arguments in short -------------------------------------------------------------------------- */

static void add_argument(lua_State *L, luaL_Buffer *b, int idx) {
    char text[ARGUMENT_MAX + 8];
    size_t len;
    const char *whole;
    if (lua_type(L, idx) == LUA_TSTRING) {
        whole = lua_tolstring(L, idx, &len);
        bool cut = len > ARGUMENT_MAX;
        int n = snprintf(text, sizeof text, "\"%.*s%s\"", (int)(cut ? ARGUMENT_MAX : len), whole,
                         cut ? "..." : "");
        luaL_addlstring(b, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    } else if (lua_istable(L, idx)) {
        lua_pushnil(L);
        bool empty = lua_next(L, idx) == 0;
        lua_pop(L, empty ? 0 : 2);
        luaL_addstring(b, empty ? "{}" : "{...}");
    } else if (lua_isfunction(L, idx)) {
        luaL_addstring(b, "function");
    } else {
        whole = luaL_tolstring(L, idx, &len);
        snprintf(text, sizeof text, "%s", whole);
        lua_pop(L, 1);
        luaL_addstring(b, text);
    }
}

void binding_arguments(lua_State *L, int first, int n) {
    static const char more[] = ", ...";
    struct family *f = &host_get(L)->family;
    int top = lua_gettop(L), other = (atomic_load(&f->shown) + 1) % FAMILY_ARGUMENTS;
    char *args = f->args[other];
    size_t used = 0;
    args[0] = '\0';
    for (int i = 0; i < n; i++) {
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        if (i > 0)
            luaL_addstring(&b, ", ");
        add_argument(L, &b, first + i);
        luaL_pushresult(&b);
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);
        if (used + len + sizeof more > sizeof f->args[other]) {
            memcpy(args + used, more, sizeof more);
            break;
        }
        memcpy(args + used, text, len + 1);
        used += len;
        lua_settop(L, top);
    }
    lua_settop(L, top);
    atomic_store(&f->shown, other);
}

/* --- results ------------------------------------------------------------------------------------- */

void binding_results(lua_State *L, int first) {
    struct host *host = host_get(L);
    struct family *f = &host->family;
    if (!f->is_call || f->claims.scope == 0)
        return; /* nobody asks for them */
    int n = lua_gettop(L) - first + 1;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_createtable(L, n, 1);
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, first + i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
    struct codec_options options = host_codec_options(L, host, "return", VALUE_MAX);
    host->encoding = ENCODING_VALUE;
    codec_encode(L, -1, &options);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    free(f->value);
    f->value = malloc(len + 1);
    if (f->value == NULL)
        luaL_error(L, "not enough memory");
    memcpy(f->value, text, len + 1);
    f->value_len = len;
    lua_settop(L, first + n - 1);
}

/* --- the record ---------------------------------------------------------------------------------- */

struct report {
    struct host *host;
    const struct binding_outcome *outcome;
    struct buf out;
};

static const char *text_field(lua_State *L, int idx, const char *field, const char *otherwise) {
    lua_getfield(L, idx, field); /* kept by the table */
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : otherwise;
    lua_pop(L, 1);
    return text;
}

static int encode_raised(lua_State *L) {
    struct host *host = host_get(L);
    struct codec_options options = host_codec_options(L, host, "error", VALUE_MAX / 2);
    host->encoding = ENCODING_VALUE;
    codec_encode(L, 1, &options);
    return 1;
}

/* Pushes the message of what was raised, encoded: as it is where it can travel, else as text. */
static void push_raised(lua_State *L, int idx, const char *text) {
    lua_pushcfunction(L, encode_raised);
    lua_pushvalue(L, idx);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        return;
    lua_pop(L, 1);
    size_t len = strlen(text);
    lua_pushcfunction(L, encode_raised);
    lua_pushlstring(L, text, len < TEXT_MAX ? len : TEXT_MAX);
    lua_call(L, 1, 1);
}

static void fill(const struct host *host, struct record *record) {
    const struct family *f = &host->family;
    *record = (struct record){
        .run = host->run,
        .call = f->claims.call,
        .request_id = host->request_id,
        .function = f->claims.function,
        .args = f->args[atomic_load(&f->shown)],
        .duration_ms = clock_mono_ms() - f->begun_ms,
        .running = (const char(*)[RECORD_ID_SIZE])f->running,
        .running_count = f->running_count,
        .running_more = f->running_more,
    };
}

static bool seal(const struct host *host, const struct record *record, struct buf *out) {
    return record_seal(&host->key, record, out);
}

/* 1: the report, 2: what was raised. An error object keeps its origin, however many levels it has
** come through. */
static int write_record(lua_State *L) {
    struct report *report = lua_touserdata(L, 1);
    struct host *host = report->host;
    const struct binding_outcome *outcome = report->outcome;
    struct record record;
    fill(host, &record);
    record.memory_bytes = (int64_t)lua_gc(L, LUA_GCCOUNT) * 1024;
    size_t len;
    if (!outcome->failed) {
        record.value = host->family.value != NULL ? host->family.value : "null";
        record.value_len = host->family.value != NULL ? host->family.value_len : 4;
    } else {
        record.kind = outcome->kind;
        record.traceback = outcome->traceback;
        if (failed_is(L, 2) && outcome->kind == NULL) {
            record.kind = failed_kind(L, 2);
            record.function = text_field(L, 2, "fn", record.function);
            record.args =
                text_field(L, 2, "fn", "")[0] != '\0' ? text_field(L, 2, "args", "") : record.args;
            record.request_id = text_field(L, 2, "request_id", record.request_id);
            record.traceback = text_field(L, 2, "traceback", record.traceback);
            lua_getfield(L, 2, "message");
        } else {
            if (record.kind == NULL) {
                record.kind = FAILED_ERROR;
                lua_pushvalue(L, 2);
            } else {
                lua_pushstring(L, outcome->text);
            }
        }
        push_raised(L, lua_gettop(L), outcome->text);
        record.value = lua_tolstring(L, -1, &len);
        record.value_len = len;
    }
    if (!seal(host, &record, &report->out))
        luaL_error(L, "not enough memory");
    return 0;
}

/* Without Lua: for a call that has no memory or no time left. */
static bool write_last_words(const struct host *host, const char *kind, const char *text,
                             struct buf *out) {
    struct record record;
    struct buf value;
    struct json_writer w;
    buf_init(&value, TEXT_MAX);
    json_writer_init(&w, &value);
    if (!json_string(&w, text))
        json_string(&w, "(an error whose text cannot be shown)");
    fill(host, &record);
    record.kind = kind;
    record.running = NULL;
    record.running_count = 0;
    record.running_more = true;
    record.value = buf_text(&value);
    record.value_len = value.len;
    bool good = seal(host, &record, out);
    buf_free(&value);
    return good;
}

enum binding_heard binding_report(lua_State *L, const struct binding_outcome *outcome, char *error,
                                  size_t error_size) {
    struct host *host = host_get(L);
    if (host == NULL || !host->family.is_call)
        return BINDING_NO_CALL;
    host->family.is_call = false;
    if (host->family.watch != NULL)
        watch_end(host->family.watch);
    if (host->family.claims.inbox[0] == '\0')
        return BINDING_UNHEARD;
    struct report report = {.host = host, .outcome = outcome};
    buf_init(&report.out, SQS_RECORD_MAX);
    bool good = false;
    if (lua_checkstack(L, 8)) {
        lua_pushcfunction(L, write_record);
        lua_pushlightuserdata(L, &report);
        binding_push_raised(L);
        good = lua_pcall(L, 2, 0, 0) == LUA_OK && buf_ok(&report.out);
        if (!good)
            lua_settop(L, 0);
    }
    if (!good) {
        buf_reset(&report.out);
        const char *kind = outcome->kind != NULL ? outcome->kind : FAILED_ERROR;
        good = write_last_words(host, kind, outcome->failed ? outcome->text : "not enough memory",
                                &report.out);
    }
    struct aws_error why = {.code = AWS_CODE_MEMORY};
    enum delivery delivery = DELIVERY_FAILED;
    int64_t until =
        host->report_until == CHAN_FOREVER ? clock_mono_ms() + 60000 : host->report_until;
    if (good)
        delivery = inbox_deliver(host->client, host->family.claims.inbox, host->queue_base,
                                 host->family.claims.issued_ms, buf_text(&report.out),
                                 report.out.len, until, &why);
    buf_free(&report.out);
    if (delivery == DELIVERY_FAILED)
        snprintf(error, error_size, "the exit record of this call could not be sent: %s: %s",
                 why.code, why.message);
    return delivery == DELIVERY_DONE     ? BINDING_HEARD
           : delivery == DELIVERY_NOBODY ? BINDING_UNHEARD
                                         : BINDING_UNSENT;
}

/* --- while it runs: on the I/O thread ------------------------------------------------------------- */

static void on_cancel(void *context) {
    struct host *host = context;
    atomic_store(&host->family.cancelled, true);
    if (host->hub != NULL)
        chan_hub_interrupt(host->hub);
    if (host->family.alarm != NULL)
        host->family.alarm();
}

static void on_last_words(void *context) {
    struct host *host = context;
    struct buf out;
    buf_init(&out, SQS_RECORD_MAX);
    if (write_last_words(host, FAILED_TIMEOUT,
                         "the time of this invocation is over, and the function has not returned",
                         &out))
        inbox_deliver_soon(host->client, host->family.claims.inbox, host->queue_base,
                           host->family.claims.issued_ms, buf_text(&out), out.len);
    buf_free(&out);
}

void binding_watch(lua_State *L, void (*alarm)(void)) {
    struct host *host = host_ready(L);
    struct family *f = &host->family;
    if (!f->is_call || f->claims.inbox[0] == '\0')
        return;
    f->alarm = alarm;
    if (f->watch == NULL)
        f->watch = watch_new(host->client);
    if (f->watch == NULL)
        luaL_error(L, "not enough memory");
    watch_begin(f->watch, &(struct watch_options){
                              .addresses = f->claims.inbox,
                              .base = host->queue_base,
                              .scope = f->claims.scope,
                              .on_cancel = on_cancel,
                              .on_last_words = on_last_words,
                              .last_words_ms = host->words_at == CHAN_FOREVER ? 0 : host->words_at,
                              .context = host,
                          });
}

/* --- what the runtime asks ------------------------------------------------------------------------ */

static char raised_key; /* its address is the registry's key of what was raised */

void binding_forget_raised(lua_State *L) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &raised_key);
}

void binding_keep_raised(lua_State *L) {
    struct host *host = host_get(L);
    if (host != NULL) /* the start may fail before there is one */
        host->family.marked = true;
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &raised_key);
}

void binding_push_raised(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &raised_key);
}

const char *binding_function(lua_State *L) {
    return host_get(L)->family.claims.function;
}

const char *binding_argument_text(lua_State *L) {
    const struct family *f = &host_get(L)->family;
    return f->args[atomic_load(&f->shown)];
}

int64_t binding_wait_until(lua_State *L) {
    return host_get(L)->wait_until;
}

bool binding_is_call(lua_State *L) {
    return host_get(L)->family.is_call;
}

bool binding_is_cancelled(lua_State *L) {
    return atomic_load(&host_get(L)->family.cancelled);
}

int binding_stop(lua_State *L) {
    struct host *host = host_get(L);
    family_check(L, host, host->family.claims.function);
    return host_out_of_time(L, host->family.claims.function);
}

bool binding_push_failure(lua_State *L, int idx) {
    if (!failed_is(L, idx))
        return false;
    idx = lua_absindex(L, idx);
    lua_pushstring(L, failed_kind(L, idx));
    failed_push_summary(L, idx);
    lua_getfield(L, idx, "traceback");
    return true;
}
