#include "host/cli/flags.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

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

/* getopt_long gives FIRST + i for the option i of the table. */
enum { FIRST = 256 };

bool cli_flags_read(const struct cli_flag *flags, size_t count, int argc, char **argv, int *first,
                    bool *help) {
    struct option all[CLI_FLAGS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    char letters[2 * CLI_FLAGS_MAX + 3] = ":h";
    size_t letter_count = 2;
    for (size_t i = 0; i < count && i < CLI_FLAGS_MAX; i++) {
        int argument = flags[i].set != NULL ? no_argument : required_argument;
        all[i + 1] = (struct option){flags[i].name, argument, NULL, FIRST + (int)i};
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
            const char *word = argv[optind - 1];
            if (option == ':')
                cli_error("%s needs a value", word);
            else
                cli_error("%s has no option %s; see `awsync %s --help`", argv[0], word, argv[0]);
            return false;
        }
        size_t i = 0;
        while (option < FIRST && i < count && flags[i].letter != option)
            i++;
        if (!take(&flags[option < FIRST ? i : (size_t)(option - FIRST)], optarg))
            return false;
    }
    *first = optind;
    return true;
}
