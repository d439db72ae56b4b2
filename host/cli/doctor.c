/* `awsync doctor`: one line for each thing that a program needs on AWS. */
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/cli/cli.h"
#include "host/cli/cloud.h"
#include "host/cli/flags.h"
#include "host/cli/loads.h"
#include "host/cli/package.h"

static const char help[] =
    "usage: awsync doctor [FILE] [--name N] [--offline]\n\n"
    "Looks for what would keep a program from running on AWS, one line each, `ok` or `problem` "
    "with what to do:\n"
    "the runtime and its architecture, the key, whether the handler of FILE loads, region, "
    "credentials, the\n"
    "clock, and rights. Nothing is changed, here or on AWS.\n\n"
    "  --name N           may the function N be called? (a dry run)\n"
    "  --offline          nothing that needs AWS\n\n"
    "Exit status: 0; 1 when there is a problem; 2 for wrong usage.\n";

/* AWS takes signatures up to five minutes off; a clock that is a minute off is sick already. */
enum { SKEW_MAX_MS = 60000, REASON = PATH_MAX + 512 };

struct doctor {
    bool problems;
    struct aws_client *client;
    char arn[2048]; /* of the caller */
};

/* advice NULL: all is well. */
static void say(struct doctor *d, const char *topic, const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct doctor *d, const char *topic, const char *advice, const char *format, ...) {
    va_list args;
    printf("%-8s %s: ", advice == NULL ? "ok" : "problem", topic);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    if (advice != NULL && advice[0] != '\0')
        printf("         -> %s\n", advice);
    fflush(stdout);
    d->problems = d->problems || advice != NULL;
}

/* --- this machine ------------------------------------------------------------------------------ */

static void check_runtime(struct doctor *d) {
    char path[PATH_MAX], why[REASON];
    struct buf data;
    enum elf_arch arch;
    cli_static_bootstrap(path, sizeof path, NULL);
    buf_init(&data, PACKAGE_UNPACKED_MAX);
    if (path[0] == '\0' || !cli_read_file(&data, path))
        say(d, "runtime", "install awsync anew, or build it by `make bootstrap-static`",
            "there is no bootstrap beside this program");
    else if (!cli_check_elf(path, &data, NULL, NULL, &arch, why, sizeof why))
        say(d, "runtime",
            "`make bootstrap-static` builds one for Lambda; `awsync package --bootstrap PATH` "
            "takes it",
            "%s", why);
    else
        say(d, "runtime", NULL, "%s, for %s", path, elf_arch_name(arch));
    buf_free(&data);
}

static void check_key(struct doctor *d, const char *folder) {
    char error[REASON], *from = NULL;
    struct buf key;
    struct stat info;
    buf_init_secret(&key, 512);
    int found = cli_key_read(&key, folder, &from, error, sizeof error);
    buf_wipe(&key);
    if (found < 0)
        say(d, "key", "put a valid one there, or remove it: `awsync package` makes another", "%s",
            error);
    else if (found == 0)
        say(d, "key", NULL, "none yet; `awsync package` and `awsync deploy` make awsync.key");
    else if (from[0] == '/' && stat(from, &info) == 0 && (info.st_mode & 077) != 0)
        say(d, "key", "chmod 600 the file: who reads it can choose what your function runs",
            "%s can be read by others", from);
    else
        say(d, "key", NULL, "%s", from);
    free(from);
}

/* False: FILE is no program at all. */
static bool check_program(struct doctor *d, const char *file) {
    struct cli_program program;
    char error[REASON];
    bool there = cli_program_open(&program, &(struct cli_options){.file = file});
    if (there) {
        bool loads = cli_loads(&program, error, sizeof error);
        error[loads ? 0 : strcspn(error, "\n")] = '\0';
        size_t len = strlen(error); /* `module 'x' not found:` went on */
        if (len > 0 && error[len - 1] == ':')
            error[len - 1] = '\0';
        if (loads)
            say(d, "handler", NULL, "%s loads", program.handler);
        else
            say(d, "handler", "correct the program; `awsync run` shows the whole message", "%s: %s",
                program.handler, error);
        check_key(d, program.root);
    }
    cli_program_free(&program);
    return there;
}

/* --- AWS --------------------------------------------------------------------------------------- */

struct identity {
    int done; /* eventfd */
    struct aws_error error;
    bool ok;
    char arn[2048];
    int64_t served_ms; /* the service's clock, or -1 */
    int64_t here_ms;
};

static void take_identity(void *context, const struct aws_response *response) {
    struct identity *identity = context;
    const char *date = aws_response_header(response, "date");
    identity->here_ms = clock_wall_ms();
    identity->served_ms = date != NULL ? clock_parse_http(date) : -1;
    identity->ok = response->error == NULL;
    if (response->error != NULL)
        identity->error = *response->error;
    struct aws_answer answer = {.ok = true, .body = NULL};
    char *body = response->body != NULL ? strdup(response->body) : NULL;
    answer.body = body;
    char *arn = identity->ok ? cloud_xml_text(&answer, "Arn") : NULL;
    snprintf(identity->arn, sizeof identity->arn, "%s", arn != NULL ? arn : "");
    free(arn);
    free(body);
    uint64_t one = 1;
    if (write(identity->done, &one, sizeof one) < 0)
        abort(); /* an eventfd that was read never overflows */
}

static void check_clock(struct doctor *d, const struct identity *identity) {
    if (identity->served_ms < 0)
        return;
    int64_t off = identity->here_ms - identity->served_ms;
    int64_t size = off < 0 ? -off : off;
    if (size > SKEW_MAX_MS)
        say(d, "clock",
            "set the clock, by NTP for instance: AWS refuses signatures five minutes off",
            "%" PRId64 " seconds %s", size / 1000, off < 0 ? "slow" : "fast");
    else
        say(d, "clock", NULL, "right to within a minute");
}

static bool check_identity(struct doctor *d) {
    static const char form[] = "Action=GetCallerIdentity&Version=2011-06-15";
    struct identity identity = {.done = eventfd(0, EFD_CLOEXEC), .served_ms = -1};
    struct aws_request request = cloud_form(AWS_STS, form, sizeof form - 1);
    request.timeout_ms = 10000;
    uint64_t count;
    if (identity.done < 0 || aws_submit(d->client, &request, take_identity, &identity) == 0 ||
        read(identity.done, &count, sizeof count) != (ssize_t)sizeof count) {
        say(d, "credentials", "free some memory", "out of memory");
    } else {
        if (identity.ok)
            say(d, "credentials", NULL, "%s", identity.arn);
        else
            say(d, "credentials",
                "`aws configure`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY; after `aws sso login`: "
                "eval \"$(aws configure export-credentials --format env)\"",
                "%s: %s", identity.error.code, identity.error.message);
        check_clock(d, &identity);
    }
    if (identity.done >= 0)
        close(identity.done);
    snprintf(d->arn, sizeof d->arn, "%s", identity.arn);
    return identity.ok;
}

/* What `awsync deploy` asks of AWS. */
static const char *const deploying[] = {
    "lambda:CreateFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "lambda:InvokeFunction",
    "lambda:PutFunctionEventInvokeConfig",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "iam:PassRole",
};
enum { DEPLOYING = sizeof deploying / sizeof deploying[0] };

/* `arn:aws:sts::1:assumed-role/NAME/SESSION` acts by `arn:aws:iam::1:role/NAME`. */
static void policy_source(char *out, size_t size, const char *arn) {
    char partition[32], account[32], rest[1024];
    arn_part(partition, sizeof partition, arn, 1);
    arn_part(account, sizeof account, arn, 4);
    arn_part(rest, sizeof rest, arn, 5);
    static const char assumed[] = "assumed-role/";
    if (strncmp(rest, assumed, sizeof assumed - 1) != 0) {
        snprintf(out, size, "%s", arn);
        return;
    }
    const char *name = rest + sizeof assumed - 1;
    snprintf(out, size, "arn:%s:iam::%s:role/%.*s", partition, account, (int)strcspn(name, "/"),
             name);
}

/* The answer's list: after each name comes its decision. */
static void report_rights(struct doctor *d, const struct aws_answer *answer) {
    struct buf denied;
    buf_init(&denied, 4096);
    static const char name_tag[] = "<EvalActionName>", decision_tag[] = "<EvalDecision>";
    const char *at = answer->body;
    while ((at = strstr(at, name_tag)) != NULL) {
        at += sizeof name_tag - 1;
        const char *decision = strstr(at, decision_tag);
        if (decision != NULL && strncmp(decision + sizeof decision_tag - 1, "allowed", 7) != 0)
            buf_addf(&denied, "%s%.*s", denied.len > 0 ? ", " : "", (int)strcspn(at, "<"), at);
    }
    if (denied.len > 0)
        say(d, "rights to deploy", "ask who manages the account for these rights", "%s denied",
            buf_text(&denied));
    else
        say(d, "rights to deploy", NULL, "all that `awsync deploy --create-role` needs");
    buf_free(&denied);
}

static void check_rights(struct doctor *d) {
    char source[2048], names[DEPLOYING][32];
    const char *pairs[2 * DEPLOYING + 3];
    size_t n = 0;
    if (strstr(d->arn, ":root") != NULL) {
        say(d, "rights to deploy", NULL, "the account's root may do everything");
        return;
    }
    policy_source(source, sizeof source, d->arn);
    pairs[n++] = "PolicySourceArn";
    pairs[n++] = source;
    for (size_t i = 0; i < DEPLOYING; i++) {
        snprintf(names[i], sizeof names[i], "ActionNames.member.%zu", i + 1);
        pairs[n++] = names[i];
        pairs[n++] = deploying[i];
    }
    pairs[n] = NULL;
    struct aws_answer answer;
    cloud_iam(d->client, "SimulatePrincipalPolicy", pairs, &answer);
    if (answer.ok)
        report_rights(d, &answer);
    else /* that needs a right of its own, which few have: no problem of the program */
        say(d, "rights to deploy", NULL, "not known: %s", answer.error.code);
    aws_answer_free(&answer);
}

/* Asks for a queue that is not there: who may not ask is told so. */
static void check_queues(struct doctor *d) {
    struct aws_answer answer;
    cloud_sqs(d->client, "GetQueueUrl", "QueueName", "awsync-doctor-looks.fifo", &answer);
    if (answer.ok || cloud_is(&answer, "QueueDoesNotExist") ||
        strstr(answer.error.query_code, "NonExistentQueue") != NULL)
        say(d, "queues", NULL, "SQS answers");
    else
        say(d, "queues", "programs outside of Lambda need the rights of packaging/policy.json",
            "%s: %s", answer.error.code, answer.error.message);
    aws_answer_free(&answer);
}

static void check_function(struct doctor *d, const char *name) {
    char target[160];
    static const struct aws_header dry = {"X-Amz-Invocation-Type", "DryRun"};
    snprintf(target, sizeof target, "/2015-03-31/functions/%s/invocations", name);
    struct aws_request request = {
        .service = AWS_LAMBDA,
        .method = "POST",
        .target = target,
        .headers = &dry,
        .header_count = 1,
    };
    struct aws_answer answer = {0};
    aws_call(d->client, &request, &answer);
    if (answer.ok)
        say(d, "function", NULL, "%s can be called", name);
    else
        say(d, "function",
            cloud_is(&answer, "ResourceNotFound")
                ? "`awsync deploy FILE --name` makes it; is the region right?"
                : "you need lambda:InvokeFunction on it",
            "%s: %s: %s", name, answer.error.code, answer.error.message);
    aws_answer_free(&answer);
}

static void check_aws(struct doctor *d, const char *name) {
    const char *region = aws_client_region(d->client);
    if (region == NULL) {
        say(d, "region", "set AWS_REGION, or `region` in ~/.aws/config", "none is configured");
        return;
    }
    say(d, "region", NULL, "%s", region);
    if (!check_identity(d))
        return;
    check_rights(d);
    check_queues(d);
    if (name != NULL)
        check_function(d, name);
}

int cli_doctor(int argc, char **argv) {
    struct doctor d = {0};
    const char *name = NULL;
    bool asked, offline = false;
    int first;
    const struct cli_flag flags[] = {{.name = "name", .letter = 'n', .text = &name},
                                     {.name = "offline", .set = &offline}};
    if (!cli_flags_read(flags, 2, argc, argv, &first, &asked))
        return CLI_USAGE;
    if (asked) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (first + 1 < argc) {
        cli_error("doctor takes one FILE; see `awsync doctor --help`");
        return CLI_USAGE;
    }
    if (name != NULL && !cloud_name_valid(name))
        return CLI_USAGE;
    check_runtime(&d);
    if (first < argc && !check_program(&d, argv[first]))
        return CLI_USAGE;
    if (!offline) {
        d.client = aws_client_new(NULL);
        if (d.client == NULL) {
            cli_error("out of memory");
            return CLI_FAILED;
        }
        check_aws(&d, name);
        aws_client_free(d.client);
    }
    return d.problems ? CLI_FAILED : CLI_OK;
}
