/* `awsync serve`: a program and a local AWS for any AWS client, until a signal comes. */
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"

static const char help[] =
    "usage: awsync serve [FILE] [--port N] [--concurrency N] [--memory MB] [--timeout SECONDS]\n"
    "                    [--retries N] [--event-age SECONDS] [--reserved N] [--on-failure QUEUE]\n"
    "                    [--handler H] [--env NAME=VALUE]... [--bootstrap CMD] [--stats] "
    "[--fault SPEC] [--quiet]\n\n"
    "Starts a local AWS (SQS, Lambda, STS) on 127.0.0.1 with FILE as a Lambda function named after "
    "it, prints\n"
    "`export NAME=value` lines by which any AWS client reaches it, and runs until SIGINT or "
    "SIGTERM:\n\n"
    "    awsync serve squares.lua > env.sh &\n"
    "    . ./env.sh; aws lambda invoke --function-name squares /dev/stdout\n\n" CLI_HELP_FILE
    "  --port N           port to listen on; 0 (default): any free one\n" CLI_HELP_LIMITS
    "  --retries N        of asynchronous events after an error, 0 to 2 (0)\n"
    "  --event-age SECONDS  greatest age of an event that waits, 60 to 21600 (21600)\n"
    "  --reserved N       reserved concurrency, 1 to 900 (none)\n"
    "  --on-failure QUEUE standard queue, yours to create, for the records of events that failed\n"
    "                     (these four are settable by Lambda's API too)\n" CLI_HELP_WORKERS "\n"
    "  --quiet            no START, END and REPORT lines on standard error\n";

static bool print_exports(const struct engine *engine) {
    printf("export AWS_ENDPOINT_URL=%s\n", engine_endpoint(engine));
    printf("export AWS_REGION=%s\n", engine_region(engine));
    printf("export AWS_DEFAULT_REGION=%s\n", engine_region(engine));
    printf("export AWS_ACCESS_KEY_ID=%s\n", engine_access_key_id(engine));
    printf("export AWS_SECRET_ACCESS_KEY=%s\n", engine_secret_access_key(engine));
    /* one of the caller's own would be sent along and refused */
    printf("export AWS_SESSION_TOKEN=\n");
    return cli_output_flush();
}

int cli_serve(int argc, char **argv) {
    struct cli_options options;
    struct cli_program program = {0};
    struct cli_session session = {.signals = -1};
    if (!cli_options_read(&options, argc, argv, CLI_PORT | CLI_ASYNC))
        return CLI_USAGE;
    if (options.help) {
        fputs(help, stdout);
        return CLI_OK;
    }
    int status = CLI_USAGE;
    if (!cli_program_open(&program, &options))
        goto done;
    status = CLI_FAILED;
    if (!cli_session_start(&session, &options, &program))
        goto done;
    if (!print_exports(session.engine))
        goto done;
    while (cli_session_wait(&session, -1, -1) == 0) {
    }
    status = CLI_OK;
done:
    cli_session_end(&session);
    cli_program_free(&program);
    return status;
}
