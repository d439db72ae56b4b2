#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "host/engine/http.h"

#define IDLE_TIMEOUT_S (24 * 3600)
#define PIPELINE_MAX   65536 /* bytes read ahead while a request is pending */

static int bind_loopback(int *port_out, int backlog) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port_out)};
    socklen_t len = sizeof(address);
    int on = 1;
    int error;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* Accepted sockets inherit TCP_NODELAY. */
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        (*port_out != 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, backlog) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *port_out = ntohs(address.sin_port);
    return fd;
}

struct evhttp *http_listen(struct event_base *base, int *port_out, int backlog, size_t max_body) {
    struct evconnlistener *listener = NULL;
    struct evhttp *http = NULL;
    int fd = bind_loopback(port_out, backlog);

    if (fd < 0)
        return NULL;
    http = evhttp_new(base);
    if (http == NULL)
        goto fail;
    listener =
        evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (listener == NULL)
        goto fail;
    fd = -1; /* the listener's */
    if (evhttp_bind_listener(http, listener) == NULL)
        goto fail;
    evhttp_set_timeout(http, IDLE_TIMEOUT_S);
    evhttp_set_max_body_size(http, (ev_ssize_t)max_body);
    evhttp_set_max_headers_size(http, 64 * 1024);
    evhttp_set_default_content_type(http, NULL);
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                         EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD | EVHTTP_REQ_PATCH);
    return http;

fail:
    if (listener != NULL)
        evconnlistener_free(listener);
    if (http != NULL)
        evhttp_free(http);
    if (fd >= 0)
        close(fd);
    errno = ENOMEM;
    return NULL;
}

void http_watch(struct evhttp_request *request, http_gone gone, void *context) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct bufferevent *bev;
    bufferevent_data_cb on_read, on_write;
    bufferevent_event_cb on_event;
    void *arg;

    if (connection == NULL)
        return;
    bev = evhttp_connection_get_bufferevent(connection);
    evhttp_connection_set_closecb(connection, gone, context);
    /* evhttp's own read callback ends the process when bytes come in this state. It sets all
    ** callbacks anew when it writes the answer and reads the next request. */
    bufferevent_getcb(bev, &on_read, &on_write, &on_event, &arg);
    bufferevent_setcb(bev, NULL, on_write, on_event, arg);
    bufferevent_set_timeouts(bev, NULL, NULL);
    bufferevent_setwatermark(bev, EV_READ, 0, PIPELINE_MAX);
    bufferevent_enable(bev, EV_READ);
}

void http_unwatch(struct evhttp_request *request) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);

    if (connection == NULL)
        return;
    evhttp_connection_set_closecb(connection, NULL, NULL);
    bufferevent_setwatermark(evhttp_connection_get_bufferevent(connection), EV_READ, 0, 0);
}

void http_answer(struct evhttp_request *request, int status, const char *reason) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct bufferevent *bev =
        connection != NULL ? evhttp_connection_get_bufferevent(connection) : NULL;
    struct evbuffer *output;

    evhttp_send_reply(request, status, reason, NULL);
    if (bev == NULL)
        return;
    output = bufferevent_get_output(bev);
    evbuffer_unfreeze(output, 1);
    evbuffer_write(output, bufferevent_getfd(bev));
    evbuffer_freeze(output, 1);
    /* On with the connection, which may free it: nothing of evhttp touches it behind its callback. */
    if (evbuffer_get_length(output) == 0)
        bufferevent_trigger(bev, EV_WRITE, 0);
}

void http_cut(struct evhttp_request *request, const void *bytes, size_t len) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    evutil_socket_t fd;

    if (connection == NULL)
        return;
    fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    if (len > 0)
        send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT); /* as much as there is room for */
    shutdown(fd, SHUT_RDWR);
}

const char *http_body(struct evhttp_request *request, size_t *len_out) {
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(input);
    const char *text;

    *len_out = 0;
    if (len == 0 || evbuffer_add(input, "", 1) != 0)
        return "";
    text = (const char *)evbuffer_pullup(input, -1);
    if (text == NULL)
        return "";
    *len_out = len;
    return text;
}
