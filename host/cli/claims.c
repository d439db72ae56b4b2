/* The claims queue of a function: host/channel/claim.h. Its calls make it, who takes the function
** away deletes it. */
#include <string.h>

#include "host/channel/claim.h"
#include "host/cli/cloud.h"

static void call(struct aws_client *client, const char *operation, const char *member,
                 const char *value, struct aws_answer *answer) {
    struct buf body, target;
    struct json_writer json;
    buf_init(&body, 4096);
    buf_init(&target, 64);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    json_member(&json, member, value);
    json_object_end(&json);
    buf_addf(&target, "AmazonSQS.%s", operation);
    const struct aws_header headers[] = {
        {"Content-Type", "application/x-amz-json-1.0"},
        {"X-Amz-Target", buf_text(&target)},
    };
    aws_call(client,
             &(struct aws_request){
                 .service = AWS_SQS,
                 .method = "POST",
                 .target = "/",
                 .headers = headers,
                 .header_count = sizeof headers / sizeof *headers,
                 .body = buf_text(&body),
                 .body_len = body.len,
             },
             answer);
    buf_free(&body);
    buf_free(&target);
}

bool claims_delete(struct aws_client *client, const char *function, bool *deleted) {
    char name[CLAIM_QUEUE_SIZE];
    struct aws_answer found, answer;
    claim_queue_name(function, name);
    *deleted = false;
    call(client, "GetQueueUrl", "QueueName", name, &found);
    bool none = cloud_is(&found, "QueueDoesNotExist");
    bool ok = none || !cloud_failed(&found, "the queue of claims cannot be deleted");
    struct json_tree *tree = ok && !none ? cloud_json(&found) : NULL;
    const char *url = tree != NULL ? json_get_text(json_root(tree), "QueueUrl") : NULL;
    if (url != NULL) {
        call(client, "DeleteQueue", "QueueUrl", url, &answer);
        none = cloud_is(&answer, "QueueDoesNotExist");
        ok = none || !cloud_failed(&answer, "the queue of claims cannot be deleted");
        *deleted = ok && !none;
        aws_answer_free(&answer);
    }
    json_tree_free(tree);
    aws_answer_free(&found);
    return ok;
}
