/* The options of run and serve. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"

void cli_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("awsync: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static bool read_number(const char *option, const char *text, int least, int most, int *out) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < least || value > most) {
        cli_error("--%s takes a whole number from %d to %d, not \"%s\"", option, least, most, text);
        return false;
    }
    *out = (int)value;
    return true;
}

/* In `awsync run` main is invoked once, by us: a fault there would only say that there are faults. */
static bool read_fault(const char *text, unsigned accepts, struct cli_options *out) {
    char error[256];
    if (!fault_parse(&out->fault, text, error, sizeof error)) {
        cli_error("--fault: %s", error);
        return false;
    }
    out->fault.workers_only = (accepts & CLI_EVENT) != 0;
    out->faulty = true;
    return true;
}

enum { DEFAULT_TIMEOUT_S = 60, DEFAULT_MEMORY_MB = 128, DEFAULT_CONCURRENCY = 1000 };

bool cli_options_read(struct cli_options *out, int argc, char **argv, unsigned accepts) {
    static const struct option all[] = {
        {"event", required_argument, NULL, 'e'},  {"concurrency", required_argument, NULL, 'c'},
        {"memory", required_argument, NULL, 'm'}, {"timeout", required_argument, NULL, 't'},
        {"quiet", no_argument, NULL, 'q'},        {"port", required_argument, NULL, 'p'},
        {"stats", no_argument, NULL, 's'},        {"fault", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    *out = (struct cli_options){.concurrency = DEFAULT_CONCURRENCY,
                                .memory_mb = DEFAULT_MEMORY_MB,
                                .timeout_s = DEFAULT_TIMEOUT_S};
    const char *command = argv[0];
    int option, index = 0;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":hq", all, &index)) != -1) {
        bool ok = true;
        switch (option) {
        case 'e':
            out->event = optarg;
            ok = (accepts & CLI_EVENT) != 0;
            break;
        case 'p':
            ok = (accepts & CLI_PORT) != 0;
            if (ok && !read_number("port", optarg, 0, 65535, &out->port))
                return false;
            break;
        case 'c':
            if (!read_number("concurrency", optarg, 1, 10000, &out->concurrency))
                return false;
            break;
        case 'm':
            if (!read_number("memory", optarg, 128, 10240, &out->memory_mb))
                return false;
            break;
        case 't':
            if (!read_number("timeout", optarg, 1, 900, &out->timeout_s))
                return false;
            break;
        case 'q':
            out->quiet = true;
            break;
        case 's':
            out->stats = true;
            break;
        case 'f':
            if (!read_fault(optarg, accepts, out))
                return false;
            break;
        case 'h':
            out->help = true;
            return true;
        case ':':
            cli_error("%s needs a value", argv[optind - 1]);
            return false;
        default:
            ok = false;
        }
        if (!ok) {
            const char *word = option == 'e'   ? "--event"
                               : option == 'p' ? "--port"
                                               : argv[optind - 1];
            cli_error("%s has no option %s; see `awsync %s --help`", command, word, command);
            return false;
        }
    }
    if (optind == argc) {
        cli_error("%s needs a FILE; see `awsync %s --help`", command, command);
        return false;
    }
    if (optind + 1 < argc) {
        cli_error("%s takes one FILE, and \"%s\" is one too many", command, argv[optind + 1]);
        return false;
    }
    out->file = argv[optind];
    return true;
}
