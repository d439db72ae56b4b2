/* `awsync`: finds the command and runs it. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"new", cli_new, "begin a program: a folder with a handler, a spec and a README"},
    {"run", cli_run, "run a program on a local AWS and print its answer"},
    {"serve", cli_serve, "keep a program and a local AWS running for any AWS client"},
    {"test", cli_test, "run the specs of a program by busted"},
    {"package", cli_package, "make the zip that Lambda takes"},
    {"deploy", cli_deploy, "create or update a function on AWS"},
    {"invoke", cli_invoke, "call a function on AWS, or on `awsync serve`, and print its answer"},
    {"logs", cli_logs, "print what a function on AWS has logged"},
    {"delete", cli_delete, "delete a function that `awsync deploy` has made"},
    {"doctor", cli_doctor, "look for what keeps a program from running on AWS"},
    {"gc", cli_gc, "delete the queues that runs have left behind"},
    {"dead-letters", cli_dead_letters, "list what has failed max_receives times"},
};

static void print_help(FILE *out) {
    fputs("usage: awsync COMMAND [ARGUMENT...]\n"
          "       awsync --help | --version\n\n"
          "Go-style concurrency on AWS, for Lua.\n\ncommands:\n",
          out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`awsync COMMAND --help`, or `awsync help COMMAND`, explains a command.\n", out);
}

static int run(int argc, char **argv) {
    const char *word = argv[0];
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc, argv);
    cli_error("there is no %s \"%s\"; `awsync --help` lists what there is",
              word[0] == '-' ? "option" : "command", word);
    return CLI_USAGE;
}

/* glibc gives a second thread, here the engine's, an arena of its own, and that grows by a page at a time: a system
** call for every eight messages of a queue. The first thread's grows by 32. */
static void share_arena(void) {
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
#endif
}

int main(int argc, char **argv) {
    static char asking[] = "--help";
    const char *word = argc > 1 ? argv[1] : NULL;
    int status = CLI_OK;
    share_arena();
    if (word == NULL) {
        print_help(stderr);
        return CLI_USAGE;
    }
    bool help = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
    if (help && argc > 2)
        status = run(2, (char *[]){argv[2], asking, NULL});
    else if (help)
        print_help(stdout);
    else if (strcmp(word, "--version") == 0)
        puts("awsync " AWSYNC_VERSION);
    else
        status = run(argc - 1, argv + 1);
    return !cli_output_flush() && status == CLI_OK ? CLI_FAILED : status;
}
