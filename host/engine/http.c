#include "host/engine/http_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <event2/event.h>

enum {
    TOGETHER = 16384, /* an answer up to here is copied behind its head */
    LINGER_S = 2,     /* for a client that still sends what was refused */
};

static void on_writable(evutil_socket_t fd, short what, void *context);

/* --- life ------------------------------------------------------------------------------------- */

bool http_connection_open(struct http_server *server, int fd) {
    struct http_request *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return false;
    r->server = server;
    r->fd = fd;
    buf_init(&r->collected, server->max_body);
    buf_init(&r->fields, HTTP_HEAD_MAX + server->max_body);
    buf_init(&r->out, SIZE_MAX);
    r->readable = event_new(server->base, fd, EV_READ | EV_PERSIST, http_readable, r);
    if (r->readable == NULL || event_add(r->readable, NULL) != 0) {
        if (r->readable != NULL)
            event_free(r->readable);
        free(r);
        return false;
    }
    TAILQ_INSERT_TAIL(&server->connections, r, link);
    return true;
}

void http_disconnect(struct http_request *r) {
    if (r->fd < 0)
        return;
    TAILQ_REMOVE(&r->server->connections, r, link);
    r->server = NULL;
    event_free(r->readable); /* before its descriptor can be another's */
    if (r->writable != NULL)
        event_free(r->writable);
    r->readable = r->writable = NULL;
    close(r->fd);
    r->fd = -1;
}

void http_connection_free(struct http_request *r) {
    http_disconnect(r);
    if (r->freed != NULL)
        *r->freed = true;
    free(r->input);
    http_head_free(&r->head);
    buf_free(&r->collected);
    buf_free(&r->fields);
    buf_free(&r->out);
    free(r);
}

/* --- what was asked --------------------------------------------------------------------------- */

const char *http_method(const struct http_request *r) {
    return r->head.method;
}

const char *http_target(const struct http_request *r) {
    return r->head.target;
}

const struct http_field *http_fields(const struct http_request *r, size_t *count_out) {
    *count_out = r->head.count;
    return r->head.fields;
}

const char *http_header(const struct http_request *r, const char *name) {
    return http_head_find(&r->head, name, strlen(name));
}

const char *http_body(const struct http_request *r, size_t *len_out) {
    *len_out = r->body_len;
    return r->body;
}

/* --- the answer goes out ---------------------------------------------------------------------- */

static void give_back(struct buf *b) {
    if (b->cap > HTTP_KEPT)
        buf_free(b);
    else
        buf_reset(b);
}

/* The answer is written: on to the next request, some of which may be there. */
static void finish(struct http_request *r) {
    if (r->refused) {
        const struct timeval patience = {.tv_sec = LINGER_S};
        r->phase = HTTP_LINGER;
        shutdown(r->fd, SHUT_WR);
        if (r->ended || event_add(r->readable, &patience) != 0)
            http_connection_free(r);
        return;
    }
    if (!r->head.keeps) {
        http_connection_free(r);
        return;
    }
    give_back(&r->collected);
    give_back(&r->out);
    r->written = 0;
    if (r->has_saved)
        r->input[r->at] = r->saved;
    r->has_saved = false;
    if (r->at == r->len)
        r->at = r->len = 0;
    if (r->at == r->len && r->cap > HTTP_KEPT) {
        free(r->input);
        r->input = NULL;
        r->cap = 0;
    }
    r->searched = 0;
    r->phase = HTTP_HEAD;
    if (r->serving)
        return; /* who serves goes on */
    if (r->ended && r->at == r->len) {
        http_connection_free(r);
        return;
    }
    if (r->paused && !r->ended)
        event_add(r->readable, NULL);
    r->paused = false;
    /* Not here: whoever answers is in the middle of something. */
    if (r->at < r->len)
        event_active(r->readable, EV_READ, 1);
}

/* What is left of an answer waits for room. */
static void write_later(struct http_request *r) {
    r->phase = HTTP_WRITING;
    if (r->writable == NULL)
        r->writable = event_new(r->server->base, r->fd, EV_WRITE | EV_PERSIST, on_writable, r);
    if (!buf_ok(&r->out) || r->writable == NULL || event_add(r->writable, NULL) != 0)
        http_connection_free(r);
}

static bool is_transient(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

static void on_writable(evutil_socket_t fd, short what, void *context) {
    struct http_request *r = context;
    ssize_t n = send(fd, r->out.data + r->written, r->out.len - r->written, MSG_NOSIGNAL);

    (void)what;
    if (n < 0 && is_transient(errno))
        return;
    if (n < 0) {
        http_connection_free(r);
        return;
    }
    r->written += (size_t)n;
    if (r->written < r->out.len)
        return;
    event_del(r->writable);
    finish(r);
}

/* out, then body. */
static void write_answer(struct http_request *r, const void *body, size_t len) {
    struct iovec pieces[2] = {{.iov_base = r->out.data, .iov_len = r->out.len},
                              {.iov_base = (void *)body, .iov_len = len}}; /* is only read */
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = len > 0 ? 2 : 1};
    size_t head_len = r->out.len;
    ssize_t n = len > 0 ? sendmsg(r->fd, &message, MSG_NOSIGNAL)
                        : send(r->fd, r->out.data, head_len, MSG_NOSIGNAL);

    if (n < 0 && !is_transient(errno)) {
        http_connection_free(r);
        return;
    }
    r->written = n > 0 ? (size_t)n : 0;
    if (r->written == head_len + len) {
        finish(r);
        return;
    }
    size_t done = r->written > head_len ? r->written - head_len : 0;
    if (r->written > head_len)
        r->written = head_len;
    buf_add(&r->out, (const char *)body + done, len - done);
    write_later(r);
}

static void add_number(struct buf *out, size_t number) {
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    buf_add(out, digits + at, sizeof(digits) - at);
}

#define ADD(out, text) buf_add(out, text, sizeof(text) - 1)

void http_answer(struct http_request *r, int status, const char *reason, const void *body,
                 size_t len) {
    struct buf *out = &r->out;
    bool bodiless = status == 204 || status == 304;

    if (r->fd < 0) {
        http_connection_free(r);
        return;
    }
    r->gone = NULL;
    ADD(out, "HTTP/1.1 ");
    add_number(out, (size_t)status);
    ADD(out, " ");
    buf_adds(out, reason);
    ADD(out, "\r\n");
    buf_add(out, r->fields.data, r->fields.len);
    ADD(out, "Date: ");
    buf_adds(out, http_server_date(r->server));
    if (!bodiless) {
        ADD(out, "\r\nContent-Length: ");
        add_number(out, len);
    }
    if (!r->head.keeps)
        ADD(out, "\r\nConnection: close");
    else if (r->head.old)
        ADD(out, "\r\nConnection: keep-alive");
    ADD(out, "\r\n\r\n");
    if (bodiless || (r->head.method != NULL && strcmp(r->head.method, "HEAD") == 0))
        len = 0;
    if (len <= TOGETHER) {
        buf_add(out, body, len);
        len = 0;
    }
    if (!buf_ok(out) || !buf_ok(&r->fields)) {
        http_connection_free(r);
        return;
    }
    give_back(&r->fields);
    write_answer(r, body, len);
}

void http_drop(struct http_request *r) {
    http_connection_free(r);
}

void http_set_header(struct http_request *r, const char *name, const char *value) {
    if (strpbrk(value, "\r\n") != NULL)
        return;
    buf_adds(&r->fields, name);
    ADD(&r->fields, ": ");
    buf_adds(&r->fields, value);
    ADD(&r->fields, "\r\n");
}

void http_watch(struct http_request *r, http_gone gone, void *context) {
    r->gone = gone;
    r->gone_context = context;
}

void http_cut(struct http_request *r, const void *bytes, size_t len) {
    if (r->fd < 0)
        return;
    if (len > 0)
        send(r->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT); /* as much as there is room for */
    shutdown(r->fd, SHUT_RDWR);
}
