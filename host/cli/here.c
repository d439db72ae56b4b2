/* The program of the present folder, for commands that are given no FILE. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/cli/cli.h"

enum { NAMED_MAX = 6 }; /* files that a message names */

static int is_program(const struct dirent *entry) {
    const char *name = entry->d_name, *end = strrchr(name, '.');
    struct stat info;
    return name[0] != '.' && end != NULL && strcmp(end, ".lua") == 0 && stat(name, &info) == 0 &&
           S_ISREG(info.st_mode);
}

/* The index of `main.lua`, else of `FOLDER.lua`, else of the only one; -1: none of these. */
static int choose(struct dirent **files, int count) {
    char folder[PATH_MAX], named[PATH_MAX + 8] = "";
    if (getcwd(folder, sizeof folder) != NULL)
        snprintf(named, sizeof named, "%s.lua", strrchr(folder, '/') + 1);
    int by_folder = -1;
    for (int i = 0; i < count; i++) {
        if (strcmp(files[i]->d_name, "main.lua") == 0)
            return i;
        if (strcmp(files[i]->d_name, named) == 0)
            by_folder = i;
    }
    return by_folder >= 0 || count != 1 ? by_folder : 0;
}

static void say_which(const char *command, struct dirent **files, int count) {
    struct buf names;
    buf_init(&names, NAMED_MAX * (NAME_MAX + 2));
    for (int i = 0; i < count && i < NAMED_MAX; i++)
        buf_addf(&names, "%s%s", i > 0 ? ", " : "", files[i]->d_name);
    cli_error("%s needs a FILE: which of %s%s?", command, buf_text(&names),
              count > NAMED_MAX ? ", ..." : "");
    buf_free(&names);
}

char *const *cli_default_file(const char *command) {
    static char found[NAME_MAX + 1];
    static char *const file = found;
    struct dirent **files = NULL;
    int count = scandir(".", &files, is_program, alphasort), chosen = -1;
    if (count < 0)
        cli_error("%s needs a FILE: the present folder cannot be read: %s", command,
                  strerror(errno));
    else if (count == 0)
        cli_error("%s needs a FILE: there is no Lua file here; `awsync new NAME` makes a program",
                  command);
    else if ((chosen = choose(files, count)) < 0)
        say_which(command, files, count);
    if (chosen >= 0)
        snprintf(found, sizeof found, "%s", files[chosen]->d_name);
    for (int i = 0; i < count; i++)
        free(files[i]);
    free(files);
    return chosen >= 0 ? &file : NULL;
}
