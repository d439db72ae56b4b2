/* The claims queue of a function: host/channel/claim.h. Its calls make it, who takes the function
** away deletes it. */
#include "host/channel/claim.h"
#include "host/cli/cloud.h"

bool claims_delete(struct aws_client *client, const char *function, bool *deleted) {
    char name[CLAIM_QUEUE_SIZE];
    struct aws_answer found, answer;
    claim_queue_name(function, name);
    *deleted = false;
    cloud_sqs(client, "GetQueueUrl", "QueueName", name, &found);
    bool none = cloud_is(&found, "QueueDoesNotExist");
    bool ok = none || !cloud_failed(&found, "the queue of claims cannot be deleted");
    struct json_tree *tree = ok && !none ? cloud_json(&found) : NULL;
    const char *url = tree != NULL ? json_get_text(json_root(tree), "QueueUrl") : NULL;
    if (url != NULL) {
        cloud_sqs(client, "DeleteQueue", "QueueUrl", url, &answer);
        none = cloud_is(&answer, "QueueDoesNotExist");
        ok = none || !cloud_failed(&answer, "the queue of claims cannot be deleted");
        *deleted = ok && !none;
        aws_answer_free(&answer);
    }
    json_tree_free(tree);
    aws_answer_free(&found);
    return ok;
}
