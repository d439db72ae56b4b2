/*
** Counts the requests of a client of SQS, and measures how long each is under way: a proxy on
** loopback that hands the bytes on as they are (signatures hold) and looks for the line
** `X-Amz-Target: AmazonSQS.NAME`.
**
**   sqs_meter PORT    prints the port that it listens on; PORT on 127.0.0.1 is the server's
**
** Then it prints `NAME BEGAN_US TOOK_US` for each request that is answered: on a clock that begins with
** the meter, from the request's line to the first byte of the answer. It serves until it is ended.
*/
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "host/base/clock.h"

enum { LINE_MAX_LEN = 128, NAME_SIZE = 64 };

static const char mark[] = "x-amz-target: AmazonSQS.";

/* A client's connection and the one to the server that goes with it. */
struct pair {
    struct bufferevent *client, *server;
    char line[LINE_MAX_LEN]; /* the beginning of the line that is being read */
    size_t len;
    char name[NAME_SIZE]; /* of the request under way; "": none */
    int64_t began_us;
};

static struct {
    struct event_base *base;
    struct sockaddr_in server;
    int64_t began_us;
} meter;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void end_pair(struct pair *p) {
    bufferevent_free(p->client);
    bufferevent_free(p->server);
    free(p);
}

static void end_line(struct pair *p) {
    size_t head = sizeof(mark) - 1;
    p->line[p->len] = '\0';
    if (p->len > head && strncasecmp(p->line, mark, head) == 0) {
        snprintf(p->name, sizeof(p->name), "%.*s", (int)strcspn(p->line + head, "\r"),
                 p->line + head);
        p->began_us = clock_mono_us();
    }
    p->len = 0;
}

/* A body is JSON, in which a line cannot begin so. */
static void read_request(struct bufferevent *client, void *context) {
    struct pair *p = context;
    struct evbuffer *input = bufferevent_get_input(client);
    size_t len = evbuffer_get_length(input);
    const char *data = (const char *)evbuffer_pullup(input, -1);

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            end_line(p);
        else if (p->len < LINE_MAX_LEN - 1)
            p->line[p->len++] = data[i];
    }
    bufferevent_write_buffer(p->server, input);
}

static void read_answer(struct bufferevent *server, void *context) {
    struct pair *p = context;

    if (p->name[0] != '\0')
        printf("%s %lld %lld\n", p->name, (long long)(p->began_us - meter.began_us),
               (long long)(clock_mono_us() - p->began_us));
    p->name[0] = '\0';
    p->len = 0;
    bufferevent_write_buffer(p->client, bufferevent_get_input(server));
}

static void on_client_event(struct bufferevent *client, short what, void *context) {
    (void)client;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        end_pair(context);
}

static void on_drained(struct bufferevent *client, void *context) {
    (void)client;
    end_pair(context);
}

/* What the server has said before it closed is still the client's. */
static void on_server_event(struct bufferevent *server, short what, void *context) {
    struct pair *p = context;

    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
        return;
    bufferevent_write_buffer(p->client, bufferevent_get_input(server));
    if (evbuffer_get_length(bufferevent_get_output(p->client)) == 0)
        end_pair(p);
    else
        bufferevent_setcb(p->client, NULL, on_drained, on_client_event, p);
}

static void at_once(struct bufferevent *bev) {
    int on = 1;
    setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int from_len, void *context) {
    struct pair *p = calloc(1, sizeof(*p));

    (void)listener, (void)from, (void)from_len, (void)context;
    if (p == NULL)
        fail("memory");
    p->client = bufferevent_socket_new(meter.base, fd, BEV_OPT_CLOSE_ON_FREE);
    p->server = bufferevent_socket_new(meter.base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (p->client == NULL || p->server == NULL)
        fail("a connection");
    bufferevent_setcb(p->client, read_request, NULL, on_client_event, p);
    bufferevent_setcb(p->server, read_answer, NULL, on_server_event, p);
    at_once(p->client);
    if (bufferevent_socket_connect(p->server, (struct sockaddr *)&meter.server,
                                   sizeof(meter.server)) != 0)
        fail("connect");
    at_once(p->server);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    unsigned long port = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (port == 0 || port > 65535) {
        fprintf(stderr, "usage: sqs_meter PORT\n");
        return 2;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    meter.server = address;
    meter.server.sin_port = htons((uint16_t)port);
    meter.began_us = clock_mono_us();
    meter.base = event_base_new();
    struct evconnlistener *listener =
        meter.base == NULL
            ? NULL
            : evconnlistener_new_bind(meter.base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, -1,
                                      (struct sockaddr *)&address, sizeof(address));
    if (listener == NULL ||
        getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &len) != 0)
        fail("listen");
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%d\n", ntohs(address.sin_port));
    event_base_dispatch(meter.base);
    evconnlistener_free(listener);
    event_base_free(meter.base);
    return 0;
}
