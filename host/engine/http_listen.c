#include "host/engine/http_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>

enum { PAUSE_US = 50000 }; /* when there is no descriptor left for a connection */

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

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int len, void *context) {
    (void)listener;
    (void)address;
    (void)len;
    if (!http_connection_open(context, fd))
        close(fd);
}

/* No descriptor, no memory: the connection waits in the kernel's queue, and so do we. */
static void on_accept_error(struct evconnlistener *listener, void *context) {
    struct http_server *server = context;
    const struct timeval pause = {.tv_usec = PAUSE_US};

    evconnlistener_disable(listener);
    evtimer_add(server->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *context) {
    struct http_server *server = context;

    (void)fd;
    (void)what;
    evconnlistener_enable(server->listener);
}

struct http_server *http_listen(struct event_base *base, int *port_out, int backlog,
                                size_t max_body) {
    struct http_server *server = NULL;
    int fd = bind_loopback(port_out, backlog);

    if (fd < 0)
        return NULL;
    server = calloc(1, sizeof(*server));
    if (server == NULL)
        goto fail;
    server->base = base;
    server->max_body = max_body;
    server->date_s = -1;
    TAILQ_INIT(&server->connections);
    server->resume = evtimer_new(base, on_resume, server);
    if (server->resume == NULL)
        goto fail;
    server->listener =
        evconnlistener_new(base, on_accept, server,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
    if (server->listener == NULL)
        goto fail;
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    return server;

fail:
    close(fd);
    http_server_free(server);
    errno = ENOMEM;
    return NULL;
}

void http_serve(struct http_server *server,
                void (*serve)(struct http_request *request, void *context), void *context) {
    server->serve = serve;
    server->context = context;
    evconnlistener_enable(server->listener);
}

void http_server_free(struct http_server *server) {
    struct http_request *request;

    if (server == NULL)
        return;
    while ((request = TAILQ_FIRST(&server->connections)) != NULL)
        http_connection_free(request);
    if (server->listener != NULL)
        evconnlistener_free(server->listener);
    if (server->resume != NULL)
        event_free(server->resume);
    free(server);
}

const char *http_server_date(struct http_server *server) {
    time_t now_s = time(NULL);
    struct tm tm;

    if (now_s != server->date_s && gmtime_r(&now_s, &tm) != NULL) {
        evutil_date_rfc1123(server->date, sizeof(server->date), &tm);
        server->date_s = now_s;
    }
    return server->date;
}
