/* The options of a command as a table. */
#ifndef AWSYNC_CLI_FLAGS_H
#define AWSYNC_CLI_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_TEXTS_MAX = 64, CLI_FLAGS_MAX = 16 };

struct cli_texts { /* borrowed from argv */
    const char *items[CLI_TEXTS_MAX];
    size_t count;
};

/* One option; of the pointers exactly one is set, and says what kind of value the option has. */
struct cli_flag {
    const char *name; /* `memory` for --memory */
    char letter;      /* for `-f`; 0: none */
    bool *set;        /* no value */
    const char **text;
    struct cli_texts *texts; /* may be given several times */
    int *number;
    int least, most; /* of number */
};

/* Reads `argv[0] [OPTION...] WORD...`; options may stand behind words, `--` ends them. The words
** are moved to argv[*first .. argc-1]. --help and -h need not be in the table: then *help is true
** and the rest unread. False for wrong usage: the message is written. */
bool cli_flags_read(const struct cli_flag *flags, size_t count, int argc, char **argv, int *first,
                    bool *help);
/* What getopt_long has stumbled over, for a message: `--name` or `-x`, which is written to letter. The values of
** long options are to be CLI_LONG or more. */
enum { CLI_LONG = 256 };
const char *cli_option_word(char **argv, char letter[3]);
/* False, with a message that names the option, when text is no whole number from least to most. */
bool cli_number_read(const char *option, const char *text, int least, int most, int *out);
/* What --run takes: NULL, or the id of a run. False: the message is written. */
enum { CLI_RUN_MAX = 16 };
bool cli_run_check(const char *run);

#endif
