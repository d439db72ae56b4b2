/* invoke(f, ...): a Lua function in another instance of this Lambda. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/binding/host.h"

/* Lambda keeps an asynchronous event at most six hours. */
enum { LIFETIME_MS = 6 * 60 * 60 * 1000 };
/* Bytes; over the limit too, so that the error can say the figure. */
enum { SEALED_MAX = 8 * 1024 * 1024 };

/* The function that runs this program, in the version that runs it. */
static const char *target(lua_State *L, const char **qualifier_out) {
    const char *name = getenv("AWS_LAMBDA_FUNCTION_NAME"),
               *version = getenv("AWS_LAMBDA_FUNCTION_VERSION");
    if (name == NULL || name[0] == '\0')
        luaL_error(L, "invoke: set AWS_LAMBDA_FUNCTION_NAME to the name of the Lambda function "
                      "that runs this "
                      "program: the call goes there");
    bool qualified = version != NULL && version[0] != '\0' && strcmp(version, "$LATEST") != 0;
    *qualifier_out = qualified ? version : NULL;
    return name;
}

static void check_limits(lua_State *L, const struct host *host) {
    if (host->depth + 1 > host->max_depth)
        luaL_error(L, "invoke: a call at depth %d is deeper than AWSYNC_MAX_DEPTH (%I) allows",
                   host->depth + 1, (LUAI_UACINT)host->max_depth);
    if (host->spawns >= host->max_spawns)
        luaL_error(L,
                   "invoke: this invocation has made %I calls, as many as AWSYNC_MAX_SPAWNS allows",
                   (LUAI_UACINT)host->spawns);
}

static void fill_claims(const struct host *host, const char *name, struct envelope_claims *claims) {
    *claims = (struct envelope_claims){
        .depth = host->depth + 1,
        .issued_ms = clock_wall_ms(),
        .lifetime_ms = LIFETIME_MS,
    };
    snprintf(claims->run, sizeof claims->run, "%s", host->run);
    random_uuid(claims->call);
    snprintf(claims->parent, sizeof claims->parent, "%s", host->request_id);
    snprintf(claims->function, sizeof claims->function, "%s", name);
}

enum send_result { SEND_OK, SEND_NO_MEMORY, SEND_TOO_LARGE, SEND_TIMEOUT };

/* Seals the call and gives it to the I/O thread. Raises nothing: it owns memory. */
static enum send_result seal_and_send(struct host *host, const char *name, const char *payload,
                                      size_t len, struct lambda_invoke *in, size_t *size_out) {
    struct envelope_claims claims;
    fill_claims(host, name, &claims);
    struct buf sealed;
    buf_init(&sealed, SEALED_MAX);
    enum send_result result;
    if (!envelope_seal(&host->key, &claims, payload, len, &sealed)) {
        result = SEND_NO_MEMORY;
    } else if (sealed.len > LAMBDA_ASYNC_PAYLOAD_MAX) {
        *size_out = sealed.len;
        result = SEND_TOO_LARGE;
    } else {
        in->payload = buf_text(&sealed);
        in->payload_len = sealed.len;
        switch (calls_send(&host->calls, host->client, in, name, host->wait_until)) {
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

int invoke_call(lua_State *L) {
    luaL_argexpected(L, lua_isfunction(L, 1), 1, "function");
    luaL_argcheck(L, !lua_iscfunction(L, 1), 1,
                  "a C function cannot be called in another lambda: wrap it in a Lua function");
    int arguments = lua_gettop(L) - 1;
    struct host *host = host_ready(L);
    struct lambda_invoke in = {.type = LAMBDA_EVENT};
    in.function = target(L, &in.qualifier);
    if (binding_key(L)->len == 0)
        luaL_error(L, "invoke: calls are signed, and there is no key: set AWSYNC_KEY to 32 random "
                      "bytes in hex, e.g. by "
                      "`openssl rand -hex 32`, the same for the whole deployment (`awsync run` "
                      "makes one for each run)");
    check_limits(L, host);

    codec_function_name(L, 1);
    const char *name = lua_tostring(L, -1);
    struct codec_options options = host_codec_options(L, host, "invoke", LAMBDA_ASYNC_PAYLOAD_MAX);
    codec_encode_call(L, 1, 2, arguments, &options);
    size_t len, size = 0;
    const char *payload = lua_tolstring(L, -1, &len);
    switch (seal_and_send(host, name, payload, len, &in, &size)) {
    case SEND_OK:
        host->spawns++;
        return 0;
    case SEND_TOO_LARGE:
        return luaL_error(L,
                          "invoke: the call of '%s' has %I bytes when it is sealed; an "
                          "asynchronous call may have %d",
                          name, (LUAI_UACINT)size, LAMBDA_ASYNC_PAYLOAD_MAX);
    case SEND_TIMEOUT:
        return host_out_of_time(L, "invoke");
    default:
        return luaL_error(L, "invoke: not enough memory");
    }
}
