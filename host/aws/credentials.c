#include "host/aws/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/base/secret.h"
#include "host/json/json.h"

/* --- a set of keys ---------------------------------------------------------------------------- */

struct credentials *credentials_new(const char *id, const char *secret, const char *token,
                                    int64_t expires_ms, enum credentials_source source) {
    struct credentials *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    bool has_token = token != NULL && *token != '\0';
    c->references = 1;
    c->expires_ms = expires_ms;
    c->source = source;
    c->access_key_id = strdup(id);
    c->secret_access_key = strdup(secret);
    c->session_token = has_token ? strdup(token) : NULL;
    if (c->access_key_id && c->secret_access_key && (c->session_token || !has_token))
        return c;
    credentials_release(c);
    return NULL;
}

struct credentials *credentials_keep(struct credentials *c) {
    c->references++;
    return c;
}

void credentials_release(struct credentials *c) {
    if (c == NULL || --c->references > 0)
        return;
    secret_free(c->access_key_id);
    secret_free(c->secret_access_key);
    secret_free(c->session_token);
    free(c);
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_keys(const struct credentials *a, const struct credentials *b) {
    return same_text(a->access_key_id, b->access_key_id) &&
           same_text(a->secret_access_key, b->secret_access_key) &&
           same_text(a->session_token, b->session_token);
}

struct credentials *credentials_parse(const char *text, size_t len, enum credentials_source source,
                                      char *error, size_t error_size) {
    struct credentials *c = NULL;
    struct json_tree *tree = json_parse(text, len, 16, NULL, 0);
    if (tree == NULL) {
        snprintf(error, error_size, "the answer is no JSON");
        return NULL;
    }
    const struct json_value *root = json_root(tree);
    const char *code = json_get_text(root, "Code");
    const char *id = json_get_text(root, "AccessKeyId");
    const char *secret = json_get_text(root, "SecretAccessKey");
    const char *token = json_get_text(root, "Token");
    const char *end = json_get_text(root, "Expiration");
    int64_t expires = end != NULL ? clock_parse_iso(end) : INT64_MAX;
    if (code != NULL && strcmp(code, "Success") != 0)
        snprintf(error, error_size, "the answer's code is \"%.80s\"", code);
    else if (id == NULL || secret == NULL || *id == '\0' || *secret == '\0')
        snprintf(error, error_size, "the answer has no AccessKeyId or no SecretAccessKey");
    else if (expires < 0)
        snprintf(error, error_size, "the answer's Expiration is no time");
    else if ((c = credentials_new(id, secret, token, expires, source)) == NULL)
        snprintf(error, error_size, "out of memory");
    json_tree_wipe(tree);
    return c;
}

/* --- the chain -------------------------------------------------------------------------------- */

struct provider {
    struct io *io;
    const struct config *config;
    struct credentials *options; /* given by code; NULL: the chain */
    struct credentials *cached;  /* from files or fetched; NULL: none yet */
    bool refused;                /* the service calls the cached ones expired */
    int64_t again_ms;            /* monotonic: no refresh in the background before this time */
    struct fetch *fetch;         /* under way, or NULL */
    struct credentials_wait *first, *last;
    unsigned round; /* of answers */
};

struct provider *provider_new(struct io *io, const struct config *config, const char *id,
                              const char *secret, const char *token) {
    struct provider *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->io = io;
    p->config = config;
    p->again_ms = INT64_MIN;
    if (id != NULL && secret != NULL) {
        p->options = credentials_new(id, secret, token, INT64_MAX, CREDENTIALS_OPTIONS);
        if (p->options == NULL) {
            free(p);
            return NULL;
        }
    }
    return p;
}

void provider_free(struct provider *p) {
    if (p == NULL)
        return;
    fetch_cancel(p->fetch);
    credentials_release(p->options);
    credentials_release(p->cached);
    free(p);
}

static void no_credentials(struct aws_error *error, const char *message) {
    *error = (struct aws_error){0};
    error_set(error, AWS_CODE_CREDENTIALS, "%s", message);
}

/* One reference, or NULL: with a code in error the chain ends here, without one it goes on. */
static struct credentials *from_environment(struct aws_error *error) {
    const char *id = config_env("AWS_ACCESS_KEY_ID"), *secret = config_env("AWS_SECRET_ACCESS_KEY");
    if (id == NULL && secret == NULL)
        return NULL;
    if (id == NULL || secret == NULL) {
        no_credentials(error, id == NULL
                                  ? "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not"
                                  : "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
        return NULL;
    }
    struct credentials *c = credentials_new(id, secret, config_env("AWS_SESSION_TOKEN"), INT64_MAX,
                                            CREDENTIALS_ENVIRONMENT);
    if (c == NULL)
        error_set(error, AWS_CODE_MEMORY, "out of memory");
    return c;
}

/* Keys of one section of one file. NULL without an error: it has none. */
static struct credentials *from_section(const struct ini *file, const char *section,
                                        struct aws_error *error) {
    const char *id = ini_get(file, section, "aws_access_key_id");
    const char *secret = ini_get(file, section, "aws_secret_access_key");
    if (id == NULL || secret == NULL || *id == '\0' || *secret == '\0')
        return NULL;
    struct credentials *c = credentials_new(id, secret, ini_get(file, section, "aws_session_token"),
                                            INT64_MAX, CREDENTIALS_FILES);
    if (c == NULL)
        error_set(error, AWS_CODE_MEMORY, "out of memory");
    return c;
}

/* A profile that gets its keys in a way that needs more than a file: better to say so than to use
** other keys. */
static void refuse_indirect(const struct ini *file, const char *section, const char *profile,
                            struct aws_error *error) {
    static const char *const ways[] = {"role_arn",
                                       "sso_session",
                                       "sso_start_url",
                                       "credential_process",
                                       "web_identity_token_file",
                                       "login_session"};
    char message[400];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (ini_get(file, section, ways[i]) != NULL) {
            snprintf(message, sizeof message,
                     "profile \"%.100s\" gets its keys by %s, which is not supported here: "
                     "`aws configure export-credentials` gives keys for the environment",
                     profile, ways[i]);
            no_credentials(error, message);
            return;
        }
}

static struct credentials *from_files(const struct config *config, struct aws_error *error) {
    struct credentials *c = NULL;
    struct ini *keys = NULL, *file = NULL;
    char message[400], section[512];
    keys = ini_read(config->credentials_path, message, sizeof message);
    file = keys != NULL ? ini_read(config->config_path, message, sizeof message) : NULL;
    if (file == NULL) {
        no_credentials(error, message);
        goto done;
    }
    config_section(file, config->profile, section, sizeof section);
    c = from_section(keys, config->profile, error);
    if (c == NULL && error->code[0] == '\0')
        c = from_section(file, section, error);
    if (c == NULL && error->code[0] == '\0')
        refuse_indirect(file, section, config->profile, error);
    if (c == NULL && error->code[0] == '\0')
        refuse_indirect(keys, config->profile, config->profile, error);
done:
    ini_free(keys);
    ini_free(file);
    return c;
}

static void answer(struct credentials_wait *wait, struct credentials *got,
                   const struct aws_error *error) {
    wait->waiting = false;
    wait->ready(wait->context, got, got != NULL ? NULL : error);
}

/* Answers those who wait now; who comes by a callback waits for the next answer. */
static void answer_all(struct provider *p, struct credentials *got, const struct aws_error *error) {
    unsigned round = p->round++;
    if (got != NULL)
        credentials_keep(got); /* what a callback starts may replace the cached ones */
    while (p->first != NULL && p->first->round == round) {
        struct credentials_wait *wait = p->first;
        provider_cancel(p, wait);
        answer(wait, got, error);
    }
    credentials_release(got);
}

static void fetched(void *context, struct credentials *got, const char *message) {
    struct provider *p = context;
    struct aws_error error = {0};
    p->fetch = NULL;
    int64_t now = clock_wall_ms();
    bool stale = got != NULL && got->expires_ms <= now && got->source == CREDENTIALS_INSTANCE;
    if (got == NULL || stale)
        p->again_ms = clock_mono_ms() + CREDENTIALS_AGAIN_MS;
    if (got != NULL) {
        /* Static stability: the metadata service that cannot renew keys still gives the old ones,
        ** which other services go on to accept. They are used for five to ten minutes more. */
        if (stale)
            got->expires_ms = now + CREDENTIALS_REFRESH_MS * 2 +
                              (int64_t)(random_unit() * CREDENTIALS_REFRESH_MS);
        credentials_release(p->cached);
        p->cached = got;
        p->refused = false;
    } else if (p->cached != NULL && p->cached->source == CREDENTIALS_INSTANCE) {
        if (p->cached->expires_ms <= now + CREDENTIALS_MUST_MS)
            p->cached->expires_ms = now + CREDENTIALS_REFRESH_MS * 2 +
                                    (int64_t)(random_unit() * CREDENTIALS_REFRESH_MS);
        got = p->cached;
        p->refused = false;
    } else {
        no_credentials(&error, message);
        got = p->cached != NULL && p->cached->expires_ms > now && !p->refused ? p->cached : NULL;
    }
    answer_all(p, got, &error);
}

static bool begin_fetch(struct provider *p, struct aws_error *error) {
    if (p->fetch != NULL)
        return true;
    if (container_wanted()) {
        p->fetch = fetch_container(p->io, p->config->ca_bundle, fetched, p);
    } else if (config_env("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL) {
        no_credentials(error, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but web identities are not "
                              "supported here: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        return false;
    } else if (instance_wanted()) {
        p->fetch = fetch_instance(p->io, p->config->ca_bundle, fetched, p);
    } else {
        no_credentials(error, "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                              "AWS_PROFILE with keys in the shared files");
        return false;
    }
    if (p->fetch == NULL)
        error_set(error, AWS_CODE_MEMORY, "out of memory");
    return p->fetch != NULL;
}

static bool was_fetched(const struct credentials *c) {
    return c->source == CREDENTIALS_CONTAINER || c->source == CREDENTIALS_INSTANCE;
}

/* The keys that are there without waiting, one reference; NULL as from_environment. */
static struct credentials *present(struct provider *p, struct aws_error *error) {
    if (p->options != NULL)
        return credentials_keep(p->options);
    struct credentials *c = p->config->profile_by_code ? NULL : from_environment(error);
    if (c != NULL || error->code[0] != '\0')
        return c;
    if (p->cached == NULL || (!was_fetched(p->cached) && p->refused)) {
        if ((c = from_files(p->config, error)) == NULL)
            return NULL;
        credentials_release(p->cached);
        p->cached = c;
        p->refused = false;
    }
    return was_fetched(p->cached) ? NULL : credentials_keep(p->cached);
}

static void append(struct provider *p, struct credentials_wait *wait) {
    wait->waiting = true;
    wait->round = p->round;
    wait->next = NULL;
    wait->prev = p->last;
    if (p->last != NULL)
        p->last->next = wait;
    else
        p->first = wait;
    p->last = wait;
}

void provider_get(struct provider *p, struct credentials_wait *wait, int64_t now_ms) {
    struct aws_error error = {0};
    struct credentials *c = present(p, &error);
    if (c != NULL || error.code[0] != '\0') {
        answer(wait, c, &error);
        credentials_release(c);
        return;
    }
    if (p->cached != NULL && !p->refused) {
        int64_t left =
            p->cached->expires_ms == INT64_MAX ? INT64_MAX : p->cached->expires_ms - now_ms;
        if (left < CREDENTIALS_REFRESH_MS && clock_mono_ms() >= p->again_ms)
            begin_fetch(p, &error); /* in the background; the time left decides below */
        bool pause = p->fetch == NULL && left > 0;
        if (left >= CREDENTIALS_MUST_MS || pause) {
            c = credentials_keep(p->cached);
            answer(wait, c, NULL);
            credentials_release(c);
            return;
        }
    }
    if (begin_fetch(p, &error))
        append(p, wait);
    else
        answer(wait, NULL, &error);
}

void provider_cancel(struct provider *p, struct credentials_wait *wait) {
    if (!wait->waiting)
        return;
    if (wait->prev != NULL)
        wait->prev->next = wait->next;
    else
        p->first = wait->next;
    if (wait->next != NULL)
        wait->next->prev = wait->prev;
    else
        p->last = wait->prev;
    wait->waiting = false;
}

bool provider_refuse(struct provider *p, const struct credentials *used) {
    if (used->source == CREDENTIALS_OPTIONS)
        return false;
    if (p->cached != NULL && same_keys(p->cached, used))
        p->refused = true;
    if (was_fetched(used))
        return true;
    struct aws_error error = {0};
    struct credentials *c = present(p, &error);
    bool newer = c != NULL && !same_keys(c, used);
    credentials_release(c);
    return newer;
}
