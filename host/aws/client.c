#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "host/aws/request.h"
#include "host/base/secret.h"

enum { MAX_LAMBDA = 64 };

static void free_options(struct aws_options *o) {
    free((char *)o->region);
    free((char *)o->endpoint);
    free((char *)o->profile);
    free((char *)o->ca_bundle);
    secret_free((char *)o->access_key_id);
    secret_free((char *)o->secret_access_key);
    secret_free((char *)o->session_token);
}

/* An empty text is as good as none. */
static bool copy_option(const char **out, const char *text) {
    *out = text != NULL && *text != '\0' ? strdup(text) : NULL;
    return *out != NULL || text == NULL || *text == '\0';
}

static bool copy_options(struct aws_options *out, const struct aws_options *in) {
    out->max_attempts = in->max_attempts;
    out->max_lambda = in->max_lambda;
    bool ok = copy_option(&out->region, in->region);
    ok = copy_option(&out->endpoint, in->endpoint) && ok;
    ok = copy_option(&out->profile, in->profile) && ok;
    ok = copy_option(&out->ca_bundle, in->ca_bundle) && ok;
    ok = copy_option(&out->access_key_id, in->access_key_id) && ok;
    ok = copy_option(&out->secret_access_key, in->secret_access_key) && ok;
    return copy_option(&out->session_token, in->session_token) && ok;
}

/* The end of the I/O thread: nothing begins any more, and what is under way ends. */
static void on_end(void *context) {
    struct aws_client *client = context;
    request_cancel_all(client);
    provider_free(client->provider);
    client->provider = NULL;
}

static pthread_once_t openssl_once = PTHREAD_ONCE_INIT;

/* A program may end by exit while the I/O thread is at work: what that uses of OpenSSL must not be
** taken down below it. It has to be said before OpenSSL's first use. */
static void keep_openssl(void) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

struct aws_client *aws_client_new(const struct aws_options *options) {
    pthread_once(&openssl_once, keep_openssl);
    struct aws_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    if (pthread_mutex_init(&client->config_lock, NULL) != 0) {
        free(client);
        return NULL;
    }
    client->bucket.tokens = RETRY_BUCKET;
    client->io = io_new(on_end, client);
    bool ok = client->io != NULL && (options == NULL || copy_options(&client->options, options));
    client->max_lambda = client->options.max_lambda > 0 ? client->options.max_lambda : MAX_LAMBDA;
    if (ok)
        return client;
    aws_client_free(client);
    return NULL;
}

void aws_client_free(struct aws_client *client) {
    if (client == NULL)
        return;
    io_free(client->io);
    sigv4_cache_free(client->keys);
    config_free(&client->config);
    free_options(&client->options);
    free(client->trace_id);
    pthread_mutex_destroy(&client->config_lock);
    free(client);
}

bool client_configure(struct aws_client *client) {
    pthread_mutex_lock(&client->config_lock);
    if (!client->configured) {
        config_load(&client->config, &client->options, client->config_error,
                    sizeof client->config_error);
        client->configured = true;
    }
    bool ok = client->config_error[0] == '\0';
    pthread_mutex_unlock(&client->config_lock);
    return ok;
}

const char *aws_client_region(struct aws_client *client) {
    return client_configure(client) ? client->config.region : NULL;
}

void aws_client_set_trace_id(struct aws_client *client, const char *trace_id) {
    char *copy = NULL;
    if (trace_id != NULL && *trace_id != '\0') {
        bool plain = true;
        for (const char *c = trace_id; *c != '\0' && plain; c++)
            plain = (unsigned char)*c >= 0x20 && *c != 0x7F;
        copy = plain ? strdup(trace_id) : NULL;
    }
    io_lock(client->io);
    char *old = client->trace_id;
    client->trace_id = copy;
    io_unlock(client->io);
    free(old);
}

void aws_client_counters(struct aws_client *client, struct aws_counters *out) {
    out->requests = client->requests;
    out->retries = client->retries;
    out->throttles = client->throttles;
}

bool aws_post(struct aws_client *client, aws_task task, void *context) {
    return io_post_task(client->io, task, context);
}

uint64_t aws_timer(struct aws_client *client, int64_t delay_ms, aws_task task, void *context) {
    return io_timer(client->io, delay_ms, task, context);
}

void aws_timer_cancel(struct aws_client *client, uint64_t id) {
    io_timer_cancel(client->io, id);
}

uint64_t aws_submit(struct aws_client *client, const struct aws_request *request, aws_done done,
                    void *context) {
    char *body = NULL;
    if (request->body_len > 0) {
        body = malloc(request->body_len);
        if (body == NULL)
            return 0;
        memcpy(body, request->body, request->body_len);
    }
    return request_submit(client, request, body, done, context);
}

const char *aws_response_header(const struct aws_response *response, const char *name) {
    const struct headers *headers = response->headers;
    return headers != NULL ? headers_get(*headers, name) : NULL;
}

/* --- waiting for one answer ------------------------------------------------------------------- */

struct call {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool over;
    struct aws_answer *out;
};

static char *copy_header(const struct aws_response *response, const char *name) {
    const char *value = aws_response_header(response, name);
    return value != NULL ? strdup(value) : NULL;
}

static void call_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    struct aws_answer *out = call->out;
    out->ok = response->error == NULL;
    out->status = response->status;
    if (response->error != NULL)
        out->error = *response->error;
    out->body = malloc(response->body_len + 1);
    if (out->body != NULL) {
        memcpy(out->body, response->body, response->body_len);
        out->body[response->body_len] = '\0';
        out->body_len = response->body_len;
    } else {
        out->ok = false;
        error_set(&out->error, AWS_CODE_MEMORY, "out of memory");
    }
    out->function_error = copy_header(response, "x-amz-function-error");
    out->log_result = copy_header(response, "x-amz-log-result");
    pthread_mutex_lock(&call->lock);
    call->over = true;
    pthread_cond_signal(&call->ready);
    pthread_mutex_unlock(&call->lock);
}

void aws_call(struct aws_client *client, const struct aws_request *request,
              struct aws_answer *out) {
    struct call call = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER};
    *out = (struct aws_answer){0};
    call.out = out;
    if (aws_submit(client, request, call_done, &call) == 0) {
        error_set(&out->error, AWS_CODE_MEMORY, "out of memory");
    } else {
        pthread_mutex_lock(&call.lock);
        while (!call.over)
            pthread_cond_wait(&call.ready, &call.lock);
        pthread_mutex_unlock(&call.lock);
    }
    pthread_cond_destroy(&call.ready);
    pthread_mutex_destroy(&call.lock);
}

void aws_answer_free(struct aws_answer *answer) {
    free(answer->body);
    free(answer->function_error);
    free(answer->log_result);
    *answer = (struct aws_answer){0};
}
