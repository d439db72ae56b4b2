#include "host/cli/cloud.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/cli/cli.h"

enum { TARGET_MAX = 512, FORM_MAX = 256 << 10, TIMEOUT_MS = 300000 };

static void lambda(struct aws_client *client, const char *method, const char *target,
                   const char *body, size_t len, struct aws_answer *answer) {
    static const struct aws_header json = {"Content-Type", "application/json"};
    struct aws_request request = {
        .service = AWS_LAMBDA,
        .method = method,
        .target = target,
        .headers = &json,
        .header_count = body != NULL ? 1 : 0,
        .body = body,
        .body_len = len,
        .timeout_ms = TIMEOUT_MS, /* a package travels in it */
        .unsafe = strcmp(method, "POST") == 0,
    };
    *answer = (struct aws_answer){0};
    aws_call(client, &request, answer);
}

void cloud_lambda(struct aws_client *client, const char *method, const struct buf *body,
                  struct aws_answer *answer, const char *target, ...) {
    char text[TARGET_MAX];
    va_list args;
    va_start(args, target);
    vsnprintf(text, sizeof text, target, args);
    va_end(args);
    lambda(client, method, text, body != NULL ? buf_text(body) : NULL, body != NULL ? body->len : 0,
           answer);
}

void cloud_lambda_text(struct aws_client *client, const char *method, const char *body,
                       struct aws_answer *answer, const char *target) {
    lambda(client, method, target, body, strlen(body), answer);
}

static void add_form(struct buf *out, const char *name, const char *value) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    if (out->len > 0)
        buf_addc(out, '&');
    buf_addf(out, "%s=", name);
    for (; *value != '\0'; value++)
        if (strchr(plain, *value) != NULL)
            buf_addc(out, *value);
        else
            buf_addf(out, "%%%02X", (unsigned char)*value);
}

struct aws_request cloud_form(enum aws_service service, const char *form, size_t len) {
    static const struct aws_header type = {"Content-Type",
                                           "application/x-www-form-urlencoded; charset=utf-8"};
    return (struct aws_request){
        .service = service,
        .method = "POST",
        .target = "/",
        .headers = &type,
        .header_count = 1,
        .body = form,
        .body_len = len,
    };
}

void cloud_iam(struct aws_client *client, const char *action, const char *const *pairs,
               struct aws_answer *answer) {
    struct buf form;
    buf_init(&form, FORM_MAX);
    add_form(&form, "Action", action);
    add_form(&form, "Version", "2010-05-08");
    for (; pairs != NULL && pairs[0] != NULL; pairs += 2)
        add_form(&form, pairs[0], pairs[1]);
    struct aws_request request = cloud_form(AWS_IAM, buf_text(&form), form.len);
    *answer = (struct aws_answer){0};
    aws_call(client, &request, answer);
    buf_free(&form);
}

/* For services whose operations are named by a header. */
static void call_target(struct aws_client *client, enum aws_service service, const char *type,
                        const char *prefix, const char *operation, const struct buf *body,
                        struct aws_answer *answer) {
    char target[64];
    snprintf(target, sizeof target, "%s.%s", prefix, operation);
    const struct aws_header headers[] = {{"Content-Type", type}, {"X-Amz-Target", target}};
    struct aws_request request = {
        .service = service,
        .method = "POST",
        .target = "/",
        .headers = headers,
        .header_count = 2,
        .body = buf_text(body),
        .body_len = body->len,
    };
    *answer = (struct aws_answer){0};
    aws_call(client, &request, answer);
}

void cloud_logs(struct aws_client *client, const char *operation, const struct buf *body,
                struct aws_answer *answer) {
    call_target(client, AWS_LOGS, "application/x-amz-json-1.1", "Logs_20140328", operation, body,
                answer);
}

void cloud_sqs(struct aws_client *client, const char *operation, const char *member,
               const char *value, struct aws_answer *answer) {
    struct buf body;
    struct json_writer json;
    buf_init(&body, 4096);
    json_writer_init(&json, &body);
    json_object_begin(&json);
    json_member(&json, member, value);
    json_object_end(&json);
    call_target(client, AWS_SQS, "application/x-amz-json-1.0", "AmazonSQS", operation, &body,
                answer);
    buf_free(&body);
}

bool cloud_is(const struct aws_answer *answer, const char *code) {
    size_t len = strlen(code);
    return !answer->ok && strncmp(answer->error.code, code, len) == 0 &&
           (answer->error.code[len] == '\0' || strcmp(answer->error.code + len, "Exception") == 0);
}

bool cloud_failed(const struct aws_answer *answer, const char *what) {
    if (!answer->ok)
        cli_error("%s: %s: %s", what, answer->error.code, answer->error.message);
    return !answer->ok;
}

/* IAM's texts that we read (ARNs, our own description) hold no character that XML escapes. */
char *cloud_xml_text(const struct aws_answer *answer, const char *name) {
    char tag[64];
    snprintf(tag, sizeof tag, "<%s>", name);
    const char *at = answer->body != NULL ? strstr(answer->body, tag) : NULL;
    if (at == NULL)
        return NULL;
    at += strlen(tag);
    return strndup(at, strcspn(at, "<"));
}

struct json_tree *cloud_json(const struct aws_answer *answer) {
    return json_parse(answer->body, answer->body_len, JSON_DEPTH_DEFAULT, NULL, 0);
}

void cloud_sleep(int64_t ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

bool cloud_name_valid(const char *name) {
    size_t len = strlen(name);
    if (len > 0 && len <= 64 &&
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len)
        return true;
    cli_error("\"%s\" is no name of a Lambda function: up to 64 letters, digits, - and _", name);
    return false;
}
