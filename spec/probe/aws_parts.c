/* The client's pure parts for specs: ini files, configuration, endpoints, retry rules, errors, ids.
 */
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"

#include "host/aws/config.h"
#include "host/aws/credentials.h"
#include "host/aws/error.h"
#include "host/aws/handles.h"
#include "host/aws/retry.h"
#include "host/base/buf.h"

/* The environment of this process: only while no client is at work. setenv(name, value | nil) */
static int set_environment(lua_State *L) {
    const char *name = luaL_checkstring(L, 1), *value = luaL_optstring(L, 2, NULL);
    if (value != NULL)
        setenv(name, value, 1);
    else
        unsetenv(name);
    return 0;
}

/* ini(text, section, key [, group]) -> value | nil, has section */
static int ini(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len), *section = luaL_checkstring(L, 2);
    const char *key = luaL_checkstring(L, 3), *group = luaL_optstring(L, 4, NULL);
    char *exact = malloc(len > 0 ? len : 1); /* so that a read past the end is seen */
    if (exact == NULL)
        return luaL_error(L, "out of memory");
    memcpy(exact, text, len);
    struct ini *file = ini_parse(exact, len);
    free(exact);
    if (file == NULL)
        return luaL_error(L, "out of memory");
    const char *value =
        group != NULL ? ini_get_nested(file, section, group, key) : ini_get(file, section, key);
    lua_pushstring(L, value);
    lua_pushboolean(L, ini_has(file, section));
    ini_free(file);
    return 2;
}

/* ini_read(path) -> true | nil, message */
static int read_ini(lua_State *L) {
    char error[400] = "";
    struct ini *file = ini_read(luaL_checkstring(L, 1), error, sizeof error);
    lua_pushboolean(L, file != NULL);
    lua_pushstring(L, error);
    ini_free(file);
    return 2;
}

static void push_endpoint(lua_State *L, const struct endpoint *e) {
    lua_newtable(L);
    lua_pushstring(L, e->url);
    lua_setfield(L, -2, "url");
    lua_pushstring(L, e->host);
    lua_setfield(L, -2, "host");
    lua_pushstring(L, e->prefix);
    lua_setfield(L, -2, "prefix");
    lua_pushstring(L, e->region);
    lua_setfield(L, -2, "region");
}

static const char *field(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    return luaL_optstring(L, -1, NULL);
}

/* config{region=, endpoint=, profile=, max_attempts=, ca_bundle=} -> table | nil, message. An
** endpoint that cannot be made is its message instead of a table. */
static int config(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct aws_options options = {.region = field(L, "region"),
                                  .endpoint = field(L, "endpoint"),
                                  .profile = field(L, "profile"),
                                  .ca_bundle = field(L, "ca_bundle")};
    lua_getfield(L, 1, "max_attempts");
    options.max_attempts = (int)luaL_optinteger(L, -1, 0);
    struct config c;
    char error[512];
    if (!config_load(&c, &options, error, sizeof error)) {
        config_free(&c);
        lua_pushnil(L);
        lua_pushstring(L, error);
        return 2;
    }
    lua_newtable(L);
    lua_pushstring(L, c.region);
    lua_setfield(L, -2, "region");
    lua_pushstring(L, c.profile);
    lua_setfield(L, -2, "profile");
    lua_pushstring(L, c.ca_bundle);
    lua_setfield(L, -2, "ca_bundle");
    lua_pushstring(L, c.user_agent);
    lua_setfield(L, -2, "user_agent");
    lua_pushinteger(L, c.max_attempts);
    lua_setfield(L, -2, "max_attempts");
    for (int i = 0; i < AWS_SERVICE_COUNT; i++) {
        if (c.endpoints[i].url != NULL)
            push_endpoint(L, &c.endpoints[i]);
        else
            lua_pushstring(L, c.endpoint_errors[i]);
        lua_setfield(L, -2, config_service_name((enum aws_service)i));
    }
    config_free(&c);
    return 1;
}

/* endpoint(url) -> table | nil, message */
static int endpoint(lua_State *L) {
    struct endpoint e;
    char error[400];
    if (endpoint_parse(&e, luaL_checkstring(L, 1), "eu-west-1", error, sizeof error)) {
        push_endpoint(L, &e);
        endpoint_free(&e);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int url_of_container(lua_State *L) {
    char url[2048], error[512];
    if (container_url(url, sizeof url, error, sizeof error)) {
        lua_pushstring(L, url);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int endpoint_of_instance(lua_State *L) {
    char url[1024];
    instance_endpoint(url, sizeof url);
    lua_pushstring(L, url);
    return 1;
}

/* credentials(json) -> id, token, expires_ms | nil, message */
static int credentials(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    char error[300] = "";
    struct credentials *c =
        credentials_parse(text, len, CREDENTIALS_CONTAINER, error, sizeof error);
    if (c == NULL) {
        lua_pushnil(L);
        lua_pushstring(L, error);
        return 2;
    }
    lua_pushstring(L, c->access_key_id);
    lua_pushstring(L, c->session_token);
    lua_pushinteger(L, c->expires_ms);
    credentials_release(c);
    return 3;
}

/* --- retries ---------------------------------------------------------------------------------- */

static const char *const classes[] = {"never", "transient", "throttle", NULL};

static int classify(lua_State *L) {
    lua_pushstring(L, classes[retry_classify((long)luaL_checkinteger(L, 1),
                                             luaL_optstring(L, 2, ""), luaL_optstring(L, 3, ""))]);
    return 1;
}

static int did_not_run(lua_State *L) {
    lua_pushboolean(L, retry_did_not_run((long)luaL_checkinteger(L, 1), luaL_optstring(L, 2, ""),
                                         luaL_optstring(L, 3, "")));
    return 1;
}

static int delay(lua_State *L) {
    lua_pushinteger(L, retry_delay_ms((enum retry_class)luaL_checkoption(L, 1, NULL, classes),
                                      (int)luaL_checkinteger(L, 2), luaL_checknumber(L, 3)));
    return 1;
}

static int hint(lua_State *L) {
    lua_pushinteger(L, retry_hint_ms(luaL_checkinteger(L, 1), luaL_checkinteger(L, 2)));
    return 1;
}

static int read_hint(lua_State *L) {
    lua_pushinteger(L, retry_read_hint(luaL_optstring(L, 1, NULL), luaL_optstring(L, 2, NULL),
                                       luaL_optinteger(L, 3, 0)));
    return 1;
}

/* bucket(steps...) -> tokens after each, prices: steps "transient", "throttle", "ok", or a number
** given back */
static int bucket(lua_State *L) {
    struct retry_bucket b = {RETRY_BUCKET};
    int steps = lua_gettop(L);
    lua_newtable(L);
    lua_newtable(L);
    for (int i = 1; i <= steps; i++) {
        int paid = 0;
        if (lua_type(L, i) == LUA_TNUMBER) {
            retry_give_back(&b, (int)lua_tointeger(L, i));
        } else {
            int class = luaL_checkoption(L, i, NULL, classes);
            if (class == RETRY_NEVER)
                retry_give_back(&b, 0);
            else
                paid = retry_take(&b, (enum retry_class) class);
        }
        lua_pushinteger(L, b.tokens);
        lua_seti(L, steps + 1, i);
        lua_pushinteger(L, paid);
        lua_seti(L, steps + 2, i);
    }
    return 2;
}

static int is_skew(lua_State *L) {
    lua_pushboolean(L, retry_is_skew(luaL_checkstring(L, 1)));
    return 1;
}

/* --- errors and ids --------------------------------------------------------------------------- */

/* error(status, header lines with NULs, body) -> code, query code, message, request id */
static int read_error(lua_State *L) {
    size_t len, body_len;
    const char *lines = luaL_checklstring(L, 2, &len);
    const char *body = luaL_checklstring(L, 3, &body_len);
    struct aws_error e;
    error_read(&e, (long)luaL_checkinteger(L, 1), (struct headers){lines, len}, body, body_len);
    lua_pushstring(L, e.code);
    lua_pushstring(L, e.query_code);
    lua_pushstring(L, e.message);
    lua_pushstring(L, e.request_id);
    return 4;
}

/* Adds count objects, removes every other one and adds as many anew: no old id may work, every new
** one must. handles(count) -> good */
static int ids(lua_State *L) {
    lua_Integer count = luaL_checkinteger(L, 1);
    struct handles h = {0};
    uint64_t *old = lua_newuserdatauv(L, (size_t)count * sizeof *old, 0);
    bool good = true;
    for (lua_Integer i = 0; i < count; i++)
        good = (old[i] = handles_add(&h, (int)(i % 2), &old[i])) != 0 && good;
    for (lua_Integer i = 0; i < count; i += 2)
        handles_remove(&h, old[i]);
    for (lua_Integer i = 0; i < count; i += 2)
        good = handles_add(&h, 1, &h) != 0 && good;
    for (lua_Integer i = 0; i < count; i++) {
        void *found = handles_get(&h, (int)(i % 2), old[i]);
        good = found == (i % 2 ? &old[i] : NULL) && good;
        good = handles_get(&h, 1 - (int)(i % 2), old[i]) == NULL && good;
    }
    good = handles_get(&h, 0, 0) == NULL && handles_get(&h, 0, UINT64_MAX) == NULL && good;
    handles_free(&h);
    lua_pushboolean(L, good);
    return 1;
}

static const luaL_Reg functions[] = {
    {"setenv", set_environment},
    {"ini", ini},
    {"ini_read", read_ini},
    {"config", config},
    {"endpoint", endpoint},
    {"container_url", url_of_container},
    {"instance_endpoint", endpoint_of_instance},
    {"credentials", credentials},
    {"classify", classify},
    {"did_not_run", did_not_run},
    {"delay", delay},
    {"hint", hint},
    {"read_hint", read_hint},
    {"bucket", bucket},
    {"is_skew", is_skew},
    {"error", read_error},
    {"handles", ids},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_probe_aws_parts(lua_State *L);
int luaopen_probe_aws_parts(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
