/* `awsync serve`: a program and a local AWS for any AWS client, until a signal comes. */
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"

static const char help[] =
    "usage: awsync serve FILE [--port N] [--concurrency N] [--memory MB] [--timeout SECONDS]\n"
    "                    [--retries N] [--event-age SECONDS] [--reserved N] [--on-failure QUEUE]\n"
    "                    [--handler H] [--env NAME=VALUE]... [--bootstrap CMD] [--stats] "
    "[--fault SPEC] [--quiet]\n\n"
    "Starts a local AWS (SQS, Lambda, STS) on 127.0.0.1 with FILE as a Lambda function named after "
    "it, prints\n"
    "`export NAME=value` lines by which any AWS client reaches it, and runs until SIGINT or "
    "SIGTERM:\n\n"
    "    awsync serve squares.lua > env.sh &\n"
    "    . ./env.sh; aws lambda invoke --function-name squares /dev/stdout\n\n"
    "  --port N           port to listen on; 0 (default): any free one\n"
    "  --concurrency N    most workers at once (1000)\n"
    "  --memory MB        memory of a worker, 128 to 10240 (128)\n"
    "  --timeout SECONDS  longest life of an invocation, 1 to 900 (60)\n"
    "  --retries N        of asynchronous events after an error, 0 to 2 (0)\n"
    "  --event-age SECONDS  greatest age of an event that waits, 60 to 21600 (21600)\n"
    "  --reserved N       reserved concurrency, 1 to 900 (none)\n"
    "  --on-failure QUEUE standard queue, yours to create, for the records of events that failed\n"
    "                     (these four are settable by Lambda's API too)\n"
    "  --handler H        _HANDLER of the workers, `file.function` (main of FILE)\n"
    "  --env NAME=VALUE   a variable of the workers; may be given several times\n"
    "  --bootstrap CMD    the workers run CMD, a program that speaks the Runtime API, with its "
    "arguments,\n"
    "                     instead of the runtime for Lua; FILE may be any file then\n"
    "  --stats            at the end, requests and billed time with an estimate of their cost on "
    "standard error\n"
    "  --fault SPEC       inject faults into calls of SQS and Lambda: "
    "`seed=7,drop=0.05,delay=0.1:200ms,\n"
    "                     error=0.02,throttle=0.05,cut=0.02,duplicate=0.05,"
    "only=SendMessageBatch+Invoke`;\n"
    "                     rates from 0 to 1; the same seed gives the same faults\n"
    "  --quiet            no START, END and REPORT lines on standard error\n";

static void print_exports(const struct engine *engine) {
    printf("export AWS_ENDPOINT_URL=%s\n", engine_endpoint(engine));
    printf("export AWS_REGION=%s\n", engine_region(engine));
    printf("export AWS_DEFAULT_REGION=%s\n", engine_region(engine));
    printf("export AWS_ACCESS_KEY_ID=%s\n", engine_access_key_id(engine));
    printf("export AWS_SECRET_ACCESS_KEY=%s\n", engine_secret_access_key(engine));
    /* one of the caller's own would be sent along and refused */
    printf("export AWS_SESSION_TOKEN=\n");
    fflush(stdout);
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
    print_exports(session.engine);
    while (cli_session_wait(&session, -1, -1) == 0) {
    }
    status = CLI_OK;
done:
    cli_session_end(&session);
    cli_program_free(&program);
    return status;
}
