/* See handler.h. */
#include "host/runtime/handler.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "host/base/buf.h"
#include "host/runtime/failure.h"

enum { FILE_MAX = 256 * 1024 * 1024 }; /* bytes; a whole deployment is 250 MB at most */

static char function_key; /* its address is the registry's key of the function */

void handler_open(struct handler *handler) {
    const char *root = getenv("LAMBDA_TASK_ROOT");
    handler->root = root != NULL && root[0] != '\0' ? root : ".";
    handler->spec = getenv("_HANDLER");
    handler->error_type = ERROR_CONFIG;
}

/* --- paths ----------------------------------------------------------------------------------- */

/* The folder of the running program; "." when it cannot be told. */
static void program_folder(char *out, size_t size) {
    ssize_t len = readlink("/proc/self/exe", out, size - 1);
    out[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL)
        *slash = '\0';
    else
        snprintf(out, size, ".");
}

static void set_path(lua_State *L, const char *field, const char *const (*places)[2],
                     size_t count) {
    luaL_Buffer b;
    lua_getglobal(L, "package");
    lua_getfield(L, -1, field);
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < count; i++) {
        luaL_addstring(&b, places[i][0]);
        luaL_addstring(&b, places[i][1]);
        luaL_addchar(&b, ';');
    }
    luaL_pushresult(&b);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_setfield(L, -2, field);
    lua_pop(L, 1);
}

void handler_set_paths(lua_State *L, const struct handler *handler) {
    char program[PATH_MAX];
    program_folder(program, sizeof program);
    const char *root = handler->root;
    const char *const lua[][2] = {
        {root, "/?.lua"},
        {root, "/?/init.lua"},
        {root, "/lua/?.lua"},
        {root, "/lua/?/init.lua"},
        {program, "/lua/?.lua"},
        {program, "/lua/?/init.lua"},
        {program, "/../share/lua/5.4/?.lua"},
        {program, "/../share/lua/5.4/?/init.lua"},
    };
    const char *const c[][2] = {
        {root, "/?.so"},
        {root, "/lib/?.so"},
        {program, "/lua/?.so"},
        {program, "/../lib/lua/5.4/?.so"},
    };
    set_path(L, "path", lua, sizeof lua / sizeof lua[0]);
    set_path(L, "cpath", c, sizeof c / sizeof c[0]);
}

/* --- loading --------------------------------------------------------------------------------- */

/* Reads a whole file. On failure errno says why. */
static bool read_file(const char *path, struct buf *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    char block[16384];
    size_t n;
    errno = 0;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        if (!buf_add(out, block, n)) {
            errno = ENOMEM;
            break;
        }
    int saved = errno;
    bool ok = buf_ok(out) && !ferror(file);
    fclose(file);
    errno = saved;
    return ok;
}

/* Length of what comes before the program's text: a byte order mark, a first line that begins with
** `#`. The newline stays. */
static size_t preamble(const char *text, size_t len) {
    size_t at = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    if (at < len && text[at] == '#')
        while (at < len && text[at] != '\n')
            at++;
    return at;
}

/* Pushes the chunk of the file at path, or an error message; the result is a status of Lua or
** LUA_ERRFILE. No memory is owned here when something is raised: lua_load is protected and
** pushes what it has to say. */
static int load_file(lua_State *L, const char *path, const char *chunkname) {
    struct buf text;
    int status = LUA_ERRFILE;
    buf_init(&text, FILE_MAX);
    bool ok = read_file(path, &text);
    int error = errno;
    if (ok) {
        size_t skip = preamble(buf_text(&text), text.len);
        status = luaL_loadbufferx(L, buf_text(&text) + skip, text.len - skip, chunkname, NULL);
    }
    buf_free(&text);
    if (!ok)
        lua_pushstring(L, strerror(error));
    return status;
}

/* With the file's module name on the stack's top: pops it. `require` of the program's file gives
** the running one, as long as no library has that name. */
static void keep_module(lua_State *L, int result) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pushvalue(L, -3);
        if (lua_isnil(L, result))
            lua_pushboolean(L, 1);
        else
            lua_pushvalue(L, result);
        lua_rawset(L, -4);
    }
    lua_pop(L, 3);
}

/* Pushes the function: a field of the table that the file returned, else a global. */
static int find_function(lua_State *L, int result, const char *name) {
    if (lua_istable(L, result)) {
        if (lua_getfield(L, result, name) != LUA_TNIL)
            return lua_type(L, -1);
        lua_pop(L, 1);
    }
    return lua_getglobal(L, name);
}

void handler_load(lua_State *L, struct handler *handler) {
    const char *spec = handler->spec, *dot = spec != NULL ? strrchr(spec, '.') : NULL;
    handler->error_type = ERROR_BAD_HANDLER;
    if (spec == NULL || spec[0] == '\0')
        luaL_error(L, "_HANDLER is not set: it names file and function, as in `main.main`");
    if (dot == NULL || dot == spec || dot[1] == '\0')
        luaL_error(L, "_HANDLER is \"%s\": it should be `file.function`, as in `main.main`", spec);
    const char *name = dot + 1;
    lua_pushlstring(L, spec, (size_t)(dot - spec));
    const char *module = lua_tostring(L, -1);
    int module_at = lua_gettop(L);
    const char *file = lua_pushfstring(L, "%s.lua", module);
    /* An absolute name stays as it is. */
    const char *path = file[0] == '/' ? file : lua_pushfstring(L, "%s/%s", handler->root, file);
    const char *chunkname = lua_pushfstring(L, "@%s", file);

    int status = load_file(L, path, chunkname);
    if (status == LUA_ERRFILE) {
        handler->error_type = ERROR_IMPORT;
        luaL_error(L, "cannot read %s: %s", path, lua_tostring(L, -1));
    }
    handler->error_type = status == LUA_ERRSYNTAX ? ERROR_SYNTAX : ERROR_IMPORT;
    if (status != LUA_OK)
        lua_error(L);
    lua_pushstring(L, module); /* as a module gets them: its name and its file */
    lua_pushstring(L, path);
    lua_call(L, 2, 1);
    int result = lua_gettop(L);
    luaL_gsub(L, lua_tostring(L, module_at), "/", ".");
    keep_module(L, result);

    handler->error_type = ERROR_NO_HANDLER;
    int type = find_function(L, result, name);
    if (type == LUA_TNIL)
        luaL_error(L, "%s defines no function \"%s\"", file, name);
    if (type != LUA_TFUNCTION && luaL_getmetafield(L, -1, "__call") == LUA_TNIL)
        luaL_error(L, "%s: \"%s\" is a %s, not a function", file, name, luaL_typename(L, -1));
    lua_settop(L, type == LUA_TFUNCTION ? lua_gettop(L) : lua_gettop(L) - 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &function_key);
}

bool handler_push(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &function_key) != LUA_TFUNCTION)
        return true;
    lua_Debug about;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">u", &about);
    return about.nparams >= 2 || about.isvararg;
}
