/* A file as a function: its folder, its handler, its name, the runtime that loads it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/random.h"
#include "host/base/secret.h"
#include "host/cli/cli.h"
#include "host/cli/share.h"
#include "host/json/json.h"

extern char **environ;

enum { EVENT_MAX = 6291456 };

/* Is there a program a that is not older than the program b? */
static bool is_as_new(const char *a, const char *b) {
    struct stat sa, sb;
    if (access(a, X_OK) != 0 || stat(a, &sa) != 0)
        return false;
    if (stat(b, &sb) != 0 || sa.st_mtim.tv_sec > sb.st_mtim.tv_sec)
        return true;
    return sa.st_mtim.tv_sec == sb.st_mtim.tv_sec && sa.st_mtim.tv_nsec >= sb.st_mtim.tv_nsec;
}

/* The runtime for Lua lies beside this program. As for a package the static one comes first, which
** starts in a quarter of the time; but not without its modules, nor when it is older. */
static char **find_bootstrap(void) {
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len < 0)
        return NULL;
    self[len] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    char *usual = NULL, *stand_alone = NULL, *modules = NULL, **command = NULL;
    if (asprintf(&usual, "%s/bootstrap", self) < 0)
        usual = NULL;
    if (asprintf(&stand_alone, "%s/static/bootstrap", self) < 0)
        stand_alone = NULL;
    if (asprintf(&modules, "%s/static/lua/awsync.lua", self) < 0)
        modules = NULL;
    if (usual == NULL || stand_alone == NULL || modules == NULL)
        goto done;
    bool quick = access(modules, R_OK) == 0 && is_as_new(stand_alone, usual);
    char **chosen = quick ? &stand_alone : &usual;
    if (access(*chosen, X_OK) != 0) {
        cli_error("%s: the runtime is not there: %s", *chosen, strerror(errno));
        goto done;
    }
    command = calloc(2, sizeof *command);
    if (command != NULL) {
        command[0] = *chosen;
        *chosen = NULL;
    }
done:
    free(usual);
    free(stand_alone);
    free(modules);
    return command;
}

/* Function names of Lambda are [a-zA-Z0-9-_]{1,64}. */
static void function_name(char out[65], const char *base, size_t len) {
    if (len > 64)
        len = 64;
    for (size_t i = 0; i < len; i++) {
        char c = base[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-';
        out[i] = fits ? c : '-';
    }
    out[len] = '\0';
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The workers see this process's own variables but for those that AWS and the platform define, and
** the time zone, which is UTC in Lambda unless the function says otherwise (--env TZ=...). */
static bool belongs_to_worker(const char *variable) {
    static const char *const reserved[] = {"AWS_",        "_HANDLER=",   "_X_AMZN_", "LAMBDA_",
                                           "AWSYNC_RUN=", "AWSYNC_KEY=", "TZ="};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (starts_with(variable, reserved[i]))
            return false;
    return true;
}

/* The key that signs spawned calls: the user's, or one for this run. */
static char *key_variable(void) {
    const char *given = getenv("AWSYNC_KEY");
    char *variable = NULL;
    if (given != NULL && given[0] != '\0')
        return asprintf(&variable, "AWSYNC_KEY=%s", given) < 0 ? NULL : variable;
    unsigned char bytes[32];
    char hex[2 * sizeof bytes + 1];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    if (asprintf(&variable, "AWSYNC_KEY=%s", hex) < 0)
        variable = NULL;
    secret_wipe(bytes, sizeof bytes);
    secret_wipe(hex, sizeof hex);
    return variable;
}

static bool make_environment(struct cli_program *out, const struct cli_texts *more) {
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    out->environment = calloc(count + more->count + 3, sizeof *out->environment);
    if (out->environment == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (belongs_to_worker(environ[i]) && (out->environment[n] = strdup(environ[i])) != NULL)
            n++;
    if ((out->environment[n] = key_variable()) == NULL)
        return false;
    n++;
    if (asprintf(&out->environment[n], "AWSYNC_RUN=%s", out->run) < 0) {
        out->environment[n] = NULL;
        return false;
    }
    for (size_t i = 0; i < more->count; i++)
        if ((out->environment[++n] = strdup(more->items[i])) == NULL)
            return false;
    return true;
}

static bool locate(struct cli_program *out, const char *file, bool lua) {
    *out = (struct cli_program){0};
    struct stat info;
    char path[PATH_MAX];
    if (realpath(file, path) == NULL || stat(path, &info) != 0) {
        cli_error("%s: %s", file, strerror(errno));
        return false;
    }
    char *slash = strrchr(path, '/');
    char *base = slash + 1;
    const char *end = strrchr(base, '.');
    size_t len = end != NULL && end > base ? (size_t)(end - base) : strlen(base);
    if (S_ISDIR(info.st_mode)) {
        cli_error("%s: %s", file, strerror(EISDIR));
        return false;
    }
    if (lua && strcmp(base + len, ".lua") != 0) {
        cli_error("%s: not a Lua file; its name has to end in .lua", file);
        return false;
    }
    if (access(path, R_OK) != 0) {
        cli_error("%s: %s", file, strerror(errno));
        return false;
    }
    function_name(out->name, base, len);
    if (asprintf(&out->handler, "%.*s.main", (int)len, base) < 0)
        out->handler = NULL;
    *slash = '\0';
    out->root = strdup(path[0] != '\0' ? path : "/");
    if (out->root == NULL || out->handler == NULL) {
        cli_error("out of memory");
        return false;
    }
    return true;
}

bool cli_program_locate(struct cli_program *out, const char *file) {
    return locate(out, file, true);
}

bool cli_program_open(struct cli_program *out, const struct cli_options *options) {
    const char *custom = options->bootstrap;
    if (!locate(out, options->file, custom == NULL))
        return false;
    if (options->handler != NULL) {
        free(out->handler);
        out->handler = strdup(options->handler);
    }
    random_name(out->run, 8);
    if (out->handler == NULL || !make_environment(out, &options->env)) {
        cli_error("out of memory");
        return false;
    }
    out->command = custom != NULL ? cli_command_read(custom) : find_bootstrap();
    return out->command != NULL;
}

void cli_program_free(struct cli_program *program) {
    free(program->root);
    free(program->handler);
    cli_command_free(program->command);
    for (char **v = program->environment; v != NULL && *v != NULL; v++)
        secret_free(*v);
    free(program->environment);
    *program = (struct cli_program){0};
}

static bool read_file(struct buf *out, const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        cli_error("--event: %s: %s", path, strerror(errno));
        return false;
    }
    char block[16384];
    size_t n;
    while ((n = fread(block, 1, sizeof block, file)) > 0 && buf_add(out, block, n)) {
    }
    bool failed = ferror(file) != 0;
    int error = errno;
    fclose(file);
    if (failed)
        cli_error("--event: %s: %s", path, strerror(error));
    else if (!buf_ok(out))
        cli_error("--event: %s is over Lambda's limit of %d bytes", path, EVENT_MAX);
    return !failed && buf_ok(out);
}

bool cli_event_read(struct buf *out, const char *event) {
    buf_init(out, EVENT_MAX);
    if (event == NULL)
        event = "{}";
    if (event[0] == '@') {
        if (!read_file(out, event + 1))
            return false;
    } else if (!buf_adds(out, event)) {
        cli_error("--event: over Lambda's limit of %d bytes", EVENT_MAX);
        return false;
    }
    struct json_reader reader;
    json_reader_init(&reader, buf_text(out), out->len, JSON_DEPTH_DEFAULT);
    if (!json_skip(&reader, json_next(&reader)) || json_next(&reader) != JSON_END) {
        char why[128];
        json_reader_message(&reader, why, sizeof why);
        cli_error("--event%s%s is no JSON: %s", event[0] == '@' ? ": " : "",
                  event[0] == '@' ? event + 1 : "", why);
        return false;
    }
    return true;
}

bool cli_fixture_read(struct buf *out, const char *name) {
    char path[64];
    const struct share_file *file = NULL;
    buf_init(out, EVENT_MAX);
    if ((size_t)snprintf(path, sizeof path, "events/%s.json", name) < sizeof path)
        file = share_find(path);
    if (file == NULL) {
        cli_error("--event-from takes apigateway, url, sqs, s3 or eventbridge, not \"%s\"", name);
        return false;
    }
    if (buf_add(out, file->text, file->len))
        return true;
    cli_error("out of memory");
    return false;
}
