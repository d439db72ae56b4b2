/* `awsync test`: busted, with awsync's Lua modules and this program where the specs find them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/package.h"

static const char help[] =
    "usage: awsync test [ARGUMENT...]\n\n"
    "Runs busted on the specs of the present folder (spec/), with `awsync`, `awsync.testing` and "
    "the modules of\n"
    "the present folder where `require` finds them. ARGUMENTs go to busted: files, --filter, "
    "--tags, --output.\n\n"
    "Exit status: busted's own, the number of specs that failed; 1 when there is no busted.\n";

/* Sets NAME_5_4, which is for Lua 5.4 alone, to `more` and then what it or NAME has had; Lua's own
** default stays at the end. NAME goes: busted begins by whatever `lua` is on this machine, and
** modules that are Lua 5.4's are none for another. */
static bool extend(const char *name, const char *more) {
    char versioned[32];
    snprintf(versioned, sizeof versioned, "%s_5_4", name);
    const char *there = getenv(versioned);
    if (there == NULL)
        there = getenv(name);
    char *value = NULL;
    bool ok = asprintf(&value, "%s;%s", more, there != NULL && there[0] != '\0' ? there : ";") >= 0;
    ok = ok && setenv(versioned, value, 1) == 0 && unsetenv(name) == 0;
    free(value);
    return ok;
}

/* awsync.testing looks for `awsync` beside itself and then in the PATH. */
static bool extend_path(const char *self) {
    const char *there = getenv("PATH");
    char *value = NULL;
    bool ok = asprintf(&value, "%s:%s", self, there != NULL ? there : "/usr/bin:/bin") >= 0 &&
              setenv("PATH", value, 1) == 0;
    free(value);
    return ok;
}

static bool set_environment(void) {
    char self[PATH_MAX], lua[PATH_MAX];
    if (!cli_self_folder(self, sizeof self) || !cli_lua_folder(lua, sizeof lua)) {
        cli_error("awsync's Lua modules are not where this program is installed");
        return false;
    }
    char *modules = NULL, *libraries = NULL;
    bool ok =
        asprintf(&modules, "./?.lua;./?/init.lua;./lua/?.lua;%s/?.lua;%s/?/init.lua", lua, lua) >=
            0 &&
        asprintf(&libraries, "./?.so;./lib/?.so;%s/?.so;%s/../lib/lua/5.4/?.so", lua, self) >= 0 &&
        extend("LUA_PATH", modules) && extend("LUA_CPATH", libraries) && extend_path(self);
    if (!ok)
        cli_error("out of memory");
    free(modules);
    free(libraries);
    return ok;
}

/* Is there a program of that name in the PATH? */
static bool in_path(const char *name) {
    const char *at = getenv("PATH");
    char file[PATH_MAX];
    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ":");
        if (snprintf(file, sizeof file, "%.*s/%s", (int)len, at, name) < (int)sizeof file &&
            access(file, X_OK) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

int cli_test(int argc, char **argv) {
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (argc == 1 && access("spec", F_OK) != 0 && access(".busted", F_OK) != 0) {
        cli_error("there is no spec/ here; `awsync new NAME` makes a program with one");
        return CLI_FAILED;
    }
    if (!set_environment())
        return CLI_FAILED;
    /* busted runs by whatever `lua` is on this machine; this program's modules are for 5.4. */
    char **words = calloc((size_t)argc + 2, sizeof *words);
    if (words == NULL) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    char program[] = "busted", interpreter[] = "--lua=lua5.4";
    int count = 0;
    words[count++] = program;
    if (in_path("lua5.4"))
        words[count++] = interpreter;
    for (int i = 1; i < argc; i++)
        words[count++] = argv[i];
    execvp(words[0], words);
    cli_error("busted cannot be run: %s; on Debian and Ubuntu: apt install lua-busted, elsewhere: "
              "luarocks install busted",
              strerror(errno));
    free(words);
    return CLI_FAILED;
}
