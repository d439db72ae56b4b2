/*
** An HTTP/1 server on loopback, on an event base and on its thread. Not libevent's own: that one tells epoll four
** times a request when to look at a connection, and asks how much there is to read. This one looks at a connection
** as long as it lives, reads what there is and writes an answer at once.
*/
#ifndef AWSYNC_ENGINE_HTTP_H
#define AWSYNC_ENGINE_HTTP_H

#include <stddef.h>

#include "host/engine/http_head.h"

struct event_base;
struct http_server;
struct http_request; /* from its callback until http_answer or http_drop */

/* A server on 127.0.0.1. port_out gets the port that *port_out asked for, or a free one for 0.
** Bodies over max_body are refused by the server itself. NULL on failure, errno says why. */
struct http_server *http_listen(struct event_base *base, int *port_out, int backlog,
                                size_t max_body);
/* From now on connections are accepted. serve gets each request, one at a time for each connection, whole. */
void http_serve(struct http_server *server,
                void (*serve)(struct http_request *request, void *context), void *context);
/* Closes all connections; requests on them are gone with them. Allowed from within serve. NULL is allowed. */
void http_server_free(struct http_server *server);

/* --- what was asked: borrowed until the answer ------------------------------------------------ */

const char *
http_method(const struct http_request *request); /* GET, POST, PUT, DELETE, HEAD or PATCH */
const char *http_target(const struct http_request *request);
const struct http_field *http_fields(const struct http_request *request, size_t *count_out);
/* Any case; NULL: absent. */
const char *http_header(const struct http_request *request, const char *name);
/* In one piece with a NUL behind it that does not count. */
const char *http_body(const struct http_request *request, size_t *len_out);

/* --- what is answered ------------------------------------------------------------------------- */

/* Adds a header to the answer. Copied; one that would break the head is left out. */
void http_set_header(struct http_request *request, const char *name, const char *value);
/* Answers, with Date and Content-Length. It is written at once, as far as there is room for it. body is copied if
** need be. The request is over. */
void http_answer(struct http_request *request, int status, const char *reason, const void *body,
                 size_t len);

/* A client that leaves while its request is pending is noticed only with this: gone runs once, when the connection has
** closed. The request is still there and must be answered, into the void, or dropped. */
typedef void (*http_gone)(struct http_request *request, void *context);
void http_watch(struct http_request *request, http_gone gone, void *context);
/* Ends a request whose client has gone. */
void http_drop(struct http_request *request);

/* Cuts the client off: it gets the bytes (as far as they fit a socket's buffer), then the end of the
** connection. The request must still be answered, which ends in nothing. */
void http_cut(struct http_request *request, const void *bytes, size_t len);

#endif
