/* What http_listen.c and http.c share. */
#ifndef AWSYNC_ENGINE_HTTP_INSIDE_H
#define AWSYNC_ENGINE_HTTP_INSIDE_H

#include <stdbool.h>
#include <sys/queue.h>
#include <time.h>

#include "host/engine/http.h"

struct event;
struct evconnlistener;

TAILQ_HEAD(http_connections, http_request);

struct http_server {
    struct event_base *base; /* borrowed */
    struct evconnlistener *listener;
    struct event *resume; /* accepting, when there may be descriptors again */
    size_t max_body;
    void (*serve)(struct http_request *request, void *context);
    void *context;
    struct http_connections connections;
    time_t date_s; /* what date says */
    char date[32];
};

/* Of input, and of a buffer that is not given back after use. */
enum { HTTP_HEAD_MAX = 65536, HTTP_KEPT = 65536 };

enum http_phase {
    HTTP_HEAD,    /* the next request's is read */
    HTTP_BODY,    /* Content-Length bytes */
    HTTP_CHUNKS,  /* the body, in chunks */
    HTTP_PENDING, /* the request is served */
    HTTP_WRITING, /* what did not fit the socket's buffer */
    HTTP_LINGER, /* answered; what still comes is thrown away, or closing would take the answer back */
};

/* A connection and the request on it. A pending request outlives its connection: fd is -1 then. */
struct http_request {
    struct http_server *server; /* NULL: the connection has gone */
    TAILQ_ENTRY(http_request) link;
    int fd;
    enum http_phase phase;
    struct event *readable, *writable; /* the second is made when it is needed */
    bool *freed;  /* set when the connection is freed, for who is in the middle of it */
    bool serving; /* within server->serve */
    bool paused;  /* readable is off until the answer is written */
    bool ended;   /* the client sends no more */
    bool refused; /* its rest is thrown away */

    /* input[at..len) is not read yet. While there is a head its texts lie before at and input does not move. */
    char *input;
    size_t at, len, cap;
    size_t base; /* behind the head */
    size_t searched;
    bool has_saved; /* the byte at `at` is a NUL behind the body instead of */
    char saved;
    struct http_head head;
    const char *body; /* in input or in collected */
    size_t body_len;
    struct buf collected;
    struct http_chunks chunks;

    http_gone gone;
    void *gone_context;
    struct buf fields; /* of the answer */
    struct buf out;
    size_t written; /* of out */
};

/* Takes fd, which does not block. False: no memory, and fd is still the caller's. */
bool http_connection_open(struct http_server *server, int fd);
/* The connection goes, a pending request stays. */
void http_disconnect(struct http_request *request);
/* Closes it, and ends the request that is on it. */
void http_connection_free(struct http_request *request);
/* There is something to read. */
void http_readable(int fd, short what, void *context);
/* The Date header's value for now. */
const char *http_server_date(struct http_server *server);

#endif
