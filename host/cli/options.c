/* The options of run and serve. */
#include <getopt.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/flags.h"

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

/* Records go to a standard queue: those of FIFO queues have a dot in their name. */
static bool read_queue_name(const char *text, const char **out) {
    size_t len = strlen(text);
    if (len == 0 || len > 80 ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != len) {
        cli_error("--on-failure takes the name of a standard queue, not \"%s\"", text);
        return false;
    }
    *out = text;
    return true;
}

static bool read_variable(const char *text, struct cli_texts *out) {
    if (!cli_variable_check(text))
        return false;
    if (strchr(text, '=') == NULL) {
        cli_error("--env takes NAME=VALUE, not \"%s\"", text);
        return false;
    }
    if (out->count == CLI_TEXTS_MAX) {
        cli_error("--env can be given %d times at most", CLI_TEXTS_MAX);
        return false;
    }
    out->items[out->count++] = text;
    return true;
}

enum { DEFAULT_TIMEOUT_S = 60, DEFAULT_MEMORY_MB = 128, DEFAULT_CONCURRENCY = 1000 };

bool cli_options_read(struct cli_options *out, int argc, char **argv, unsigned accepts) {
    static const struct option all[] = {
        {"event", required_argument, NULL, CLI_LONG + 'e'},
        {"concurrency", required_argument, NULL, CLI_LONG + 'c'},
        {"memory", required_argument, NULL, CLI_LONG + 'm'},
        {"timeout", required_argument, NULL, CLI_LONG + 't'},
        {"quiet", no_argument, NULL, CLI_LONG + 'q'},
        {"port", required_argument, NULL, CLI_LONG + 'p'},
        {"stats", no_argument, NULL, CLI_LONG + 's'},
        {"fault", required_argument, NULL, CLI_LONG + 'f'},
        {"retries", required_argument, NULL, CLI_LONG + 'r'},
        {"event-age", required_argument, NULL, CLI_LONG + 'a'},
        {"reserved", required_argument, NULL, CLI_LONG + 'R'},
        {"on-failure", required_argument, NULL, CLI_LONG + 'F'},
        {"watch", no_argument, NULL, CLI_LONG + 'w'},
        {"event-from", required_argument, NULL, CLI_LONG + 'E'},
        {"bootstrap", required_argument, NULL, CLI_LONG + 'b'},
        {"handler", required_argument, NULL, CLI_LONG + 'H'},
        {"env", required_argument, NULL, CLI_LONG + 'V'},
        {"help", no_argument, NULL, CLI_LONG + 'h'},
        {NULL, 0, NULL, 0},
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
        char letter[3];
        const char *word = cli_option_word(argv, letter);
        switch (option >= CLI_LONG ? option - CLI_LONG : option) {
        case 'e':
            out->event = optarg;
            ok = (accepts & CLI_EVENT) != 0;
            break;
        case 'E':
            out->event_from = optarg;
            ok = (accepts & CLI_EVENT) != 0;
            break;
        case 'w':
            out->watch = true;
            ok = (accepts & CLI_EVENT) != 0;
            break;
        case 'p':
            ok = (accepts & CLI_PORT) != 0;
            if (ok && !cli_number_read("port", optarg, 0, 65535, &out->port))
                return false;
            break;
        case 'c':
            if (!cli_number_read("concurrency", optarg, 1, 10000, &out->concurrency))
                return false;
            break;
        case 'm':
            if (!cli_number_read("memory", optarg, 128, 10240, &out->memory_mb))
                return false;
            break;
        case 't':
            if (!cli_number_read("timeout", optarg, 1, 900, &out->timeout_s))
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
        case 'r':
            ok = (accepts & CLI_ASYNC) != 0;
            if (ok && !cli_number_read("retries", optarg, 0, 2, &out->retries))
                return false;
            break;
        case 'a':
            ok = (accepts & CLI_ASYNC) != 0;
            if (ok && !cli_number_read("event-age", optarg, 60, 21600, &out->event_age_s))
                return false;
            break;
        case 'R':
            ok = (accepts & CLI_ASYNC) != 0;
            if (ok && !cli_number_read("reserved", optarg, 1, 900, &out->reserved))
                return false;
            break;
        case 'F':
            ok = (accepts & CLI_ASYNC) != 0;
            if (ok && !read_queue_name(optarg, &out->on_failure))
                return false;
            break;
        case 'b':
            out->bootstrap = optarg;
            break;
        case 'H':
            out->handler = optarg;
            break;
        case 'V':
            if (!read_variable(optarg, &out->env))
                return false;
            break;
        case 'h':
            out->help = true;
            return true;
        case ':':
            cli_error("%s needs a value", word);
            return false;
        default:
            ok = false;
        }
        if (!ok) {
            for (size_t i = 0; all[i].name != NULL; i++)
                if (option != '?' && all[i].val == option)
                    word = all[i].name;
            cli_error("%s has no option %s%s; see `awsync %s --help`", command,
                      word[0] == '-' ? "" : "--", word, command);
            return false;
        }
    }
    if (optind == argc && out->bootstrap != NULL) {
        cli_error("%s needs a FILE; see `awsync %s --help`", command, command);
        return false;
    }
    if (optind + 1 < argc) {
        cli_error("%s takes one FILE, and \"%s\" is one too many", command, argv[optind + 1]);
        return false;
    }
    if (out->event != NULL && out->event_from != NULL) {
        cli_error("%s takes --event or --event-from, not both", command);
        return false;
    }
    char *const *files = optind < argc ? argv + optind : cli_default_file(command);
    out->file = files != NULL ? files[0] : NULL;
    return files != NULL;
}
