#include "host/aws/sqs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/request.h"
#include "host/aws/sqs_parse.h"

/* The longest escape takes six bytes for one. A request carries one payload, an answer one for each
** message. */
enum { BODY_MAX = 8 << 20, MESSAGES_MAX = SQS_BATCH_MAX * (6 * SQS_PAYLOAD_MAX + (64 << 10)) };
enum { TIMEOUT_MS = 30000, ANSWER_DEPTH = 32, LIST_MAX = 1000 };

/* One call under way: how its answer is read and whose it is. */
struct call {
    union {
        sqs_done plain;
        sqs_url_done url;
        sqs_list_done list;
        sqs_pairs_done pairs;
        sqs_batch_done batch;
        sqs_receive_done receive;
    } done;
    void *context;
    const char *member; /* pairs: where the answer has them */
    size_t count;       /* batch: entries */
};

/* --- requests --------------------------------------------------------------------------------- */

/* A request being written. */
struct draft {
    struct buf body;
    struct json_writer json;
    bool no_text; /* a text that is no UTF-8 */
};

static void draft_init(struct draft *d) {
    *d = (struct draft){0};
    buf_init(&d->body, BODY_MAX);
    json_writer_init(&d->json, &d->body);
    json_object_begin(&d->json);
}

static void add_text_n(struct draft *d, const char *key, const char *text, size_t len) {
    json_key(&d->json, key);
    if (!json_string_n(&d->json, text, len) && buf_ok(&d->body))
        d->no_text = true;
}

/* A member that is left out when text is NULL. */
static void add_text(struct draft *d, const char *key, const char *text) {
    if (text != NULL)
        add_text_n(d, key, text, strlen(text));
}

static void add_integer(struct draft *d, const char *key, int64_t value) {
    json_key(&d->json, key);
    json_integer(&d->json, value);
}

static void add_pairs(struct draft *d, const char *key, const struct sqs_pair *pairs,
                      size_t count) {
    json_key(&d->json, key);
    json_object_begin(&d->json);
    for (size_t i = 0; i < count; i++)
        add_text(d, pairs[i].name, pairs[i].value);
    json_object_end(&d->json);
}

static void add_texts(struct draft *d, const char *key, const char *const *texts, size_t count) {
    json_key(&d->json, key);
    json_array_begin(&d->json);
    for (size_t i = 0; i < count; i++)
        if (!json_string(&d->json, texts[i]) && buf_ok(&d->body))
            d->no_text = true;
    json_array_end(&d->json);
}

static void entries_begin(struct draft *d) {
    json_key(&d->json, "Entries");
    json_array_begin(&d->json);
}

static void entry_begin(struct draft *d, size_t index) {
    char id[24];
    snprintf(id, sizeof id, "%zu", index);
    json_object_begin(&d->json);
    add_text(d, "Id", id);
}

/* Sends the draft and frees it. call is copied. */
static uint64_t send_draft(struct aws_client *client, const char *operation, struct draft *d,
                           const struct call *call, aws_done done, int wait_s) {
    struct call *own = malloc(sizeof *own);
    uint64_t id = 0;
    size_t len = 0;
    char *body = NULL;
    json_object_end(&d->json);
    if (own == NULL)
        goto failed;
    *own = *call;
    if (d->no_text) {
        id = request_refuse(client, "InvalidMessageContents", "a text is not valid UTF-8", done,
                            own);
    } else {
        body = buf_take(&d->body, &len);
        if (body == NULL)
            goto failed;
        char target[64];
        snprintf(target, sizeof target, "AmazonSQS.%s", operation);
        const struct aws_header headers[] = {
            {"Content-Type", "application/x-amz-json-1.0"},
            {"X-Amz-Target", target},
            {"x-amzn-query-mode", "true"},
        };
        struct aws_request request = {
            .service = AWS_SQS,
            .method = "POST",
            .target = "/",
            .headers = headers,
            .header_count = sizeof headers / sizeof *headers,
            .body_len = len,
            .answer_max = wait_s >= 0 ? MESSAGES_MAX : 0,
            .timeout_ms = wait_s >= 0 ? (wait_s + 10) * 1000 : TIMEOUT_MS,
            .long_poll = wait_s >= 0,
        };
        id = request_submit(client, &request, body, done, own);
    }
failed:
    if (id == 0)
        free(own);
    buf_free(&d->body);
    return id;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* An answer as a tree: NULL with an error. A body of nothing is an empty object. What is found wrong
** with the tree needs a code and a message only: the rest of error is ready for it. */
static struct json_tree *read_answer(const struct aws_response *response, struct aws_error *error) {
    char reason[160];
    *error = (struct aws_error){.status = response->status, .may_have_run = true};
    if (response->error != NULL) {
        *error = *response->error;
        return NULL;
    }
    const char *text = response->body_len > 0 ? response->body : "{}";
    size_t len = response->body_len > 0 ? response->body_len : 2;
    struct json_tree *tree = json_parse(text, len, ANSWER_DEPTH, reason, sizeof reason);
    if (tree != NULL && json_root(tree)->type == JSON_T_OBJECT)
        return tree;
    error_set(error, AWS_CODE_MALFORMED, "the answer of SQS is no JSON object: %s",
              tree == NULL ? reason : "another value");
    json_tree_free(tree);
    return NULL;
}

/* Frees what a call and its answer were made of; list may be NULL. */
static void finish(struct call *call, struct json_tree *tree, void *list) {
    free(list);
    json_tree_free(tree);
    free(call);
}

static void plain_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    call->done.plain(call->context, response->error);
    free(call);
}

/* A queue that an attempt whose answer was lost has deleted is deleted. */
static void delete_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    const struct aws_error *error = response->error;
    if (error != NULL && error->attempts > 1 && sqs_is_no_queue(error))
        error = NULL;
    call->done.plain(call->context, error);
    free(call);
}

static void url_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    struct aws_error error;
    struct json_tree *tree = read_answer(response, &error);
    const char *url = tree != NULL ? json_get_text(json_root(tree), "QueueUrl") : NULL;
    if (tree != NULL && url == NULL)
        error_set(&error, AWS_CODE_MALFORMED, "the answer has no QueueUrl");
    call->done.url(call->context, url != NULL ? NULL : &error, url);
    finish(call, tree, NULL);
}

static void list_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    struct aws_error error;
    const char **urls = NULL;
    size_t count = 0;
    struct json_tree *tree = read_answer(response, &error);
    bool ok = tree != NULL &&
              sqs_read_texts(json_get(json_root(tree), "QueueUrls"), &urls, &count, &error);
    call->done.list(call->context, ok ? NULL : &error, urls, count,
                    ok ? json_get_text(json_root(tree), "NextToken") : NULL);
    finish(call, tree, urls);
}

static void pairs_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    struct aws_error error;
    struct sqs_pair *pairs = NULL;
    size_t count = 0;
    struct json_tree *tree = read_answer(response, &error);
    bool ok = tree != NULL &&
              sqs_read_pairs(json_get(json_root(tree), call->member), &pairs, &count, &error);
    call->done.pairs(call->context, ok ? NULL : &error, pairs, count);
    finish(call, tree, pairs);
}

static void batch_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    struct aws_error error;
    struct sqs_outcome *outcomes = NULL;
    struct json_tree *tree = read_answer(response, &error);
    bool ok = tree != NULL && sqs_read_outcomes(json_root(tree), call->count, &outcomes, &error);
    call->done.batch(call->context, ok ? NULL : &error, outcomes, ok ? call->count : 0);
    finish(call, tree, outcomes);
}

static void receive_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    struct aws_error error;
    struct sqs_message *messages = NULL;
    size_t count = 0;
    struct json_tree *tree = read_answer(response, &error);
    bool ok = tree != NULL && sqs_read_messages(json_root(tree), &messages, &count, &error);
    call->done.receive(call->context, ok ? NULL : &error, messages, count);
    finish(call, tree, messages);
}

/* --- queues ----------------------------------------------------------------------------------- */

uint64_t sqs_create_queue(struct aws_client *client, const char *name,
                          const struct sqs_pair *attributes, size_t attribute_count,
                          const struct sqs_pair *tags, size_t tag_count, sqs_url_done done,
                          void *context) {
    struct draft d;
    draft_init(&d);
    add_text(&d, "QueueName", name);
    if (attribute_count > 0)
        add_pairs(&d, "Attributes", attributes, attribute_count);
    if (tag_count > 0)
        add_pairs(&d, "tags", tags, tag_count);
    struct call call = {.done.url = done, .context = context};
    return send_draft(client, "CreateQueue", &d, &call, url_done, -1);
}

uint64_t sqs_get_queue_url(struct aws_client *client, const char *name, sqs_url_done done,
                           void *context) {
    struct draft d;
    draft_init(&d);
    add_text(&d, "QueueName", name);
    struct call call = {.done.url = done, .context = context};
    return send_draft(client, "GetQueueUrl", &d, &call, url_done, -1);
}

bool sqs_queue_base(struct aws_client *client, const char *account, char *out, size_t size) {
    if (!client_configure(client) || client->config.endpoint_errors[AWS_SQS] != NULL)
        return false;
    int len = snprintf(out, size, "%s/%s/", client->config.endpoints[AWS_SQS].url, account);
    return len > 0 && (size_t)len < size;
}

/* A draft that names a queue. */
static void draft_queue(struct draft *d, const char *url) {
    draft_init(d);
    add_text(d, "QueueUrl", url);
}

uint64_t sqs_delete_queue(struct aws_client *client, const char *url, sqs_done done,
                          void *context) {
    struct draft d;
    draft_queue(&d, url);
    struct call call = {.done.plain = done, .context = context};
    return send_draft(client, "DeleteQueue", &d, &call, delete_done, -1);
}

uint64_t sqs_tag_queue(struct aws_client *client, const char *url, const struct sqs_pair *tags,
                       size_t tag_count, sqs_done done, void *context) {
    struct draft d;
    draft_queue(&d, url);
    add_pairs(&d, "Tags", tags, tag_count);
    struct call call = {.done.plain = done, .context = context};
    return send_draft(client, "TagQueue", &d, &call, plain_done, -1);
}

uint64_t sqs_list_queues(struct aws_client *client, const char *prefix, const char *token,
                         sqs_list_done done, void *context) {
    struct draft d;
    draft_init(&d);
    add_text(&d, "QueueNamePrefix", prefix);
    add_text(&d, "NextToken", token);
    add_integer(&d, "MaxResults", LIST_MAX); /* without it there is no NextToken */
    struct call call = {.done.list = done, .context = context};
    return send_draft(client, "ListQueues", &d, &call, list_done, -1);
}

uint64_t sqs_get_attributes(struct aws_client *client, const char *url, const char *const *names,
                            size_t count, sqs_pairs_done done, void *context) {
    struct draft d;
    draft_queue(&d, url);
    add_texts(&d, "AttributeNames", names, count);
    struct call call = {.done.pairs = done, .context = context, .member = "Attributes"};
    return send_draft(client, "GetQueueAttributes", &d, &call, pairs_done, -1);
}

uint64_t sqs_list_tags(struct aws_client *client, const char *url, sqs_pairs_done done,
                       void *context) {
    struct draft d;
    draft_queue(&d, url);
    struct call call = {.done.pairs = done, .context = context, .member = "Tags"};
    return send_draft(client, "ListQueueTags", &d, &call, pairs_done, -1);
}

/* --- messages --------------------------------------------------------------------------------- */

uint64_t sqs_send_batch(struct aws_client *client, const char *url, const struct sqs_send *entries,
                        size_t count, sqs_batch_done done, void *context) {
    struct draft d;
    draft_queue(&d, url);
    entries_begin(&d);
    for (size_t i = 0; i < count; i++) {
        entry_begin(&d, i);
        add_text_n(&d, "MessageBody", entries[i].body, entries[i].body_len);
        add_text(&d, "MessageGroupId", entries[i].group_id);
        add_text(&d, "MessageDeduplicationId", entries[i].deduplication_id);
        if (entries[i].delay_s > 0)
            add_integer(&d, "DelaySeconds", entries[i].delay_s);
        json_object_end(&d.json);
    }
    json_array_end(&d.json);
    struct call call = {.done.batch = done, .context = context, .count = count};
    return send_draft(client, "SendMessageBatch", &d, &call, batch_done, -1);
}

/* visibility_s -1: the entries have none. */
static uint64_t send_handles(struct aws_client *client, const char *operation, const char *url,
                             const char *const *receipt_handles, size_t count, int visibility_s,
                             sqs_batch_done done, void *context) {
    struct draft d;
    draft_queue(&d, url);
    entries_begin(&d);
    for (size_t i = 0; i < count; i++) {
        entry_begin(&d, i);
        add_text(&d, "ReceiptHandle", receipt_handles[i]);
        if (visibility_s >= 0)
            add_integer(&d, "VisibilityTimeout", visibility_s);
        json_object_end(&d.json);
    }
    json_array_end(&d.json);
    struct call call = {.done.batch = done, .context = context, .count = count};
    return send_draft(client, operation, &d, &call, batch_done, -1);
}

uint64_t sqs_delete_batch(struct aws_client *client, const char *url,
                          const char *const *receipt_handles, size_t count, sqs_batch_done done,
                          void *context) {
    return send_handles(client, "DeleteMessageBatch", url, receipt_handles, count, -1, done,
                        context);
}

uint64_t sqs_change_visibility_batch(struct aws_client *client, const char *url,
                                     const char *const *receipt_handles, size_t count,
                                     int visibility_s, sqs_batch_done done, void *context) {
    return send_handles(client, "ChangeMessageVisibilityBatch", url, receipt_handles, count,
                        visibility_s, done, context);
}

uint64_t sqs_receive(struct aws_client *client, const char *url, const struct sqs_receive *in,
                     sqs_receive_done done, void *context) {
    static const char *const attributes[] = {"ApproximateReceiveCount", "SentTimestamp",
                                             "MessageGroupId", "MessageDeduplicationId"};
    struct draft d;
    draft_queue(&d, url);
    add_integer(&d, "MaxNumberOfMessages", in->max_messages);
    add_integer(&d, "WaitTimeSeconds", in->wait_s);
    if (in->visibility_s >= 0)
        add_integer(&d, "VisibilityTimeout", in->visibility_s);
    add_text(&d, "ReceiveRequestAttemptId", in->attempt_id);
    add_texts(&d, "MessageSystemAttributeNames", attributes,
              sizeof attributes / sizeof *attributes);
    struct call call = {.done.receive = done, .context = context};
    return send_draft(client, "ReceiveMessage", &d, &call, receive_done,
                      in->wait_s > 0 ? in->wait_s : 0);
}

bool sqs_is_no_queue(const struct aws_error *error) {
    static const char name[] = "QueueDoesNotExist",
                      query[] = "AWS.SimpleQueueService.NonExistentQueue";
    return error != NULL && (strcmp(error->code, name) == 0 || strcmp(error->code, query) == 0 ||
                             strcmp(error->query_code, query) == 0);
}
