/* `awsync deploy`: creates or updates a function on AWS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/base64.h"
#include "host/base/clock.h"
#include "host/base/secret.h"
#include "host/cli/cli.h"
#include "host/cli/cloud.h"
#include "host/cli/flags.h"
#include "host/cli/package.h"

static const char help[] =
    "usage: awsync deploy [FILE...] --name N [--role ARN | --create-role] [--memory MB] [--timeout "
    "SECONDS]\n"
    "                     [--env NAME=VALUE]... [--url | --public-url] [--arch ARCH] [--bootstrap "
    "PATH]\n\n"
    "Packages the program FILE as `awsync package` does, creates the Lambda function N or updates "
    "it, waits until\n"
    "it can be called, and prints its ARN. The credentials and region are those of the AWS "
    "tools.\n" CLI_HELP_FILE "  --name N           name of the function\n"
    "  --role ARN         the role that it runs by\n"
    "  --create-role      a role of its own, awsync-N, with no more rights than a program needs: "
    "call itself,\n"
    "                     use queues named awsync-*, write its log\n"
    "  --memory MB        128 to 10240 (128 for a new function)\n"
    "  --timeout SECONDS  1 to 900 (60 for a new function)\n"
    "  --env NAME=VALUE   a variable; others stay as they are; `--env NAME` removes it\n"
    "  --url              a function URL for callers who sign (AWS_IAM); printed behind the ARN\n"
    "  --public-url       a function URL for everybody\n"
    "  --arch, --bootstrap  as for `awsync package`\n\n"
    "Asynchronous calls are not retried by the platform: a call that failed is its caller's to "
    "retry.\n"
    "Exit status: 0; 1 when it failed; 2 for wrong usage.\n";

/* Figures: the waiters of AWS's own SDKs; a new role is known everywhere within half a minute. */
enum { WAIT_MS = 300000, ROLE_WAIT_MS = 90000, STEP_MS = 200, STEP_MAX_MS = 2000 };
enum { BODY_MAX = 2 * PACKAGE_ZIPPED_MAX, DEFAULT_MEMORY_MB = 128, DEFAULT_TIMEOUT_S = 60 };

struct deploy {
    const char *name, *role; /* role NULL: as it is */
    struct cli_texts env;
    bool create_role, url, public_url;
    int memory_mb, timeout_s; /* 0: as it is */
    struct package_options package_options;
    struct package package;
    struct aws_client *client;
    char *made_role;
    bool exists;
    struct json_tree *before; /* the function's configuration */
};

static bool read_options(struct deploy *d, int argc, char **argv, bool *asked) {
    const struct cli_flag flags[] = {
        {.name = "name", .letter = 'n', .text = &d->name},
        {.name = "role", .text = &d->role},
        {.name = "create-role", .set = &d->create_role},
        {.name = "memory", .number = &d->memory_mb, .least = 128, .most = 10240},
        {.name = "timeout", .number = &d->timeout_s, .least = 1, .most = 900},
        {.name = "env", .texts = &d->env},
        {.name = "url", .set = &d->url},
        {.name = "public-url", .set = &d->public_url},
        {.name = "arch", .text = &d->package_options.arch},
        {.name = "bootstrap", .text = &d->package_options.bootstrap},
    };
    int first;
    if (!cli_flags_read(flags, sizeof flags / sizeof flags[0], argc, argv, &first, asked))
        return false;
    if (*asked)
        return true;
    const char *wrong = d->name == NULL                     ? "deploy needs a --name"
                        : d->role != NULL && d->create_role ? "--role or --create-role, not both"
                        : d->url && d->public_url           ? "--url or --public-url, not both"
                                                            : NULL;
    if (wrong != NULL) {
        cli_error("%s; see `awsync deploy --help`", wrong);
        return false;
    }
    for (size_t i = 0; i < d->env.count; i++)
        if (!cli_variable_check(d->env.items[i]))
            return false;
    if (d->role != NULL && strncmp(d->role, "arn:", 4) != 0) {
        cli_error("--role takes the ARN of a role, not \"%s\"", d->role);
        return false;
    }
    if (!cloud_name_valid(d->name))
        return false;
    d->package_options.files = first < argc ? argv + first : cli_default_file("deploy");
    d->package_options.file_count = first < argc ? (size_t)(argc - first) : 1;
    return d->package_options.files != NULL;
}

/* --- the texts of the requests ----------------------------------------------------------------- */

/* True when the user has said something about this variable, in --env number `from` or later. */
static bool env_given(const struct deploy *d, const char *name, size_t len, size_t from) {
    for (size_t i = from; i < d->env.count; i++)
        if (strncmp(d->env.items[i], name, len) == 0 &&
            (d->env.items[i][len] == '=' || d->env.items[i][len] == '\0'))
            return true;
    return false;
}

static void add_environment(const struct deploy *d, struct json_writer *w) {
    json_key(w, "Environment");
    json_object_begin(w);
    json_key(w, "Variables");
    json_object_begin(w);
    const struct json_value *old =
        d->before != NULL ? json_get(json_get(json_root(d->before), "Environment"), "Variables")
                          : NULL;
    for (const struct json_value *v = old != NULL ? old->child : NULL; v != NULL; v = v->next)
        if (v->type == JSON_T_STRING && !env_given(d, v->key, v->key_len, 0))
            json_member(w, v->key, v->text);
    for (size_t i = 0; i < d->env.count; i++) {
        const char *item = d->env.items[i], *equal = strchr(item, '=');
        size_t len = strcspn(item, "=");
        if (equal != NULL && !env_given(d, item, len, i + 1)) {
            json_key_n(w, item, len);
            json_string(w, equal + 1);
        }
    }
    json_object_end(w);
    json_object_end(w);
}

static void add_settings(const struct deploy *d, struct json_writer *w) {
    int memory = d->memory_mb, timeout = d->timeout_s;
    if (!d->exists) {
        memory = memory != 0 ? memory : DEFAULT_MEMORY_MB;
        timeout = timeout != 0 ? timeout : DEFAULT_TIMEOUT_S;
    }
    json_member(w, "Runtime", "provided.al2023");
    json_member(w, "Handler", d->package.handler);
    if (d->role != NULL)
        json_member(w, "Role", d->role);
    if (memory != 0) {
        json_key(w, "MemorySize");
        json_integer(w, memory);
    }
    if (timeout != 0) {
        json_key(w, "Timeout");
        json_integer(w, timeout);
    }
    if (d->env.count > 0)
        add_environment(d, w);
}

static void add_architecture(const struct deploy *d, struct json_writer *w) {
    json_key(w, "Architectures");
    json_array_begin(w);
    json_string(w, d->package.arch);
    json_array_end(w);
}

static void add_zip(const struct deploy *d, struct json_writer *w) {
    json_key(w, "ZipFile");
    buf_addc(w->out, '"');
    base64_encode(w->out, d->package.zip.data, d->package.zip.len);
    buf_addc(w->out, '"');
    w->comma = true;
}

/* --- steps ------------------------------------------------------------------------------------- */

/* Finds out whether the function is there, and how it is set. */
static bool look(struct deploy *d) {
    struct aws_answer answer;
    cloud_lambda(d->client, "GET", NULL, &answer, "/2015-03-31/functions/%s/configuration",
                 d->name);
    bool ok = answer.ok || cloud_is(&answer, "ResourceNotFound");
    d->exists = answer.ok;
    if (!ok)
        cloud_failed(&answer, d->name);
    if (answer.ok && (d->before = cloud_json(&answer)) == NULL) {
        cli_error("%s: Lambda's answer is no JSON", d->name);
        ok = false;
    }
    if (answer.body != NULL) /* the function's variables are in it */
        secret_wipe(answer.body, answer.body_len);
    aws_answer_free(&answer);
    return ok;
}

static const char *text_or(const char *text, const char *other) {
    return text != NULL ? text : other;
}

/* Waits until the function is as it was told to be. */
static bool wait_ready(const struct deploy *d) {
    int64_t end = clock_mono_ms() + WAIT_MS, step = STEP_MS;
    for (;;) {
        struct aws_answer answer;
        cloud_lambda(d->client, "GET", NULL, &answer, "/2015-03-31/functions/%s/configuration",
                     d->name);
        struct json_tree *tree = answer.ok ? cloud_json(&answer) : NULL;
        const struct json_value *root = tree != NULL ? json_root(tree) : NULL;
        const char *state = text_or(json_get_text(root, "State"), "Active");
        const char *update = text_or(json_get_text(root, "LastUpdateStatus"), "Successful");
        /* right after its creation a function is not yet known everywhere */
        bool over = !answer.ok && !cloud_is(&answer, "ResourceNotFound");
        bool ready = root != NULL && strcmp(update, "Successful") == 0 &&
                     (strcmp(state, "Active") == 0 || strcmp(state, "Inactive") == 0);
        if (over) {
            cloud_failed(&answer, d->name);
        } else if (strcmp(state, "Failed") == 0 || strcmp(update, "Failed") == 0) {
            const char *why =
                strcmp(state, "Failed") == 0 ? "StateReason" : "LastUpdateStatusReason";
            cli_error("%s: Lambda could not make it ready: %s", d->name,
                      text_or(json_get_text(root, why), "no reason was given"));
            over = true;
        } else if (!ready && clock_mono_ms() > end) {
            cli_error("%s is not ready after %d seconds (%s, %s)", d->name, WAIT_MS / 1000, state,
                      update);
            over = true;
        }
        json_tree_wipe(tree);
        aws_answer_free(&answer);
        if (ready || over)
            return ready;
        cloud_sleep(step);
        step = step * 2 < STEP_MAX_MS ? step * 2 : STEP_MAX_MS;
    }
}

/* What Lambda says while IAM has not yet told everybody about a new role or its policy. */
static bool is_too_early(const struct aws_answer *answer) {
    static const char *const words[] = {"cannot be assumed",
                                        "execution role does not have permissions",
                                        "invalid for CreateGrant"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(answer->error.message, words[i]) != NULL)
            return cloud_is(answer, "InvalidParameterValue");
    return false;
}

/* Sends until it is taken: while a former change is under way, and while IAM has not yet told
** everybody about a new role, Lambda refuses what it will take soon. */
static bool send(const struct deploy *d, const char *method, const struct buf *body,
                 const char *target, const char *what) {
    int64_t end = clock_mono_ms() + ROLE_WAIT_MS, step = STEP_MS;
    for (;;) {
        struct aws_answer answer;
        if (!buf_ok(body)) {
            cli_error("%s: out of memory, or not UTF-8", what);
            return false;
        }
        cloud_lambda(d->client, method, body, &answer, "%s", target);
        bool ok = answer.ok;
        bool later = (cloud_is(&answer, "ResourceConflict") && strcmp(method, "PUT") == 0) ||
                     (d->made_role != NULL && is_too_early(&answer));
        later = later && clock_mono_ms() < end;
        if (!ok && !later)
            cloud_failed(&answer, what);
        aws_answer_free(&answer);
        if (!later)
            return ok;
        cloud_sleep(step);
        step = step * 2 < STEP_MAX_MS ? step * 2 : STEP_MAX_MS;
    }
}

static bool create(const struct deploy *d) {
    struct buf body;
    struct json_writer w;
    buf_init_secret(&body, BODY_MAX);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member(&w, "FunctionName", d->name);
    add_settings(d, &w);
    add_architecture(d, &w);
    json_key(&w, "Code");
    json_object_begin(&w);
    add_zip(d, &w);
    json_object_end(&w);
    json_object_end(&w);
    bool ok = send(d, "POST", &body, "/2015-03-31/functions", "the function cannot be created") &&
              wait_ready(d);
    buf_wipe(&body);
    return ok;
}

static bool update(const struct deploy *d) {
    struct buf body;
    struct json_writer w;
    char code[160], configuration[160];
    snprintf(code, sizeof code, "/2015-03-31/functions/%s/code", d->name);
    snprintf(configuration, sizeof configuration, "/2015-03-31/functions/%s/configuration",
             d->name);
    buf_init_secret(&body, BODY_MAX);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    add_settings(d, &w);
    json_object_end(&w);
    bool ok = wait_ready(d) &&
              send(d, "PUT", &body, configuration, "the function's settings cannot be changed") &&
              wait_ready(d);
    buf_wipe(&body);
    buf_init_secret(&body, BODY_MAX);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    add_architecture(d, &w);
    add_zip(d, &w);
    json_object_end(&w);
    ok =
        ok && send(d, "PUT", &body, code, "the function's code cannot be changed") && wait_ready(d);
    buf_wipe(&body);
    return ok;
}

static bool stop_retries(const struct deploy *d) {
    struct buf body;
    char target[160];
    buf_init(&body, 64);
    buf_adds(&body, "{\"MaximumRetryAttempts\":0}");
    snprintf(target, sizeof target, "/2019-09-25/functions/%s/event-invoke-config", d->name);
    bool ok = send(d, "PUT", &body, target, "the platform's retries cannot be switched off");
    buf_free(&body);
    return ok;
}

/* Both are needed since October 2025: the right to use the URL, and to call by way of it. */
static bool allow_everybody(const struct deploy *d) {
    static const char *const statements[] = {
        "{\"StatementId\":\"awsync-url\",\"Action\":\"lambda:InvokeFunctionUrl\",\"Principal\":"
        "\"*\",\"FunctionUrlAuthType\":\"NONE\"}",
        "{\"StatementId\":\"awsync-url-invoke\",\"Action\":\"lambda:InvokeFunction\",\"Principal\":"
        "\"*\",\"InvokedViaFunctionUrl\":true}",
    };
    char target[160];
    snprintf(target, sizeof target, "/2015-03-31/functions/%s/policy", d->name);
    bool ok = true;
    for (size_t i = 0; ok && i < 2; i++) {
        struct aws_answer answer;
        cloud_lambda_text(d->client, "POST", statements[i], &answer, target);
        ok = cloud_is(&answer, "ResourceConflict") || /* it is there already */
             !cloud_failed(&answer, "the function URL cannot be opened to everybody");
        aws_answer_free(&answer);
    }
    return ok;
}

/* A URL that was open to everybody before is it no more. */
static bool allow_nobody(const struct deploy *d) {
    static const char *const statements[] = {"awsync-url", "awsync-url-invoke"};
    bool ok = true;
    for (size_t i = 0; ok && i < 2; i++) {
        struct aws_answer answer;
        cloud_lambda(d->client, "DELETE", NULL, &answer, "/2015-03-31/functions/%s/policy/%s",
                     d->name, statements[i]);
        ok = cloud_is(&answer, "ResourceNotFound") ||
             !cloud_failed(&answer, "the function URL cannot be closed to everybody");
        aws_answer_free(&answer);
    }
    return ok;
}

static bool make_url(const struct deploy *d) {
    char body[64], target[160];
    struct aws_answer answer;
    snprintf(body, sizeof body, "{\"AuthType\":\"%s\"}", d->public_url ? "NONE" : "AWS_IAM");
    snprintf(target, sizeof target, "/2021-10-31/functions/%s/url", d->name);
    cloud_lambda_text(d->client, "POST", body, &answer, target);
    if (cloud_is(&answer, "ResourceConflict")) {
        aws_answer_free(&answer);
        cloud_lambda_text(d->client, "PUT", body, &answer, target);
    }
    bool ok = !cloud_failed(&answer, "the function URL cannot be made");
    struct json_tree *tree = ok ? cloud_json(&answer) : NULL;
    const char *url = tree != NULL ? json_get_text(json_root(tree), "FunctionUrl") : NULL;
    ok = ok && (d->public_url ? allow_everybody(d) : allow_nobody(d));
    if (ok)
        printf("%s\n", text_or(url, ""));
    json_tree_free(tree);
    aws_answer_free(&answer);
    return ok;
}

static bool print_arn(const struct deploy *d) {
    struct aws_answer answer;
    cloud_lambda(d->client, "GET", NULL, &answer, "/2015-03-31/functions/%s/configuration",
                 d->name);
    struct json_tree *tree = answer.ok ? cloud_json(&answer) : NULL;
    const char *arn = tree != NULL ? json_get_text(json_root(tree), "FunctionArn") : NULL;
    bool ok = !cloud_failed(&answer, d->name);
    if (ok && arn == NULL) {
        cli_error("%s: Lambda's answer has no ARN", d->name);
        ok = false;
    }
    if (ok)
        printf("%s\n", arn);
    json_tree_wipe(tree);
    aws_answer_free(&answer);
    return ok;
}

static bool deploy(struct deploy *d) {
    if (aws_client_region(d->client) == NULL) {
        cli_error("no region is configured: set AWS_REGION, or `region` in ~/.aws/config");
        return false;
    }
    if (!look(d))
        return false;
    if (!d->exists && d->role == NULL && !d->create_role) {
        cli_error("%s is new: it needs --create-role, or --role with the ARN of a role", d->name);
        return false;
    }
    if (d->create_role && (d->made_role = role_make(d->client, d->name)) == NULL)
        return false;
    if (d->made_role != NULL)
        d->role = d->made_role;
    if (!(d->exists ? update(d) : create(d)) || !stop_retries(d) || !print_arn(d))
        return false;
    fprintf(stderr, "awsync: %s was %s\n", d->name, d->exists ? "updated" : "created");
    return (!d->url && !d->public_url) || make_url(d);
}

int cli_deploy(int argc, char **argv) {
    struct deploy d = {0};
    bool asked;
    if (!read_options(&d, argc, argv, &asked))
        return CLI_USAGE;
    if (asked) {
        fputs(help, stdout);
        return CLI_OK;
    }
    int status = CLI_FAILED;
    if (!package_build(&d.package, &d.package_options))
        goto done;
    d.client = aws_client_new(NULL);
    if (d.client == NULL)
        cli_error("out of memory");
    else if (deploy(&d))
        status = CLI_OK;
done:
    json_tree_wipe(d.before);
    free(d.made_role);
    aws_client_free(d.client);
    package_free(&d.package);
    return status;
}
