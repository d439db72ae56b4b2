#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/base/random.h"
#include "host/base/secret.h"
#include "host/engine/events.h"
#include "host/engine/internal.h"

#define TEXT_MAX             65536
#define LOG_NOTE_MAX         1024
#define TOKEN_SIZE           64
#define DEFAULT_INIT         10000
#define DEFAULT_WAIT_1       60000
#define DEFAULT_WAIT_2       120000
#define DEFAULT_THROTTLE     1000
#define DEFAULT_THROTTLE_MAX 300000

static char *copy(const char *text, const char *fallback) {
    return strdup(text != NULL ? text : fallback);
}

/* An access key id as AWS makes them: AKIA or ASIA and 16 upper-case characters. */
static char *random_key_id(const char *prefix) {
    char name[17];
    struct buf out;

    random_name(name, 16);
    for (char *c = name; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    buf_init(&out, 32);
    buf_adds(&out, prefix);
    buf_adds(&out, name);
    return buf_take(&out, NULL);
}

static char *random_secret(size_t len) {
    char *text = malloc(len + 1);
    if (text != NULL)
        random_name(text, len);
    return text;
}

static size_t list_length(const char *const *list) {
    size_t count = 0;
    while (list != NULL && list[count] != NULL)
        count++;
    return count;
}

static void list_free(char **list) {
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        secret_free(list[i]); /* the environment has a key */
    free(list);
}

static char **list_copy(const char *const *list) {
    size_t count = list_length(list);
    char **out = calloc(count + 1, sizeof(*out));

    for (size_t i = 0; out != NULL && i < count; i++)
        if ((out[i] = strdup(list[i])) == NULL) {
            list_free(out);
            return NULL;
        }
    return out;
}

static int positive(int value, int fallback) {
    return value > 0 ? value : fallback;
}

bool engine_config_init(struct engine_config *config, const struct engine_options *options) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *config = (struct engine_config){.log = options->log, .log_context = options->log_context};
    config->region = copy(options->region, "us-east-1");
    config->account = copy(options->account, "123456789012");
    config->access_key_id =
        options->access_key_id != NULL ? strdup(options->access_key_id) : random_key_id("AKIA");
    config->secret_access_key =
        options->secret_access_key != NULL ? strdup(options->secret_access_key) : random_secret(40);
    config->worker_key_id = random_key_id("ASIA");
    config->worker_secret = random_secret(40);
    config->worker_token = random_secret(TOKEN_SIZE);
    if (config->region == NULL || config->account == NULL || config->access_key_id == NULL ||
        config->secret_access_key == NULL || config->worker_key_id == NULL ||
        config->worker_secret == NULL || config->worker_token == NULL)
        return false;

    config->concurrency = positive(options->concurrency, 1000);
    config->memory_mb = positive(options->memory_mb, 128);
    config->timeout_s = positive(options->timeout_s, 3);
    config->max_retries = options->max_retries;
    config->retry_wait_ms[0] =
        options->retry_wait_ms[0] > 0 ? options->retry_wait_ms[0] : DEFAULT_WAIT_1;
    config->retry_wait_ms[1] =
        options->retry_wait_ms[1] > 0 ? options->retry_wait_ms[1] : DEFAULT_WAIT_2;
    config->throttle_wait_ms[0] =
        options->throttle_wait_ms[0] > 0 ? options->throttle_wait_ms[0] : DEFAULT_THROTTLE;
    config->throttle_wait_ms[1] =
        options->throttle_wait_ms[1] > 0 ? options->throttle_wait_ms[1] : DEFAULT_THROTTLE_MAX;
    config->event_age_ms =
        options->event_age_ms > 0 ? options->event_age_ms : (int64_t)EVENT_AGE_MAX_S * 1000;
    config->reserved = options->reserved;
    if (options->on_failure != NULL && (config->on_failure = strdup(options->on_failure)) == NULL)
        return false;
    config->init_timeout_ms =
        options->init_timeout_ms > 0 ? options->init_timeout_ms : DEFAULT_INIT;
    /* An init is nothing but computing: more at once than there are cores delay each other, and those
    ** that could serve already. */
    config->starting_max = cores > 2 ? (int)cores : 2;
    if (options->function_name == NULL)
        return true;

    struct buf arn;
    buf_init(&arn, TEXT_MAX);
    buf_addf(&arn, "arn:aws:lambda:%s:%s:function:%s", config->region, config->account,
             options->function_name);
    config->function_arn = buf_take(&arn, NULL);
    config->function_name = strdup(options->function_name);
    config->command = list_copy(options->command);
    config->task_root = copy(options->task_root, ".");
    config->handler = copy(options->handler, "");
    return config->function_arn != NULL && config->function_name != NULL &&
           config->command != NULL && config->task_root != NULL && config->handler != NULL;
}

/* --- the environment of the workers ----------------------------------------------------------- */

struct env {
    char **list; /* with room for all that can come */
    size_t count;
    bool failed;
};

/* A later value of a name takes the place of the earlier one. */
static void env_put(struct env *env, const char *assignment) {
    size_t name_len = strcspn(assignment, "=") + 1;
    char *text = strdup(assignment);

    if (text == NULL) {
        env->failed = true;
        return;
    }
    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->list[i], text, name_len) == 0) {
            secret_free(env->list[i]);
            env->list[i] = text;
            return;
        }
    env->list[env->count++] = text;
}

static void env_set(struct env *env, const char *name, const char *value) {
    struct buf text;

    if (value == NULL)
        return;
    buf_init_secret(&text, TEXT_MAX);
    buf_adds(&text, name);
    buf_addc(&text, '=');
    buf_adds(&text, value);
    if (buf_ok(&text))
        env_put(env, buf_text(&text));
    else
        env->failed = true;
    buf_wipe(&text);
}

static void env_inherit(struct env *env) {
    static const char *const names[] = {"PATH",          "HOME",        "LANG",
                                        "LUA_PATH",      "LUA_CPATH",   "ASAN_OPTIONS",
                                        "UBSAN_OPTIONS", "TSAN_OPTIONS"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        env_set(env, names[i], getenv(names[i]));
}

static void env_reserved(struct env *env, const struct engine_config *config) {
    char memory[16];
    struct buf text;

    snprintf(memory, sizeof(memory), "%d", config->memory_mb);
    env_set(env, "_HANDLER", config->handler);
    env_set(env, "LAMBDA_TASK_ROOT", config->task_root);
    env_set(env, "LAMBDA_RUNTIME_DIR", "/var/runtime");
    env_set(env, "AWS_REGION", config->region);
    env_set(env, "AWS_DEFAULT_REGION", config->region);
    env_set(env, "AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023");
    env_set(env, "AWS_LAMBDA_FUNCTION_NAME", config->function_name);
    env_set(env, "AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    env_set(env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory);
    env_set(env, "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    env_set(env, "AWS_LAMBDA_LOG_FORMAT", "Text");
    env_set(env, "AWS_ACCESS_KEY_ID", config->worker_key_id);
    env_set(env, "AWS_SECRET_ACCESS_KEY", config->worker_secret);
    env_set(env, "AWS_SESSION_TOKEN", config->worker_token);
    env_set(env, "AWS_ENDPOINT_URL", config->endpoint);
    /* a sandbox has no files of the AWS tools: this user's would say other endpoints */
    env_set(env, "AWS_CONFIG_FILE", "/dev/null");
    env_set(env, "AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    env_set(env, "TZ", ":UTC");

    buf_init(&text, TEXT_MAX);
    buf_addf(&text, "/aws/lambda/%s", config->function_name);
    env_set(env, "AWS_LAMBDA_LOG_GROUP_NAME", buf_text(&text));
    buf_reset(&text);
    buf_addf(&text, "%s/lib:/opt/lib", config->task_root);
    env_set(env, "LD_LIBRARY_PATH", buf_text(&text));
    buf_free(&text);
}

bool engine_config_set_port(struct engine_config *config, int port,
                            const struct engine_options *options) {
    struct buf text;
    struct env env = {0};

    config->port = port;
    buf_init(&text, 64);
    buf_addf(&text, "http://127.0.0.1:%d", port);
    config->endpoint = buf_take(&text, NULL);
    if (config->endpoint == NULL)
        return false;
    if (config->function_name == NULL)
        return true;

    env.list = calloc(32 + list_length(options->environment), sizeof(*env.list));
    if (env.list == NULL)
        return false;
    config->environment = env.list;
    env_set(&env, "LANG", "en_US.UTF-8");
    env_inherit(&env);
    env_reserved(&env, config);
    for (size_t i = 0; i < list_length(options->environment); i++)
        if (strncmp(options->environment[i], "AWS_LAMBDA_RUNTIME_API=", 23) != 0)
            env_put(&env, options->environment[i]);
    return !env.failed;
}

void engine_config_free(struct engine_config *config) {
    free(config->endpoint);
    free(config->region);
    free(config->account);
    free(config->access_key_id);
    secret_free(config->secret_access_key);
    free(config->worker_key_id);
    secret_free(config->worker_secret);
    secret_free(config->worker_token);
    free(config->function_name);
    free(config->function_arn);
    free(config->on_failure);
    free(config->task_root);
    free(config->handler);
    list_free(config->command);
    list_free(config->environment);
}

void engine_config_log(const struct engine_config *config, bool platform, const char *request_id,
                       const char *text, size_t len) {
    if (config->log != NULL)
        config->log(config->log_context, platform, request_id, text, len);
}

void engine_config_note(const struct engine_config *config, const char *format, ...) {
    struct buf line;
    va_list args;

    if (config->log == NULL)
        return;
    buf_init(&line, LOG_NOTE_MAX);
    buf_adds(&line, "engine: ");
    va_start(args, format);
    buf_vaddf(&line, format, args);
    va_end(args);
    if (buf_ok(&line))
        engine_config_log(config, true, "", line.data, line.len);
    buf_free(&line);
}
