/* invoke(f, ...): a Lua function in another instance of this Lambda; and what futures, groups and
** detached calls are made by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/base/clock.h"
#include "host/binding/family.h"
#include "host/binding/host.h"

/* Lambda keeps an asynchronous event at most six hours. */
enum { LIFETIME_MS = 6 * 60 * 60 * 1000 };
/* Bytes; over the limit too, so that the error can say the figure. */
enum { SEALED_MAX = 8 * 1024 * 1024 };
/* Frames above invoke whose variables are searched for a function's name. */
enum { NAME_LEVELS = 8 };

struct spawn {
    const char *operation, *name;
    enum family_tie tie;
    lua_Integer scope;
    int function, future; /* slots; future 0: none */
    int arguments;
};

/* The function that runs this program, in the version that runs it. */
static const char *target(lua_State *L, const char *operation, const char **qualifier_out) {
    const char *name = getenv("AWS_LAMBDA_FUNCTION_NAME"),
               *version = getenv("AWS_LAMBDA_FUNCTION_VERSION");
    if (name == NULL || name[0] == '\0')
        host_error(L,
                   "%s: set AWS_LAMBDA_FUNCTION_NAME to the name of the Lambda function "
                   "that runs this "
                   "program: the call goes there",
                   operation);
    bool qualified = version != NULL && version[0] != '\0' && strcmp(version, "$LATEST") != 0;
    *qualifier_out = qualified ? version : NULL;
    return name;
}

static void check_limits(lua_State *L, const struct host *host, const char *operation) {
    if (host->depth + 1 > host->max_depth)
        host_error(L, "%s: a call at depth %d is deeper than AWSYNC_MAX_DEPTH (%I) allows",
                   operation, host->depth + 1, (LUAI_UACINT)host->max_depth);
    if (host->spawns >= host->max_spawns)
        host_error(L, "%s: this invocation has made %I calls, as many as AWSYNC_MAX_SPAWNS allows",
                   operation, (LUAI_UACINT)host->spawns);
}

/* --- names --------------------------------------------------------------------------------------- */

/* Pushes the name of the local variable or upvalue of a calling function that holds f. */
static bool push_callers_name(lua_State *L, int f) {
    lua_Debug ar;
    int seen = 0;
    for (int level = 1; seen < NAME_LEVELS && lua_getstack(L, level, &ar); level++) {
        const char *name;
        if (host_own_frame(L, &ar))
            continue;
        seen++;
        for (int i = 1; (name = lua_getlocal(L, &ar, i)) != NULL; i++) {
            bool same = name[0] != '(' && lua_rawequal(L, -1, f);
            lua_pop(L, 1);
            if (same) {
                lua_pushstring(L, name);
                return true;
            }
        }
        lua_getinfo(L, "f", &ar);
        for (int i = 1; (name = lua_getupvalue(L, -1, i)) != NULL; i++) {
            bool same = name[0] != '\0' && lua_rawequal(L, -1, f);
            lua_pop(L, 1);
            if (same) {
                lua_pop(L, 1);
                lua_pushstring(L, name);
                return true;
            }
        }
        lua_pop(L, 1);
    }
    return false;
}

/* `main.lua:12`: what codec_function_name says of a function that has no name. */
static bool is_place(const char *name) {
    const char *colon = strrchr(name, ':');
    return colon != NULL && colon[1 + strspn(colon + 1, "0123456789")] == '\0';
}

static const char *push_name(lua_State *L, int f) {
    codec_function_name(L, f);
    if (is_place(lua_tostring(L, -1)) && push_callers_name(L, f))
        lua_remove(L, -2);
    return lua_tostring(L, -1);
}

/* --- the call ------------------------------------------------------------------------------------ */

/* The nearest inbox first, then those of the ancestors, as many as there is room for. */
static void write_inboxes(const struct host *host, char *out, size_t size) {
    inbox_address(host->family.inbox, out, size);
    const char *rest = host->family.is_call ? host->family.claims.inbox : "";
    size_t len = strlen(out);
    while (*rest != '\0') {
        size_t part = strcspn(rest, " ");
        if (len + part + 2 > size)
            break;
        if (len > 0)
            out[len++] = ' ';
        memcpy(out + len, rest, part);
        len += part;
        out[len] = '\0';
        rest += part;
        rest += *rest == ' ';
    }
}

/* The same for the same call of the same event, so that an event which Lambda delivers twice makes
** the same calls: their pushes and records are told to be the same ones. */
static bool name_call(const struct host *host, char id[RECORD_ID_SIZE]) {
    char text[128], mac[ENVELOPE_MAC_SIZE];
    int len = snprintf(text, sizeof text, "%s %lld", host->identity, host->spawns);
    if (!envelope_mac(&host->key, "awsync/1 id", text, (size_t)len, mac))
        return false;
    snprintf(id, RECORD_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", mac, mac + 8, mac + 12, mac + 16,
             mac + 20);
    return true;
}

static bool fill_claims(struct host *host, const struct spawn *spawn,
                        const struct budget_claim *budget, struct envelope_claims *claims) {
    *claims = (struct envelope_claims){
        .depth = host->depth + 1,
        .issued_ms = clock_wall_ms(),
        .lifetime_ms = LIFETIME_MS,
        .scope = spawn->scope,
        .budget = *budget,
    };
    snprintf(claims->run, sizeof claims->run, "%s", host_run(host));
    snprintf(claims->parent, sizeof claims->parent, "%s", host->request_id);
    snprintf(claims->function, sizeof claims->function, "%s", spawn->name);
    if (spawn->tie != TIE_DETACHED)
        write_inboxes(host, claims->inbox, sizeof claims->inbox);
    return name_call(host, claims->call);
}

enum send_result { SEND_OK, SEND_NO_MEMORY, SEND_TOO_LARGE, SEND_TIMEOUT };

/* Seals the call and gives it to the I/O thread. Raises nothing: it owns memory. */
static enum send_result seal_and_send(struct host *host, const struct spawn *spawn,
                                      const struct envelope_claims *claims, const char *payload,
                                      size_t len, struct lambda_invoke *in, size_t *size_out) {
    struct buf sealed;
    buf_init(&sealed, SEALED_MAX);
    enum send_result result;
    if (!envelope_seal(&host->key, claims, payload, len, &sealed)) {
        result = SEND_NO_MEMORY;
    } else if (sealed.len > LAMBDA_ASYNC_PAYLOAD_MAX) {
        *size_out = sealed.len;
        result = SEND_TOO_LARGE;
    } else {
        in->payload = buf_text(&sealed);
        in->payload_len = sealed.len;
        const char *id = spawn->tie == TIE_DETACHED ? "" : claims->call;
        switch (calls_send(&host->calls, host->client, in, spawn->name, id, host->wait_until)) {
        case CALLS_OK:
            result = SEND_OK;
            break;
        case CALLS_TIMEOUT:
            result = SEND_TIMEOUT;
            break;
        default:
            result = SEND_NO_MEMORY;
        }
    }
    buf_free(&sealed);
    return result;
}

static void open_inbox(lua_State *L, struct host *host) {
    struct family *f = &host->family;
    if (f->inbox == NULL)
        f->inbox = inbox_new(host->client);
    if (f->inbox == NULL)
        host_error(L, "not enough memory");
    inbox_set_hub(f->inbox, host->hub);
    if (!inbox_is_open(f->inbox))
        inbox_open(f->inbox, host_run(host), host->function, host->expires_ms);
}

static int spawn_call(lua_State *L, struct host *host, struct spawn *spawn) {
    const char *operation = spawn->operation;
    struct lambda_invoke in = {.type = LAMBDA_EVENT, .told = true};
    in.function = target(L, operation, &in.qualifier);
    if (binding_key(L)->len == 0)
        host_error(L,
                   "%s: calls are signed, and there is no key: set AWSYNC_KEY to 32 random "
                   "bytes in hex, e.g. by "
                   "`openssl rand -hex 32`, the same for the whole deployment (`awsync run` "
                   "makes one for each run)",
                   operation);
    check_limits(L, host, operation);

    struct codec_options options = host_codec_options(L, host, operation, LAMBDA_ASYNC_PAYLOAD_MAX);
    host->encoding = spawn->tie == TIE_DETACHED ? ENCODING_DETACHED : ENCODING_CALL;
    codec_encode_call(L, spawn->function, spawn->function + 1, spawn->arguments, &options);
    size_t len, size = 0;
    const char *payload = lua_tolstring(L, -1, &len);
    if (spawn->tie != TIE_DETACHED)
        open_inbox(L, host);
    claimer_prepare(family_claimer(L, host));
    struct envelope_claims claims;
    enum send_result result = SEND_NO_MEMORY;
    struct budget_use use = host_use(host);
    struct budget_claim budget;
    if (!budget_call(&host->budget, &use, &budget))
        return host_out_of_money(L, host, operation);
    if (fill_claims(host, spawn, &budget, &claims))
        result = seal_and_send(host, spawn, &claims, payload, len, &in, &size);
    switch (result) {
    case SEND_OK:
        host->spawns++;
        if (spawn->tie != TIE_DETACHED)
            family_add(L, host, claims.call, spawn->name, spawn->future);
        return 0;
    case SEND_TOO_LARGE:
        return host_error(L,
                          "%s: the call of '%s' has %I bytes when it is sealed, over Lambda's "
                          "limit of %d for an asynchronous call",
                          operation, spawn->name, (LUAI_UACINT)size, LAMBDA_ASYNC_PAYLOAD_MAX);
    case SEND_TIMEOUT:
        return host_out_of_time(L, operation);
    default:
        return host_error(L, "%s: not enough memory", operation);
    }
}

int family_announce(lua_State *L) {
    const char *operation = luaL_checkstring(L, 1);
    lua_Integer calls = luaL_checkinteger(L, 2);
    struct host *host = host_ready(L);
    struct budget_use use = host_use(host);
    char why[512];
    if (budget_announce(&host->budget, &use, calls > 0 ? (uint64_t)calls : 0, why, sizeof why))
        return 0;
    lua_pushfstring(L, "%s: %s", operation, why); /* its place would be one of lua/awsync */
    return lua_error(L);
}

int invoke_call(lua_State *L) {
    luaL_argexpected(L, lua_isfunction(L, 1), 1, "function");
    luaL_argcheck(L, !lua_iscfunction(L, 1), 1,
                  "a C function cannot be called in another lambda: wrap it in a Lua function");
    struct spawn spawn = {.operation = "invoke", .function = 1, .arguments = lua_gettop(L) - 1};
    struct host *host = host_ready(L);
    spawn.name = push_name(L, 1);
    return spawn_call(L, host, &spawn);
}

/* spawn(operation, future or nil, scope, namesake, f, ...): scope 0: not linked; future nil and
** scope 0: detached. */
int family_spawn(lua_State *L) {
    struct spawn spawn = {
        .operation = luaL_checkstring(L, 1),
        .scope = luaL_checkinteger(L, 3),
        .function = 5,
        .arguments = lua_gettop(L) - 5,
    };
    luaL_checktype(L, 5, LUA_TFUNCTION);
    spawn.future = lua_istable(L, 2) ? 2 : 0;
    spawn.tie = spawn.future != 0 ? TIE_LINKED : TIE_DETACHED;
    struct host *host = host_ready(L);
    spawn.name = push_name(L, 4);
    return spawn_call(L, host, &spawn);
}
