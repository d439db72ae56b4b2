/* `awsync run`: one invocation of a program on a local AWS of its own. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/aws/lambda.h"
#include "host/cli/cli.h"
#include "host/cli/cloud.h"
#include "host/cli/watch.h"

static const char help[] =
    "usage: awsync run [FILE] [--event JSON | --event @FILE | --event-from SERVICE] [--watch]\n"
    "                  [--concurrency N] [--memory MB] [--timeout SECONDS] [--handler H] "
    "[--env NAME=VALUE]...\n"
    "                  [--bootstrap CMD] [--stats] [--fault SPEC] [--quiet]\n\n"
    "Runs the program FILE on a local AWS of its own: `main` in one process, each spawned function "
    "in another,\n"
    "values over signed HTTP. The answer goes to standard output, logs go to standard "
    "error.\n" CLI_HELP_FILE
    "  --event JSON       the event of main ({}); @FILE reads it from a file\n"
    "  --event-from S     an event as a service sends it: apigateway (HTTP API), url (function "
    "URL), sqs, s3,\n"
    "                     eventbridge\n"
    "  --watch            run again whenever a .lua, .json or .so file in the program's folder or "
    "below changes,\n"
    "                     until Ctrl-C\n" CLI_HELP_LIMITS CLI_HELP_WORKERS "; main is spared\n"
    "  --quiet            no START, END and REPORT lines on standard error\n\n"
    "Exit status: 0; 1 when main or a function that it spawned failed; 2 for wrong usage.\n";

/* The answer of main: filled on the client's I/O thread, read after the descriptor has become
** readable. */
struct answer {
    int done; /* eventfd */
    bool failed_to_call;
    struct aws_error error;
    char *payload;
    size_t payload_len;
    bool function_failed;
};

static void take_answer(void *context, const struct aws_error *error,
                        const struct lambda_result *result) {
    struct answer *answer = context;
    if (error != NULL) {
        answer->failed_to_call = true;
        answer->error = *error;
    } else {
        answer->payload = malloc(result->payload_len + 1);
        if (answer->payload != NULL) {
            memcpy(answer->payload, result->payload, result->payload_len);
            answer->payload[result->payload_len] = '\0';
            answer->payload_len = result->payload_len;
        }
        answer->function_failed = result->function_error != NULL;
    }
    uint64_t one = 1;
    if (write(answer->done, &one, sizeof one) < 0)
        abort(); /* an eventfd that was read never overflows */
}

/* Waits for main's answer, then for the calls it has left behind. Returns the signal that ended
** the wait, or 0. */
static int wait_for_all(struct cli_session *session, int done) {
    uint64_t count;
    int signal;
    while (read(done, &count, sizeof count) < 0)
        if ((signal = cli_session_wait(session, done, -1)) != 0)
            return signal;
    while (!engine_wait_idle(session->engine, 50))
        if ((signal = cli_session_wait(session, -1, 0)) != 0)
            return signal;
    return 0;
}

/* What the run has used, and what it has left; the claims queue is the function's, which ends here. */
static void take_stock(struct cli_session *session, struct aws_client *client, const char *function,
                       struct engine_figures *figures) {
    bool deleted;
    if (session->stats)
        cli_stats_print(session->engine, session->faulty);
    session->stats = false;
    if (figures->queues > 0 && claims_delete(client, function, &deleted))
        engine_figures(session->engine, figures);
    if (figures->queues > 0)
        cli_error("%zu queue%s left behind", figures->queues,
                  figures->queues == 1 ? " was" : "s were");
}

static int report(const struct answer *answer, const struct engine_figures *figures) {
    if (answer->failed_to_call) {
        cli_error("main could not be invoked: %s: %s", answer->error.code, answer->error.message);
        return CLI_FAILED;
    }
    if (answer->payload == NULL) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    fwrite(answer->payload, 1, answer->payload_len, stdout);
    putchar('\n');
    if (!cli_output_flush())
        return CLI_FAILED;
    if (figures->failed_events > 0)
        cli_error("%" PRIu64 " spawned call%s failed", figures->failed_events,
                  figures->failed_events == 1 ? "" : "s");
    return answer->function_failed || figures->failed_events > 0 ? CLI_FAILED : CLI_OK;
}

static int invoke_main(struct cli_session *session, const struct cli_options *options,
                       const struct cli_program *program, const struct buf *event) {
    int status = CLI_FAILED, signal;
    struct engine *engine = session->engine;
    struct answer answer = {.done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    struct engine_figures figures;
    struct aws_client *client = aws_client_new(&(struct aws_options){
        .region = engine_region(engine),
        .endpoint = engine_endpoint(engine),
        .access_key_id = engine_access_key_id(engine),
        .secret_access_key = engine_secret_access_key(engine),
        .max_attempts = 1,
    });
    struct lambda_invoke call = {
        .function = program->name,
        .type = LAMBDA_REQUEST_RESPONSE,
        .payload = buf_text(event),
        .payload_len = event->len,
        .timeout_ms =
            ((int64_t)options->timeout_s + 30) * 1000, /* the start of a worker comes on top */
    };
    if (client == NULL || answer.done < 0 ||
        lambda_invoke(client, &call, take_answer, &answer) == 0) {
        cli_error("out of memory");
        goto done;
    }
    signal = wait_for_all(session, answer.done);
    if (signal != 0) {
        cli_error("stopped by signal %d", signal);
        status = CLI_SIGNAL + signal;
        goto done;
    }
    engine_figures(engine, &figures);
    status = report(&answer, &figures);
    take_stock(session, client, program->name, &figures);
done:
    aws_client_free(client);
    free(answer.payload);
    if (answer.done >= 0)
        close(answer.done);
    return status;
}

int cli_run(int argc, char **argv) {
    struct cli_options options;
    struct cli_program program = {0};
    struct cli_session session = {.signals = -1};
    struct buf event = {0};
    if (!cli_options_read(&options, argc, argv, CLI_EVENT))
        return CLI_USAGE;
    if (options.help) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (options.watch)
        return cli_watch(argc, argv, options.file);
    int status = CLI_USAGE;
    if (!cli_program_open(&program, &options) ||
        !(options.event_from != NULL ? cli_fixture_read(&event, options.event_from)
                                     : cli_event_read(&event, options.event)))
        goto done;
    status = cli_session_start(&session, &options, &program)
                 ? invoke_main(&session, &options, &program, &event)
                 : CLI_FAILED;
done:
    cli_session_end(&session);
    cli_program_free(&program);
    buf_free(&event);
    return status;
}
