/*
** Shows sigv4/ to its spec. A request is a table of method, target, headers ({{name, value}, ...})
** and body; key, secret and token; region, service, wall_ms, expires_s and raw_path; cache; blind
** (true: without looking at the stages).
**
**   sign(t)         table of amz_date, authorization and the stages | nil, result, text
**   presign(t)      table of target and the stages                  | nil, result, text
**   verify(t, r)    result, identity, stages; r: the rules, with keys = {[id] = {secret, token}}
**   cache()         userdata for t.cache and r.cache; cache:free()
**   hammer(t, n, rounds, expected)  n threads sign t with one cache: how many signatures differed
**   find(hex)       how often those bytes are in this process's memory
*/
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lua.h>
#include <lauxlib.h>

#include "host/base/buf.h"
#include "sigv4/sigv4.h"

#define CACHE  "probe.sigv4.cache"
#define OUTPUT "probe.sigv4.output"

struct output {
    struct sigv4_signed signature;
    struct sigv4_stages stages;
    struct buf target;
};

static int output_gc(lua_State *L) {
    struct output *o = luaL_checkudata(L, 1, OUTPUT);
    sigv4_signed_free(&o->signature);
    sigv4_stages_free(&o->stages);
    buf_free(&o->target);
    return 0;
}

static struct output *new_output(lua_State *L) {
    struct output *o = lua_newuserdatauv(L, sizeof *o, 0);
    memset(o, 0, sizeof *o);
    buf_init(&o->target, 1 << 20);
    luaL_setmetatable(L, OUTPUT);
    return o;
}

static int cache_free(lua_State *L) {
    struct sigv4_cache **cache = luaL_checkudata(L, 1, CACHE);
    sigv4_cache_free(*cache);
    *cache = NULL;
    return 0;
}

static int cache_new(lua_State *L) {
    struct sigv4_cache **cache = lua_newuserdatauv(L, sizeof *cache, 0);
    *cache = NULL;
    luaL_setmetatable(L, CACHE);
    *cache = sigv4_cache_new();
    return *cache ? 1 : luaL_error(L, "no memory");
}

/* The field's text lives as long as the table has it: only real strings, nothing converted. */
static const char *text_field(lua_State *L, int t, const char *name, size_t *len) {
    const char *text = NULL;
    int type = lua_getfield(L, t, name);
    if (type == LUA_TSTRING)
        text = lua_tolstring(L, -1, len);
    else if (type != LUA_TNIL)
        luaL_error(L, "%s must be a string", name);
    lua_pop(L, 1);
    return text;
}

static int64_t integer_field(lua_State *L, int t, const char *name) {
    lua_getfield(L, t, name);
    int64_t value = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return value;
}

static bool bool_field(lua_State *L, int t, const char *name) {
    lua_getfield(L, t, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* Pushes the array of headers, which must stay on the stack. */
static struct sigv4_request read_request(lua_State *L, int t) {
    struct sigv4_request request = {0};
    request.method = text_field(L, t, "method", NULL);
    request.target = text_field(L, t, "target", NULL);
    request.body = text_field(L, t, "body", &request.body_len);
    if (lua_getfield(L, t, "headers") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    size_t count = lua_rawlen(L, -1);
    struct sigv4_header *headers = lua_newuserdatauv(L, (count + 1) * sizeof *headers, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        for (int k = 1; k <= 2; k++) {
            if (lua_rawgeti(L, -1, k) != LUA_TSTRING)
                luaL_error(L, "header %d is no pair of strings", (int)i + 1);
            *(k == 1 ? &headers[i].name : &headers[i].value) = lua_tostring(L, -1);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_remove(L, -2); /* the caller's table still has it */
    request.headers = headers;
    request.header_count = count;
    return request;
}

static struct sigv4_credentials read_credentials(lua_State *L, int t) {
    return (struct sigv4_credentials){
        .access_key_id = text_field(L, t, "key", NULL),
        .secret_access_key = text_field(L, t, "secret", NULL),
        .session_token = text_field(L, t, "token", NULL),
    };
}

static struct sigv4_scope read_scope(lua_State *L, int t) {
    return (struct sigv4_scope){
        .region = text_field(L, t, "region", NULL),
        .service = text_field(L, t, "service", NULL),
        .wall_ms = integer_field(L, t, "wall_ms"),
        .expires_s = integer_field(L, t, "expires_s"),
        .raw_path = bool_field(L, t, "raw_path"),
    };
}

static struct sigv4_cache *read_cache(lua_State *L, int t) {
    struct sigv4_cache **cache = NULL;
    if (lua_getfield(L, t, "cache") != LUA_TNIL)
        cache = luaL_checkudata(L, -1, CACHE);
    lua_pop(L, 1);
    return cache ? *cache : NULL;
}

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void push_stages(lua_State *L, const struct sigv4_stages *stages) {
    lua_newtable(L);
    set_text(L, "canonical_request", stages->canonical_request);
    set_text(L, "canonical_hash", stages->canonical_hash);
    set_text(L, "signed_headers", stages->signed_headers);
    set_text(L, "string_to_sign", stages->string_to_sign);
    set_text(L, "signature", stages->signature);
}

static const char *const result_names[] = {
    [SIGV4_OK] = "ok",
    [SIGV4_NO_MEMORY] = "no_memory",
    [SIGV4_BAD_INPUT] = "bad_input",
    [SIGV4_NOT_SIGNED] = "not_signed",
    [SIGV4_INCOMPLETE] = "incomplete",
    [SIGV4_UNKNOWN_KEY] = "unknown_key",
    [SIGV4_BAD_TOKEN] = "bad_token",
    [SIGV4_EXPIRED] = "expired",
    [SIGV4_NOT_YET_VALID] = "not_yet_valid",
    [SIGV4_WRONG_SCOPE] = "wrong_scope",
    [SIGV4_MISMATCH] = "mismatch",
};

static int failure(lua_State *L, enum sigv4_result result) {
    lua_pushnil(L);
    lua_pushstring(L, result_names[result]);
    lua_pushstring(L, sigv4_result_text(result));
    return 3;
}

static int probe_sign(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct output *o = new_output(L);
    struct sigv4_request request = read_request(L, 1);
    struct sigv4_credentials credentials = read_credentials(L, 1);
    struct sigv4_scope scope = read_scope(L, 1);
    bool blind = bool_field(L, 1, "blind"); /* without looking at the stages */
    enum sigv4_result result = sigv4_sign(&request, &credentials, &scope, read_cache(L, 1),
                                          &o->signature, blind ? NULL : &o->stages);
    if (result != SIGV4_OK)
        return failure(L, result);
    push_stages(L, &o->stages);
    set_text(L, "amz_date", o->signature.amz_date);
    set_text(L, "authorization", o->signature.authorization);
    return 1;
}

static int probe_presign(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct output *o = new_output(L);
    struct sigv4_request request = read_request(L, 1);
    struct sigv4_credentials credentials = read_credentials(L, 1);
    struct sigv4_scope scope = read_scope(L, 1);
    buf_adds(&o->target, "kept ");
    enum sigv4_result result =
        sigv4_presign(&request, &credentials, &scope, read_cache(L, 1), &o->target, &o->stages);
    if (strncmp(buf_text(&o->target), "kept ", 5) != 0 ||
        (result != SIGV4_OK && o->target.len != 5))
        return luaL_error(L, "what out held before was touched");
    if (result != SIGV4_OK)
        return failure(L, result);
    push_stages(L, &o->stages);
    set_text(L, "target", buf_text(&o->target) + 5);
    return 1;
}

struct key_list {
    size_t count;
    struct sigv4_credentials keys[];
};

static bool look_up(void *context, const char *access_key_id, struct sigv4_credentials *out) {
    const struct key_list *list = context;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->keys[i].access_key_id, access_key_id) == 0) {
            *out = list->keys[i];
            return true;
        }
    }
    return false;
}

/* Pushes the list, which must stay on the stack. */
static struct key_list *read_keys(lua_State *L, int rules) {
    enum { MOST = 16 };
    lua_getfield(L, rules, "keys");
    int keys = lua_gettop(L);
    struct key_list *list = lua_newuserdatauv(L, sizeof *list + MOST * sizeof *list->keys, 0);
    list->count = 0;
    for (lua_pushnil(L); lua_istable(L, keys) && lua_next(L, keys); lua_pop(L, 1)) {
        luaL_argcheck(L, list->count < MOST && lua_type(L, -2) == LUA_TSTRING, rules, "keys");
        list->keys[list->count++] = (struct sigv4_credentials){
            .access_key_id = lua_tostring(L, -2),
            .secret_access_key = text_field(L, lua_gettop(L), "secret", NULL),
            .session_token = text_field(L, lua_gettop(L), "token", NULL),
        };
    }
    lua_settop(L, keys + 1);
    lua_remove(L, keys);
    return list;
}

static int probe_verify(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct output *o = new_output(L);
    struct sigv4_request request = read_request(L, 1);
    struct sigv4_rules rules = {
        .region = text_field(L, 2, "region", NULL),
        .service = text_field(L, 2, "service", NULL),
        .now_ms = integer_field(L, 2, "now_ms"),
        .skew_ms = integer_field(L, 2, "skew_ms"),
        .raw_path = bool_field(L, 2, "raw_path"),
        .lookup = look_up,
        .context = read_keys(L, 2),
    };
    struct sigv4_identity identity;
    bool blind = bool_field(L, 2, "blind");
    enum sigv4_result result = sigv4_verify(&request, &rules, read_cache(L, 2),
                                            blind ? NULL : &identity, blind ? NULL : &o->stages);
    lua_pushstring(L, result_names[result]);
    if (blind)
        return 1;
    lua_newtable(L);
    set_text(L, "access_key_id", identity.access_key_id);
    set_text(L, "region", identity.region);
    set_text(L, "service", identity.service);
    set_text(L, "amz_date", identity.amz_date);
    push_stages(L, &o->stages);
    return 3;
}

/* --- threads ----------------------------------------------------------------- */

struct crew {
    struct sigv4_request request;
    struct sigv4_credentials credentials;
    struct sigv4_scope scope;
    struct sigv4_cache *cache;
    int rounds;
    const char *expected;
    int differing; /* guarded by lock */
    pthread_mutex_t lock;
};

static void *work(void *context) {
    struct crew *crew = context;
    for (int i = 0; i < crew->rounds; i++) {
        /* Other days fill the cache, so that entries come and go. */
        struct sigv4_scope other = crew->scope;
        struct sigv4_signed out, spare;
        other.wall_ms += (int64_t)(i % 500) * 86400000;
        bool same = sigv4_sign(&crew->request, &crew->credentials, &crew->scope, crew->cache, &out,
                               NULL) == SIGV4_OK &&
                    strcmp(out.authorization, crew->expected) == 0;
        same = sigv4_sign(&crew->request, &crew->credentials, &other, crew->cache, &spare, NULL) ==
                   SIGV4_OK &&
               same;
        sigv4_signed_free(&out);
        sigv4_signed_free(&spare);
        pthread_mutex_lock(&crew->lock);
        crew->differing += !same;
        pthread_mutex_unlock(&crew->lock);
    }
    return NULL;
}

static int probe_hammer(lua_State *L) {
    enum { MOST = 16 };
    pthread_t threads[MOST];
    luaL_checktype(L, 1, LUA_TTABLE);
    int wanted = (int)luaL_checkinteger(L, 2), started = 0;
    luaL_argcheck(L, wanted >= 1 && wanted <= MOST, 2, "1 to 16 threads");
    struct crew crew = {.rounds = (int)luaL_checkinteger(L, 3)};
    crew.expected = luaL_checkstring(L, 4);
    crew.request = read_request(L, 1);
    crew.credentials = read_credentials(L, 1);
    crew.scope = read_scope(L, 1);
    crew.cache = read_cache(L, 1);
    pthread_mutex_init(&crew.lock, NULL);
    while (started < wanted && pthread_create(&threads[started], NULL, work, &crew) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&crew.lock);
    if (started < wanted)
        return luaL_error(L, "cannot start a thread");
    lua_pushinteger(L, crew.differing);
    return 1;
}

/* --- memory -------------------------------------------------------------------- */

enum { MASK = 0xa5, NEEDLE_MAX = 128 };

/* The needle is only ever held masked, so that the search does not find itself. */
static lua_Integer count_in(const volatile unsigned char *from, const volatile unsigned char *to,
                            const unsigned char *masked, size_t len) {
    lua_Integer count = 0;
    for (const volatile unsigned char *at = from; at + len <= to; at++) {
        size_t same = 0;
        while (same < len && (at[same] ^ MASK) == masked[same])
            same++;
        count += same == len;
    }
    return count;
}

static int hex_value(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static lua_Integer count_in_memory(const unsigned char *masked, size_t len) {
    char line[512];
    lua_Integer count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps)
        return -1;
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char mode[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && strncmp(mode, "rw", 2) == 0)
            count += count_in((const unsigned char *)from, (const unsigned char *)to, masked, len);
    }
    fclose(maps);
    return count;
}

/* The search is done in a child: threads of other specs may unmap memory meanwhile. */
static int probe_find(lua_State *L) {
    enum { MOST = 100, FAILED = 255 };
    size_t hex_len;
    const char *hex = luaL_checklstring(L, 1, &hex_len);
    unsigned char masked[NEEDLE_MAX];
    int status = 0;
    luaL_argcheck(L, hex_len >= 16 && hex_len <= 2 * NEEDLE_MAX, 1, "8 to 128 bytes");
    for (size_t i = 0; i < hex_len / 2; i++)
        masked[i] =
            (unsigned char)(((hex_value(hex[2 * i]) << 4) + hex_value(hex[2 * i + 1])) ^ MASK);
    pid_t child = fork();
    if (child == 0) {
        lua_Integer count = count_in_memory(masked, hex_len / 2);
        _exit(count < 0 ? FAILED : count > MOST ? MOST : (int)count);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) == FAILED)
        return luaL_error(L, "cannot search the memory");
    lua_pushinteger(L, WEXITSTATUS(status));
    return 1;
}

__attribute__((visibility("default"))) int luaopen_probe_sigv4(lua_State *L);

int luaopen_probe_sigv4(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"sign", probe_sign}, {"presign", probe_presign}, {"verify", probe_verify},
        {"cache", cache_new}, {"hammer", probe_hammer},   {"find", probe_find},
        {NULL, NULL},
    };
    luaL_newmetatable(L, OUTPUT);
    lua_pushcfunction(L, output_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newmetatable(L, CACHE);
    lua_pushcfunction(L, cache_free);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lua_pushcfunction(L, cache_free);
    lua_setfield(L, -2, "free");
    lua_setfield(L, -2, "__index");
    luaL_newlib(L, functions);
    return 1;
}
