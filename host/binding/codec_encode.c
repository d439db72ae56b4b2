/* The encoder as an object, and what both of its walks need. */
#include "host/binding/codec_internal.h"

#include <stdlib.h>

enum {
    /* More than that is a value that multiplies itself: plain JSON may write a table many times. */
    TEXT_MAX = 1 << 28,
    KEPT_MAX = 1 << 12, /* so many bytes wait for the next value */
};

void codec_no_memory(lua_State *L) {
    luaL_error(L, "not enough memory");
    abort();
}

static void release(struct codec_encoder *E) {
    buf_free(&E->out);
    buf_free(&E->text);
    codec_map_free(&E->objects);
    codec_map_free(&E->cells);
}

void codec_set_finalizer(lua_State *L, const void *key, lua_CFunction collect) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TTABLE) {
        /* Whole before it is in the registry: memory may run out at each step. */
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    }
    lua_setmetatable(L, -2);
}

static int collect(lua_State *L) {
    release(lua_touserdata(L, 1));
    return 0;
}

static const char spare_key = 0;

/* Pushes a new encoder and makes it the spare one. */
static struct codec_encoder *create(lua_State *L) {
    static const char key = 0;
    /* The old spare one was left by an error, or is at work further down: it is not needed here
    ** while memory is asked for. */
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &spare_key);
    struct codec_encoder *E = lua_newuserdatauv(L, sizeof(*E), 0);
    buf_init(&E->out, TEXT_MAX);
    buf_init(&E->text, TEXT_MAX);
    codec_map_init(&E->objects);
    codec_map_init(&E->cells);
    E->busy = false;
    codec_set_finalizer(L, &key, collect);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &spare_key);
    return E;
}

struct codec_encoder *codec_encoder_new(lua_State *L, const char *operation) {
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    struct codec_encoder *E = NULL;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &spare_key) == LUA_TUSERDATA)
        E = lua_touserdata(L, -1);
    if (!E || E->busy) {
        lua_pop(L, 1);
        E = create(L);
    }
    E->busy = true;
    E->L = L;
    E->operation = operation;
    buf_reset(&E->out);
    E->object_count = E->cell_count = E->code_count = 0;
    E->strict = E->may_name = E->named = E->modules_known = false;
    E->whole = E->part_size = 0;
    E->part_found = false;
    E->names = lua_gettop(L) + 1;
    E->codes = E->names + 1;
    E->part = E->names + 2;
    lua_settop(L, E->part);
    return E;
}

void codec_encoder_done(struct codec_encoder *E) {
    if (E->out.cap > KEPT_MAX)
        buf_free(&E->out);
    buf_free(&E->text);
    codec_map_free(&E->objects);
    codec_map_free(&E->cells);
    E->busy = false;
}

void codec_encoder_fail(struct codec_encoder *E) {
    codec_encoder_done(E);
    codec_no_memory(E->L);
}

void codec_encoder_restart(struct codec_encoder *E) {
    E->out.len = 0;
    codec_map_free(&E->objects);
    codec_map_free(&E->cells);
    E->object_count = E->cell_count = E->code_count = 0;
    E->modules_known = E->named = false;
    lua_pushnil(E->L);
    lua_replace(E->L, E->codes);
}

/* A loaded module is told from other tables by being in the map already. */
static void enter_modules(struct codec_encoder *E) {
    lua_State *L = E->L;
    uint32_t old;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    enum codec_map_result result =
        codec_map_put(&E->objects, lua_topointer(L, -1), CODEC_MODULE, &old);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    while (result != CODEC_MAP_NO_MEMORY && lua_next(L, -2)) {
        if (lua_istable(L, -1) || lua_isfunction(L, -1))
            result = codec_map_put(&E->objects, lua_topointer(L, -1), CODEC_MODULE, &old);
        lua_pop(L, 1);
    }
    if (result == CODEC_MAP_NO_MEMORY)
        codec_encoder_fail(E);
    lua_pop(L, 2);
    E->modules_known = true;
}

bool codec_object_new(struct codec_encoder *E, const void *object, uint32_t *old) {
    if (!E->modules_known)
        enter_modules(E);
    enum codec_map_result result = codec_map_put(&E->objects, object, E->object_count, old);
    if (result == CODEC_MAP_NO_MEMORY)
        codec_encoder_fail(E);
    if (result == CODEC_MAP_NEW)
        E->object_count++;
    return result == CODEC_MAP_NEW;
}

bool codec_is_sequence(lua_State *L, int t, lua_Integer *n) {
    lua_Integer count = 0, most = 0;
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_pop(L, 1);
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1) {
            lua_pop(L, 1);
            return false;
        }
        lua_Integer key = lua_tointeger(L, -1);
        most = key > most ? key : most;
        count++;
    }
    *n = count;
    return most == count;
}
