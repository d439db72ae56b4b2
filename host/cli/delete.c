/* `awsync delete`: what `awsync deploy` has made, and nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"
#include "host/cli/cli.h"
#include "host/cli/cloud.h"
#include "host/cli/flags.h"

static const char help[] =
    "usage: awsync delete NAME [--logs]\n\n"
    "Deletes the Lambda function NAME with its function URL, its queue of claims, and its role if "
    "`awsync deploy\n"
    "--create-role` has made that for it. Prints what it has deleted.\n\n"
    "  --logs             the log group /aws/lambda/NAME too\n\n"
    "Exit status: 0; 1 when there is no such function or something could not be deleted; 2 for "
    "wrong usage.\n";

/* The role of the function, for free(); NULL: it is not there or cannot be read, and the message is
** written. */
static char *find_role(struct aws_client *client, const char *name) {
    struct aws_answer answer;
    char *role = NULL;
    cloud_lambda(client, "GET", NULL, &answer, "/2015-03-31/functions/%s/configuration", name);
    if (!cloud_failed(&answer, name)) {
        struct json_tree *tree = cloud_json(&answer);
        const char *text = tree != NULL ? json_get_text(json_root(tree), "Role") : NULL;
        role = strdup(text != NULL ? text : "");
        if (tree != NULL)
            json_tree_wipe(tree);
        secret_wipe(answer.body, answer.body_len);
    }
    aws_answer_free(&answer);
    return role;
}

static bool delete_logs(struct aws_client *client, const char *name) {
    struct buf body;
    struct aws_answer answer;
    buf_init(&body, 256);
    buf_addf(&body, "{\"logGroupName\":\"/aws/lambda/%s\"}", name);
    cloud_logs(client, "DeleteLogGroup", &body, &answer);
    bool none = cloud_is(&answer, "ResourceNotFound");
    bool ok = none || !cloud_failed(&answer, "the log group cannot be deleted");
    if (ok && !none)
        printf("log group /aws/lambda/%s\n", name);
    aws_answer_free(&answer);
    buf_free(&body);
    return ok;
}

static bool delete_all(struct aws_client *client, const char *name, bool logs) {
    char *role = find_role(client, name);
    if (role == NULL)
        return false;
    struct aws_answer answer;
    bool deleted = false;
    cloud_lambda(client, "DELETE", NULL, &answer, "/2015-03-31/functions/%s", name);
    bool ok = !cloud_failed(&answer, "the function cannot be deleted");
    aws_answer_free(&answer);
    if (ok) {
        printf("function %s\n", name);
        ok = role_delete(client, name, role, &deleted);
        if (deleted)
            printf("role %s\n", role);
        ok = claims_delete(client, name, &deleted) && ok;
        if (deleted)
            printf("queue of claims\n");
        if (logs)
            ok = delete_logs(client, name) && ok;
    }
    free(role);
    return ok;
}

int cli_delete(int argc, char **argv) {
    bool asked, logs = false;
    int first;
    const struct cli_flag flags[] = {{.name = "logs", .set = &logs}};
    if (!cli_flags_read(flags, 1, argc, argv, &first, &asked))
        return CLI_USAGE;
    if (asked) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (first + 1 != argc) {
        cli_error("delete takes one NAME; see `awsync delete --help`");
        return CLI_USAGE;
    }
    if (!cloud_name_valid(argv[first]))
        return CLI_USAGE;
    struct aws_client *client = aws_client_new(NULL);
    if (client == NULL) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    bool ok = delete_all(client, argv[first], logs);
    aws_client_free(client);
    return ok ? CLI_OK : CLI_FAILED;
}
