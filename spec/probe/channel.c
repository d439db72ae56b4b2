/* The channel room as specs see it, over an SQS in memory with faults to order: servers, hubs and
** channels as objects. */
#include <lauxlib.h>
#include <lua.h>

#include "spec/probe/channel_fake_queue.h"
#include "spec/probe/channel_fake_client.h"

#include "host/channel/channel.h"

#define SERVER_NAME "probe.server"
#define HUB_NAME    "probe.hub"
#define CHAN_NAME   "probe.chan"

static const char *const result_names[] = {"ok",      "timeout",     "closed",
                                           "deleted", "interrupted", "failed"};

struct server {
    struct fake_server *fake;
};
struct hub {
    struct aws_client *client;
    struct chan_hub *hub;
};
struct box {
    struct chan *chan;
};
#define LEASE_NAME "probe.lease"
struct lease_box {
    struct chan_lease *lease;
};

static int64_t deadline_at(lua_State *L, int index) {
    if (lua_isnoneornil(L, index))
        return CHAN_FOREVER;
    double seconds = luaL_checknumber(L, index);
    return seconds <= 0 ? 0 : clock_mono_ms() + (int64_t)(seconds * 1000);
}

/* true, or nil, the result's name and the text */
static int push_result(lua_State *L, enum chan_result result, const struct chan_error *error) {
    if (result == CHAN_OK) {
        lua_pushboolean(L, true);
        return 1;
    }
    luaL_pushfail(L);
    lua_pushstring(L, result_names[result]);
    lua_pushstring(L, error->text);
    lua_pushstring(L, error->aws.code);
    return 4;
}

/* --- channels --------------------------------------------------------------------------------- */

static struct chan *check_chan(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, CHAN_NAME);
    luaL_argcheck(L, box->chan, 1, "released");
    return box->chan;
}

static int push_chan(lua_State *L, struct chan *chan) {
    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    box->chan = chan;
    luaL_setmetatable(L, CHAN_NAME);
    return 1;
}

static int c_push(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct chan_error error;
    enum chan_result result = chan_push(check_chan(L), text, len, deadline_at(L, 3), &error);
    return push_result(L, result, &error);
}

/* push_many(count, prefix): quick pushes of prefix .. i */
static int c_push_many(lua_State *L) {
    lua_Integer count = luaL_checkinteger(L, 2);
    const char *prefix = luaL_optstring(L, 3, "");
    struct chan_error error;
    for (lua_Integer i = 1; i <= count; i++) {
        char text[128];
        int len = snprintf(text, sizeof(text), "%s%lld", prefix, (long long)i);
        enum chan_result result = chan_push(check_chan(L), text, (size_t)len, CHAN_FOREVER, &error);
        if (result != CHAN_OK)
            return push_result(L, result, &error);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int c_pop(lua_State *L) {
    struct chan_error error;
    char *data;
    size_t len;
    enum chan_result result = chan_pop(check_chan(L), deadline_at(L, 2), &data, &len, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_pushlstring(L, data, len);
    free(data);
    return 1;
}

/* lease([seconds]): a lease, or nil and why */
static int c_lease(lua_State *L) {
    struct chan_error error;
    struct chan_lease *lease;
    enum chan_result result = chan_lease(check_chan(L), deadline_at(L, 2), &lease, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    struct lease_box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    box->lease = lease;
    luaL_setmetatable(L, LEASE_NAME);
    return 1;
}

static int c_cap(lua_State *L) {
    lua_pushinteger(L, chan_cap(check_chan(L)));
    return 1;
}

static struct chan_lease *check_lease(lua_State *L) {
    struct lease_box *box = luaL_checkudata(L, 1, LEASE_NAME);
    luaL_argcheck(L, box->lease, 1, "ended");
    return box->lease;
}

static int l_data(lua_State *L) {
    size_t len;
    const char *data = chan_lease_data(check_lease(L), &len);
    if (data)
        lua_pushlstring(L, data, len);
    else
        lua_pushnil(L);
    return 1;
}

static int l_lost(lua_State *L) {
    lua_pushboolean(L, chan_lease_lost(check_lease(L)));
    return 1;
}

static int end_lease(lua_State *L, bool done) {
    struct chan_error error;
    struct chan_lease *lease = check_lease(L);
    ((struct lease_box *)lua_touserdata(L, 1))->lease = NULL;
    enum chan_result result =
        done ? chan_lease_done(lease, &error) : chan_lease_return(lease, &error);
    return push_result(L, result, &error);
}

static int l_done(lua_State *L) {
    return end_lease(L, true);
}

static int l_return(lua_State *L) {
    return end_lease(L, false);
}

static int l_gc(lua_State *L) {
    struct lease_box *box = luaL_checkudata(L, 1, LEASE_NAME);
    if (box->lease)
        chan_lease_return(box->lease, NULL);
    box->lease = NULL;
    return 0;
}

static int c_url(lua_State *L) {
    struct chan_error error = {0};
    const char *url;
    enum chan_result result = chan_url(check_chan(L), deadline_at(L, 2), &url, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_pushstring(L, url);
    return 1;
}

static int c_delete(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_delete(check_chan(L), &error);
    return push_result(L, result, &error);
}

static int c_close(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_close(check_chan(L), &error);
    return push_result(L, result, &error);
}

static int c_len(lua_State *L) {
    struct chan_error error;
    size_t len;
    enum chan_result result = chan_len(check_chan(L), deadline_at(L, 2), &len, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_pushinteger(L, (lua_Integer)len);
    return 1;
}

static int c_release(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, CHAN_NAME);
    struct chan *chan = box->chan;
    box->chan = NULL;
    chan_release(chan);
    return 0;
}

static int c_name(lua_State *L) {
    lua_pushstring(L, chan_name(check_chan(L)));
    return 1;
}

static int c_options(lua_State *L) {
    const struct chan_options *options = chan_options_of(check_chan(L));
    lua_pushboolean(L, options->unordered);
    lua_pushinteger(L, options->visibility_s);
    return 2;
}

static int c_same(lua_State *L) {
    struct box *other = luaL_checkudata(L, 2, CHAN_NAME);
    lua_pushboolean(L, check_chan(L) == other->chan);
    return 1;
}

/* --- hubs ------------------------------------------------------------------------------------- */

static struct hub *check_hub(lua_State *L) {
    struct hub *hub = luaL_checkudata(L, 1, HUB_NAME);
    luaL_argcheck(L, hub->hub, 1, "freed");
    return hub;
}

static struct chan_options check_options(lua_State *L, int index) {
    struct chan_options options = {0};
    if (lua_isnoneornil(L, index))
        return options;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, "unordered");
    options.unordered = lua_toboolean(L, -1);
    lua_getfield(L, index, "visibility");
    options.visibility_s = (int)luaL_optinteger(L, -1, 0);
    lua_getfield(L, index, "capacity");
    options.bounded = !lua_isnil(L, -1);
    options.capacity = (unsigned)luaL_optinteger(L, -1, 0);
    lua_getfield(L, index, "stream");
    options.stream = lua_toboolean(L, -1);
    lua_getfield(L, index, "max_receives");
    options.max_receives = (int)luaL_optinteger(L, -1, 0);
    lua_pop(L, 5);
    return options;
}

static int h_begin(lua_State *L) {
    const struct chan_invocation invocation = {
        .invocation_id = luaL_checkstring(L, 2),
        .run = luaL_optstring(L, 3, ""),
        .function = luaL_optstring(L, 4, ""),
        .expires_ms = luaL_optinteger(L, 5, 0),
    };
    chan_hub_begin(check_hub(L)->hub, &invocation);
    return 0;
}

static int h_create(lua_State *L) {
    struct chan_options options = check_options(L, 2);
    return push_chan(L, chan_create(check_hub(L)->hub, &options));
}

static int h_open(lua_State *L) {
    struct chan_options options = check_options(L, 3);
    return push_chan(L, chan_open(check_hub(L)->hub, luaL_checkstring(L, 2), &options));
}

static int h_flush(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_hub_flush(check_hub(L)->hub, deadline_at(L, 2), &error);
    return push_result(L, result, &error);
}

static int h_finish(lua_State *L) {
    struct chan_error error;
    enum chan_result result = chan_hub_finish(check_hub(L)->hub, deadline_at(L, 2), &error);
    return push_result(L, result, &error);
}

enum { CASES_MAX = 32 };
/* select({ {chan or false, value or nil}, ... } [, seconds]): index or 0, value or nil, the
** result's name, text */
static int h_select(lua_State *L) {
    struct hub *hub = check_hub(L);
    struct chan_case cases[CASES_MAX];
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t count = lua_rawlen(L, 2);
    luaL_argcheck(L, count <= CASES_MAX, 2, "too many cases");
    luaL_checkstack(L, CASES_MAX * 3, "cases");
    int64_t deadline = deadline_at(L, 3);
    lua_settop(L, 3);
    for (size_t i = 0; i < count; i++) {
        cases[i] = (struct chan_case){0};
        lua_rawgeti(L, 2, (lua_Integer)i + 1); /* the values stay on the stack */
        lua_rawgeti(L, -1, 1);
        if (lua_toboolean(L, -1))
            cases[i].chan = ((struct box *)luaL_checkudata(L, -1, CHAN_NAME))->chan;
        lua_rawgeti(L, -2, 2);
        if (!lua_isnil(L, -1))
            cases[i].data = luaL_checklstring(L, -1, &cases[i].len);
    }
    struct chan_error error;
    char *data;
    size_t len;
    int which;
    enum chan_result result =
        chan_select(hub->hub, cases, count, deadline, &which, &data, &len, &error);
    lua_pushinteger(L, which + 1);
    if (data)
        lua_pushlstring(L, data, len);
    else
        lua_pushnil(L);
    free(data);
    lua_pushstring(L, result_names[result]);
    lua_pushstring(L, error.text);
    return 4;
}

/* letters(url [, take]): a list of {data, receives}, or nil and why */
static int h_letters(lua_State *L) {
    struct hub *hub = check_hub(L);
    struct chan_letter letters[10];
    struct chan_error error;
    size_t count;
    enum chan_result result =
        chan_dead_letters(hub->client, luaL_checkstring(L, 2), clock_mono_ms() + 5000,
                          lua_toboolean(L, 3), letters, &count, &error);
    if (result != CHAN_OK)
        return push_result(L, result, &error);
    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        lua_newtable(L);
        lua_pushlstring(L, letters[i].data, letters[i].len);
        lua_setfield(L, -2, "data");
        lua_pushinteger(L, letters[i].receives);
        lua_setfield(L, -2, "receives");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
        free(letters[i].data);
    }
    return 1;
}

static void interrupt_task(void *context) {
    chan_hub_interrupt(context);
}

/* interrupt([seconds]) */
static int h_interrupt(lua_State *L) {
    struct hub *hub = check_hub(L);
    double seconds = luaL_optnumber(L, 2, 0);
    if (seconds > 0)
        aws_timer(hub->client, (int64_t)(seconds * 1000), interrupt_task, hub->hub);
    else
        chan_hub_interrupt(hub->hub);
    return 0;
}

/* calls under way */
static int h_open_calls(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)fake_client_open(check_hub(L)->client));
    return 1;
}

static int h_free(lua_State *L) {
    struct hub *hub = luaL_checkudata(L, 1, HUB_NAME);
    if (hub->hub)
        chan_hub_free(hub->hub);
    if (hub->client)
        fake_client_free(hub->client);
    hub->hub = NULL;
    hub->client = NULL;
    return 0;
}

/* --- servers ---------------------------------------------------------------------------------- */

static struct fake_server *check_server(lua_State *L) {
    struct server *server = luaL_checkudata(L, 1, SERVER_NAME);
    return server->fake;
}

static lua_Integer field(lua_State *L, int index, const char *name, lua_Integer otherwise) {
    lua_getfield(L, index, name);
    lua_Integer value = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return value;
}

/* server{latency = ms, young = ms, seed = n} */
static int new_server(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct server *server = lua_newuserdatauv(L, sizeof(*server), 0);
    server->fake = NULL;
    luaL_setmetatable(L, SERVER_NAME);
    struct fake_server *s = server->fake = calloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    s->refs = 1;
    s->latency_ms = (int)field(L, 1, "latency", 2);
    s->young_ms = (int)field(L, 1, "young", 0);
    s->seed = (uint64_t)field(L, 1, "seed", 1) * 0x9e3779b97f4a7c15u + 1;
    s->start_ms = clock_mono_ms();
    return 1;
}

static int s_gc(lua_State *L) {
    struct server *server = luaL_checkudata(L, 1, SERVER_NAME);
    if (server->fake)
        fake_release(server->fake);
    server->fake = NULL;
    return 0;
}

static int s_hub(lua_State *L) {
    struct fake_server *s = check_server(L);
    struct hub *hub = lua_newuserdatauv(L, sizeof(*hub), 0);
    *hub = (struct hub){0};
    luaL_setmetatable(L, HUB_NAME);
    hub->client = fake_client(s);
    hub->hub = chan_hub_new(hub->client);
    return 1;
}

/* queue(name): makes a queue and returns its URL */
static int s_queue(lua_State *L) {
    struct fake_server *s = check_server(L);
    char url[160];
    pthread_mutex_lock(&s->lock);
    snprintf(url, sizeof(url), "%s",
             fake_make(s, luaL_checkstring(L, 2), (int)luaL_optinteger(L, 3, 30))->url);
    pthread_mutex_unlock(&s->lock);
    lua_pushstring(L, url);
    return 1;
}

/* remove(url): deletes a queue as another process would */
static int s_remove(lua_State *L) {
    struct fake_server *s = check_server(L);
    pthread_mutex_lock(&s->lock);
    struct fake_queue *q = fake_find(s, luaL_checkstring(L, 2));
    if (q)
        q->deleted = true;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static int s_fault(lua_State *L) {
    struct fake_server *s = check_server(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "op");
    int op = luaL_checkoption(L, -1, NULL, op_names);
    lua_getfield(L, 2, "kind");
    const char *kind = luaL_checkstring(L, -1);
    lua_getfield(L, 2, "code");
    const char *code = luaL_optstring(L, -1, "InternalError");
    lua_getfield(L, 2, "chance");
    double chance = luaL_optnumber(L, -1, 1);
    struct fake_fault *f = calloc(1, sizeof(*f));
    f->op = (enum fake_op)op;
    snprintf(f->kind, sizeof(f->kind), "%s", kind);
    snprintf(f->code, sizeof(f->code), "%s", code);
    f->chance = chance;
    f->skip = (int)field(L, 2, "skip", 0);
    f->count = (int)field(L, 2, "count", 1);
    f->entries = (unsigned)field(L, 2, "entries", 0);
    f->ms = (int)field(L, 2, "ms", 0);
    pthread_mutex_lock(&s->lock);
    struct fake_fault **at = &s->faults;
    while (*at)
        at = &(*at)->next;
    *at = f;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

/* calm(): no faults any more */
static int s_calm(lua_State *L) {
    struct fake_server *s = check_server(L);
    pthread_mutex_lock(&s->lock);
    for (struct fake_fault *f = s->faults; f; f = f->next)
        f->count = 0;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static void set_string(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* All calls so far, in the order of their arrival; and the rule that was broken, or nil. */
static int s_log(lua_State *L) {
    struct fake_server *s = check_server(L);
    lua_gc(L, LUA_GCSTOP); /* a finalizer would take a hub's lock under the server's */
    pthread_mutex_lock(&s->lock);
    lua_newtable(L);
    for (size_t i = 0; i < s->log_count; i++) {
        const struct fake_log *l = &s->log[i];
        lua_newtable(L);
        set_string(L, "op", op_names[l->op]);
        set_string(L, "queue", l->queue);
        set_string(L, "what", l->what);
        set_string(L, "fault", l->fault);
        set_integer(L, "count", (lua_Integer)l->count);
        set_integer(L, "max", l->max);
        set_integer(L, "wait", l->wait);
        set_integer(L, "at", l->at_ms);
        set_integer(L, "client", l->client);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    if (s->error[0])
        lua_pushstring(L, s->error);
    else
        luaL_pushfail(L);
    pthread_mutex_unlock(&s->lock);
    lua_gc(L, LUA_GCRESTART);
    return 2;
}

/* The queues that are there: name, url, note, messages, hidden. */
static int s_queues(lua_State *L) {
    struct fake_server *s = check_server(L);
    int64_t now = clock_mono_ms();
    lua_Integer n = 0;
    lua_gc(L, LUA_GCSTOP); /* a finalizer would take a hub's lock under the server's */
    pthread_mutex_lock(&s->lock);
    lua_newtable(L);
    for (const struct fake_queue *q = s->queues; q; q = q->next) {
        if (q->deleted)
            continue;
        lua_Integer messages = 0, hidden = 0;
        for (const struct fake_message *m = q->first; m; m = m->next) {
            messages++;
            hidden += m->visible_at > now;
        }
        lua_newtable(L);
        set_string(L, "name", q->name);
        set_string(L, "url", q->url);
        set_string(L, "note", q->note);
        set_integer(L, "messages", messages);
        set_integer(L, "hidden", hidden);
        lua_rawseti(L, -2, ++n);
    }
    pthread_mutex_unlock(&s->lock);
    lua_gc(L, LUA_GCRESTART);
    return 1;
}

/* --- a race: receivers in threads of their own ------------------------------------------------ */

enum { RACE_MAX = 16, RACE_VALUES = 20000 };
struct racer {
    pthread_t thread;
    struct fake_server *server;
    const char *url;
    struct chan_options options;
    int job_ms, patience_ms;
    int count;
    int *values; /* RACE_VALUES */
    bool ok;
};

static void *race(void *context) {
    struct racer *r = context;
    struct aws_client *client = fake_client(r->server);
    struct chan_hub *hub = chan_hub_new(client);
    struct chan *chan = chan_open(hub, r->url, &r->options);
    struct chan_error error;
    char *data;
    size_t len;
    while (chan_pop(chan, clock_mono_ms() + r->patience_ms, &data, &len, &error) == CHAN_OK) {
        if (r->count < RACE_VALUES)
            r->values[r->count++] = (int)strtol(data, NULL, 10);
        free(data);
        if (r->job_ms) {
            struct timespec job = {.tv_sec = r->job_ms / 1000,
                                   .tv_nsec = (long)(r->job_ms % 1000) * 1000000};
            nanosleep(&job, NULL);
        }
    }
    r->ok = chan_hub_finish(hub, clock_mono_ms() + 5000, &error) == CHAN_OK;
    chan_release(chan);
    chan_hub_free(hub);
    fake_client_free(client);
    return NULL;
}

/* race{url=, workers=, job=ms, patience=ms, unordered=}: a list of numbers for each worker,
** whether all ended well */
static int s_race(lua_State *L) {
    struct racer racers[RACE_MAX];
    struct fake_server *s = check_server(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    int workers = (int)field(L, 2, "workers", 1);
    luaL_argcheck(L, workers >= 1 && workers <= RACE_MAX, 2, "workers");
    lua_getfield(L, 2, "url");
    const char *url = luaL_checkstring(L, -1);
    struct chan_options options = check_options(L, 2);
    int *values = lua_newuserdatauv(L, sizeof(int) * RACE_VALUES * (size_t)workers, 0);
    int job = (int)field(L, 2, "job", 0), patience = (int)field(L, 2, "patience", 500);
    for (int i = 0; i < workers; i++) {
        racers[i] = (struct racer){.server = s,
                                   .url = url,
                                   .options = options,
                                   .job_ms = job,
                                   .patience_ms = patience,
                                   .values = values + (size_t)i * RACE_VALUES};
        pthread_create(&racers[i].thread, NULL, race, &racers[i]);
    }
    bool ok = true;
    for (int i = 0; i < workers; i++) {
        pthread_join(racers[i].thread, NULL);
        ok = ok && racers[i].ok;
    }
    lua_newtable(L);
    for (int i = 0; i < workers; i++) {
        lua_newtable(L);
        for (int k = 0; k < racers[i].count; k++) {
            lua_pushinteger(L, racers[i].values[k]);
            lua_rawseti(L, -2, k + 1);
        }
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushboolean(L, ok);
    return 2;
}

/* --- a worker in the background --------------------------------------------------------------- */

#define WORKER_NAME "probe.worker"
enum { WORKER_MAX = 2000 };
struct worker {
    pthread_t thread;
    struct fake_server *server;
    char url[160], id[32];
    struct chan_options options;
    bool pushes, running, ok;
    int count, wait_ms, pause_ms, done;
    int values[WORKER_MAX];
    int64_t times[WORKER_MAX]; /* when each operation ended */
};

static void *work(void *context) {
    struct worker *w = context;
    struct aws_client *client = fake_client(w->server);
    struct chan_hub *hub = chan_hub_new(client);
    const struct chan_invocation invocation = {.invocation_id = w->id};
    chan_hub_begin(hub, &invocation);
    struct chan *chan = chan_open(hub, w->url, &w->options);
    struct chan_error error;
    while (w->done < w->count && w->done < WORKER_MAX) {
        int64_t deadline = clock_mono_ms() + w->wait_ms;
        enum chan_result result;
        char text[32], *data = NULL;
        size_t len;
        if (w->pushes) {
            int n = snprintf(text, sizeof(text), "%d", w->done + 1);
            result = chan_push(chan, text, (size_t)n, deadline, &error);
        } else
            result = chan_pop(chan, deadline, &data, &len, &error);
        if (result != CHAN_OK)
            break;
        w->values[w->done] = data ? (int)strtol(data, NULL, 10) : 0;
        free(data);
        w->times[w->done++] = clock_mono_us();
        if (w->pause_ms) {
            struct timespec pause = {.tv_sec = w->pause_ms / 1000,
                                     .tv_nsec = (long)(w->pause_ms % 1000) * 1000000};
            nanosleep(&pause, NULL);
        }
    }
    w->ok = chan_hub_finish(hub, clock_mono_ms() + 8000, &error) == CHAN_OK;
    chan_release(chan);
    chan_hub_free(hub);
    fake_client_free(client);
    return NULL;
}

/* work{url=, push=, count=, wait=ms for one operation, pause=ms, id=, and options} */
static int s_work(lua_State *L) {
    struct fake_server *s = check_server(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct worker *w = lua_newuserdatauv(L, sizeof(*w), 1);
    *w = (struct worker){.server = s, .options = check_options(L, 2)};
    luaL_setmetatable(L, WORKER_NAME);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_getfield(L, 2, "url");
    snprintf(w->url, sizeof(w->url), "%s", luaL_checkstring(L, -1));
    lua_getfield(L, 2, "id");
    snprintf(w->id, sizeof(w->id), "%s", luaL_optstring(L, -1, "worker"));
    lua_getfield(L, 2, "push");
    w->pushes = lua_toboolean(L, -1);
    lua_pop(L, 3);
    w->count = (int)field(L, 2, "count", WORKER_MAX);
    w->wait_ms = (int)field(L, 2, "wait", 5000);
    w->pause_ms = (int)field(L, 2, "pause", 0);
    w->running = pthread_create(&w->thread, NULL, work, w) == 0;
    return 1;
}

static int w_gc(lua_State *L) {
    struct worker *w = luaL_checkudata(L, 1, WORKER_NAME);
    if (w->running)
        pthread_join(w->thread, NULL);
    w->running = false;
    return 0;
}

/* join(): values, when each operation ended, whether the end was clean */
static int w_join(lua_State *L) {
    struct worker *w = luaL_checkudata(L, 1, WORKER_NAME);
    w_gc(L);
    lua_newtable(L);
    lua_newtable(L);
    for (int i = 0; i < w->done; i++) {
        lua_pushinteger(L, w->values[i]);
        lua_rawseti(L, -3, i + 1);
        lua_pushnumber(L, (double)w->times[i] / 1e6);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushboolean(L, w->ok);
    return 3;
}

/* --- module ----------------------------------------------------------------------------------- */

/* sleep(seconds), now() in seconds */
static int m_sleep(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
    return 0;
}

static int m_now(lua_State *L) {
    lua_pushnumber(L, (double)clock_mono_us() / 1e6);
    return 1;
}

static void new_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
    luaL_newmetatable(L, name);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_probe_channel(lua_State *L);
int luaopen_probe_channel(lua_State *L) {
    static const luaL_Reg chan_methods[] = {
        {"push", c_push},     {"push_many", c_push_many},
        {"pop", c_pop},       {"url", c_url},
        {"delete", c_delete}, {"release", c_release},
        {"name", c_name},     {"options", c_options},
        {"same", c_same},     {"close", c_close},
        {"len", c_len},       {"lease", c_lease},
        {"cap", c_cap},       {NULL, NULL},
    };
    static const luaL_Reg hub_methods[] = {
        {"begin", h_begin},           {"create", h_create}, {"open", h_open},
        {"flush", h_flush},           {"finish", h_finish}, {"interrupt", h_interrupt},
        {"open_calls", h_open_calls}, {"free", h_free},     {"select", h_select},
        {"letters", h_letters},       {NULL, NULL},
    };
    static const luaL_Reg server_methods[] = {
        {"hub", s_hub},   {"queue", s_queue},   {"remove", s_remove}, {"fault", s_fault},
        {"log", s_log},   {"queues", s_queues}, {"race", s_race},     {"work", s_work},
        {"calm", s_calm}, {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"server", new_server},
                                         {"sleep", m_sleep},
                                         {"now", m_now},
                                         {NULL, NULL}};
    static const luaL_Reg lease_methods[] = {{"data", l_data},
                                             {"lost", l_lost},
                                             {"done", l_done},
                                             {"give_back", l_return},
                                             {NULL, NULL}};
    static const luaL_Reg worker_methods[] = {{"join", w_join}, {NULL, NULL}};
    new_class(L, WORKER_NAME, worker_methods, w_gc);
    new_class(L, LEASE_NAME, lease_methods, l_gc);
    new_class(L, CHAN_NAME, chan_methods, c_release);
    new_class(L, HUB_NAME, hub_methods, h_free);
    new_class(L, SERVER_NAME, server_methods, s_gc);
    luaL_newlib(L, functions);
    return 1;
}
