/* `awsync package`: a program as the zip that Lambda takes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/flags.h"
#include "host/cli/package.h"

static const char help[] =
    "usage: awsync package [FILE...] [--output function.zip] [--arch x86_64|arm64] [--bootstrap "
    "PATH]\n\n"
    "Makes a zip of the program FILE for Lambda's provided.al2023: the static runtime, awsync's "
    "modules,\n"
    "lua-cjson, the program, and the key that signs spawned calls. Further FILEs are files and "
    "folders that\n"
    "the program needs, below its own folder. The key is AWSYNC_KEY, else awsync.key beside the "
    "program,\n"
    "which is made where it is missing. The same input gives the same bytes.\n" CLI_HELP_FILE
    "  --output PATH      the zip (function.zip), for its owner's eyes: the key is in it\n"
    "  --arch ARCH        for this architecture, and no other; without it that of the bootstrap\n"
    "  --bootstrap PATH   the static runtime (`make bootstrap-static`), else the one of this "
    "installation\n\n"
    "Exit status: 0; 1 when there can be no such package; 2 for wrong usage.\n";

/* Under another name first: nobody ever sees half of a zip. */
static bool write_zip(const struct buf *zip, const char *path) {
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s.XXXXXX", path) >= (int)sizeof name) {
        cli_error("%s: %s", path, strerror(ENAMETOOLONG));
        return false;
    }
    int fd = mkostemp(name, O_CLOEXEC); /* 0600 */
    size_t done = 0;
    bool ok = fd >= 0;
    while (ok && done < zip->len) {
        ssize_t n = write(fd, zip->data + done, zip->len - done);
        ok = n > 0 || (n < 0 && errno == EINTR);
        done += n > 0 ? (size_t)n : 0;
    }
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        error = errno;
        ok = false;
    }
    if (ok && rename(name, path) != 0) {
        error = errno;
        ok = false;
    }
    if (!ok) {
        cli_error("%s: %s", path, strerror(error));
        if (fd >= 0)
            unlink(name);
    }
    return ok;
}

int cli_package(int argc, char **argv) {
    struct package_options options = {.output = "function.zip"};
    const struct cli_flag flags[] = {
        {.name = "output", .letter = 'o', .text = &options.output},
        {.name = "arch", .text = &options.arch},
        {.name = "bootstrap", .text = &options.bootstrap},
    };
    int first;
    bool asked;
    if (!cli_flags_read(flags, sizeof flags / sizeof flags[0], argc, argv, &first, &asked))
        return CLI_USAGE;
    if (asked) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (options.arch != NULL && strcmp(options.arch, "x86_64") != 0 &&
        strcmp(options.arch, "arm64") != 0) {
        cli_error("--arch is x86_64 or arm64, not \"%s\"", options.arch);
        return CLI_USAGE;
    }
    options.files = first < argc ? argv + first : cli_default_file("package");
    options.file_count = first < argc ? (size_t)(argc - first) : 1;
    if (options.files == NULL)
        return CLI_USAGE;
    struct package package;
    int status = CLI_FAILED;
    if (package_build(&package, &options) && write_zip(&package.zip, options.output)) {
        fprintf(stderr, "awsync: %s: %zu files, %zu bytes (%zu unpacked), %s, handler %s\n",
                options.output, package.files, package.zip.len, package.unpacked, package.arch,
                package.handler);
        status = CLI_OK;
    }
    package_free(&package);
    return status;
}
