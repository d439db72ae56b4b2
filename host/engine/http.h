/* The little that libevent's HTTP server lacks. */
#ifndef AWSYNC_ENGINE_HTTP_H
#define AWSYNC_ENGINE_HTTP_H

#include <stddef.h>

struct event_base;
struct evhttp;
struct evhttp_connection;
struct evhttp_request;

/* A server on 127.0.0.1. port_out gets the port that *port_out asked for, or a free one for 0.
** Bodies over max_body are refused by the server itself. NULL on failure, errno says why. */
struct evhttp *http_listen(struct event_base *base, int *port_out, int backlog, size_t max_body);

typedef void (*http_gone)(struct evhttp_connection *connection, void *context);
/* evhttp does not read while a request waits for its answer, so it does not see a client leave.
** With this it does: gone runs when the connection closes. Bytes that the client sends in
** the meantime are kept for its next request. */
void http_watch(struct evhttp_request *request, http_gone gone, void *context);
/* Before the answer is sent. Does nothing for a request whose connection has gone. */
void http_unwatch(struct evhttp_request *request);

/* As evhttp_send_reply, but the answer is written at once, as far as there is room for it. evhttp waits for
** the kernel's word that the socket can be written to, which nearly always it can: a turn of the
** loop and two system calls more. */
void http_answer(struct evhttp_request *request, int status, const char *reason);

/* Cuts the client off: it gets the bytes (as far as they fit a socket's buffer), then the end of the
** connection. The request must still be answered, which ends in nothing. */
void http_cut(struct evhttp_request *request, const void *bytes, size_t len);

/* The whole body in one piece with a NUL behind it that does not count. Borrowed from the request.
 */
const char *http_body(struct evhttp_request *request, size_t *len_out);

#endif
