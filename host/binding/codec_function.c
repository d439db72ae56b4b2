/*
** Functions: code by dump, upvalues by value. An upvalue is a cell of its own, so that two
** functions that shared one share it where they arrive.
*/
#include "host/binding/codec_internal.h"

#include <string.h>

enum { UPVALUE_BITS = 9 }; /* a function has 255 at most */

/* --- encoding --------------------------------------------------------------------------------- */

static int add_dump(lua_State *L, const void *data, size_t len, void *buffer) {
    (void)L;
    return !buf_add(buffer, data, len);
}

/* The dump of the function on top: as text the first time, as its number from then on. */
static void tagged_code(struct codec_encoder *E) {
    lua_State *L = E->L;
    buf_reset(&E->text);
    if (lua_dump(L, add_dump, &E->text, 0) != 0)
        codec_encoder_fail(E);
    if (lua_isnil(L, E->codes)) {
        lua_newtable(L);
        lua_replace(L, E->codes);
    }
    lua_pushlstring(L, E->text.data, E->text.len);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, E->codes) == LUA_TNUMBER) {
        codec_add_integer(E, lua_tointeger(L, -1));
        lua_pop(L, 2);
        return;
    }
    lua_pop(L, 1);
    codec_add_base64(E, E->text.data, E->text.len);
    lua_pushinteger(L, E->code_count++);
    lua_rawset(L, E->codes);
}

/* Pushes the upvalue's value. An environment that a metatable lays over the globals, as busted
** gives one to each spec, stands for the globals: those are the receiver's own. */
static void push_upvalue(lua_State *L, int f, int n) {
    const char *name = lua_getupvalue(L, f, n);
    if (name && strcmp(name, "_ENV") == 0 && lua_istable(L, -1) && lua_getmetatable(L, -1)) {
        lua_pop(L, 2);
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    }
}

static void tagged_cell(struct codec_encoder *E, const struct codec_step *step) {
    lua_State *L = E->L;
    uint32_t number;
    enum codec_map_result result =
        codec_map_put(&E->cells, lua_upvalueid(L, step->slot, (int)step->n), E->cell_count,
                      &number);
    if (result == CODEC_MAP_NO_MEMORY)
        codec_encoder_fail(E);
    if (result == CODEC_MAP_OLD) {
        codec_add_integer(E, number);
        return;
    }
    E->cell_count++;
    codec_addc(E, '[');
    push_upvalue(L, step->slot, (int)step->n);
    if (!lua_isnil(L, -1))
        codec_tagged(E, step);
    lua_pop(L, 1);
    codec_addc(E, ']');
}

void codec_tagged_function(struct codec_encoder *E, const struct codec_step *up) {
    lua_State *L = E->L;
    lua_Debug ar;
    int f = lua_gettop(L);
    codec_need_signature(E, up, "a function");
    codec_add_literal(E, "{\"$f\":[");
    tagged_code(E);
    codec_add_literal(E, ",[");
    lua_pushvalue(L, f);
    lua_getinfo(L, ">u", &ar);
    struct codec_step step = {.up = up, .kind = STEP_UPVALUE, .slot = f, .depth = up->depth + 1};
    for (step.n = 1; step.n <= ar.nups; step.n++) {
        if (step.n > 1)
            codec_addc(E, ',');
        tagged_cell(E, &step);
    }
    codec_add_literal(E, "]]}");
}

/* --- decoding --------------------------------------------------------------------------------- */

static void new_table_at(lua_State *L, int slot) {
    if (lua_isnil(L, slot)) {
        lua_newtable(L);
        lua_replace(L, slot);
    }
}

/* Pushes the code, which is there as text or as the number of an earlier one. */
static void push_code(struct codec_decoder *D) {
    lua_State *L = D->L;
    enum json_token token = json_next(&D->reader);
    if (token == JSON_INTEGER) {
        if (D->reader.integer < 0 || D->reader.integer >= D->code_count)
            codec_fail(D, "refers to code that it does not have");
        lua_rawgeti(L, D->codes, D->reader.integer);
        return;
    }
    if (token != JSON_STRING)
        codec_fail_token(D, token);
    codec_push_base64(D);
    new_table_at(L, D->codes);
    lua_pushvalue(L, -1);
    lua_rawseti(L, D->codes, D->code_count++);
}

/* Makes the cell of this upvalue the next one, or joins the upvalue to an earlier one. */
static void read_cell(struct codec_decoder *D, enum json_token token, int f, int upvalue,
                      lua_Integer f_number) {
    lua_State *L = D->L;
    if (token == JSON_INTEGER) {
        if (D->reader.integer < 0 || D->reader.integer >= D->cell_count)
            codec_fail(D, "refers to an upvalue that it does not have");
        lua_rawgeti(L, D->cells, D->reader.integer);
        lua_Integer cell = lua_tointeger(L, -1);
        lua_rawgeti(L, D->objects, cell >> UPVALUE_BITS);
        lua_upvaluejoin(L, f, upvalue, -1, (int)(cell & ((1 << UPVALUE_BITS) - 1)));
        lua_pop(L, 2);
        return;
    }
    if (token != JSON_ARRAY_BEGIN)
        codec_fail_token(D, token);
    new_table_at(L, D->cells);
    lua_pushinteger(L, f_number << UPVALUE_BITS | upvalue);
    lua_rawseti(L, D->cells, D->cell_count++);
    token = json_next(&D->reader);
    if (token == JSON_ARRAY_END) {
        lua_pushnil(L);
    } else {
        codec_read_tagged(D, token);
        codec_expect(D, JSON_ARRAY_END);
    }
    lua_setupvalue(L, f, upvalue);
}

void codec_read_function(struct codec_decoder *D) {
    lua_State *L = D->L;
    lua_Debug ar;
    size_t len;
    codec_need_trust(D, "a function");
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    codec_expect(D, JSON_ARRAY_BEGIN);
    push_code(D);
    const char *code = lua_tolstring(L, -1, &len);
    if (luaL_loadbufferx(L, code, len, "=message", "b") != LUA_OK)
        codec_fail(D, "has a function that this Lua cannot load: %s", lua_tostring(L, -1));
    lua_remove(L, -2);
    int f = lua_gettop(L);
    lua_Integer f_number = D->object_count;
    codec_keep_object(D);
    lua_pushvalue(L, f);
    lua_getinfo(L, ">u", &ar);
    int upvalue = 0;
    codec_expect(D, JSON_ARRAY_BEGIN);
    for (;;) {
        enum json_token token = json_next(&D->reader);
        if (token == JSON_ARRAY_END)
            break;
        if (++upvalue > ar.nups)
            break;
        read_cell(D, token, f, upvalue, f_number);
    }
    if (upvalue != ar.nups)
        codec_fail(D, "has a function with other upvalues than its code");
    codec_expect(D, JSON_ARRAY_END);
}
