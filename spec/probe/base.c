/* The base room as specs see it: ASCII, base64, hex, clock, random, secret; the buffer and the heap
** as objects. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>

#include "host/base/ascii.h"
#include "host/base/base64.h"
#include "host/base/buf.h"
#include "host/base/clock.h"
#include "host/base/heap.h"
#include "host/base/random.h"
#include "host/base/secret.h"

#define BUF_NAME  "probe.buf"
#define HEAP_NAME "probe.heap"

/* --- buffer --------------------------------------------------------------------------------- */

static struct buf *check_buf(lua_State *L) {
    return luaL_checkudata(L, 1, BUF_NAME);
}

/* buf(max [, secret]) */
static int new_buf(lua_State *L) {
    lua_Integer max = luaL_optinteger(L, 1, -1);
    struct buf *b = lua_newuserdatauv(L, sizeof(*b), 0);
    if (lua_toboolean(L, 2))
        buf_init_secret(b, (size_t)max);
    else
        buf_init(b, (size_t)max);
    luaL_setmetatable(L, BUF_NAME);
    return 1;
}

static int b_add(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    lua_pushboolean(L, buf_add(check_buf(L), len ? text : NULL, len));
    return 1;
}

static int b_adds(lua_State *L) {
    lua_pushboolean(L, buf_adds(check_buf(L), luaL_checkstring(L, 2)));
    return 1;
}

static int b_addc(lua_State *L) {
    lua_pushboolean(L, buf_addc(check_buf(L), luaL_checkstring(L, 2)[0]));
    return 1;
}

/* addf(text, number): `text=number` */
static int b_addf(lua_State *L) {
    lua_pushboolean(L, buf_addf(check_buf(L), "%s=%d", luaL_checkstring(L, 2),
                                (int)luaL_checkinteger(L, 3)));
    return 1;
}

/* reserve(room, text): reserves room bytes, fills them all but keeps text's only. */
static int b_reserve(lua_State *L) {
    struct buf *b = check_buf(L);
    size_t room = (size_t)luaL_checkinteger(L, 2);
    size_t len;
    const char *text = luaL_checklstring(L, 3, &len);
    luaL_argcheck(L, len <= room, 3, "does not fit");
    char *place = buf_reserve(b, room);
    if (place) {
        memset(place, '#', room);
        memcpy(place, text, len);
        b->len += len;
    }
    lua_pushboolean(L, place != NULL);
    return 1;
}

static int b_text(lua_State *L) {
    const struct buf *b = check_buf(L);
    const char *text = buf_text(b);
    lua_pushlstring(L, text, b->len);
    lua_pushboolean(L, text[b->len] == '\0');
    return 2;
}

/* ok, len, cap, whether it holds memory */
static int b_state(lua_State *L) {
    const struct buf *b = check_buf(L);
    lua_pushboolean(L, buf_ok(b));
    lua_pushinteger(L, (lua_Integer)b->len);
    lua_pushinteger(L, (lua_Integer)b->cap);
    lua_pushboolean(L, b->data != NULL);
    return 4;
}

static int b_take(lua_State *L) {
    size_t len = 99;
    char *data = buf_take(check_buf(L), &len);
    if (data) {
        /* Out of memory here would leak; a probe may. */
        lua_pushlstring(L, data, len);
        lua_pushboolean(L, data[len] == '\0');
        free(data);
        return 2;
    }
    luaL_pushfail(L);
    lua_pushinteger(L, (lua_Integer)len);
    return 2;
}

static int b_reset(lua_State *L) {
    buf_reset(check_buf(L));
    return 0;
}

static int b_free(lua_State *L) {
    buf_free(check_buf(L));
    return 0;
}

static int b_wipe(lua_State *L) {
    buf_wipe(check_buf(L));
    return 0;
}

static int add_coded(lua_State *L, bool (*code)(struct buf *, const void *, size_t)) {
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    lua_pushboolean(L, code(check_buf(L), data, len));
    return 1;
}

static int b_base64_encode(lua_State *L) {
    return add_coded(L, base64_encode);
}

static int b_hex_encode(lua_State *L) {
    return add_coded(L, hex_encode);
}

static int add_decoded(lua_State *L, bool (*decode)(struct buf *, const char *, size_t)) {
    struct buf *b = check_buf(L);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    /* A copy of its exact size, so that a sanitizer sees every step over the end. */
    char *copy = malloc(len ? len : 1);
    bool done = copy && decode(b, memcpy(copy, text, len), len);
    free(copy);
    lua_pushboolean(L, done);
    return 1;
}

static int b_base64_decode(lua_State *L) {
    return add_decoded(L, base64_decode);
}

static int b_hex_decode(lua_State *L) {
    return add_decoded(L, hex_decode);
}

static const luaL_Reg buf_methods[] = {
    {"add", b_add},
    {"adds", b_adds},
    {"addc", b_addc},
    {"addf", b_addf},
    {"reserve", b_reserve},
    {"text", b_text},
    {"state", b_state},
    {"take", b_take},
    {"reset", b_reset},
    {"free", b_free},
    {"wipe", b_wipe},
    {"base64_encode", b_base64_encode},
    {"base64_decode", b_base64_decode},
    {"hex_encode", b_hex_encode},
    {"hex_decode", b_hex_decode},
    {"__gc", b_free},
    {NULL, NULL},
};

/* --- heap: nodes are named 1..HEAP_NODES ---------------------------------------------------- */

enum { HEAP_NODES = 1024 };

struct heap_object {
    struct heap heap;
    struct heap_node nodes[HEAP_NODES + 1];
};

static struct heap_object *check_heap(lua_State *L) {
    return luaL_checkudata(L, 1, HEAP_NAME);
}

static struct heap_node *check_node(lua_State *L, struct heap_object *o) {
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n >= 1 && n <= HEAP_NODES, 2, "no such node");
    return &o->nodes[n];
}

static int new_heap(lua_State *L) {
    struct heap_object *o = lua_newuserdatauv(L, sizeof(*o), 0);
    memset(o, 0, sizeof(*o));
    heap_init(&o->heap);
    luaL_setmetatable(L, HEAP_NAME);
    return 1;
}

static int h_insert(lua_State *L) {
    struct heap_object *o = check_heap(L);
    struct heap_node *node = check_node(L, o);
    luaL_argcheck(L, !heap_contains(node), 2, "already in the heap");
    node->key = luaL_checkinteger(L, 3);
    lua_pushboolean(L, heap_insert(&o->heap, node));
    return 1;
}

static int h_remove(lua_State *L) {
    struct heap_object *o = check_heap(L);
    heap_remove(&o->heap, check_node(L, o));
    return 0;
}

static int h_move(lua_State *L) {
    struct heap_object *o = check_heap(L);
    heap_move(&o->heap, check_node(L, o), luaL_checkinteger(L, 3));
    return 0;
}

static int h_contains(lua_State *L) {
    struct heap_object *o = check_heap(L);
    lua_pushboolean(L, heap_contains(check_node(L, o)));
    return 1;
}

/* key, number of the node; nil when empty */
static int h_least(lua_State *L) {
    struct heap_object *o = check_heap(L);
    struct heap_node *node = heap_least(&o->heap);
    if (!node)
        return 0;
    lua_pushinteger(L, node->key);
    lua_pushinteger(L, node - o->nodes);
    return 2;
}

static int h_count(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check_heap(L)->heap.count);
    return 1;
}

static int h_free(lua_State *L) {
    heap_free(&check_heap(L)->heap);
    return 0;
}

static const luaL_Reg heap_methods[] = {
    {"insert", h_insert}, {"remove", h_remove}, {"move", h_move}, {"contains", h_contains},
    {"least", h_least},   {"count", h_count},   {"__gc", h_free}, {NULL, NULL},
};

/* --- clock ---------------------------------------------------------------------------------- */

static int mono_ms(lua_State *L) {
    lua_pushinteger(L, clock_mono_ms());
    return 1;
}

static int mono_us(lua_State *L) {
    lua_pushinteger(L, clock_mono_us());
    return 1;
}

static int wall_ms(lua_State *L) {
    lua_pushinteger(L, clock_wall_ms());
    return 1;
}

static int amz_date(lua_State *L) {
    char out[CLOCK_AMZ_SIZE];
    clock_amz_date(luaL_checkinteger(L, 1), out);
    lua_pushstring(L, out);
    return 1;
}

static int iso_date(lua_State *L) {
    char out[CLOCK_ISO_SIZE];
    clock_iso_date(luaL_checkinteger(L, 1), out);
    lua_pushstring(L, out);
    return 1;
}

static int parse_exact(lua_State *L, int64_t (*parse)(const char *)) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    char *copy = malloc(len + 1);
    int64_t ms = copy ? parse(memcpy(copy, text, len + 1)) : -1;
    free(copy);
    lua_pushinteger(L, ms);
    return 1;
}

static int parse_amz(lua_State *L) {
    return parse_exact(L, clock_parse_amz);
}

static int parse_iso(lua_State *L) {
    return parse_exact(L, clock_parse_iso);
}

static int parse_http(lua_State *L) {
    return parse_exact(L, clock_parse_http);
}

/* --- random and secrets --------------------------------------------------------------------- */

static int bytes(lua_State *L) {
    size_t len = (size_t)luaL_checkinteger(L, 1);
    luaL_Buffer b;
    random_bytes(luaL_buffinitsize(L, &b, len), len);
    luaL_pushresultsize(&b, len);
    return 1;
}

static int u64(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)random_u64());
    return 1;
}

static int unit(lua_State *L) {
    lua_pushnumber(L, random_unit());
    return 1;
}

/* pool_uuids(n) -> n UUIDs out of one pool */
static int pool_uuids(lua_State *L) {
    struct random_pool pool = {.left = 0};
    char out[RANDOM_UUID_SIZE];
    lua_Integer n = luaL_checkinteger(L, 1);
    lua_newtable(L);
    for (lua_Integer i = 1; i <= n; i++) {
        random_pool_uuid(&pool, out);
        lua_pushstring(L, out);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int uuid(lua_State *L) {
    char out[RANDOM_UUID_SIZE];
    random_uuid(out);
    lua_pushstring(L, out);
    return 1;
}

static int name(lua_State *L) {
    size_t len = (size_t)luaL_checkinteger(L, 1);
    luaL_Buffer b;
    random_name(luaL_buffinitsize(L, &b, len + 1), len);
    luaL_pushresultsize(&b, len);
    return 1;
}

static int equal(lua_State *L) {
    size_t len, other_len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *other = luaL_checklstring(L, 2, &other_len);
    luaL_argcheck(L, len == other_len, 2, "of another length");
    lua_pushboolean(L, secret_equal(text, other, len));
    return 1;
}

/* What is left of a text after it was wiped. */
static int wiped(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    luaL_Buffer b;
    char *copy = luaL_buffinitsize(L, &b, len);
    memcpy(copy, text, len);
    secret_wipe(copy, len);
    secret_wipe(NULL, 0);
    secret_free(NULL);
    luaL_pushresultsize(&b, len);
    return 1;
}

static int free_secret(lua_State *L) {
    char *copy = strdup(luaL_checkstring(L, 1));
    lua_pushboolean(L, copy != NULL);
    secret_free(copy);
    return 1;
}

/* same(a, b [, bytes]) */
static int same(lua_State *L) {
    const char *a = luaL_checkstring(L, 1), *b = luaL_checkstring(L, 2);
    lua_pushboolean(L, lua_isnoneornil(L, 3) ? ascii_same(a, b)
                                             : ascii_same_n(a, b, (size_t)luaL_checkinteger(L, 3)));
    return 1;
}

/* set_letters(folder, name) -> whether the C library has found that locale there; none: as before */
static int set_letters(lua_State *L) {
    if (lua_isnoneornil(L, 1)) {
        setlocale(LC_CTYPE, "C");
        return 0;
    }
    setenv("LOCPATH", luaL_checkstring(L, 1), 1);
    lua_pushboolean(L, setlocale(LC_CTYPE, luaL_checkstring(L, 2)) != NULL);
    unsetenv("LOCPATH");
    return 1;
}

static int64_t linger_ms;

static void linger(void) {
    struct timespec time = {.tv_sec = linger_ms / 1000, .tv_nsec = linger_ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* linger_at_exit(ms): the end of the process takes so long, after all that is taken down at exit
** and was made behind this call. */
static int linger_at_exit(lua_State *L) {
    linger_ms = luaL_checkinteger(L, 1);
    lua_pushboolean(L, atexit(linger) == 0);
    return 1;
}

static const luaL_Reg functions[] = {
    {"linger_at_exit", linger_at_exit},
    {"same", same},
    {"set_letters", set_letters},
    {"buf", new_buf},
    {"heap", new_heap},
    {"mono_ms", mono_ms},
    {"mono_us", mono_us},
    {"wall_ms", wall_ms},
    {"amz_date", amz_date},
    {"iso_date", iso_date},
    {"parse_amz", parse_amz},
    {"parse_iso", parse_iso},
    {"parse_http", parse_http},
    {"random_bytes", bytes},
    {"random_u64", u64},
    {"random_unit", unit},
    {"random_uuid", uuid},
    {"pool_uuids", pool_uuids},
    {"random_name", name},
    {"secret_equal", equal},
    {"secret_wiped", wiped},
    {"secret_free", free_secret},
    {NULL, NULL},
};

static void class(lua_State *L, const char *type_name, const luaL_Reg *methods) {
    luaL_newmetatable(L, type_name);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_probe_base(lua_State *L);

int luaopen_probe_base(lua_State *L) {
    class(L, BUF_NAME, buf_methods);
    class(L, HEAP_NAME, heap_methods);
    luaL_newlib(L, functions);
    return 1;
}
