/*
** The floor of the engine's figures: libevent's HTTP server and nothing else. It answers what
** `X-Amz-Target: AmazonSQS.NAME` asks with the bytes of FOLDER/NAME, the headers as the engine has them.
**
**   bare_http FOLDER    prints its port, then serves until it is ended
*/
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#define TYPE    "application/x-amz-json-1.0"
#define ID      "7a62c49f-347e-4fc4-9331-6e8e7a96aa73"
#define BACKLOG 4096

static const char *const names[] = {"CreateQueue", "SendMessage", "ReceiveMessage",
                                    "DeleteMessage"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static struct answer {
    char text[65536];
    size_t len;
} answers[NAMES];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_answer(const char *folder, const char *name, struct answer *out) {
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail(path);
    out->len = fread(out->text, 1, sizeof(out->text), file);
    fclose(file);
}

static void on_request(struct evhttp_request *request, void *context) {
    const char *target =
        evhttp_find_header(evhttp_request_get_input_headers(request), "X-Amz-Target");
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    const char *name = target != NULL ? strchr(target, '.') : NULL;

    (void)context;
    for (size_t i = 0; name != NULL && i < NAMES; i++) {
        if (strcmp(name + 1, names[i]) != 0)
            continue;
        evhttp_add_header(headers, "x-amzn-RequestId", ID);
        if (answers[i].len > 0)
            evhttp_add_header(headers, "Content-Type", TYPE);
        evbuffer_add(evhttp_request_get_output_buffer(request), answers[i].text, answers[i].len);
        evhttp_send_reply(request, 200, "OK", NULL);
        return;
    }
    evhttp_send_reply(request, 400, "Bad Request", NULL);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int on = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: bare_http FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < NAMES; i++)
        read_answer(argv[1], names[i], &answers[i]);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        fail("listen");
    struct event_base *base = event_base_new();
    struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
    if (http == NULL || evhttp_accept_socket(http, fd) != 0)
        fail("evhttp");
    evhttp_set_default_content_type(http, NULL);
    evhttp_set_gencb(http, on_request, NULL);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    event_base_dispatch(base);
    return 0;
}
