/* `awsync`: finds the command and runs it. */
#include <stdarg.h>
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
    fputs("\n`awsync COMMAND --help` explains a command.\n", out);
}

int main(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word == NULL) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(word, "--version") == 0) {
        puts("awsync " AWSYNC_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    cli_error("there is no command \"%s\"; `awsync --help` lists them", word);
    return CLI_USAGE;
}
