#include "host/aws/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"

enum { ANSWER_MAX = 256 << 10 };

static void fetch_free(struct fetch *f) {
    http_exchange_free(&f->exchange);
    secret_free(f->token);
    free(f->role);
    free(f->url);
    free(f);
}

static void on_timer(void *context) {
    struct fetch *f = context;
    f->timer = 0;
    f->step(f);
}

static void on_done(struct http_exchange *x) {
    struct fetch *f = x->context;
    http_headers_free(&f->exchange);
    f->step(f);
}

struct fetch *fetch_new(struct io *io, const char *ca_bundle, fetch_done done, void *context,
                        fetch_step first) {
    struct fetch *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->io = io;
    f->done = done;
    f->context = context;
    http_exchange_init(&f->exchange, ANSWER_MAX, true);
    f->exchange.done = on_done;
    f->exchange.context = f;
    f->exchange.no_proxy = true;
    f->exchange.ca_bundle = ca_bundle;
    f->step = first;
    f->timer = io_timer(io, 0, on_timer, f);
    if (f->timer != 0)
        return f;
    fetch_free(f);
    return NULL;
}

void fetch_cancel(struct fetch *f) {
    if (f == NULL)
        return;
    http_abort(io_http(f->io), &f->exchange);
    io_timer_cancel(f->io, f->timer);
    fetch_free(f);
}

void fetch_finish(struct fetch *f, struct credentials *got) {
    fetch_done done = f->done;
    void *context = f->context;
    fetch_free(f);
    done(context, got, NULL);
}

void fetch_fail(struct fetch *f, const char *message) {
    fetch_done done = f->done;
    void *context = f->context;
    fetch_free(f);
    done(context, NULL, message);
}

void fetch_later(struct fetch *f, int64_t delay_ms, fetch_step step) {
    f->step = step;
    f->timer = io_timer(f->io, delay_ms, on_timer, f);
    if (f->timer == 0)
        fetch_fail(f, "out of memory");
}

void fetch_send(struct fetch *f, const char *method, const char *url,
                const struct fetch_header *headers, size_t count, int64_t timeout_ms,
                fetch_step answered) {
    char *copy = strdup(url);
    bool ok = copy != NULL;
    free(f->url);
    f->url = copy;
    for (size_t i = 0; i < count && ok; i++)
        ok = http_header_add(&f->exchange, headers[i].name, headers[i].value);
    f->step = answered;
    f->exchange.method = method;
    f->exchange.url = f->url;
    f->exchange.timeout_ms = timeout_ms;
    if (!ok)
        fetch_fail(f, "out of memory");
    else if (!http_begin(io_http(f->io), &f->exchange))
        fetch_fail(f, f->exchange.message);
}
