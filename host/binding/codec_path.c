/* What a message says about a value: where it is, what it is, how large. */
#include "host/binding/codec_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS_MAX = CODEC_DEPTH_MAX + 8,
    PATH_MAX_BYTES = 240, /* longer paths lose their middle */
    KEY_MAX_BYTES = 60,
};

static bool is_name(const char *text, size_t len) {
    if (len == 0 || len > KEY_MAX_BYTES || (text[0] >= '0' && text[0] <= '9'))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c != '_' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
            !(c >= 'A' && c <= 'Z'))
            return false;
    }
    return true;
}

static void add_quoted(struct buf *out, const char *text, size_t len) {
    buf_addc(out, '"');
    for (size_t i = 0; i < len && i < KEY_MAX_BYTES; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            buf_addf(out, "\\x%02x", c);
        else
            buf_addc(out, (char)c);
    }
    buf_adds(out, len > KEY_MAX_BYTES ? "...\"" : "\"");
}

static void add_key(struct codec_encoder *E, int slot) {
    lua_State *L = E->L;
    struct buf *out = &E->text;
    size_t len;
    switch (lua_type(L, slot)) {
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, slot, &len);
        if (is_name(text, len)) {
            buf_addf(out, ".%s", text);
        } else {
            buf_addc(out, '[');
            add_quoted(out, text, len);
            buf_addc(out, ']');
        }
        break;
    }
    case LUA_TNUMBER:
        if (lua_isinteger(L, slot))
            buf_addf(out, "[%lld]", (long long)lua_tointeger(L, slot));
        else
            buf_addf(out, "[%.14g]", lua_tonumber(L, slot));
        break;
    case LUA_TBOOLEAN:
        buf_adds(out, lua_toboolean(L, slot) ? "[true]" : "[false]");
        break;
    default:
        buf_addf(out, "[a %s]", luaL_typename(L, slot));
    }
}

/* `'work' (main.lua:12)`, or `main.lua:12` for a function that nothing names. step: the
** function's own. */
static void add_function(struct codec_encoder *E, const struct codec_step *step, int slot) {
    lua_State *L = E->L;
    lua_Debug ar;
    codec_function_name(L, slot);
    const char *name = lua_tostring(L, -1);
    const char *place = strrchr(name, ':');
    if (place) {
        /* Not known by itself: perhaps by where it was found. */
        const char *found = NULL;
        if (step->kind == STEP_UPVALUE)
            found = lua_getupvalue(L, step->slot, (int)step->n);
        else
            lua_pushnil(L);
        if (step->kind == STEP_FIELD && lua_type(L, step->slot) == LUA_TSTRING)
            found = lua_tostring(L, step->slot);
        if (found && is_name(found, strlen(found)))
            buf_addf(&E->text, "'%s' (%s)", found, name);
        else
            buf_adds(&E->text, name);
        lua_pop(L, 1);
    } else {
        lua_pushvalue(L, slot);
        lua_getinfo(L, ">S", &ar);
        const char *file = strrchr(ar.short_src, '/');
        buf_addf(&E->text, "'%s' (%s:%d)", name, file ? file + 1 : ar.short_src, ar.linedefined);
    }
    lua_pop(L, 1);
}

/* The path as text in E->text. */
static void write_path(struct codec_encoder *E, const struct codec_step *step) {
    const struct codec_step *steps[STEPS_MAX];
    int count = 0;
    struct buf *out = &E->text;
    const struct codec_step *begin = step;
    /* An upvalue is named with its function, however that was reached. */
    while (begin->up && begin->kind != STEP_UPVALUE && count < STEPS_MAX) {
        steps[count++] = begin;
        begin = begin->up;
    }
    buf_reset(out);
    switch (begin->kind) {
    case STEP_ARGUMENT:
        buf_addf(out, "argument %lld", (long long)begin->n);
        break;
    case STEP_CALLED:
        buf_adds(out, "the function");
        break;
    case STEP_UPVALUE: {
        const char *name = lua_getupvalue(E->L, begin->slot, (int)begin->n);
        lua_pop(E->L, 1);
        buf_addf(out, "upvalue '%s'", name ? name : "?");
        break;
    }
    default:
        buf_adds(out, "value");
    }
    while (count > 0) {
        const struct codec_step *s = steps[--count];
        if (s->kind == STEP_INDEX)
            buf_addf(out, "[%lld]", (long long)s->n);
        else
            add_key(E, s->slot);
        if (s->kind == STEP_KEY)
            buf_adds(out, " (a key)");
    }
    if (out->len > PATH_MAX_BYTES) {
        char tail[PATH_MAX_BYTES / 2];
        memcpy(tail, out->data + out->len - sizeof(tail), sizeof(tail));
        out->len = PATH_MAX_BYTES / 2;
        buf_adds(out, " ... ");
        buf_add(out, tail, sizeof(tail));
    }
    if (begin->kind == STEP_UPVALUE) {
        buf_adds(out, " of function ");
        add_function(E, begin->up, begin->slot);
    }
    if (!buf_ok(out))
        codec_encoder_fail(E);
}

void codec_refuse(struct codec_encoder *E, const struct codec_step *step, const char *format, ...) {
    lua_State *L = E->L;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    va_list args;
    write_path(E, step);
    struct buf *out = &E->text;
    buf_addc(out, ' ');
    va_start(args, format);
    buf_vaddf(out, format, args);
    va_end(args);
    if (!buf_ok(out))
        codec_encoder_fail(E);
    lua_pushfstring(L, "%s: ", E->operation);
    lua_pushlstring(L, out->data, out->len);
    lua_concat(L, 2);
    codec_encoder_done(E);
    lua_error(L);
    abort();
}

void codec_refuse_value(struct codec_encoder *E, const struct codec_step *step) {
    static const char leave[] = "which cannot leave its process";
    lua_State *L = E->L;
    switch (lua_type(L, -1)) {
    case LUA_TTHREAD:
        codec_refuse(E, step, "is a coroutine, %s", leave);
    case LUA_TLIGHTUSERDATA:
        codec_refuse(E, step, "is a light userdata, %s", leave);
    case LUA_TFUNCTION:
        codec_refuse(E, step, "is a C function that no loaded module has, %s", leave);
    case LUA_TTABLE:
        codec_refuse(E, step, "is a table whose metatable no loaded module has, %s", leave);
    default:
        luaL_checkstack(L, LUA_MINSTACK, NULL);
        if (luaL_getmetafield(L, -1, "__name") == LUA_TSTRING)
            codec_refuse(E, step, "is userdata (%s), %s", lua_tostring(L, -1), leave);
        codec_refuse(E, step, "is userdata, %s", leave);
    }
}

void codec_need_signature(struct codec_encoder *E, const struct codec_step *step,
                          const char *what) {
    if (!E->may_name)
        codec_refuse(E, step, "is %s, which travels signed only, and there is no key: %s", what,
                     ENVELOPE_KEY_HELP);
    E->named = true;
}

/* --- sizes ------------------------------------------------------------------------------------ */

void codec_note_part(struct codec_encoder *E, const struct codec_step *step, size_t begin) {
    size_t size = E->out.len - begin;
    bool outermost = !step->up || step->up->kind == STEP_ROOT;
    if (E->part_found || step->kind == STEP_ROOT)
        return;
    /* The innermost value that is more than half of all; without one, the largest of the
    ** outermost. */
    E->part_found = size > E->whole / 2;
    if (!E->part_found && !(outermost && size > E->part_size))
        return;
    E->part_size = size;
    luaL_checkstack(E->L, LUA_MINSTACK, NULL);
    write_path(E, step);
    lua_pushlstring(E->L, E->text.data, E->text.len);
    lua_replace(E->L, E->part);
}

/* `1,048,576` */
static void add_size(struct buf *out, size_t size) {
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%zu", size);
    for (int i = 0; i < len; i++) {
        buf_addc(out, digits[i]);
        if ((len - 1 - i) % 3 == 0 && i < len - 1)
            buf_addc(out, ',');
    }
}

void codec_refuse_size(struct codec_encoder *E, const char *what, const char *as, size_t size,
                       const char *whose, size_t limit) {
    lua_State *L = E->L;
    struct buf *out = &E->text;
    buf_reset(out);
    buf_addf(out, "%s: %s is ", E->operation, what);
    add_size(out, size);
    buf_addf(out, " bytes as %s, over %s limit of ", as, whose);
    add_size(out, limit);
    if (E->part_size > 0) {
        buf_addf(out, "; the largest part is %s (", lua_tostring(L, E->part));
        add_size(out, E->part_size);
        buf_adds(out, " bytes)");
    }
    if (!buf_ok(out))
        codec_encoder_fail(E);
    lua_pushlstring(L, out->data, out->len);
    codec_encoder_done(E);
    lua_error(L);
    abort();
}
