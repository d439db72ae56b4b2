/* Calls and their exit records, for the parent. See family.h. */
#include "host/binding/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/base/clock.h"
#include "host/binding/failed.h"
#include "host/binding/host.h"

enum {
    FUNCTION_LIFE_MS = 900 * 1000, /* the longest that Lambda knows */
    START_DELAY_MS = 60 * 1000,    /* an event may wait so long for its worker */
    SLICE_MS = 250,
    POLL_LISTEN_MS = 1000, /* whoever asks again and again has records come meanwhile */
};

/* Registry: the addresses are the keys. calls: id -> name or future of one that is running, false
** of one that has ended. errors: the error objects that are still to be raised, in order, from
** family.errors_taken + 1 to family.errors. */
static char calls_key, errors_key, handler_key;

static void push_calls(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &calls_key);
}

/* What the last invocation has left in the registry goes. Without a hub there were no calls. */
static void forget(lua_State *L, struct host *host) {
    struct family *f = &host->family;
    if (f->begun && !f->marked && host->hub == NULL)
        return;
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &calls_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &errors_key);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &handler_key);
    binding_forget_raised(L);
    f->begun = true;
    f->marked = false;
}

void family_begin(lua_State *L, struct host *host, const struct envelope_claims *claims,
                  int64_t now_ms, int64_t left_ms) {
    struct family *f = &host->family;
    forget(L, host);
    f->is_call = claims != NULL;
    if (claims != NULL)
        f->claims = *claims;
    f->args[0][0] = '\0';
    atomic_store(&f->shown, 0);
    f->begun_ms = now_ms;
    atomic_store(&f->cancelled, false);
    f->spawned = f->outstanding = f->scopes = 0;
    f->errors = f->errors_taken = 0;
    f->blind = false;
    f->life_ms = (left_ms != INT64_MAX ? left_ms : FUNCTION_LIFE_MS) + START_DELAY_MS;
    free(f->value);
    f->value = NULL;
    free(f->running);
    f->running = NULL;
    f->running_count = 0;
    f->running_more = false;
}

void family_quit(struct host *host) {
    if (host->family.watch != NULL)
        watch_end(host->family.watch);
    if (host->family.inbox != NULL)
        inbox_set_hub(host->family.inbox, NULL);
}

void family_free(struct host *host) {
    struct family *f = &host->family;
    inbox_free(f->inbox);
    watch_free(f->watch);
    claimer_free(f->claimer);
    free(f->value);
    free(f->running);
    memset(f, 0, sizeof *f);
}

/* --- what has ended ------------------------------------------------------------------------------ */

/* Pops the error object at the stack's top into what is still to be raised. */
static void add_error(lua_State *L, struct family *f) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
    lua_insert(L, -2);
    lua_rawseti(L, -2, f->errors + 1);
    f->errors++;
    lua_pop(L, 1);
}

/* Pushes the oldest of them, of which there must be one, and takes it out. errors: their table's
** slot. */
static void take_error(lua_State *L, struct family *f, int errors) {
    lua_rawgeti(L, errors, ++f->errors_taken);
    lua_pushnil(L);
    lua_rawseti(L, errors, f->errors_taken);
}

/* Ends the call: its entry (name, future, or nil when it is not known here) stays on the stack.
** False when it has ended before: nothing is pushed. */
static bool end_call(lua_State *L, struct host *host, const char *id) {
    push_calls(L);
    int type = lua_getfield(L, -1, id);
    if (type == LUA_TBOOLEAN) {
        lua_pop(L, 2);
        return false;
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -3, id);
    lua_remove(L, -2);
    if (type != LUA_TNIL)
        host->family.outstanding--;
    return true;
}

static bool is_done(lua_State *L, int future) {
    lua_getfield(L, future, "done");
    bool done = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return done;
}

/* Hands the error object on top to the future below it, or notes it; pops both. */
static void hand_failure(lua_State *L, struct host *host) {
    if (lua_istable(L, -2) && is_done(L, -2)) { /* cancelled here */
        lua_pop(L, 2);
        return;
    }
    if (lua_istable(L, -2)) {
        lua_setfield(L, -2, "failure");
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "done");
        lua_pop(L, 1);
        return;
    }
    if (strcmp(failed_kind(L, -1), FAILED_CANCELLED) == 0)
        lua_pop(L, 1); /* its reader has left: nobody failed */
    else
        add_error(L, &host->family);
    lua_pop(L, 1);
}

static void push_failure(lua_State *L, const char *kind, const char *name, const char *message) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    failed_set(L, "kind", kind);
    failed_set(L, "fn", name);
    failed_mark(L);
}

bool family_refused(lua_State *L, struct host *host, const char *id, const char *text) {
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (!end_call(L, host, id))
        return false;
    bool linked = lua_istable(L, -1);
    if (!linked) {
        lua_pop(L, 1);
        return false;
    }
    push_failure(L, FAILED_ERROR, "", text);
    hand_failure(L, host);
    return true;
}

/* --- records ------------------------------------------------------------------------------------- */

enum { HEAD = 2, VALUE = 3 };

struct arrival {
    struct host *host;
    char *text; /* owned by the caller */
    size_t len;
};

static const char *head_text(lua_State *L, const char *field) {
    lua_getfield(L, HEAD, field); /* the table keeps it */
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1);
    return text;
}

/* Its own calls that are still running are ours now. */
static void adopt(lua_State *L, struct host *host) {
    push_calls(L);
    int calls = lua_gettop(L);
    if (lua_getfield(L, HEAD, "running") == LUA_TTABLE) {
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
            lua_pushvalue(L, -1);
            if (lua_rawget(L, calls) == LUA_TNIL) {
                lua_pushvalue(L, -2);
                lua_pushliteral(L, "a call of a call");
                lua_rawset(L, calls);
                host->family.outstanding++;
            }
            lua_pop(L, 2);
        }
        lua_pop(L, 1);
    }
    lua_getfield(L, HEAD, "more");
    if (lua_toboolean(L, -1))
        host->family.blind = true;
    lua_settop(L, calls - 1);
}

static int decode_value(lua_State *L) {
    const struct arrival *arrival = lua_touserdata(L, 1);
    struct codec_options options = host_codec_options(L, arrival->host, "record", SQS_RECORD_MAX);
    codec_decode(L, arrival->text, arrival->len, &options);
    return 1;
}

/* Pushes the value; or, when it cannot be read here, a sentence that says why, and false. */
static bool push_value(lua_State *L, struct host *host, const char *text, size_t len) {
    struct arrival value = {.host = host, .text = (char *)(uintptr_t)text, .len = len};
    lua_pushcfunction(L, decode_value);
    lua_pushlightuserdata(L, &value);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        return true;
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    return false;
}

/* 1: the arrival. Leaves the record's head at HEAD; the id is its call's, NULL for one of another
** run. Raises for what is no record. */
static const char *open_record(lua_State *L, const char **value, size_t *value_len) {
    const struct arrival *arrival = lua_touserdata(L, 1);
    const char *head;
    size_t head_len;
    enum record_result opened = record_open(binding_key(L), arrival->text, arrival->len, &head,
                                            &head_len, value, value_len);
    if (opened == RECORD_NO_MEMORY)
        luaL_error(L, "not enough memory");
    if (opened != RECORD_OK)
        luaL_error(L, "awsync: a message in the inbox of this invocation is no exit record "
                      "of this deployment");
    codec_decode_json(L, head, head_len, "record");
    luaL_checktype(L, HEAD, LUA_TTABLE);
    const char *run = head_text(L, "run");
    bool ours = run != NULL && strcmp(run, host_run(arrival->host)) == 0;
    return ours ? head_text(L, "call") : NULL;
}

/* 1: the arrival. Whether it is of a call that has not ended yet, as far as is known here. */
static int is_news(lua_State *L) {
    const char *value;
    size_t len;
    const char *id = open_record(L, &value, &len);
    push_calls(L);
    lua_pushboolean(L, id != NULL && lua_getfield(L, -1, id) != LUA_TBOOLEAN);
    return 1;
}

/* 1: the arrival. Takes one record in. */
static int absorb(lua_State *L) {
    const struct arrival *arrival = lua_touserdata(L, 1);
    struct host *host = arrival->host;
    const char *value;
    size_t value_len;
    const char *id = open_record(L, &value, &value_len);
    if (id == NULL)
        return 0;
    if (!end_call(L, host, id))
        return 0;
    lua_getfield(L, HEAD, "duration_ms");
    budget_heard(&host->budget, lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1);
    lua_pop(L, 1);
    adopt(L, host);
    const char *kind = head_text(L, "kind");
    bool linked = lua_istable(L, -1);
    if (kind == NULL && !linked)
        return 0;
    bool good = push_value(L, host, value, value_len);
    if (kind == NULL && good && is_done(L, -2))
        return 0;
    if (kind == NULL && good) {
        lua_setfield(L, -2, "values");
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "done");
        return 0;
    }
    lua_createtable(L, 0, 8);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    failed_set(L, "kind", kind != NULL ? kind : FAILED_ERROR);
    failed_set(L, "fn", head_text(L, "fn"));
    failed_set(L, "args", head_text(L, "args"));
    failed_set(L, "request_id", head_text(L, "request_id"));
    failed_set(L, "traceback", head_text(L, "traceback"));
    failed_mark(L);
    hand_failure(L, host);
    return 0;
}

/* True when something was taken in. */
static bool take_records(lua_State *L, struct host *host) {
    struct arrival arrival = {.host = host};
    bool some = false;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    while ((arrival.text = inbox_take(host->family.inbox, &arrival.len)) != NULL) {
        lua_pushcfunction(L, absorb);
        lua_pushlightuserdata(L, &arrival);
        int status = lua_pcall(L, 1, 0, 0);
        free(arrival.text);
        some = true;
        if (status == LUA_OK)
            continue;
        if (status == LUA_ERRMEM)
            lua_error(L);
        lua_warning(L, luaL_tolstring(L, -1, NULL), 0);
        lua_pop(L, 2);
    }
    return some;
}

/* Calls that cannot be alive any more have vanished. */
static bool bury(lua_State *L, struct host *host) {
    struct family *f = &host->family;
    if (f->outstanding == 0 || clock_mono_ms() < f->last_spawn_ms + f->life_ms)
        return false;
    lua_newtable(L);
    int dead = lua_gettop(L);
    push_calls(L);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -1) != LUA_TBOOLEAN) {
            lua_pushvalue(L, -2);
            lua_rawseti(L, dead, (lua_Integer)lua_rawlen(L, dead) + 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    for (lua_Integer i = 1; lua_rawgeti(L, dead, i) == LUA_TSTRING; i++) {
        if (end_call(L, host, lua_tostring(L, -1))) {
            push_failure(L, FAILED_KILLED, lua_istable(L, -1) ? "" : lua_tostring(L, -1),
                         "the call has vanished: its longest possible life is over, and it has "
                         "sent no exit record");
            hand_failure(L, host);
        }
        lua_pop(L, 1);
    }
    lua_settop(L, dead - 1);
    return true;
}

/* Raises the first error that is still to be raised, with the others attached; or gives them all
** to awsync.on_error's function. */
static void raise_errors(lua_State *L, struct host *host) {
    struct family *f = &host->family;
    if (f->errors_taken == f->errors)
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
    int errors = lua_gettop(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &handler_key) != LUA_TNIL) {
        while (f->errors_taken < f->errors) {
            lua_pushvalue(L, -1);
            take_error(L, f, errors);
            lua_call(L, 1, 0); /* when it raises, the others wait for the next operation */
        }
        lua_settop(L, errors - 1);
        return;
    }
    lua_pop(L, 1);
    take_error(L, f, errors);
    if (f->errors_taken < f->errors) {
        lua_newtable(L);
        for (lua_Integer i = 1; f->errors_taken < f->errors; i++) {
            take_error(L, f, errors);
            lua_rawseti(L, -2, i);
        }
        lua_setfield(L, -2, "others");
    }
    lua_error(L);
}

/* --- the parent's operations --------------------------------------------------------------------- */

void family_check(lua_State *L, struct host *host, const char *operation) {
    if (!atomic_load(&host->family.cancelled))
        return;
    host_where(L);
    lua_pushfstring(L, "%s: this call has been cancelled", operation);
    lua_concat(L, 2);
    failed_raise(L, FAILED_CANCELLED);
}

static bool take_in(lua_State *L, struct host *host, const char *operation) {
    struct family *f = &host->family;
    family_check(L, host, operation);
    if (f->inbox == NULL)
        return false;
    bool some = take_records(L, host);
    some = bury(L, host) || some;
    raise_errors(L, host);
    struct aws_error error;
    if (f->outstanding > 0 && inbox_failed(f->inbox, &error))
        host_error(L, "%s: the exit records of spawned calls cannot be received: %s: %s", operation,
                   error.code, error.message);
    return some;
}

void family_look(lua_State *L, struct host *host, const char *operation) {
    take_in(L, host, operation);
}

void family_listen(struct host *host, int64_t until) {
    if (host->family.inbox != NULL && host->family.outstanding > 0)
        inbox_listen(host->family.inbox, until, host->family.outstanding);
}

bool family_is_over(const struct host *host) {
    const struct family *f = &host->family;
    return f->spawned > 0 && f->outstanding == 0 && !f->blind;
}

int family_raise_deadlock(lua_State *L, struct host *host) {
    long long n = host->family.spawned;
    host_where(L);
    if (n == 1)
        lua_pushliteral(L, "deadlock: the spawned call has ended and nothing is left to pop");
    else
        lua_pushfstring(L, "deadlock: all %I spawned calls have ended and nothing is left to pop",
                        (LUAI_UACINT)n);
    lua_concat(L, 2);
    return failed_raise(L, FAILED_DEADLOCK);
}

void family_add(lua_State *L, struct host *host, const char *id, const char *name, int future) {
    struct family *f = &host->family;
    push_calls(L);
    if (future != 0)
        lua_pushvalue(L, future);
    else
        lua_pushstring(L, name);
    lua_setfield(L, -2, id);
    lua_pop(L, 1);
    f->spawned++;
    f->outstanding++;
    f->last_spawn_ms = clock_mono_ms();
}

/* --- the end of the function --------------------------------------------------------------------- */

/* Notes the calls that are still running, for the record. */
static void note_running(lua_State *L, struct host *host) {
    struct family *f = &host->family;
    if (f->outstanding <= 0)
        return;
    size_t most = f->outstanding < RECORD_RUNNING_MAX ? (size_t)f->outstanding : RECORD_RUNNING_MAX;
    free(f->running);
    f->running = calloc(most, sizeof *f->running);
    f->running_count = 0;
    f->running_more = true;
    if (f->running == NULL)
        return;
    push_calls(L);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        size_t len;
        const char *id = lua_tolstring(L, -2, &len);
        if (lua_type(L, -1) != LUA_TBOOLEAN && len == RECORD_ID_SIZE - 1 && f->running_count < most)
            memcpy(f->running[f->running_count++], id, RECORD_ID_SIZE);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    f->running_more = f->running_count < (size_t)f->outstanding;
}

void binding_end(lua_State *L, bool failed) {
    struct host *host = host_get(L);
    struct family *f = &host->family;
    if (f->inbox == NULL)
        return;
    /* What has arrived by now is looked at, once every call has been accepted; no call is waited
    ** for. */
    if (f->outstanding > 0)
        calls_wait(&host->calls, host->wait_until);
    while (f->outstanding > 0) {
        inbox_ask(f->inbox, host->wait_until);
        if (!take_records(L, host))
            break;
    }
    note_running(L, host);
    if (!failed)
        raise_errors(L, host);
}

static bool goes_on(lua_State *L, struct arrival *arrival) {
    lua_pushcfunction(L, is_news);
    lua_pushlightuserdata(L, arrival);
    int status = lua_pcall(L, 1, 1, 0);
    bool news = status == LUA_OK ? lua_toboolean(L, -1) : status == LUA_ERRMEM;
    lua_pop(L, 1);
    return news;
}

void family_forward(lua_State *L, struct host *host, int64_t until) {
    struct family *f = &host->family;
    struct arrival arrival = {.host = host};
    if (f->inbox == NULL || f->outstanding == 0 || host->depth == 0 || f->claims.inbox[0] == '\0' ||
        !lua_checkstack(L, LUA_MINSTACK))
        return;
    inbox_ask(f->inbox, until);
    while ((arrival.text = inbox_take(f->inbox, &arrival.len)) != NULL) {
        struct aws_error error; /* then it is lost as one that had come later */
        if (goes_on(L, &arrival))
            inbox_deliver(host->client, f->claims.inbox, host->queue_base, f->claims.issued_ms,
                          arrival.text, arrival.len, until, &error);
        free(arrival.text);
    }
}

/* --- functions of awsync.core -------------------------------------------------------------------- */

int family_wait(lua_State *L) {
    lua_Number seconds = luaL_optnumber(L, 1, 1e10);
    const char *operation = luaL_optstring(L, 2, "wait");
    int64_t deadline =
        seconds > 1e9 ? CHAN_FOREVER : clock_mono_ms() + (int64_t)(seconds * 1000 + 0.999);
    struct host *host = host_ready(L);
    for (;;) {
        long long before = host->family.outstanding;
        host_ready(L); /* calls that were refused */
        bool some = take_in(L, host, operation);
        if (some || host->family.outstanding != before) {
            lua_pushboolean(L, 1);
            return 1;
        }
        int64_t now = clock_mono_ms();
        family_listen(host, deadline > now + POLL_LISTEN_MS ? deadline : now + POLL_LISTEN_MS);
        if (now >= deadline) {
            lua_pushboolean(L, 0);
            return 1;
        }
        if (now >= host->wait_until)
            return host_out_of_time(L, operation);
        int64_t until = now + SLICE_MS;
        until = deadline < until ? deadline : until;
        until = host->wait_until < until ? host->wait_until : until;
        if (host->family.inbox == NULL)
            host->family.inbox = inbox_new(host->client);
        if (host->family.inbox == NULL)
            return luaL_error(L, "not enough memory");
        inbox_wait(host->family.inbox, until);
        host_run_hook(L);
    }
}

int family_scope(lua_State *L) {
    struct host *host = host_get(L);
    lua_pushinteger(L, ++host->family.scopes);
    return 1;
}

int family_cancel(lua_State *L) {
    struct host *host = host_get(L);
    lua_Integer scope = luaL_checkinteger(L, 1);
    luaL_argcheck(L, scope >= 1 && scope <= host->family.scopes, 1, "no such scope");
    if (host->family.inbox != NULL && inbox_is_open(host->family.inbox))
        inbox_cancel_scope(host->family.inbox, scope);
    return 0;
}

int family_on_error(lua_State *L) {
    if (!lua_isnoneornil(L, 1))
        luaL_argexpected(L, lua_isfunction(L, 1), 1, "function or nil");
    lua_settop(L, 1);
    host_get(L)->family.marked = true;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &handler_key);
    return 0;
}

int family_arguments(lua_State *L) {
    binding_arguments(L, 1, lua_gettop(L));
    return 0;
}

int family_now(lua_State *L) {
    lua_pushnumber(L, (lua_Number)clock_mono_us() / 1e6);
    return 1;
}

int family_failed(lua_State *L) {
    push_failure(L, luaL_checkstring(L, 1), "", luaL_checkstring(L, 2));
    return 1;
}
