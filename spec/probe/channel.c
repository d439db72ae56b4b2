/* The channel room as specs see it, over an SQS in memory with faults to order: servers, hubs and
** channels as objects. */
#include "spec/probe/channel_fake_queue.h"
#include "spec/probe/channel_fake_client.h"
#include "spec/probe/channel_fake_thread.h"
#include "spec/probe/channel_objects.h"
#include "spec/probe/channel_server.h"
#include "spec/probe/channel_threads.h"

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
