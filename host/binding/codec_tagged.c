/* Any value to tagged JSON. Objects are numbered as they begin; docs/wire.md has the forms. */
#include "host/binding/codec_internal.h"

#include <math.h>
#include <string.h>

enum shape { SEQUENCE, MAP, ANY };

/* Integer keys 1..n (n then), text keys only, or something else. */
static enum shape shape_of(lua_State *L, int t, lua_Integer *n) {
    if (codec_is_sequence(L, t, n))
        return *n > 0 ? SEQUENCE : MAP;
    lua_pushnil(L);
    while (lua_next(L, t)) {
        size_t len = 0;
        lua_pop(L, 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
        if (!key || !json_utf8_valid(key, len)) {
            lua_pop(L, 1);
            return ANY;
        }
    }
    return MAP;
}

static void tagged_sequence(struct codec_encoder *E, struct codec_step *step, int t,
                            lua_Integer n) {
    step->kind = STEP_INDEX;
    codec_addc(E, '[');
    for (step->n = 1; step->n <= n; step->n++) {
        if (step->n > 1)
            codec_addc(E, ',');
        lua_rawgeti(E->L, t, step->n);
        codec_tagged(E, step);
        lua_pop(E->L, 1);
    }
    codec_addc(E, ']');
}

static void tagged_map(struct codec_encoder *E, struct codec_step *step, int t) {
    lua_State *L = E->L;
    bool first = true;
    step->kind = STEP_FIELD;
    step->slot = t + 1;
    codec_addc(E, '{');
    lua_pushnil(L);
    while (lua_next(L, t)) {
        size_t len;
        const char *key = lua_tolstring(L, -2, &len);
        if (!first)
            codec_addc(E, ',');
        first = false;
        /* No key of the program's looks like a tag. */
        codec_add_string(E, len > 0 && key[0] == '$' ? "$" : "", key, len);
        codec_addc(E, ':');
        codec_tagged(E, step);
        lua_pop(L, 1);
    }
    codec_addc(E, '}');
}

/* Keys and values in turn, with the name of the metatable before them. */
static void tagged_any(struct codec_encoder *E, struct codec_step *step, int t, bool has_meta) {
    lua_State *L = E->L;
    bool first = true;
    step->slot = t + 1;
    codec_addc(E, '{');
    if (has_meta) {
        codec_add_literal(E, "\"$m\":");
        lua_getmetatable(L, t);
        if (!codec_add_name(E, -1, false)) {
            lua_pop(L, 1);
            codec_refuse_value(E, step->up);
        }
        lua_pop(L, 1);
        codec_need_signature(E, step->up, "a table with a metatable");
        codec_addc(E, ',');
    }
    codec_add_literal(E, "\"$t\":[");
    lua_pushnil(L);
    while (lua_next(L, t)) {
        if (!first)
            codec_addc(E, ',');
        first = false;
        step->kind = STEP_KEY;
        lua_pushvalue(L, -2);
        codec_tagged(E, step);
        lua_pop(L, 1);
        codec_addc(E, ',');
        step->kind = STEP_FIELD;
        codec_tagged(E, step);
        lua_pop(L, 1);
    }
    codec_add_literal(E, "]}");
}

static void check_depth(struct codec_encoder *E, const struct codec_step *step) {
    if (step->depth >= CODEC_DEPTH_MAX)
        codec_refuse(E, step, "is nested deeper than %d levels", CODEC_DEPTH_MAX);
    luaL_checkstack(E->L, LUA_MINSTACK, NULL);
}

/* Writes what is known already by its number or name. */
static void known(struct codec_encoder *E, const struct codec_step *step, uint32_t number) {
    if (number == CODEC_MODULE) {
        codec_tagged_name(E, step);
        return;
    }
    codec_add_literal(E, "{\"$r\":");
    codec_add_integer(E, number);
    codec_addc(E, '}');
}

static void tagged_table(struct codec_encoder *E, const struct codec_step *up) {
    lua_State *L = E->L;
    int t = lua_gettop(L);
    uint32_t number;
    lua_Integer n;
    if (!codec_object_new(E, lua_topointer(L, t), &number)) {
        known(E, up, number);
        return;
    }
    check_depth(E, up);
    bool has_meta = false;
    if (lua_getmetatable(L, t)) {
        has_meta = !codec_is_array_mark(L, -1);
        lua_pop(L, 1);
    }
    struct codec_step step = {.up = up, .depth = up->depth + 1};
    enum shape shape = has_meta ? ANY : shape_of(L, t, &n);
    if (shape == SEQUENCE)
        tagged_sequence(E, &step, t, n);
    else if (shape == MAP)
        tagged_map(E, &step, t);
    else
        tagged_any(E, &step, t, has_meta);
}

void codec_tagged_name(struct codec_encoder *E, const struct codec_step *step) {
    const char *what = lua_isfunction(E->L, -1) ? "a function" : "a module";
    codec_add_literal(E, "{\"$g\":");
    if (!codec_add_name(E, -1, false))
        codec_refuse_value(E, step);
    codec_addc(E, '}');
    codec_need_signature(E, step, what);
}

/* What awsync's own modules have is found there by name: their state belongs to the process. */
static bool own_function(struct codec_encoder *E, const struct codec_step *step) {
    size_t begin = E->out.len;
    codec_add_literal(E, "{\"$g\":");
    if (!codec_add_name(E, -1, true)) {
        E->out.len = begin;
        return false;
    }
    codec_addc(E, '}');
    codec_need_signature(E, step, "a function");
    return true;
}

static void tagged_function(struct codec_encoder *E, const struct codec_step *step) {
    uint32_t number;
    if (lua_iscfunction(E->L, -1)) {
        codec_tagged_name(E, step);
    } else if (own_function(E, step)) {
        return;
    } else if (!codec_object_new(E, lua_topointer(E->L, -1), &number)) {
        known(E, step, number);
    } else {
        check_depth(E, step);
        codec_tagged_function(E, step);
    }
}

/* What only some channels have, as one more member. */
static void channel_extras(struct codec_encoder *E, const struct channel_ref *ref) {
    const char *comma = "";
    if (!ref->bounded && !ref->stream && ref->max_receives == 0)
        return;
    codec_add_literal(E, ",{");
    if (ref->bounded) {
        codec_add_literal(E, "\"capacity\":");
        codec_add_integer(E, ref->capacity);
        comma = ",";
    }
    if (ref->max_receives > 0) {
        codec_add(E, comma, strlen(comma));
        codec_add_literal(E, "\"max_receives\":");
        codec_add_integer(E, ref->max_receives);
        comma = ",";
    }
    if (ref->stream) {
        codec_add(E, comma, strlen(comma));
        codec_add_literal(E, "\"stream\":true");
    }
    codec_addc(E, '}');
}

static void tagged_channel(struct codec_encoder *E, const struct codec_step *step) {
    struct channel_ref ref;
    uint32_t number;
    luaL_checkstack(E->L, LUA_MINSTACK, NULL);
    if (!lchannel_ref(E->L, lua_gettop(E->L), &ref))
        codec_refuse_value(E, step);
    if (!codec_object_new(E, lua_topointer(E->L, -1), &number)) {
        known(E, step, number);
        return;
    }
    codec_add_literal(E, "{\"$c\":[");
    if (!codec_add_string(E, "", ref.url, strlen(ref.url)))
        codec_refuse(E, step, "is a channel whose URL is not UTF-8");
    if (ref.sender && ref.receiver)
        codec_add_literal(E, ",\"both\",");
    else if (ref.sender)
        codec_add_literal(E, ",\"send\",");
    else
        codec_add_literal(E, ",\"receive\",");
    if (ref.unordered)
        codec_add_literal(E, "false,");
    else
        codec_add_literal(E, "true,");
    codec_add_integer(E, ref.visibility_s);
    channel_extras(E, &ref);
    codec_add_literal(E, "]}");
}

static void tagged_scalar(struct codec_encoder *E, const struct codec_step *step) {
    lua_State *L = E->L;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        codec_add_literal(E, "{\"$n\":\"nil\"}");
        return;
    case LUA_TSTRING: {
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);
        if (codec_add_string(E, "", text, len))
            return;
        codec_add_literal(E, "{\"$b\":");
        codec_add_base64(E, text, len);
        codec_addc(E, '}');
        return;
    }
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1) || isfinite(lua_tonumber(L, -1)))
            break;
        if (isnan(lua_tonumber(L, -1)))
            codec_add_literal(E, "{\"$n\":\"nan\"}");
        else if (lua_tonumber(L, -1) < 0)
            codec_add_literal(E, "{\"$n\":\"-inf\"}");
        else
            codec_add_literal(E, "{\"$n\":\"inf\"}");
        return;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, -1) == NULL) {
            codec_add_literal(E, "null");
            return;
        }
        break;
    }
    /* Numbers, booleans, cjson's empty array. */
    if (!codec_plain(E, step))
        codec_refuse_value(E, step);
}

void codec_tagged(struct codec_encoder *E, const struct codec_step *step) {
    size_t begin = E->out.len;
    switch (lua_type(E->L, -1)) {
    case LUA_TTABLE:
        tagged_table(E, step);
        break;
    case LUA_TFUNCTION:
        tagged_function(E, step);
        break;
    case LUA_TUSERDATA:
        tagged_channel(E, step);
        break;
    case LUA_TTHREAD:
        codec_refuse_value(E, step);
    default:
        tagged_scalar(E, step);
    }
    if (E->whole)
        codec_note_part(E, step, begin);
}
