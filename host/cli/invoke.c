/* `awsync invoke`: calls a function that is deployed, or served by `awsync serve`, and prints its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/aws.h"
#include "host/base/base64.h"
#include "host/cli/cli.h"
#include "host/cli/flags.h"

enum { LONGEST_LIFE_MS = 910 * 1000, TARGET_MAX = 512, LOG_MAX = 64 << 10 };

static const char help[] =
    "usage: awsync invoke NAME [--event JSON | --event @FILE] [--quiet]\n\n"
    "Calls the Lambda function NAME by the credentials, region and endpoint of the environment. "
    "The answer "
    "goes to\n"
    "standard output, the end of the function's log (4 KB) to standard error.\n\n"
    "  --event JSON       the event of main ({}); @FILE reads it from a file\n"
    "  --quiet            no log\n\n"
    "Exit status: 0; 1 when the function failed or could not be called; 2 for wrong usage.\n";

struct invoke_options {
    const char *name, *event;
    bool quiet, help;
};

static bool read_options(struct invoke_options *out, int argc, char **argv) {
    const struct cli_flag flags[] = {
        {.name = "event", .text = &out->event},
        {.name = "quiet", .letter = 'q', .set = &out->quiet},
    };
    int first;
    *out = (struct invoke_options){0};
    if (!cli_flags_read(flags, 2, argc, argv, &first, &out->help))
        return false;
    if (out->help)
        return true;
    if (first + 1 != argc) {
        cli_error("invoke takes one NAME; see `awsync invoke --help`");
        return false;
    }
    out->name = argv[first];
    return true;
}

/* Names and ARNs of functions; what else there may be would have to be encoded in the path. */
static bool is_name(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len <= 256 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:$") ==
               len;
}

static void print_log(const char *log_result) {
    struct buf log;
    buf_init(&log, LOG_MAX);
    if (log_result != NULL && base64_decode(&log, log_result, strlen(log_result)))
        fwrite(log.data, 1, log.len, stderr);
    buf_free(&log);
}

static int report(const struct aws_answer *answer, const struct invoke_options *options) {
    if (!answer->ok) {
        cli_error("%s could not be invoked: %s: %s", options->name, answer->error.code,
                  answer->error.message);
        return CLI_FAILED;
    }
    if (!options->quiet)
        print_log(answer->log_result);
    fwrite(answer->body, 1, answer->body_len, stdout);
    putchar('\n');
    if (!cli_output_flush())
        return CLI_FAILED;
    return answer->function_error != NULL ? CLI_FAILED : CLI_OK;
}

int cli_invoke(int argc, char **argv) {
    struct invoke_options options;
    struct buf event = {0};
    char target[TARGET_MAX];
    static const struct aws_header headers[] = {{"X-Amz-Log-Type", "Tail"}};
    if (!read_options(&options, argc, argv))
        return CLI_USAGE;
    if (options.help) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (!is_name(options.name)) {
        cli_error("\"%s\" is no name of a Lambda function", options.name);
        return CLI_USAGE;
    }
    if (!cli_event_read(&event, options.event)) {
        buf_free(&event);
        return CLI_USAGE;
    }
    int status = CLI_FAILED;
    struct aws_answer answer = {0};
    struct aws_client *client = aws_client_new(NULL);
    if (client == NULL) {
        cli_error("out of memory");
        goto done;
    }
    snprintf(target, sizeof target, "/2015-03-31/functions/%s/invocations", options.name);
    struct aws_request request = {
        .service = AWS_LAMBDA,
        .method = "POST",
        .target = target,
        .headers = headers,
        .header_count = options.quiet ? 0 : 1,
        .body = buf_text(&event),
        .body_len = event.len,
        .timeout_ms = LONGEST_LIFE_MS,
        .unsafe = true,
    };
    aws_call(client, &request, &answer);
    status = report(&answer, &options);
done:
    aws_answer_free(&answer);
    aws_client_free(client);
    buf_free(&event);
    return status;
}
