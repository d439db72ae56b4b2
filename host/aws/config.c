#include "host/aws/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/aws/retry.h"
#include "host/base/ascii.h"
#include "host/base/buf.h"

/* Endings of AWS_ENDPOINT_URL_ and keys in a `services` section. */
static const struct {
    const char *env, *key;
} names[AWS_SERVICE_COUNT] = {
    [AWS_SQS] = {"AWS_ENDPOINT_URL_SQS", "sqs"},
    [AWS_LAMBDA] = {"AWS_ENDPOINT_URL_LAMBDA", "lambda"},
    [AWS_STS] = {"AWS_ENDPOINT_URL_STS", "sts"},
    [AWS_IAM] = {"AWS_ENDPOINT_URL_IAM", "iam"},
    [AWS_LOGS] = {"AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "cloudwatch_logs"},
};

const char *config_env(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static char *copy(const char *text) {
    return text != NULL ? strdup(text) : NULL;
}

/* `~/x` lies in the home directory. Owned. */
static char *expand_path(const char *path) {
    if (strncmp(path, "~/", 2) != 0)
        return strdup(path);
    const char *home = config_env("HOME");
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_addf(&text, "%s%s", home != NULL ? home : "", path + 1);
    return buf_take(&text, NULL);
}

void config_section(const struct ini *file, const char *profile, char *out, size_t size) {
    snprintf(out, size, "profile %s", profile);
    if (strcmp(profile, "default") == 0 && !ini_has(file, out))
        snprintf(out, size, "default");
}

/* One configuration being read: the profile's section of the config file. */
struct reading {
    struct config *config;
    struct ini *file;
    char section[512];
};

static const char *setting(const struct reading *r, const char *key) {
    const char *value = ini_get(r->file, r->section, key);
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool flag(const struct reading *r, const char *env, const char *key) {
    const char *value = config_env(env);
    if (value == NULL)
        value = setting(r, key);
    return value != NULL && ascii_same(value, "true");
}

/* The configured URL of a service, or NULL: then AWS's own. */
static const char *configured_url(const struct reading *r, enum aws_service service) {
    if (flag(r, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"))
        return NULL;
    const char *url = config_env(names[service].env);
    if (url == NULL)
        url = config_env("AWS_ENDPOINT_URL");
    const char *group = setting(r, "services");
    if (url == NULL && group != NULL) {
        char section[512];
        snprintf(section, sizeof section, "services %s", group);
        url = ini_get_nested(r->file, section, names[service].key, "endpoint_url");
        if (url != NULL && *url == '\0')
            url = NULL;
    }
    return url != NULL ? url : setting(r, "endpoint_url");
}

/* Why the endpoint could not be made stays with the service: others may be usable. */
static bool load_endpoint(const struct reading *r, enum aws_service service, const char *by_code) {
    struct config *config = r->config;
    char error[400] = "";
    bool fips = by_code == NULL && flag(r, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
    bool dual = by_code == NULL && flag(r, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
    const char *url = by_code != NULL ? by_code : configured_url(r, service);
    struct endpoint *out = &config->endpoints[service];
    if (config->region == NULL && config->config_closed)
        snprintf(error, sizeof error, "no region: set AWS_REGION; %.200s cannot be read: %s",
                 config->config_path, strerror(EACCES));
    else if (config->region == NULL)
        snprintf(error, sizeof error,
                 "no region: set AWS_REGION, or region in profile \"%.100s\" of %.200s",
                 config->profile, config->config_path);
    else if (url != NULL && (fips || dual))
        snprintf(error, sizeof error,
                 "an endpoint of one's own (%.200s) and a %s endpoint exclude each other", url,
                 fips ? "FIPS" : "dual-stack");
    else if (url != NULL)
        endpoint_parse(out, url, config->region, error, sizeof error);
    else
        endpoint_default(out, service, config->region, fips, dual, error, sizeof error);
    if (out->url != NULL)
        return true;
    config->endpoint_errors[service] = strdup(error);
    return config->endpoint_errors[service] != NULL;
}

static int attempts(const struct reading *r, int by_code) {
    if (by_code > 0)
        return by_code;
    const char *text = config_env("AWS_MAX_ATTEMPTS");
    if (text == NULL)
        text = setting(r, "max_attempts");
    long count = text != NULL ? strtol(text, NULL, 10) : 0;
    return count >= 1 && count <= 100 ? (int)count : RETRY_ATTEMPTS;
}

/* Only what a header can have without quoting. */
static void add_token(struct buf *out, const char *label, const char *text) {
    if (text == NULL)
        return;
    buf_adds(out, label);
    for (int i = 0; i < 50 && text[i] != '\0'; i++) {
        bool plain = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'z') ||
                     (text[i] >= 'A' && text[i] <= 'Z') ||
                     strchr("!$%&'*+-.^_`|~", text[i]) != NULL;
        buf_addc(out, plain ? text[i] : '-');
    }
}

static char *user_agent(void) {
    struct buf text;
    buf_init(&text, 1024);
    buf_adds(&text, "awsync-lua/" AWSYNC_VERSION);
    add_token(&text, " exec-env/", config_env("AWS_EXECUTION_ENV"));
    add_token(&text, " app/", config_env("AWS_SDK_UA_APP_ID"));
    return buf_take(&text, NULL);
}

/* The profile has to be in one of the two files if it was asked for by name. */
static bool check_profile(const struct reading *r, char *error, size_t error_size) {
    struct config *config = r->config;
    if (!config->profile_chosen || ini_has(r->file, r->section))
        return true;
    struct ini *keys = ini_read(config->credentials_path, error, error_size);
    if (keys == NULL)
        return false;
    bool found = ini_has(keys, config->profile);
    ini_free(keys);
    if (!found)
        snprintf(error, error_size, "profile \"%.100s\" is neither in %.180s nor in %.180s",
                 config->profile, config->config_path, config->credentials_path);
    return found;
}

/* `sudo -u nobody` leaves HOME at root's, and a container may run by any user. */
static bool is_closed(const char *path) {
    return access(path, R_OK) != 0 && errno == EACCES;
}

static const char *first(const char *a, const char *b, const char *c) {
    return a != NULL ? a : b != NULL ? b : c;
}

bool config_load(struct config *config, const struct aws_options *options, char *error,
                 size_t error_size) {
    static const struct aws_options none = {0};
    struct reading r = {.config = config};
    bool ok = false;
    if (options == NULL)
        options = &none;
    *config = (struct config){0};
    *error = '\0';

    const char *profile =
        first(options->profile, config_env("AWS_PROFILE"), config_env("AWS_DEFAULT_PROFILE"));
    config->profile_by_code = options->profile != NULL;
    config->profile_chosen = profile != NULL;
    config->profile = strdup(first(profile, "default", NULL));
    config->config_path = expand_path(first(config_env("AWS_CONFIG_FILE"), "~/.aws/config", NULL));
    config->credentials_path =
        expand_path(first(config_env("AWS_SHARED_CREDENTIALS_FILE"), "~/.aws/credentials", NULL));
    config->user_agent = user_agent();
    if (!config->profile || !config->config_path || !config->credentials_path ||
        !config->user_agent)
        goto memory;
    config->config_closed = profile == NULL && is_closed(config->config_path);
    r.file =
        config->config_closed ? ini_parse("", 0) : ini_read(config->config_path, error, error_size);
    if (r.file == NULL && config->config_closed)
        goto memory;
    if (r.file == NULL)
        goto done;
    config_section(r.file, config->profile, r.section, sizeof r.section);
    if (!check_profile(&r, error, error_size))
        goto done;

    const char *region =
        first(options->region, config_env("AWS_REGION"), config_env("AWS_DEFAULT_REGION"));
    if (region == NULL)
        region = setting(&r, "region");
    const char *ca =
        first(options->ca_bundle, config_env("AWS_CA_BUNDLE"), setting(&r, "ca_bundle"));
    config->region = copy(region);
    config->ca_bundle = ca != NULL ? expand_path(ca) : NULL;
    if ((region != NULL && config->region == NULL) || (ca != NULL && config->ca_bundle == NULL))
        goto memory;
    config->max_attempts = attempts(&r, options->max_attempts);
    for (int service = 0; service < AWS_SERVICE_COUNT; service++)
        if (!load_endpoint(&r, (enum aws_service)service, options->endpoint))
            goto memory;
    ok = true;
    goto done;
memory:
    snprintf(error, error_size, "out of memory");
done:
    ini_free(r.file);
    return ok;
}

void config_free(struct config *config) {
    for (int service = 0; service < AWS_SERVICE_COUNT; service++) {
        endpoint_free(&config->endpoints[service]);
        free(config->endpoint_errors[service]);
    }
    free(config->region);
    free(config->profile);
    free(config->ca_bundle);
    free(config->user_agent);
    free(config->config_path);
    free(config->credentials_path);
    *config = (struct config){0};
}
