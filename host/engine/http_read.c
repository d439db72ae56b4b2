/* The reading side of a connection. */
#include "host/engine/http_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

enum {
    INPUT_FIRST = 16384,
    BODY_FIRST = 65536, /* room for a body that did not come with its head */
    BODY_STEP = 262144, /* at most at once */
    ROOM_BEHIND = 1024, /* behind a head, for the sizes of chunks and for what comes early */
};

/* --- a request comes in ----------------------------------------------------------------------- */

/* Its end is not known, or nobody reads on to it: the last of its connection. */
static void refuse(struct http_request *r, int status) {
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {400, "Bad Request"},
        {413, "Request Entity Too Large"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {505, "HTTP Version Not Supported"},
    };
    const char *reason = "Error";

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            reason = reasons[i].reason;
    r->phase = HTTP_PENDING;
    r->refused = true;
    r->head.keeps = false;
    r->head.method = NULL;
    http_answer(r, status, reason, "", 0);
}

/* The request is whole. False: nothing is to be done on this connection now. */
static bool serve(struct http_request *r) {
    const bool *freed = r->freed;

    r->phase = HTTP_PENDING;
    r->serving = true;
    r->server->serve(r, r->server->context);
    if (*freed)
        return false;
    r->serving = false;
    return r->phase == HTTP_HEAD;
}

static bool serve_collected(struct http_request *r) {
    r->body = buf_text(&r->collected);
    r->body_len = r->collected.len;
    return serve(r);
}

/* input has room for size bytes and a NUL. */
static bool grow_input(struct http_request *r, size_t size) {
    size_t cap = r->cap != 0 ? r->cap : INPUT_FIRST;

    while (cap <= size)
        cap *= 2;
    if (cap == r->cap)
        return true;
    char *input = realloc(r->input, cap);
    if (input == NULL)
        return false;
    r->input = input;
    r->cap = cap;
    return true;
}

/* What lies unread moves to the beginning. Not while there is a head. */
static void compact(struct http_request *r) {
    if (r->at == 0)
        return;
    memmove(r->input, r->input + r->at, r->len - r->at);
    r->len -= r->at;
    r->at = 0;
}

static void invite(struct http_request *r) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (r->head.expects && !r->head.old)
        send(r->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL); /* a few bytes: they fit */
}

/* The body is there, or its part is collected. As serve. */
static bool begin_body(struct http_request *r) {
    size_t there = r->len - r->at;

    if (r->head.length > r->server->max_body) {
        refuse(r, 413);
        return false;
    }
    if (r->head.chunked) {
        r->chunks = (struct http_chunks){0};
        r->phase = HTTP_CHUNKS;
        if (there == 0)
            invite(r);
        return true;
    }
    if (there < r->head.length) {
        size_t room = r->head.length < BODY_FIRST ? (size_t)r->head.length : BODY_FIRST;
        if (buf_reserve(&r->collected, room) == NULL ||
            !buf_add(&r->collected, r->input + r->at, there)) {
            refuse(r, 500);
            return false;
        }
        r->at = r->len;
        r->phase = HTTP_BODY;
        invite(r);
        return false;
    }
    r->body = r->input + r->at;
    r->body_len = (size_t)r->head.length;
    r->at += r->body_len;
    /* The NUL behind it takes the place of what came after it, or has one of its own. */
    r->has_saved = r->at < r->len;
    if (r->has_saved)
        r->saved = r->input[r->at];
    r->input[r->at] = '\0';
    if (!r->has_saved)
        r->at = ++r->len;
    return serve(r);
}

/* As serve. */
static bool begin_request(struct http_request *r) {
    size_t len = http_head_length(r->input + r->at, r->len - r->at, &r->searched);

    if (len == 0) {
        compact(r);
        if (r->len > HTTP_HEAD_MAX)
            refuse(r, 431);
        return false;
    }
    if (len > HTTP_HEAD_MAX) {
        refuse(r, 431);
        return false;
    }
    /* From here on texts point into input. */
    if (!grow_input(r, r->len + ROOM_BEHIND)) {
        refuse(r, 500);
        return false;
    }
    int status = http_head_read(&r->head, r->input + r->at, len);
    r->at += len;
    r->base = r->at;
    if (status != 0) {
        refuse(r, status);
        return false;
    }
    return begin_body(r);
}

/* As serve. */
static bool read_chunks(struct http_request *r) {
    size_t used;
    int status =
        http_chunks_read(&r->chunks, r->input + r->at, r->len - r->at, &r->collected, &used);

    r->at += used;
    if (status == 200)
        return serve_collected(r);
    if (status != 100) {
        refuse(r, status);
        return false;
    }
    r->len = r->at = r->base; /* all was taken */
    return false;
}

/* Serves what is there. */
static void advance(struct http_request *r) {
    bool more = true;

    while (more) {
        if (r->phase == HTTP_HEAD)
            more = r->at < r->len && begin_request(r);
        else if (r->phase == HTTP_CHUNKS)
            more = read_chunks(r);
        else if (r->phase == HTTP_BODY)
            more = r->collected.len == r->head.length && serve_collected(r);
        else
            more = false;
    }
}

/* --- bytes come ------------------------------------------------------------------------------- */

/* The client has gone. */
static void lose(struct http_request *r) {
    http_gone gone = r->gone;

    if (r->phase != HTTP_PENDING) {
        http_connection_free(r);
        return;
    }
    r->gone = NULL;
    http_disconnect(r);
    if (gone != NULL)
        gone(r, r->gone_context);
}

/* The client sends no more. It may still read, unless somebody wants to know that it has gone. */
static void end(struct http_request *r) {
    if ((r->phase != HTTP_PENDING || r->gone != NULL) && r->phase != HTTP_WRITING) {
        lose(r);
        return;
    }
    r->ended = true;
    event_del(r->readable);
}

/* Where what comes goes. NULL: there is no place for it now. */
static char *place_for(struct http_request *r, size_t *room_out) {
    if (r->phase == HTTP_BODY) {
        size_t left = (size_t)r->head.length - r->collected.len;
        *room_out = left < BODY_STEP ? left : BODY_STEP;
        return buf_reserve(&r->collected, *room_out);
    }
    if (r->phase == HTTP_HEAD && r->len + 1 >= r->cap && !grow_input(r, r->len + 1))
        return NULL;
    *room_out = r->cap - r->len - 1; /* the NUL behind a body */
    return *room_out > 0 ? r->input + r->len : NULL;
}

/* False: there is nothing to go on with, or no connection any more. */
static bool receive(struct http_request *r) {
    size_t room;
    char *place = place_for(r, &room);

    if (place == NULL && (r->phase == HTTP_PENDING || r->phase == HTTP_WRITING)) {
        r->paused = true;
        event_del(r->readable);
        return false;
    }
    if (place == NULL) {
        refuse(r, 500);
        return false;
    }
    ssize_t n = recv(r->fd, place, room, 0);
    if (n > 0 && r->phase == HTTP_BODY)
        r->collected.len += (size_t)n;
    else if (n > 0)
        r->len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        end(r);
    return n > 0;
}

static void linger(struct http_request *r, short what) {
    char thrown_away[16384];
    ssize_t n = (what & EV_TIMEOUT) != 0 ? 0 : recv(r->fd, thrown_away, sizeof(thrown_away), 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        http_connection_free(r);
}

void http_readable(evutil_socket_t fd, short what, void *context) {
    struct http_request *r = context;
    bool freed = false;

    (void)fd;
    if (r->phase == HTTP_LINGER) {
        linger(r, what);
        return;
    }
    r->freed = &freed;
    /* What is there already: an answer from elsewhere has made way for it. */
    if (r->phase == HTTP_HEAD && r->at < r->len)
        advance(r);
    if (!freed && !r->ended && receive(r))
        advance(r);
    if (freed)
        return;
    r->freed = NULL;
    if (r->ended && r->phase < HTTP_PENDING) /* the rest of a request does not come */
        http_connection_free(r);
}
