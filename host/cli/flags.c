#include "host/cli/flags.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"

bool cli_number_read(const char *option, const char *text, int least, int most, int *out) {
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

bool cli_run_check(const char *run) {
    size_t len = run != NULL ? strlen(run) : 0;
    if (run == NULL || (len > 0 && len <= CLI_RUN_MAX &&
                        strspn(run, "abcdefghijklmnopqrstuvwxyz0123456789") == len))
        return true;
    cli_error("--run takes the id of a run, up to %d of a-z and 0-9, not \"%s\"", CLI_RUN_MAX, run);
    return false;
}

static bool take(const struct cli_flag *flag, const char *value) {
    if (flag->set != NULL) {
        *flag->set = true;
    } else if (flag->text != NULL) {
        *flag->text = value;
    } else if (flag->number != NULL) {
        return cli_number_read(flag->name, value, flag->least, flag->most, flag->number);
    } else if (flag->texts->count == CLI_TEXTS_MAX) {
        cli_error("--%s can be given %d times at most", flag->name, CLI_TEXTS_MAX);
        return false;
    } else {
        flag->texts->items[flag->texts->count++] = value;
    }
    return true;
}

const char *cli_option_word(char **argv, char letter[3]) {
    if (optopt <= 0 || optopt >= CLI_LONG)
        return argv[optind - 1];
    letter[0] = '-'; /* of several behind one dash: optind may still stand before them */
    letter[1] = (char)optopt;
    letter[2] = '\0';
    return letter;
}

/* getopt_long gives CLI_LONG + i for the option i of the table. */

bool cli_flags_read(const struct cli_flag *flags, size_t count, int argc, char **argv, int *first,
                    bool *help) {
    struct option all[CLI_FLAGS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    char letters[2 * CLI_FLAGS_MAX + 3] = ":h";
    size_t letter_count = 2;
    for (size_t i = 0; i < count && i < CLI_FLAGS_MAX; i++) {
        int argument = flags[i].set != NULL ? no_argument : required_argument;
        all[i + 1] = (struct option){flags[i].name, argument, NULL, CLI_LONG + (int)i};
        if (flags[i].letter != 0) {
            letters[letter_count++] = flags[i].letter;
            if (argument == required_argument)
                letters[letter_count++] = ':';
        }
    }
    letters[letter_count] = '\0';
    *help = false;
    optind = 0; /* begins anew, also GNU's order of the words */
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, letters, all, NULL)) != -1) {
        if (option == 'h') {
            *help = true;
            return true;
        }
        if (option == '?' || option == ':') {
            char letter[3];
            const char *word = cli_option_word(argv, letter);
            if (option == ':')
                cli_error("%s needs a value", word);
            else
                cli_error("%s has no option %s; see `awsync %s --help`", argv[0], word, argv[0]);
            return false;
        }
        size_t i = 0;
        while (option < CLI_LONG && i < count && flags[i].letter != option)
            i++;
        if (!take(&flags[option < CLI_LONG ? i : (size_t)(option - CLI_LONG)], optarg))
            return false;
    }
    *first = optind;
    return true;
}
