/*
** Processes of their own, as threads: a race of receivers, and a worker in the background. Included
** by channel.c only.
*/
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
