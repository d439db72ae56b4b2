/* Each answer as a JSON text: what the calls of the client's probe have as callbacks. */
#ifndef PROBE_AWS_ANSWERS_H
#define PROBE_AWS_ANSWERS_H

#include "host/aws/lambda.h"
#include "host/aws/sqs.h"
#include "host/json/json.h"
#include "spec/probe/aws_station.h"

static struct result *result_new(const struct ticket *t, struct json_writer *w) {
    struct result *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    r->tag = t->tag;
    buf_init(&r->text, RESULT_MAX);
    json_writer_init(w, &r->text);
    json_object_begin(w);
    return r;
}

static void deliver(struct ticket *t, struct result *r, struct json_writer *w) {
    struct station *s = t->station;
    json_object_end(w);
    pthread_mutex_lock(&s->lock);
    if (s->last != NULL)
        s->last->next = r;
    else
        s->first = r;
    s->last = r;
    pthread_cond_signal(&s->ready);
    pthread_mutex_unlock(&s->lock);
    free(t);
}

static void put(struct json_writer *w, const char *key, const char *text) {
    if (text != NULL)
        json_member(w, key, text);
}

static void put_integer(struct json_writer *w, const char *key, int64_t value) {
    json_key(w, key);
    json_integer(w, value);
}

static void put_bool(struct json_writer *w, const char *key, bool value) {
    json_key(w, key);
    json_bool(w, value);
}

static void put_error(struct json_writer *w, const struct aws_error *e) {
    if (e == NULL)
        return;
    json_key(w, "error");
    json_object_begin(w);
    put(w, "code", e->code);
    put(w, "query_code", e->query_code);
    put(w, "message", e->message);
    put(w, "request_id", e->request_id);
    put_integer(w, "status", e->status);
    put_integer(w, "attempts", e->attempts);
    put_bool(w, "may_have_run", e->may_have_run);
    json_object_end(w);
}

static void on_response(void *context, const struct aws_response *response) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, response->error);
    put_integer(&w, "status", response->status);
    json_key(&w, "body");
    if (!json_string_n(&w, response->body, response->body_len))
        json_string(&w, "(no text)");
    put_integer(&w, "length", (int64_t)response->body_len);
    put(&w, "x_test", aws_response_header(response, "X-TEST"));
    deliver(context, r, &w);
}

static void on_plain(void *context, const struct aws_error *error) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    deliver(context, r, &w);
}

static void on_url(void *context, const struct aws_error *error, const char *url) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    put(&w, "url", url);
    deliver(context, r, &w);
}

static void on_list(void *context, const struct aws_error *error, const char *const *urls,
                    size_t count, const char *next_token) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "urls");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        json_string(&w, urls[i]);
    json_array_end(&w);
    put(&w, "next_token", next_token);
    deliver(context, r, &w);
}

static void on_pairs(void *context, const struct aws_error *error, const struct sqs_pair *pairs,
                     size_t count) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "pairs");
    json_object_begin(&w);
    for (size_t i = 0; i < count; i++)
        put(&w, pairs[i].name, pairs[i].value);
    json_object_end(&w);
    deliver(context, r, &w);
}

static void on_batch(void *context, const struct aws_error *error,
                     const struct sqs_outcome *outcomes, size_t count) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "outcomes");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&w);
        put_bool(&w, "ok", outcomes[i].ok);
        put_bool(&w, "sender_fault", outcomes[i].sender_fault);
        put(&w, "code", outcomes[i].code);
        put(&w, "message", outcomes[i].message);
        json_object_end(&w);
    }
    json_array_end(&w);
    deliver(context, r, &w);
}

static void on_receive(void *context, const struct aws_error *error,
                       const struct sqs_message *messages, size_t count) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    json_key(&w, "messages");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        const struct sqs_message *m = &messages[i];
        json_object_begin(&w);
        json_key(&w, "body");
        json_string_n(&w, m->body, m->body_len);
        put(&w, "receipt_handle", m->receipt_handle);
        put(&w, "message_id", m->message_id);
        put(&w, "group_id", m->group_id);
        put(&w, "deduplication_id", m->deduplication_id);
        put_integer(&w, "receive_count", m->receive_count);
        put_integer(&w, "sent_ms", m->sent_ms);
        json_object_end(&w);
    }
    json_array_end(&w);
    deliver(context, r, &w);
}

static void on_invoke(void *context, const struct aws_error *error,
                      const struct lambda_result *result) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    put_error(&w, error);
    if (result != NULL) {
        put_integer(&w, "status", result->status);
        put(&w, "payload", result->payload);
        put(&w, "function_error", result->function_error);
        put(&w, "log_result", result->log_result);
        put(&w, "request_id", result->request_id);
    }
    deliver(context, r, &w);
}

static void on_task(void *context) {
    struct json_writer w;
    struct result *r = result_new(context, &w);
    deliver(context, r, &w);
}

#endif
