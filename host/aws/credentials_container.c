/* The container endpoint of ECS, EKS and their like: one GET, with a token that is read anew each
** time. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/aws/fetch.h"
#include "host/base/ascii.h"
#include "host/base/secret.h"

enum { TIMEOUT_MS = 2000, TRIES = 3, PAUSE_MS = 1000, TOKEN_MAX = 64 << 10 };

bool container_wanted(void) {
    return config_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
           config_env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL;
}

/* Where a token may go without TLS. */
static bool plain_host_allowed(const char *host) {
    static const char *const hosts[] = {"localhost", "169.254.170.2", "169.254.170.23", "[::1]",
                                        "[fd00:ec2::23]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (ascii_same(host, hosts[i]))
            return true;
    unsigned a, b, c, d;
    char rest;
    return sscanf(host, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) == 4 && a == 127 && b < 256 &&
           c < 256 && d < 256;
}

/* Without the port. */
static void cut_port(char *host) {
    char *colon = strrchr(host, ':');
    if (colon != NULL && strchr(colon, ']') == NULL)
        *colon = '\0';
}

bool container_url(char *out, size_t size, char *error, size_t error_size) {
    const char *relative = config_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = config_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *text = relative != NULL ? relative : full;
    const char *name = relative != NULL ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
                                        : "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    if (text == NULL)
        text = "";
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7F) {
            snprintf(error, error_size, "%s has a character that a URL cannot have", name);
            return false;
        }
    int len;
    if (relative != NULL) {
        if (*relative != '/') {
            snprintf(error, error_size, "%s does not begin with /", name);
            return false;
        }
        len = snprintf(out, size, "http://169.254.170.2%s", relative);
    } else {
        len = snprintf(out, size, "%s", text);
    }
    if (len < 0 || (size_t)len >= size) {
        snprintf(error, error_size, "%s is too long", name);
        return false;
    }
    if (relative != NULL)
        return true;

    /* The query is no part of an endpoint. */
    char base[1024], reason[400];
    struct endpoint e;
    snprintf(base, sizeof base, "%.*s", (int)strcspn(text, "?#"), text);
    if (!endpoint_parse(&e, base, "none", reason, sizeof reason)) {
        snprintf(error, error_size, "%s: %s", name, reason);
        return false;
    }
    bool https = ascii_same_n(e.url, "https:", 6);
    cut_port(e.host);
    bool allowed = https || plain_host_allowed(e.host);
    if (!allowed)
        snprintf(error, error_size, "%s: \"%.100s\" may be asked by https only", name, e.host);
    endpoint_free(&e);
    return allowed;
}

/* The value for Authorization, or NULL: none, or with a message not to be had. Owned. */
static char *authorization(char *error, size_t error_size) {
    const char *path = config_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    char *token = NULL;
    if (path == NULL) {
        const char *text = config_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        if (text == NULL)
            return NULL;
        token = strdup(text);
    } else {
        struct buf text;
        buf_init_secret(&text, TOKEN_MAX);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        char chunk[4096];
        ssize_t got = -1;
        while (fd >= 0 && (got = read(fd, chunk, sizeof chunk)) > 0)
            buf_add(&text, chunk, (size_t)got);
        secret_wipe(chunk, sizeof chunk);
        if (fd >= 0)
            close(fd);
        if (got < 0 || !buf_ok(&text)) {
            snprintf(error, error_size,
                     "cannot read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE \"%.200s\"", path);
            buf_wipe(&text);
            return NULL;
        }
        /* An editor's line end is no part of the token. */
        while (text.len > 0 && strchr("\r\n", text.data[text.len - 1]) != NULL)
            text.data[--text.len] = '\0';
        token = buf_take(&text, NULL);
    }
    if (token == NULL) {
        snprintf(error, error_size, "out of memory");
    } else if (strpbrk(token, "\r\n") != NULL) {
        snprintf(error, error_size, "the container authorization token has a line break");
        secret_free(token);
        token = NULL;
    }
    return token;
}

static void answered(struct fetch *f);

static void ask(struct fetch *f) {
    char url[2048], error[512] = "";
    if (!container_url(url, sizeof url, error, sizeof error)) {
        fetch_fail(f, error);
        return;
    }
    char *token = authorization(error, sizeof error);
    if (*error != '\0') {
        fetch_fail(f, error);
        return;
    }
    struct fetch_header headers[] = {{"Authorization", token}};
    fetch_send(f, "GET", url, headers, token != NULL ? 1 : 0, TIMEOUT_MS, answered);
    secret_free(token);
}

static void answered(struct fetch *f) {
    char error[512];
    const struct http_exchange *x = &f->exchange;
    struct credentials *c = NULL;
    bool again = true;
    if (x->outcome != HTTP_ANSWERED) {
        snprintf(error, sizeof error, "the container endpoint does not answer: %.200s", x->message);
    } else if (x->status != 200) {
        snprintf(error, sizeof error, "the container endpoint answers with HTTP status %ld",
                 x->status);
        again = x->status >= 500 || x->status == 429;
    } else {
        char reason[200];
        c = credentials_parse(buf_text(&x->answer), x->answer.len, CREDENTIALS_CONTAINER, reason,
                              sizeof reason);
        if (c == NULL)
            snprintf(error, sizeof error, "container endpoint: %s", reason);
    }
    if (c != NULL)
        fetch_finish(f, c);
    else if (again && ++f->tries < TRIES)
        fetch_later(f, PAUSE_MS, ask);
    else
        fetch_fail(f, error);
}

struct fetch *fetch_container(struct io *io, const char *ca_bundle, fetch_done done,
                              void *context) {
    return fetch_new(io, ca_bundle, done, context, ask);
}
