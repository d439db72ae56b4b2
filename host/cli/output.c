/* What a command says: results on standard output, messages on standard error. */
#include <stdarg.h>
#include <stdio.h>

#include "host/cli/cli.h"

void cli_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("awsync: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

bool cli_output_flush(void) {
    static bool said;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (!said)
        cli_error("standard output cannot be written");
    said = true;
    return false;
}
