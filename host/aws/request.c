#include <stdlib.h>
#include <string.h>

#include "host/aws/attempt.h"
#include "host/base/secret.h"

enum { ANSWER_MAX = 8 << 20 };

static void begin(void *context);
static void cancel(void *context);

/* --- making and ending ------------------------------------------------------------------------ */

static void request_free(struct request *r) {
    if (r == NULL)
        return;
    credentials_release(r->keys);
    http_exchange_free(&r->exchange);
    free(r->url);
    free(r->sign_target);
    free(r->trace_id);
    free(r->block);
    secret_wipe(r->body, r->body_len);
    free(r->body);
    free(r);
}

static char *append(char **at, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = *at;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

/* Copies method, target and headers into one block. */
static bool copy_texts(struct request *r, const struct aws_request *in) {
    size_t headers = in->header_count * sizeof(struct aws_header);
    size_t size = headers + strlen(in->method) + strlen(in->target) + 2;
    for (size_t i = 0; i < in->header_count; i++)
        size += strlen(in->headers[i].name) + strlen(in->headers[i].value) + 2;
    r->block = malloc(size);
    if (r->block == NULL)
        return false;
    struct aws_header *copies = (struct aws_header *)(void *)r->block;
    char *at = r->block + headers;
    r->in = *in;
    r->in.method = append(&at, in->method);
    r->in.target = append(&at, in->target);
    for (size_t i = 0; i < in->header_count; i++) {
        copies[i].name = append(&at, in->headers[i].name);
        copies[i].value = append(&at, in->headers[i].value);
    }
    r->in.headers = copies;
    r->in.body = r->body;
    return true;
}

static bool has_control(const char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

/* What can be seen at once to be wrong with a request. */
static void check(struct request *r) {
    const struct aws_request *in = &r->in;
    const char *wrong = NULL;
    if (in->header_count > REQUEST_HEADERS_MAX)
        wrong = "too many headers";
    else if ((unsigned)in->service >= AWS_SERVICE_COUNT)
        wrong = "no such service";
    else if (in->target[0] != '/' || has_control(in->target) || strchr(in->target, ' ') != NULL)
        wrong = "the target is no path";
    for (size_t i = 0; i < in->header_count && wrong == NULL; i++)
        if (has_control(in->headers[i].name) || has_control(in->headers[i].value))
            wrong = "a header has a control character";
    if (wrong != NULL)
        error_set(&r->error, AWS_CODE_CONFIG, "%s", wrong);
}

static struct request *request_new(struct aws_client *client, const struct aws_request *in,
                                   char *body, aws_done done, void *context) {
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL) {
        secret_wipe(body, in->body_len);
        free(body);
        return NULL;
    }
    http_exchange_init(&r->exchange, in->answer_max > 0 ? in->answer_max : ANSWER_MAX, false);
    r->client = client;
    r->body = body;
    r->body_len = body != NULL ? in->body_len : 0;
    r->done = done;
    r->context = context;
    r->begin = (struct io_post){.task = begin, .context = r};
    r->cancel = (struct io_post){.task = cancel, .context = r};
    r->wait.ready = attempt_keys_ready;
    r->wait.context = r;
    r->exchange.done = attempt_answered;
    r->exchange.context = r;
    if (!copy_texts(r, in)) {
        request_free(r);
        return NULL;
    }
    check(r);
    return r;
}

static uint64_t submit(struct request *r) {
    struct aws_client *client = r->client;
    uint64_t id = 0;
    bool ready = true, wake = false;
    io_lock(client->io);
    if (client->trace_id != NULL)
        ready = (r->trace_id = strdup(client->trace_id)) != NULL;
    if (ready && io_start_locked(client->io)) {
        id = handles_add(io_handles(client->io), IO_REQUEST, r);
        r->id = id;
        wake = id != 0 && io_post_locked(client->io, &r->begin);
    }
    io_unlock(client->io);
    if (wake)
        io_wake(client->io);
    if (id == 0)
        request_free(r);
    return id;
}

uint64_t request_submit(struct aws_client *client, const struct aws_request *in, char *body,
                        aws_done done, void *context) {
    struct request *r = request_new(client, in, body, done, context);
    return r != NULL ? submit(r) : 0;
}

uint64_t request_refuse(struct aws_client *client, const char *code, const char *message,
                        aws_done done, void *context) {
    struct aws_request nothing = {.method = "POST", .target = "/"};
    struct request *r = request_new(client, &nothing, NULL, done, context);
    if (r == NULL)
        return 0;
    error_set(&r->error, code, "%s", message);
    return submit(r);
}

static void pump(void *context);

/* Takes the request out of whatever it waits for. */
static void detach(struct request *r) {
    struct aws_client *client = r->client;
    if (client->provider != NULL)
        provider_cancel(client->provider, &r->wait);
    http_abort(io_http(client->io), &r->exchange);
    if (r->timer != 0)
        io_timer_cancel(client->io, r->timer);
    r->timer = 0;
    if (r->waits_turn) {
        struct request **link = &client->turn_first, *before = NULL;
        while (*link != r) {
            before = *link;
            link = &before->turn_next;
        }
        *link = r->turn_next;
        if (client->turn_last == r)
            client->turn_last = before;
        r->waits_turn = false;
    }
    if (r->has_turn) {
        r->has_turn = false;
        client->lambda_running--;
        if (client->turn_first != NULL && !client->pump_posted) {
            client->pump = (struct io_post){.task = pump, .context = client};
            client->pump_posted = io_post(client->io, &client->pump);
        }
    }
}

static void finish(struct request *r, const struct aws_response *response) {
    struct aws_client *client = r->client;
    detach(r);
    if (r->prev != NULL)
        r->prev->next = r->next;
    else
        client->first = r->next;
    if (r->next != NULL)
        r->next->prev = r->prev;
    io_lock(client->io);
    handles_remove(io_handles(client->io), r->id);
    bool keep = r->cancel_posted;
    io_unlock(client->io);
    r->finished = true;
    r->done(r->context, response);
    if (!keep)
        request_free(r);
}

void request_fail(struct request *r) {
    r->error.may_have_run = r->error.may_have_run || r->may_have_run;
    struct headers headers = http_headers(&r->exchange);
    struct aws_response response = {
        .error = &r->error,
        .status = r->error.status,
        .body = buf_text(&r->exchange.answer),
        .body_len = r->exchange.answer.len,
        .headers = &headers,
    };
    finish(r, &response);
}

void request_fail_with(struct request *r, const char *code, const char *message) {
    error_set(&r->error, code, "%s", message);
    request_fail(r);
}

void request_succeed(struct request *r) {
    struct headers headers = http_headers(&r->exchange);
    struct aws_response response = {
        .status = r->exchange.status,
        .body = buf_text(&r->exchange.answer),
        .body_len = r->exchange.answer.len,
        .headers = &headers,
    };
    retry_give_back(&r->client->bucket, r->paid);
    finish(r, &response);
}

static void fail_cancelled(struct request *r) {
    bool sent = r->exchange.easy != NULL || r->error.may_have_run;
    r->error.status = 0;
    r->error.may_have_run = sent;
    request_fail_with(r, AWS_CODE_CANCELLED, "the request was cancelled");
}

static void cancel(void *context) {
    struct request *r = context;
    if (r->finished) {
        request_free(r);
        return;
    }
    io_lock(r->client->io);
    r->cancel_posted = false;
    io_unlock(r->client->io);
    fail_cancelled(r);
}

void aws_cancel(struct aws_client *client, uint64_t id) {
    io_lock(client->io);
    struct request *r = handles_get(io_handles(client->io), IO_REQUEST, id);
    bool wake = false;
    if (r != NULL && !r->cancel_posted) {
        r->cancel_posted = true;
        wake = io_post_locked(client->io, &r->cancel);
    }
    io_unlock(client->io);
    if (wake)
        io_wake(client->io);
}

void request_cancel_all(struct aws_client *client) {
    while (client->first != NULL)
        fail_cancelled(client->first);
}

/* --- beginning -------------------------------------------------------------------------------- */

static void pump(void *context) {
    struct aws_client *client = context;
    client->pump_posted = false;
    while (client->turn_first != NULL && client->lambda_running < client->max_lambda) {
        struct request *r = client->turn_first;
        client->turn_first = r->turn_next;
        if (client->turn_first == NULL)
            client->turn_last = NULL;
        r->waits_turn = false;
        r->has_turn = true;
        client->lambda_running++;
        attempt_begin(r);
    }
}

static char *join(const char *a, const char *b) {
    size_t a_len = strlen(a), b_size = strlen(b) + 1;
    char *out = malloc(a_len + b_size);
    if (out != NULL) {
        memcpy(out, a, a_len);
        memcpy(out + a_len, b, b_size);
    }
    return out;
}

/* What needs configuration is made when the first request begins. */
static bool prepare(struct request *r) {
    struct aws_client *client = r->client;
    if (!client_configure(client)) {
        error_set(&r->error, AWS_CODE_CONFIG, "%s", client->config_error);
        return false;
    }
    const struct endpoint *endpoint = &client->config.endpoints[r->in.service];
    if (client->config.endpoint_errors[r->in.service] != NULL) {
        error_set(&r->error, AWS_CODE_CONFIG, "%s", client->config.endpoint_errors[r->in.service]);
        return false;
    }
    if (client->provider == NULL)
        client->provider =
            provider_new(client->io, &client->config, client->options.access_key_id,
                         client->options.secret_access_key, client->options.session_token);
    if (client->keys == NULL)
        client->keys = sigv4_cache_new();
    r->url = join(endpoint->url, r->in.target);
    r->sign_target = join(endpoint->prefix, r->in.target);
    if (client->provider && client->keys && r->url && r->sign_target)
        return true;
    error_set(&r->error, AWS_CODE_MEMORY, "out of memory");
    return false;
}

static void begin(void *context) {
    struct request *r = context;
    struct aws_client *client = r->client;
    r->prev = NULL;
    r->next = client->first;
    if (r->next != NULL)
        r->next->prev = r;
    client->first = r;
    random_uuid(r->invocation);
    if (io_ending(client->io))
        fail_cancelled(r);
    else if (r->error.code[0] != '\0' || !prepare(r))
        request_fail(r);
    else if (r->in.service != AWS_LAMBDA)
        attempt_begin(r);
    else {
        r->waits_turn = true;
        r->turn_next = NULL;
        if (client->turn_last != NULL)
            client->turn_last->turn_next = r;
        else
            client->turn_first = r;
        client->turn_last = r;
        pump(client);
    }
}
