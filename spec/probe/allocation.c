/*
** Memory that runs out below Lua. This probe is linked so that malloc and its kin, wherever the
** rooms in it call them, are the functions here (-Wl,--wrap), and it gives OpenSSL its memory; so
** it can let any allocation fail, knows how many blocks are in use, and sees what they hold when
** they are freed. It has the other probes'
** functions within. OpenSSL takes another allocator only before its first use, and keeps it to the
** end of the process: the probe wants a process of its own and is never unloaded.
*/
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <lauxlib.h>
#include <lua.h>

static struct {
    _Atomic long blocks, openssl_blocks; /* in use */
    _Atomic long asked;                  /* how often memory was asked for since the count began */
    _Atomic long fail_at;                /* this request fails; 0: none */
    _Atomic bool from_there;             /* and all that follow */
    char watched[64];  /* what no block should hold when it is freed; "": nothing */
    _Atomic long seen; /* how many did */
} memory;

static bool refused(void) {
    if (memory.fail_at == 0)
        return false;
    memory.asked++;
    return memory.asked == memory.fail_at || (memory.from_there && memory.asked > memory.fail_at);
}

/* --- in place of the C library's -------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size) {
    void *block = refused() ? NULL : __real_malloc(size);
    memory.blocks += block != NULL;
    return block;
}

void *__wrap_calloc(size_t count, size_t size) {
    void *block = refused() ? NULL : __real_calloc(count, size);
    memory.blocks += block != NULL;
    return block;
}

void *__wrap_realloc(void *block, size_t size) {
    void *moved = refused() ? NULL : __real_realloc(block, size);
    memory.blocks += moved != NULL && block == NULL;
    return moved;
}

char *__wrap_strdup(const char *text) {
    char *copy = refused() ? NULL : __real_strdup(text);
    memory.blocks += copy != NULL;
    return copy;
}

void __wrap_free(void *block) {
    if (block && memory.watched[0] != '\0' &&
        memmem(block, malloc_usable_size(block), memory.watched, strlen(memory.watched)))
        memory.seen++;
    memory.blocks -= block != NULL;
    __real_free(block);
}

/* --- OpenSSL's -------------------------------------------------------------------------------- */

static void *openssl_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    void *block = refused() ? NULL : __real_malloc(size);
    memory.openssl_blocks += block != NULL;
    return block;
}

static void openssl_free(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    memory.openssl_blocks -= block != NULL;
    __real_free(block);
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line) {
    if (size == 0) {
        openssl_free(block, file, line);
        return NULL;
    }
    void *moved = refused() ? NULL : __real_realloc(block, size);
    memory.openssl_blocks += moved != NULL && block == NULL;
    return moved;
}

/* --- for Lua ---------------------------------------------------------------------------------- */

/* failing(n, from_there, f, ...) -> whether there was an nth allocation, ok, results: a pcall in
** which the nth allocation fails, or all from the nth on. */
static int failing(lua_State *L) {
    memory.asked = 0;
    memory.fail_at = (long)luaL_checkinteger(L, 1);
    memory.from_there = lua_toboolean(L, 2);
    bool good = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0) == LUA_OK;
    bool failed = memory.asked >= memory.fail_at;
    memory.fail_at = 0;
    lua_pushboolean(L, failed);
    lua_replace(L, 1);
    lua_pushboolean(L, good);
    lua_replace(L, 2);
    return lua_gettop(L);
}

/* in_use() -> blocks of ours, blocks of OpenSSL. What OpenSSL keeps of its last error goes
** first. */
static int in_use(lua_State *L) {
    OPENSSL_thread_stop();
    lua_pushinteger(L, memory.blocks);
    lua_pushinteger(L, memory.openssl_blocks);
    return 2;
}

/* watch(text): from now on blocks that hold it when they are freed are counted. Only while no
** client is at work. */
static int watch(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    luaL_argcheck(L, len < sizeof(memory.watched), 1, "too long");
    memcpy(memory.watched, text, len + 1);
    memory.seen = 0;
    return 0;
}

/* seen() -> how many did */
static int seen(lua_State *L) {
    lua_pushinteger(L, memory.seen);
    return 1;
}

int luaopen_probe_aws(lua_State *L);
int luaopen_probe_base(lua_State *L);
int luaopen_probe_codec(lua_State *L);
int luaopen_probe_envelope(lua_State *L);
int luaopen_probe_json(lua_State *L);
int luaopen_probe_record(lua_State *L);
__attribute__((visibility("default"))) int luaopen_probe_allocation(lua_State *L);

int luaopen_probe_allocation(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"failing", failing}, {"in_use", in_use}, {"watch", watch}, {"seen", seen}, {NULL, NULL},
    };
    static const luaL_Reg rooms[] = {
        {"aws", luaopen_probe_aws},
        {"base", luaopen_probe_base},
        {"codec", luaopen_probe_codec},
        {"envelope", luaopen_probe_envelope},
        {"json", luaopen_probe_json},
        {"record", luaopen_probe_record},
        {NULL, NULL},
    };
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return luaL_error(L, "OpenSSL was in use before the probe");
    luaL_newlib(L, functions);
    for (const luaL_Reg *room = rooms; room->name; room++) {
        lua_pushcfunction(L, room->func);
        lua_call(L, 0, 1);
        lua_setfield(L, -2, room->name);
    }
    return 1;
}
