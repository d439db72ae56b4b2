/*
** The floor of a custom runtime: one socket, no library, and an answer that is the event itself.
** With FLOOR_LUA (floor_lua.c) it also opens a Lua state and runs the handler's file first, as any
** runtime for Lua has to.
*/
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef FLOOR_LUA
#include <lauxlib.h>
#include <lualib.h>
#endif

enum { ANSWER_MAX = 8 * 1024 * 1024, HEAD_MAX = 1024 };

static char answer[ANSWER_MAX + 1];

static void fail(const char *what) {
    perror(what);
    exit(EXIT_FAILURE);
}

static int connect_to(const char *authority) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strchr(authority, ':');
    char host[64];
    if (colon == NULL || (size_t)(colon - authority) >= sizeof host)
        fail("AWS_LAMBDA_RUNTIME_API");
    snprintf(host, sizeof host, "%.*s", (int)(colon - authority), authority);
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *head, size_t head_len, const char *body, size_t len) {
    size_t sent = 0;
    while (sent < head_len + len) {
        bool in_head = sent < head_len;
        struct iovec parts[2] = {
            {.iov_base = (char *)head + (in_head ? sent : 0),
             .iov_len = in_head ? head_len - sent : 0},
            {.iov_base = (char *)body + (in_head ? 0 : sent - head_len),
             .iov_len = len - (in_head ? 0 : sent - head_len)},
        };
        ssize_t done = writev(fd, parts, 2);
        if (done <= 0)
            fail("send");
        sent += (size_t)done;
    }
}

/* The value of a header of the answer, up to the end of its line; NULL: it has none. */
static const char *header(const char *name) {
    size_t len = strlen(name);
    for (const char *line = answer; (line = strstr(line, "\r\n")) != NULL && line[2] != '\r';) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

/* Reads an answer; returns where its body is. */
static char *receive(int fd, size_t *len_out) {
    size_t got = 0;
    char *body = NULL;
    *len_out = 0;
    while (body == NULL || got < (size_t)(body - answer) + *len_out) {
        ssize_t piece = read(fd, answer + got, ANSWER_MAX - got);
        if (piece <= 0)
            fail("receive");
        got += (size_t)piece;
        answer[got] = '\0';
        if (body == NULL && (body = strstr(answer, "\r\n\r\n")) != NULL) {
            const char *length = header("content-length");
            body += 4;
            *len_out = length != NULL ? strtoul(length, NULL, 10) : 0;
        }
    }
    return body;
}

static _Noreturn void serve(const char *authority) {
    int fd = connect_to(authority);
    for (;;) {
        char head[HEAD_MAX];
        size_t len, ignored;
        int head_len = snprintf(head, sizeof head,
                                "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
                                "Host: %s\r\n\r\n",
                                authority);
        send_all(fd, head, (size_t)head_len, "", 0);
        const char *body = receive(fd, &len);
        const char *id = header("lambda-runtime-aws-request-id");
        if (id == NULL)
            fail("no request id");
        head_len = snprintf(head, sizeof head,
                            "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\n"
                            "Host: %s\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n",
                            (int)strcspn(id, "\r"), id, authority, len);
        send_all(fd, head, (size_t)head_len, body, len);
        receive(fd, &ignored);
    }
}

#ifdef FLOOR_LUA
static void load_handler(void) {
    const char *root = getenv("LAMBDA_TASK_ROOT"), *handler = getenv("_HANDLER");
    char path[4096];
    lua_State *L = luaL_newstate();
    if (L == NULL || root == NULL || handler == NULL)
        fail("LAMBDA_TASK_ROOT, _HANDLER");
    luaL_openlibs(L);
    snprintf(path, sizeof path, "%s/%.*s.lua", root, (int)strcspn(handler, "."), handler);
    if (luaL_dofile(L, path) != LUA_OK)
        fail(lua_tostring(L, -1));
}
#endif

int main(void) {
    const char *authority = getenv("AWS_LAMBDA_RUNTIME_API");
    if (authority == NULL)
        fail("AWS_LAMBDA_RUNTIME_API");
#ifdef FLOOR_LUA
    load_handler();
#endif
    serve(authority);
}
