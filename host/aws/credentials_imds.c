/* Instance metadata (IMDSv2): a session token, the role's name, its keys. Version 1, without a
** token, where there is no version 2 and it is not forbidden. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/fetch.h"
#include "host/base/ascii.h"
#include "host/base/secret.h"

enum { TIMEOUT_MS = 1000, TRIES = 3, PAUSE_MS = 200, TOKEN_MAX = 4096, ROLE_MAX = 256 };
#define ROLES "/latest/meta-data/iam/security-credentials/"

static bool is_true(const char *name) {
    const char *value = config_env(name);
    return value != NULL && ascii_same(value, "true");
}

bool instance_wanted(void) {
    return !is_true("AWS_EC2_METADATA_DISABLED");
}

void instance_endpoint(char *out, size_t size) {
    const char *url = config_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = config_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    bool v6 = mode != NULL && ascii_same(mode, "IPv6");
    if (url == NULL)
        url = v6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    snprintf(out, size, "%s", url);
    size_t len = strlen(out);
    while (len > 0 && out[len - 1] == '/')
        out[--len] = '\0';
}

static void ask_token(struct fetch *f);
static void ask_role(struct fetch *f);
static void ask_keys(struct fetch *f);

/* Copies a token or a name: printable characters up to the end of the line. NULL when it is none.
 */
static char *read_word(const struct buf *answer, size_t max) {
    const char *text = buf_text(answer);
    size_t len = strcspn(text, "\r\n");
    if (len == 0 || len > max)
        return NULL;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] >= 0x7F)
            return NULL;
    return strndup(text, len);
}

static void fail(struct fetch *f, const char *what) {
    char message[512];
    const struct http_exchange *x = &f->exchange;
    if (x->outcome != HTTP_ANSWERED)
        snprintf(message, sizeof message,
                 "no credentials in environment and files, and instance metadata does not answer: "
                 "%.200s",
                 x->message);
    else
        snprintf(message, sizeof message, "instance metadata: %s (HTTP status %ld)", what,
                 x->status);
    fetch_fail(f, message);
}

/* True when the step was begun again: for a fault of the service. */
static bool again(struct fetch *f, fetch_step step) {
    const struct http_exchange *x = &f->exchange;
    bool fault = x->outcome == HTTP_ANSWERED ? x->status >= 500 || x->status == 429
                                             : x->outcome == HTTP_LOST;
    if (!fault || ++f->tries >= TRIES)
        return false;
    fetch_later(f, PAUSE_MS, step);
    return true;
}

/* A token that the service refuses is renewed once. */
static bool renew(struct fetch *f) {
    if (f->exchange.outcome != HTTP_ANSWERED || f->exchange.status != 401 || f->renewals++ > 0)
        return false;
    f->tries = 0;
    ask_token(f);
    return true;
}

static void token_answered(struct fetch *f) {
    const struct http_exchange *x = &f->exchange;
    if (x->outcome == HTTP_ANSWERED && x->status == 200) {
        secret_free(f->token);
        f->token = read_word(&x->answer, TOKEN_MAX);
        if (f->token == NULL) {
            fail(f, "the session token cannot be read");
            return;
        }
    } else if (x->outcome == HTTP_ANSWERED && x->status != 403 && x->status != 404 &&
               x->status != 405) {
        if (!again(f, ask_token))
            fail(f, "no session token");
        return;
    } else if (is_true("AWS_EC2_METADATA_V1_DISABLED")) {
        fail(f, "no session token, and version 1 is disabled");
        return;
    }
    f->tries = 0;
    ask_role(f);
}

static void ask_token(struct fetch *f) {
    char endpoint[1024], url[1280], reason[300];
    struct endpoint e;
    instance_endpoint(endpoint, sizeof endpoint);
    if (!endpoint_parse(&e, endpoint, "none", reason, sizeof reason)) {
        char message[400];
        snprintf(message, sizeof message, "AWS_EC2_METADATA_SERVICE_ENDPOINT: %s", reason);
        fetch_fail(f, message);
        return;
    }
    endpoint_free(&e);
    snprintf(url, sizeof url, "%s/latest/api/token", endpoint);
    struct fetch_header headers[] = {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}};
    fetch_send(f, "PUT", url, headers, 1, TIMEOUT_MS, token_answered);
}

static void get(struct fetch *f, const char *role, fetch_step answered) {
    char endpoint[1024], url[2048];
    instance_endpoint(endpoint, sizeof endpoint);
    snprintf(url, sizeof url, "%s" ROLES "%s", endpoint, role);
    struct fetch_header headers[] = {{"x-aws-ec2-metadata-token", f->token}};
    fetch_send(f, "GET", url, headers, f->token != NULL ? 1 : 0, TIMEOUT_MS, answered);
}

static void role_answered(struct fetch *f) {
    const struct http_exchange *x = &f->exchange;
    if (renew(f) || again(f, ask_role))
        return;
    if (x->outcome != HTTP_ANSWERED || x->status != 200) {
        fail(f, x->status == 404 ? "the instance has no role" : "no role");
        return;
    }
    free(f->role);
    f->role = read_word(&x->answer, ROLE_MAX);
    if (f->role == NULL || strpbrk(f->role, "/?#%") != NULL) {
        fail(f, "the role's name cannot be read");
        return;
    }
    f->tries = 0;
    ask_keys(f);
}

static void ask_role(struct fetch *f) {
    get(f, "", role_answered);
}

static void keys_answered(struct fetch *f) {
    const struct http_exchange *x = &f->exchange;
    if (renew(f) || again(f, ask_keys))
        return;
    if (x->outcome != HTTP_ANSWERED || x->status != 200) {
        fail(f, "no keys");
        return;
    }
    char reason[200];
    struct credentials *c = credentials_parse(buf_text(&x->answer), x->answer.len,
                                              CREDENTIALS_INSTANCE, reason, sizeof reason);
    if (c != NULL)
        fetch_finish(f, c);
    else
        fail(f, reason);
}

static void ask_keys(struct fetch *f) {
    get(f, f->role, keys_answered);
}

struct fetch *fetch_instance(struct io *io, const char *ca_bundle, fetch_done done, void *context) {
    return fetch_new(io, ca_bundle, done, context, ask_token);
}
