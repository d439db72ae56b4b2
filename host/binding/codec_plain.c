/*
** Plain data to plain JSON in one walk, without a look ahead: it gives up at the first value that
** has no plain form, and the tagged walk begins anew.
*/
#include "host/binding/codec_internal.h"

#include <math.h>

/* Gives up; where there is no tagged form to take instead, it raises. */
#define NOT_PLAIN(E, step, ...)                                                                    \
    ((E)->strict ? (codec_refuse((E), (step), __VA_ARGS__), false) : false)

enum {
    LEVELS = 8,      /* for so many the Lua stack is made large enough at once */
    LEVEL_SLOTS = 2, /* a table's key and value */
};

static bool plain_table(struct codec_encoder *E, const struct codec_step *up);

static bool plain_number(struct codec_encoder *E, const struct codec_step *step) {
    lua_State *L = E->L;
    if (lua_isinteger(L, -1)) {
        codec_add_integer(E, lua_tointeger(L, -1));
        return true;
    }
    lua_Number value = lua_tonumber(L, -1);
    if (!isfinite(value))
        return NOT_PLAIN(E, step, "is %s, which JSON cannot say",
                         isnan(value) ? "nan"
                         : value < 0  ? "-inf"
                                      : "inf");
    codec_add_double(E, value);
    return true;
}

static bool plain_light(struct codec_encoder *E, const struct codec_step *step) {
    lua_State *L = E->L;
    if (lua_touserdata(L, -1) == NULL) {
        /* On top `null` is nil, not awsync.null. */
        if (step->kind == STEP_ROOT && !E->strict)
            return false;
        codec_add_literal(E, "null");
        return true;
    }
    if (codec_is_empty_array(L, -1)) {
        codec_add_literal(E, "[]");
        return true;
    }
    return NOT_PLAIN(E, step, "is a light userdata, which JSON cannot say");
}

static bool plain_string(struct codec_encoder *E, const struct codec_step *step) {
    size_t len;
    const char *text = lua_tolstring(E->L, -1, &len);
    if (codec_add_string(E, "", text, len))
        return true;
    return NOT_PLAIN(E, step, "is a string that is not UTF-8, which JSON cannot say");
}

static bool plain_value(struct codec_encoder *E, const struct codec_step *step, int type) {
    lua_State *L = E->L;
    switch (type) {
    case LUA_TSTRING:
        return plain_string(E, step);
    case LUA_TNUMBER:
        return plain_number(E, step);
    case LUA_TBOOLEAN:
        if (lua_toboolean(L, -1))
            codec_add_literal(E, "true");
        else
            codec_add_literal(E, "false");
        return true;
    case LUA_TTABLE:
        return plain_table(E, step);
    case LUA_TNIL:
        codec_add_literal(E, "null");
        return true;
    case LUA_TLIGHTUSERDATA:
        return plain_light(E, step);
    default:
        return NOT_PLAIN(E, step, "is a %s, which JSON cannot say", luaL_typename(L, -1));
    }
}

bool codec_plain(struct codec_encoder *E, const struct codec_step *step) {
    return plain_value(E, step, lua_type(E->L, -1));
}

/* One value of a table, which is on top. */
static bool plain_part(struct codec_encoder *E, const struct codec_step *step) {
    if (!E->whole) {
        int type = lua_type(E->L, -1);
        /* The most frequent ones without the way through the switch, which is hard to foresee. */
        if (type == LUA_TSTRING)
            return plain_string(E, step);
        if (type == LUA_TTABLE)
            return plain_table(E, step);
        return plain_value(E, step, type);
    }
    size_t begin = E->out.len;
    if (!codec_plain(E, step))
        return false;
    codec_note_part(E, step, begin);
    return true;
}

/* The first key is an integer and its value on top. */
static bool plain_sequence(struct codec_encoder *E, struct codec_step *step, int t) {
    lua_State *L = E->L;
    step->kind = STEP_INDEX;
    step->n = 1;
    codec_addc(E, '[');
    do {
        if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != step->n)
            break;
        if (step->n > 1)
            codec_addc(E, ',');
        if (!plain_part(E, step))
            return false;
        lua_pop(L, 1);
        step->n++;
    } while (lua_next(L, t));
    if (lua_gettop(L) > t) {
        /* The rest does not lie in order, if it is a sequence at all. */
        lua_Integer n;
        lua_settop(L, t);
        if (!codec_is_sequence(L, t, &n))
            return NOT_PLAIN(E, step->up,
                             "is a table with integer keys that is no list, which JSON cannot say");
        for (; step->n <= n; step->n++) {
            if (step->n > 1)
                codec_addc(E, ',');
            lua_rawgeti(L, t, step->n);
            if (!plain_part(E, step))
                return false;
            lua_pop(L, 1);
        }
    }
    codec_addc(E, ']');
    return true;
}

/* The first key and its value are on top. */
static bool plain_map(struct codec_encoder *E, struct codec_step *step, int t) {
    lua_State *L = E->L;
    bool first = true;
    step->kind = STEP_FIELD;
    step->slot = t + 1;
    codec_addc(E, '{');
    do {
        size_t len;
        if (lua_type(L, -2) != LUA_TSTRING)
            return NOT_PLAIN(E, step->up, "is a table with a %s as key, which JSON cannot say",
                             luaL_typename(L, -2));
        if (!first)
            codec_addc(E, ',');
        first = false;
        const char *key = lua_tolstring(L, -2, &len);
        if (!codec_add_string(E, "", key, len))
            return NOT_PLAIN(E, step->up,
                             "is a table with a key that is not UTF-8, which JSON cannot say");
        codec_addc(E, ':');
        if (!plain_part(E, step))
            return false;
        lua_pop(L, 1);
    } while (lua_next(L, t));
    codec_addc(E, '}');
    return true;
}

/* Whether the table may be written here: in a message once only, in plain JSON anywhere but in
** itself. */
static bool enter(struct codec_encoder *E, const struct codec_step *up, const void *table) {
    uint32_t old;
    if (!E->strict)
        return up->depth < CODEC_DEPTH_MAX && codec_object_new(E, table, &old);
    if (up->depth >= CODEC_DEPTH_MAX)
        codec_refuse(E, up, "is nested deeper than %d levels", CODEC_DEPTH_MAX);
    for (const struct codec_step *s = up; s; s = s->up) {
        if (s->table == table)
            codec_refuse(E, up, "is a table that contains itself, which JSON cannot say");
    }
    return true;
}

static bool plain_table(struct codec_encoder *E, const struct codec_step *up) {
    lua_State *L = E->L;
    int t = lua_gettop(L);
    const void *table = lua_topointer(L, t);
    bool array_mark = false;
    if (!enter(E, up, table))
        return false;
    if (up->depth % LEVELS == 0)
        luaL_checkstack(L, LEVELS * LEVEL_SLOTS + LUA_MINSTACK, NULL);
    if (lua_getmetatable(L, t)) {
        array_mark = codec_is_array_mark(L, -1);
        lua_pop(L, 1);
        if (!array_mark && !E->strict)
            return false;
    }
    struct codec_step step = {.up = up, .depth = up->depth + 1, .table = table};
    lua_pushnil(L);
    if (!lua_next(L, t)) {
        if (array_mark)
            codec_add_literal(E, "[]");
        else
            codec_add_literal(E, "{}");
        return true;
    }
    return lua_isinteger(L, -2) ? plain_sequence(E, &step, t) : plain_map(E, &step, t);
}
