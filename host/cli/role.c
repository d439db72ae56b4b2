/* The role of a function that `awsync deploy --create-role` makes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/cloud.h"
#include "host/cli/share.h"

static const char policy_name[] = "awsync";
enum { POLICY_MAX = 10240 }; /* bytes of all inline policies of a role */

struct names {
    char role[ROLE_NAME_MAX + 1];
    char mark[128]; /* the description, by which we know our own again */
};

static bool make_names(struct names *out, const char *function) {
    if (strlen(function) > ROLE_FUNCTION_MAX) {
        cli_error("with --create-role a name has %d characters at most: the role is awsync-NAME",
                  ROLE_FUNCTION_MAX);
        return false;
    }
    snprintf(out->role, sizeof out->role, "awsync-%.*s", ROLE_FUNCTION_MAX, function);
    snprintf(out->mark, sizeof out->mark, "Made by awsync deploy for the function %s", function);
    return true;
}

void arn_part(char *out, size_t size, const char *arn, int part) {
    out[0] = '\0';
    for (; part > 0; part--) {
        arn = strchr(arn, ':');
        if (arn == NULL)
            return;
        arn++;
    }
    snprintf(out, size, "%.*s", (int)strcspn(arn, ":"), arn);
}

bool role_policy(struct buf *out, const char *function, const char *region, const char *arn) {
    char partition[32], account[32];
    arn_part(partition, sizeof partition, arn, 1);
    arn_part(account, sizeof account, arn, 4);
    const struct {
        const char *place, *value;
    } places[] = {{"${AWS::Partition}", partition},
                  {"${AWS::Region}", region},
                  {"${AWS::AccountId}", account},
                  {"${Function}", function}};
    const char *text = share_find("policy.json")->text;
    while (*text != '\0') {
        size_t len = strcspn(text, "$"), i = 0;
        buf_add(out, text, len);
        text += len;
        while (i < 4 && strncmp(text, places[i].place, strlen(places[i].place)) != 0)
            i++;
        if (i < 4) {
            buf_adds(out, places[i].value);
            text += strlen(places[i].place);
        } else if (*text != '\0') {
            buf_addc(out, *text++);
        }
    }
    return buf_ok(out);
}

static bool put_policy(struct aws_client *client, const char *role, const char *function,
                       const char *arn) {
    struct aws_answer answer = {0};
    struct buf policy;
    buf_init(&policy, POLICY_MAX);
    bool ok = role_policy(&policy, function, aws_client_region(client), arn);
    if (ok) {
        const char *const pairs[] = {
            "RoleName", role, "PolicyName", policy_name, "PolicyDocument", buf_text(&policy), NULL};
        cloud_iam(client, "PutRolePolicy", pairs, &answer);
        ok = !cloud_failed(&answer, "the role's policy cannot be written");
    } else {
        cli_error("out of memory");
    }
    aws_answer_free(&answer);
    buf_free(&policy);
    return ok;
}

/* The role is there already: ours, or a stranger's that happens to have the name. */
static bool get_own(struct aws_client *client, const struct names *names,
                    struct aws_answer *answer) {
    const char *const pairs[] = {"RoleName", names->role, NULL};
    cloud_iam(client, "GetRole", pairs, answer);
    if (cloud_failed(answer, "the role cannot be read"))
        return false;
    char *mark = cloud_xml_text(answer, "Description");
    bool own = mark != NULL && strcmp(mark, names->mark) == 0;
    if (!own)
        cli_error("there is a role %s that awsync has not made; name it by --role to use it",
                  names->role);
    free(mark);
    return own;
}

char *role_make(struct aws_client *client, const char *function) {
    struct names names;
    struct aws_answer answer = {0};
    char *arn = NULL;
    if (!make_names(&names, function))
        return NULL;
    const char *const pairs[] = {"RoleName",
                                 names.role,
                                 "Description",
                                 names.mark,
                                 "AssumeRolePolicyDocument",
                                 share_find("trust.json")->text,
                                 NULL};
    cloud_iam(client, "CreateRole", pairs, &answer);
    if (cloud_is(&answer, "EntityAlreadyExists")) {
        aws_answer_free(&answer);
        if (!get_own(client, &names, &answer))
            goto done;
    } else if (cloud_failed(&answer, "the role cannot be created")) {
        goto done;
    }
    arn = cloud_xml_text(&answer, "Arn");
    if (arn == NULL)
        cli_error("IAM's answer has no ARN of the role");
    if (arn != NULL && !put_policy(client, names.role, function, arn)) {
        free(arn);
        arn = NULL;
    }
done:
    aws_answer_free(&answer);
    return arn;
}

bool role_delete(struct aws_client *client, const char *function, const char *arn, bool *deleted) {
    char role[256];
    struct names names;
    struct aws_answer answer = {0};
    bool ok = true;
    *deleted = false;
    arn_part(role, sizeof role, arn, 5);
    if (strlen(function) > ROLE_FUNCTION_MAX || !make_names(&names, function) ||
        strncmp(role, "role/", 5) != 0 || strcmp(role + 5, names.role) != 0)
        return true;
    const char *const pairs[] = {"RoleName", names.role, "PolicyName", policy_name, NULL};
    const char *const role_pairs[] = {"RoleName", names.role, NULL};
    cloud_iam(client, "GetRole", role_pairs, &answer);
    if (cloud_is(&answer, "NoSuchEntity"))
        goto done;
    ok = !cloud_failed(&answer, "the role cannot be read");
    char *mark = ok ? cloud_xml_text(&answer, "Description") : NULL;
    bool own = mark != NULL && strcmp(mark, names.mark) == 0;
    free(mark);
    if (!own)
        goto done;
    aws_answer_free(&answer);
    cloud_iam(client, "DeleteRolePolicy", pairs, &answer);
    ok = cloud_is(&answer, "NoSuchEntity") ||
         !cloud_failed(&answer, "the role's policy cannot be deleted");
    if (!ok)
        goto done;
    aws_answer_free(&answer);
    cloud_iam(client, "DeleteRole", role_pairs, &answer);
    ok = !cloud_failed(&answer, "the role cannot be deleted");
    *deleted = ok;
done:
    aws_answer_free(&answer);
    return ok;
}
