/* The options of Channel([options]). */
#include <string.h>

#include <lauxlib.h>

#include "host/binding/channel.h"

enum { VISIBILITY_MAX_S = 43200 };

/* The value of an option is on the stack's top; arg is the table. */
static bool read_boolean(lua_State *L, int arg, const char *name) {
    if (!lua_isboolean(L, -1))
        luaL_argerror(L, arg,
                      lua_pushfstring(L, "option '%s' is a %s, not a boolean", name,
                                      luaL_typename(L, -1)));
    return lua_toboolean(L, -1);
}

static int read_whole(lua_State *L, int arg, const char *name, const char *what, int min, int max) {
    int whole = 0;
    lua_Integer n = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &whole) : 0;
    if (!whole || n < min || n > max)
        luaL_argerror(L, arg,
                      lua_pushfstring(L, "option '%s' should be %s from %d to %d", name, what, min,
                                      max));
    return (int)n;
}

static void read_ordered(lua_State *L, int arg, const char *name, struct chan_options *options) {
    options->unordered = !read_boolean(L, arg, name);
}

static void read_visibility(lua_State *L, int arg, const char *name, struct chan_options *options) {
    options->visibility_s = read_whole(L, arg, name, "whole seconds", 1, VISIBILITY_MAX_S);
}

static void read_capacity(lua_State *L, int arg, const char *name, struct chan_options *options) {
    options->capacity = (unsigned)read_whole(L, arg, name, "a whole number", 0, CHAN_CAPACITY_MAX);
    options->bounded = true;
}

static void read_stream(lua_State *L, int arg, const char *name, struct chan_options *options) {
    options->stream = read_boolean(L, arg, name);
}

static void read_max_receives(lua_State *L, int arg, const char *name,
                              struct chan_options *options) {
    options->max_receives = read_whole(L, arg, name, "a whole number", 1, CHAN_RECEIVES_MAX);
}

static const struct {
    const char *name;
    void (*read)(lua_State *L, int arg, const char *name, struct chan_options *options);
} known[] = {
    {"capacity", read_capacity}, {"max_receives", read_max_receives}, {"ordered", read_ordered},
    {"stream", read_stream},     {"visibility", read_visibility},
};

enum { KNOWN = sizeof known / sizeof known[0] };

static void refuse(lua_State *L, int arg) {
    luaL_Buffer names;
    const char *key = luaL_tolstring(L, -2, NULL);
    luaL_buffinit(L, &names);
    for (size_t i = 0; i < KNOWN; i++) {
        luaL_addstring(&names, i > 0 ? ", " : "");
        luaL_addstring(&names, known[i].name);
    }
    luaL_pushresult(&names);
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "unknown option '%s' (there are: %s)", key,
                                  lua_tostring(L, -1)));
}

void channel_read_options(lua_State *L, int arg, struct chan_options *options) {
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, arg) != 0) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        size_t i = 0;
        while (i < KNOWN && (key == NULL || strcmp(key, known[i].name) != 0))
            i++;
        if (i == KNOWN)
            refuse(L, arg);
        else
            known[i].read(L, arg, key, options);
        lua_pop(L, 1);
    }
    const char *refused = chan_options_refuse(options);
    if (refused != NULL)
        luaL_argerror(L, arg, refused);
}
