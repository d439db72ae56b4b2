/* `awsync new`: a folder to begin with. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/buf.h"
#include "host/cli/cli.h"
#include "host/cli/flags.h"
#include "host/cli/share.h"

static const char help[] =
    "usage: awsync new NAME\n\n"
    "Makes the folder NAME with a program (NAME.lua), its spec (spec/NAME_spec.lua), a README, and "
    "the settings\n"
    "of git, busted and luacheck. NAME: up to 64 letters, digits, - and _, as Lambda has them; "
    "also a path.\n\n"
    "    awsync new squares && cd squares && awsync test\n\n"
    "Exit status: 0; 1 when it cannot be made; 2 for wrong usage.\n";

static const struct {
    const char *from, *to;
} files[] = {
    {"new/program.lua", "@NAME@.lua"}, {"new/program_spec.lua", "spec/@NAME@_spec.lua"},
    {"new/README.md", "README.md"},    {"new/gitignore", ".gitignore"},
    {"new/busted", ".busted"},         {"new/luacheckrc", ".luacheckrc"},
};

/* Appends text with the name in the place of each @NAME@. */
static bool fill(struct buf *out, const char *text, const char *name) {
    static const char place[] = "@NAME@";
    const char *at;
    while ((at = strstr(text, place)) != NULL) {
        buf_add(out, text, (size_t)(at - text));
        buf_adds(out, name);
        text = at + sizeof place - 1;
    }
    return buf_adds(out, text);
}

static bool write_new(const char *path, const struct buf *text) {
    FILE *file = fopen(path, "wxe");
    bool ok = file != NULL && fwrite(buf_text(text), 1, text->len, file) == text->len;
    if (file != NULL)
        ok = fclose(file) == 0 && ok;
    if (!ok)
        cli_error("%s: %s", path, strerror(errno));
    return ok;
}

static bool make_folder(const char *path) {
    if (mkdir(path, 0777) == 0)
        return true;
    cli_error("%s: %s", path, strerror(errno));
    return false;
}

static bool make_files(const char *folder, const char *name) {
    struct buf path, text;
    buf_init(&path, PATH_MAX);
    buf_init(&text, 65536);
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof files / sizeof files[0]; i++) {
        buf_reset(&path);
        buf_reset(&text);
        buf_addf(&path, "%s/", folder);
        ok = fill(&path, files[i].to, name) && fill(&text, share_find(files[i].from)->text, name) &&
             write_new(buf_text(&path), &text);
    }
    buf_free(&path);
    buf_free(&text);
    return ok;
}

static bool is_name(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len <= 64 && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

int cli_new(int argc, char **argv) {
    int first;
    bool asked;
    if (!cli_flags_read(NULL, 0, argc, argv, &first, &asked))
        return CLI_USAGE;
    if (asked) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (first + 1 != argc) {
        cli_error("new takes one NAME; see `awsync new --help`");
        return CLI_USAGE;
    }
    const char *folder = argv[first], *slash = strrchr(folder, '/');
    const char *name = slash != NULL ? slash + 1 : folder;
    if (!is_name(name)) {
        cli_error("\"%s\" is no name of a Lambda function: up to 64 letters, digits, - and _",
                  name);
        return CLI_USAGE;
    }
    char spec[PATH_MAX];
    snprintf(spec, sizeof spec, "%s/spec", folder);
    if (!make_folder(folder) || !make_folder(spec) || !make_files(folder, name))
        return CLI_FAILED;
    fprintf(stderr, "awsync: made %s: now `cd %s && awsync test`\n", folder, folder);
    return CLI_OK;
}
