/* The state of one Lua state: client, hub, key, and the invocation that is running. See host.h and
** binding.h. */
#include "host/binding/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/binding/failed.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, NO_DEADLINE_FINISH_MS = 60 * 1000, RUN_RANDOM = 10 };
/* A tenth of the time that an invocation has is kept for its end, within these bounds. */
enum { RESERVE_MIN_MS = 100, RESERVE_MAX_MS = 2000 };

static char host_key; /* its address is the registry's key of the host */

struct host *host_get(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key);
    struct host *host = lua_touserdata(L, -1); /* the registry keeps it */
    lua_pop(L, 1);
    return host;
}

/* __gc: the last of the state's objects that is finalized, since it is the first that was made. */
static int host_gc(lua_State *L) {
    struct host *host = lua_touserdata(L, 1);
    host->over = true;
    family_quit(host);
    if (host->hub != NULL) {
        char error[1024];
        if (!binding_finish(L, error, sizeof error)) {
            lua_warning(L, "@on", 0); /* lua5.4 begins with warnings off; a loss is never silent */
            lua_warning(L, error, 0);
        }
        calls_set_hub(&host->calls, NULL);
        chan_hub_free(host->hub);
        host->hub = NULL;
    }
    aws_client_free(host->client);
    host->client = NULL;
    family_free(host);
    if (host->calls_ready)
        calls_destroy(&host->calls);
    host->calls_ready = false;
    envelope_key_wipe(&host->key);
    host->key_loaded = false;
    free(host->program_dir);
    host->program_dir = NULL;
    return 0;
}

/* --- invocations ----------------------------------------------------------------------------- */

static long long limit_of(lua_State *L, const char *name, long long normal) {
    const char *text = getenv(name);
    if (text == NULL || text[0] == '\0')
        return normal;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0)
        luaL_error(L, "%s is \"%s\": it should be a whole number", name, text);
    return value;
}

/* AWSYNC_MAX_COST in nanodollars; 0: not set. */
static int64_t max_cost(lua_State *L) {
    const char *text = getenv("AWSYNC_MAX_COST");
    int64_t limit = 0;
    if (text != NULL && text[0] != '\0' && !budget_read(text, &limit))
        luaL_error(L, "AWSYNC_MAX_COST is \"%s\": it should be an amount in dollars, like 0.50",
                   text);
    return limit;
}

static uint64_t requests_of(const struct host *host) {
    struct aws_counters counters = {0};
    if (host->client != NULL)
        aws_client_counters(host->client, &counters);
    return counters.requests;
}

/* What the environment says is the same for all invocations. */
static void read_limits(lua_State *L, struct host *host) {
    const char *memory = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    host->max_depth = limit_of(L, "AWSYNC_MAX_DEPTH", AWSYNC_MAX_DEPTH);
    host->max_spawns = limit_of(L, "AWSYNC_MAX_SPAWNS", AWSYNC_MAX_SPAWNS);
    host->max_cost = max_cost(L);
    host->memory_mb = memory != NULL ? (int)strtol(memory, NULL, 10) : 0;
}

struct budget_use host_use(const struct host *host) {
    return (struct budget_use){.requests = requests_of(host) - host->requests_before,
                               .ms = clock_mono_ms() - host->family.begun_ms};
}

int host_out_of_money(lua_State *L, struct host *host, const char *operation) {
    char text[512];
    struct budget_use use = host_use(host);
    budget_message(&host->budget, &use, text, sizeof text);
    if (operation == NULL)
        return host_error(L, "%s", text);
    return host_error(L, "%s: %s", operation, text);
}

static void check_budget(lua_State *L, struct host *host) {
    if (host->budget.limit == 0)
        return;
    struct budget_use use = host_use(host);
    if (!budget_ok(&host->budget, &use))
        host_out_of_money(L, host, NULL);
}

/* A run names queues: what is not [a-z0-9] is left out. */
static void set_run(struct host *host, const char *run) {
    size_t n = 0;
    for (; run != NULL && *run != '\0' && n + 1 < sizeof host->run; run++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789", *run) != NULL)
            host->run[n++] = *run;
    host->run[n] = '\0';
}

const char *host_run(struct host *host) {
    if (host->run[0] == '\0')
        set_run(host, getenv("AWSYNC_RUN"));
    if (host->run[0] == '\0')
        random_name(host->run, RUN_RANDOM);
    return host->run;
}

/* arn:aws:lambda:REGION:ACCOUNT:function:NAME; may be NULL. The account stays the same. */
static void set_account(struct host *host, const char *arn) {
    if (host->account[0] != '\0')
        return;
    for (int colons = 0; arn != NULL && colons < 4; colons++)
        arn = (arn = strchr(arn, ':')) != NULL ? arn + 1 : NULL;
    size_t len = arn != NULL ? strspn(arn, "0123456789") : 0;
    if (len == 0 || len >= sizeof host->account || arn[len] != ':')
        return;
    memcpy(host->account, arn, len);
    host->account[len] = '\0';
}

static void set_times(struct host *host, int64_t deadline_ms, int64_t wall, int64_t mono) {
    host->expires_ms = deadline_ms > 0 ? deadline_ms : wall + DAY_MS;
    host->wait_until = host->finish_until = host->words_at = host->report_until = CHAN_FOREVER;
    if (deadline_ms <= 0)
        return;
    int64_t left = deadline_ms - wall, reserve = left / 10;
    if (reserve < RESERVE_MIN_MS)
        reserve = RESERVE_MIN_MS;
    if (reserve > RESERVE_MAX_MS)
        reserve = RESERVE_MAX_MS;
    host->wait_until = mono + left - reserve;
    host->finish_until = mono + left - reserve / 2;
    host->words_at = mono + left - reserve * 4 / 10;
    host->report_until = mono + left - reserve / 10;
}

/* Tells the hub and the client whose they are now. */
static void pass_on(struct host *host) {
    struct chan_invocation invocation = {
        .invocation_id = host->identity,
        .run = host_run(host),
        .function = host->function,
        .expires_ms = host->expires_ms,
    };
    chan_hub_begin(host->hub, &invocation);
    aws_client_set_trace_id(host->client, host->trace_id[0] != '\0' ? host->trace_id : NULL);
}

/* As much of a text as there is room for; NULL is none. */
static void put_text(char *out, size_t size, const char *text) {
    size_t len = text != NULL ? strnlen(text, size - 1) : 0;
    memcpy(out, text != NULL ? text : "", len);
    out[len] = '\0';
}

void binding_begin(lua_State *L, const struct binding_invocation *in) {
    struct host *host = host_get(L);
    if (in->request_id != NULL && in->request_id[0] != '\0')
        put_text(host->request_id, sizeof host->request_id, in->request_id);
    else
        random_uuid(host->request_id);
    put_text(host->identity, sizeof host->identity,
             in->claims != NULL ? in->claims->call : host->request_id);
    put_text(host->function, sizeof host->function, in->function);
    put_text(host->trace_id, sizeof host->trace_id, in->trace_id);
    set_account(host, in->arn);
    set_run(host, in->run);
    if (in->claims != NULL)
        host_run(host); /* the I/O thread writes it into a call's last words */
    int64_t wall = clock_wall_ms(), mono = clock_mono_ms();
    set_times(host, in->deadline_ms, wall, mono);
    host->depth = in->depth;
    host->spawns = 0;
    family_begin(L, host, in->claims, mono,
                 in->deadline_ms > 0 ? in->deadline_ms - wall : INT64_MAX);
    if (host->hub != NULL)
        pass_on(host);
    budget_begin(&host->budget, host->max_cost, host->memory_mb,
                 in->claims != NULL ? &in->claims->budget : NULL);
    host->requests_before = requests_of(host);
}

static bool describe(enum chan_result result, const struct chan_error *error, char *error_out,
                     size_t error_size) {
    /* CHAN_DELETED: the owner of a channel has left with values on their way to it. Nobody failed. */
    if (result == CHAN_OK || result == CHAN_DELETED)
        return true;
    if (result == CHAN_TIMEOUT)
        snprintf(error_out, error_size,
                 "what was pushed was not acknowledged before the time was over");
    else
        snprintf(error_out, error_size, "%s", error->text);
    return false;
}

static bool accepted(struct host *host, int64_t until, char *error_out, size_t error_size) {
    if (calls_wait(&host->calls, until) != CALLS_OK) {
        snprintf(error_out, error_size, "invoke: a call was not accepted before the time was over");
        return false;
    }
    bool refused = calls_take_failure(&host->calls, error_out, error_size, NULL);
    while (calls_take_failure(&host->calls, NULL, 0, NULL))
        ;
    return !refused;
}

static int64_t end_of(const struct host *host) {
    return host->finish_until != CHAN_FOREVER ? host->finish_until
                                              : clock_mono_ms() + NO_DEADLINE_FINISH_MS;
}

bool binding_flush(lua_State *L, char *error_out, size_t error_size) {
    struct host *host = host_get(L);
    if (host == NULL || host->hub == NULL)
        return true;
    int64_t until = end_of(host);
    bool ok = accepted(host, until, error_out, error_size);
    struct chan_error error = {0};
    enum chan_result result;
    do
        result = chan_hub_flush(host->hub, until, &error);
    while (result == CHAN_INTERRUPTED);
    return (!ok || describe(result, &error, error_out, error_size)) && ok;
}

bool binding_finish(lua_State *L, char *error_out, size_t error_size) {
    struct host *host = host_get(L);
    if (host == NULL || host->hub == NULL)
        return true;
    int64_t until = end_of(host);
    bool ok = accepted(host, until, error_out, error_size);
    /* The inbox at first: a record that comes between the last look and its end is lost. */
    family_forward(L, host, until);
    if (host->family.inbox != NULL)
        inbox_close(host->family.inbox, until);
    struct chan_error error = {0};
    enum chan_result result = chan_hub_finish(host->hub, until, &error);
    calls_take_woken(&host->calls); /* an interruption does not outlive the finish */
    if (ok)
        ok = describe(result, &error, error_out, error_size);
    if (host->family.claimer != NULL)
        claimer_settle(host->family.claimer, until);
    return ok;
}

/* --- what operations need -------------------------------------------------------------------- */

/* Calls that Lambda has refused: the first plain one raises, a linked one's future has it. */
static void take_refused(lua_State *L, struct host *host) {
    char refused[1024], id[CALLS_ID_SIZE];
    while (calls_take_failure(&host->calls, refused, sizeof refused, id))
        if (!family_refused(L, host, id, refused))
            host_error(L, "%s", refused);
}

struct host *host_ready(lua_State *L) {
    struct host *host = host_get(L);
    if (host->over)
        luaL_error(L, "awsync has ended with its Lua state");
    if (host->calls_ready == false && !(host->calls_ready = calls_init(&host->calls)))
        luaL_error(L, "not enough memory");
    if (host->client == NULL && (host->client = aws_client_new(NULL)) == NULL)
        luaL_error(L, "not enough memory");
    if (host->hub == NULL) {
        host->hub = chan_hub_new(host->client);
        if (host->hub == NULL)
            luaL_error(L, "not enough memory");
        calls_set_hub(&host->calls, host->hub);
        pass_on(host);
    }
    if (host->queue_base[0] == '\0' && host->account[0] != '\0' &&
        !sqs_queue_base(host->client, host->account, host->queue_base, sizeof host->queue_base))
        host->queue_base[0] = '\0';
    take_refused(L, host);
    check_budget(L, host);
    return host;
}

void binding_set_program_dir(lua_State *L, const char *directory) {
    struct host *host = host_get(L);
    char *copy = strdup(directory);
    if (copy == NULL)
        luaL_error(L, "not enough memory");
    free(host->program_dir);
    host->program_dir = copy;
}

const struct envelope_key *binding_key(lua_State *L) {
    struct host *host = host_get(L);
    if (!host->key_loaded) {
        char error[256] = "";
        if (!envelope_key_load(&host->key, host->program_dir, error, sizeof error))
            luaL_error(L, "%s", error);
        host->key_loaded = true;
    }
    return &host->key;
}

struct codec_options host_codec_options(lua_State *L, struct host *host, const char *operation,
                                        size_t limit) {
    host->encoding = ENCODING_VALUE;
    return (struct codec_options){
        .operation = operation,
        .limit = limit,
        .key = binding_key(L),
        .request_id = host->request_id,
    };
}

/* Adds code and request id where the text does not have them. */
static int raise_aws(lua_State *L, const struct chan_error *error) {
    const struct aws_error *aws = &error->aws;
    host_where(L);
    lua_pushstring(L, error->text[0] != '\0' ? error->text : aws->message);
    int parts = 2;
    if (aws->code[0] != '\0' && strstr(error->text, aws->code) == NULL) {
        lua_pushfstring(L, ": %s: %s", aws->code, aws->message);
        parts++;
    }
    if (aws->request_id[0] != '\0' && strstr(error->text, aws->request_id) == NULL) {
        lua_pushfstring(L, " (request id %s)", aws->request_id);
        parts++;
    }
    lua_concat(L, parts);
    return lua_error(L);
}

void host_raise(lua_State *L, struct host *host, const char *operation, enum chan_result result,
                const struct chan_error *error) {
    switch (result) {
    case CHAN_DELETED: /* by its owner, who has left: see docs/waiting.md */
        host_where(L);
        lua_pushfstring(L, "%s: closed: attempt to use a deleted channel", operation);
        lua_concat(L, 2);
        failed_raise(L, FAILED_CANCELLED);
        break;
    case CHAN_INTERRUPTED: /* something has happened to a call, or to this one */
        calls_take_woken(&host->calls);
        take_refused(L, host);
        family_check(L, host, operation);
        break;
    case CHAN_CLOSED:
        luaL_error(L, "%s: the channel is closed", operation);
        break;
    case CHAN_TIMEOUT:
        host_out_of_time(L, operation);
        break;
    default:
        raise_aws(L, error);
    }
}

int host_out_of_time(lua_State *L, const char *operation) {
    host_where(L);
    lua_pushfstring(L, "%s: the time of this invocation is almost over", operation);
    lua_concat(L, 2);
    long long silent = host_get(L)->family.outstanding;
    if (silent > 0) {
        lua_pushfstring(L, ", and %I spawned call%s not ended", (LUAI_UACINT)silent,
                        silent == 1 ? " has" : "s have");
        lua_concat(L, 2);
    }
    return failed_raise(L, FAILED_TIMEOUT);
}

void host_listen(lua_State *L, struct host *host, const char *operation, int64_t until) {
    family_look(L, host, operation);
    family_listen(host, until < host->wait_until ? until : host->wait_until);
}

void binding_open(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key) == LUA_TNIL) {
        struct host *host = lua_newuserdatauv(L, sizeof *host, 0);
        memset(host, 0, sizeof *host);
        read_limits(L, host); /* before the registry has it: who tries again is told again */
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, host_gc);
        lua_setfield(L, -2, "__gc");
        lua_setmetatable(L, -2);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
        channel_open_type(L);
        raw_open_type(L);
        failed_open_type(L);
        binding_begin(L, &(struct binding_invocation){0});
    }
    lua_pop(L, 1);
}
