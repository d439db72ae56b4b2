/*
** The SQS in memory as a Lua object: its queues, its faults, the log of its calls. Included by
** channel.c only.
*/
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
    lua_getfield(L, 2, "queue");
    const char *queue = luaL_optstring(L, -1, "");
    struct fake_fault *f = calloc(1, sizeof(*f));
    f->op = (enum fake_op)op;
    snprintf(f->kind, sizeof(f->kind), "%s", kind);
    snprintf(f->code, sizeof(f->code), "%s", code);
    snprintf(f->queue, sizeof(f->queue), "%s", queue);
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
