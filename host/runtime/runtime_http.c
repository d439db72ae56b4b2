/* See runtime_http.h. HTTP/1.1 as RFC 9112 has it. */
#include "host/runtime/runtime_http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host/base/ascii.h"

/* A line of an answer must fit into what is read at once. */
enum { IN_SIZE = 64 * 1024, HEAD_MAX = 256 * 1024, HOST_MAX = 256, REASON_MAX = 256 };
enum { CONNECT_TIMEOUT_S = 5 };

struct runtime_http {
    char *authority;
    char *host; /* what stands between a request's path and its own headers */
    size_t host_len;
    int fd;          /* -1: not connected */
    struct buf head; /* of the request that goes out */
    char reason[REASON_MAX];
    size_t from, to; /* of what is in `in` and has not been looked at */
    char in[IN_SIZE];
};

static void hang_up(struct runtime_http *http) {
    if (http->fd >= 0)
        close(http->fd);
    http->fd = -1;
    http->from = http->to = 0;
}

static bool broken(struct runtime_http *http, const char *reason) {
    snprintf(http->reason, sizeof http->reason, "%s", reason);
    return false;
}

static bool broken_errno(struct runtime_http *http, const char *what) {
    char text[128];
    int error = errno; /* strerror_r may change it */
    snprintf(http->reason, sizeof http->reason, "%s: %s", what,
             strerror_r(error, text, sizeof text));
    return false;
}

/* --- the connection -------------------------------------------------------------------------- */

static bool split_authority(const char *authority, char *host, const char **port_out) {
    const char *colon = strrchr(authority, ':');
    size_t len = colon != NULL ? (size_t)(colon - authority) : 0;
    if (len >= 2 && authority[0] == '[' && authority[len - 1] == ']') {
        authority++;
        len -= 2;
    }
    if (len == 0 || len >= HOST_MAX)
        return false;
    memcpy(host, authority, len);
    host[len] = '\0';
    *port_out = colon + 1;
    return true;
}

static int connect_address(const struct addrinfo *address) {
    int one = 1;
    struct timeval limit = {.tv_sec = CONNECT_TIMEOUT_S};
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* connect heeds it on Linux */
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error == EINPROGRESS ? ETIMEDOUT : error;
    return -1;
}

static bool open_connection(struct runtime_http *http) {
    char host[HOST_MAX];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    if (!split_authority(http->authority, host, &port))
        return broken(http, "AWS_LAMBDA_RUNTIME_API is not host:port");
    int error = getaddrinfo(host, port, &hints, &addresses);
    if (error != 0)
        return broken(http, gai_strerror(error));
    errno = EADDRNOTAVAIL;
    for (const struct addrinfo *a = addresses; a != NULL && http->fd < 0; a = a->ai_next)
        http->fd = connect_address(a);
    if (http->fd < 0)
        broken_errno(http, "cannot connect");
    freeaddrinfo(addresses);
    return http->fd >= 0;
}

/* Whatever can be read on a connection that waits for a request is its end, or nonsense. */
static bool still_open(const struct runtime_http *http) {
    char byte;
    ssize_t got;
    do
        got = recv(http->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* --- sending --------------------------------------------------------------------------------- */

/* Waits until the rest can be sent. False: an answer is here before the request is out, or the
** connection has ended. */
static bool wait_for_room(const struct runtime_http *http) {
    struct pollfd fd = {.fd = http->fd, .events = POLLIN | POLLOUT};
    while (poll(&fd, 1, -1) < 0 && errno == EINTR)
        continue;
    return (fd.revents & (POLLIN | POLLERR | POLLHUP)) == 0;
}

/* False: it did not go out whole. An answer may come all the same: 413, say. */
static bool send_request(struct runtime_http *http, const char *head, size_t head_len,
                         const char *body, size_t len) {
    struct iovec parts[2] = {{.iov_base = (char *)head, .iov_len = head_len},
                             {.iov_base = (char *)body, .iov_len = len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = len > 0 ? 2 : 1};
    while (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(http->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && wait_for_room(http))
            continue;
        if (sent < 0)
            return false;
        while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= (size_t)sent;
        }
    }
    return true;
}

/* --- receiving ------------------------------------------------------------------------------- */

/* Reads more behind what is there. False: the connection has ended, or there is no room. */
static bool read_more(struct runtime_http *http) {
    if (http->from > 0) {
        memmove(http->in, http->in + http->from, http->to - http->from);
        http->to -= http->from;
        http->from = 0;
    }
    if (http->to == IN_SIZE)
        return broken(http, "a line of the answer is too long");
    ssize_t got;
    do
        got = recv(http->fd, http->in + http->to, IN_SIZE - http->to, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return broken_errno(http, "the connection broke");
    if (got == 0)
        return broken(http, "the connection was closed");
    http->to += (size_t)got;
    return true;
}

/* The next line without its end; NULL on failure. Borrowed until the next read. */
static const char *read_line(struct runtime_http *http, size_t *len_out) {
    size_t seen = 0;
    const char *end;
    while ((end = memchr(http->in + http->from + seen, '\n', http->to - http->from - seen)) ==
           NULL) {
        seen = http->to - http->from;
        if (!read_more(http))
            return NULL;
    }
    const char *line = http->in + http->from;
    size_t len = (size_t)(end - line);
    http->from += len + 1;
    *len_out = len > 0 && line[len - 1] == '\r' ? len - 1 : len;
    return line;
}

struct framing {
    bool chunked, sized, close;
    size_t len;
};

static bool is_name(const char *name, size_t len, const char *wanted) {
    return strlen(wanted) == len &&
           (memcmp(name, wanted, len) == 0 || ascii_same_n(name, wanted, len));
}

/* Does a list such as `a, b` hold the word? */
static bool has_word(const char *list, size_t len, const char *word) {
    const char *end = list + len;
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *to = comma != NULL ? comma : end, *next = comma != NULL ? comma + 1 : end;
        while (list < to && (*list == ' ' || *list == '\t'))
            list++;
        while (to > list && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        if (is_name(list, (size_t)(to - list), word))
            return true;
        list = next;
    }
    return false;
}

static bool read_size(const char *text, size_t len, int base, size_t *out) {
    size_t number = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 16;
        if (digit >= base || number > (SIZE_MAX - 15) / 16)
            return false;
        number = number * (size_t)base + (size_t)digit;
    }
    *out = number;
    return true;
}

static bool note_header(struct runtime_http *http, struct framing *framing, const char *name,
                        size_t name_len, const char *value, size_t len) {
    if (is_name(name, name_len, "Content-Length")) {
        framing->sized = true;
        if (!read_size(value, len, 10, &framing->len))
            return broken(http, "the answer's Content-Length is no number");
    } else if (is_name(name, name_len, "Transfer-Encoding")) {
        framing->chunked = has_word(value, len, "chunked");
    } else if (is_name(name, name_len, "Connection")) {
        framing->close = framing->close || has_word(value, len, "close");
    }
    return true;
}

/* The headers up to the empty line. interim: of an answer that does not count. */
static bool read_headers(struct runtime_http *http, bool interim, struct runtime_reply *reply,
                         struct framing *framing) {
    size_t total = 0, len;
    const char *line;
    while ((line = read_line(http, &len)) != NULL && len > 0) {
        const char *colon = memchr(line, ':', len);
        total += len;
        if (total > HEAD_MAX)
            return broken(http, "the answer's headers are too long");
        if (colon == NULL || interim)
            continue;
        const char *value = colon + 1, *end = line + len;
        while (value < end && (*value == ' ' || *value == '\t'))
            value++;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        size_t name_len = (size_t)(colon - line), value_len = (size_t)(end - value);
        if (!note_header(http, framing, line, name_len, value, value_len))
            return false;
        if (reply->on_header != NULL &&
            !reply->on_header(reply->context, line, name_len, value, value_len))
            return broken(http, "not enough memory for the answer's headers");
    }
    return line != NULL;
}

static bool read_head(struct runtime_http *http, struct runtime_reply *reply,
                      struct framing *framing) {
    size_t len, status;
    do {
        const char *line = read_line(http, &len);
        if (line == NULL)
            return false;
        bool http_1 = len >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && line[8] == ' ';
        if (!http_1 || !read_size(line + 9, 3, 10, &status) || (len > 12 && line[12] != ' '))
            return broken(http, "the answer is no HTTP");
        framing->close = line[7] == '0';
        if (!read_headers(http, status < 200, reply, framing))
            return false;
    } while (status < 200);
    reply->status = (int)status;
    return true;
}

/* Adds so many bytes of what comes to the body. */
static bool read_bytes(struct runtime_http *http, struct runtime_reply *reply, size_t len) {
    while (len > 0) {
        if (http->from == http->to && !read_more(http))
            return false;
        size_t there = http->to - http->from, part = there < len ? there : len;
        size_t room = reply->body->max - reply->body->len, kept = part < room ? part : room;
        if (kept < part && !reply->cut)
            return broken(http, "the answer is too large");
        if (!buf_add(reply->body, http->in + http->from, kept))
            return broken(http, "not enough memory for the answer");
        http->from += part;
        len -= part;
    }
    return true;
}

static bool read_chunks(struct runtime_http *http, struct runtime_reply *reply) {
    size_t len, size;
    const char *line;
    for (;;) {
        line = read_line(http, &len);
        if (line == NULL)
            return false;
        size_t digits = 0;
        while (digits < len && strchr("; \t", line[digits]) == NULL)
            digits++;
        if (!read_size(line, digits, 16, &size))
            return broken(http, "a chunk of the answer has no size");
        if (size == 0)
            break;
        if (!read_bytes(http, reply, size) || (line = read_line(http, &len)) == NULL)
            return false;
        if (len != 0)
            return broken(http, "a chunk of the answer is longer than it says");
    }
    while ((line = read_line(http, &len)) != NULL && len > 0) /* trailers */
        continue;
    return line != NULL;
}

/* Without a length the end of the connection is the end. */
static bool read_to_end(struct runtime_http *http, struct runtime_reply *reply) {
    do
        if (!read_bytes(http, reply, http->to - http->from))
            return false;
    while (read_more(http));
    return true;
}

/* *close_out: nothing more may be asked on this connection. */
static bool receive_reply(struct runtime_http *http, struct runtime_reply *reply, bool *close_out) {
    struct framing framing = {0};
    if (!read_head(http, reply, &framing))
        return false;
    bool empty = reply->status == 204 || reply->status == 304;
    *close_out = framing.close;
    if (empty)
        return true;
    if (framing.chunked)
        return read_chunks(http, reply);
    if (framing.sized && framing.len > reply->body->max && !reply->cut)
        return broken(http, "the answer is too large");
    if (framing.sized)
        return read_bytes(http, reply, framing.len);
    *close_out = true;
    return read_to_end(http, reply);
}

/* --- the exchange ---------------------------------------------------------------------------- */

static char *put(char *to, const char *text, size_t len) {
    memcpy(to, text, len);
    return to + len;
}

/* In one piece: every invocation has two of them. */
static void write_head(struct runtime_http *http, const struct runtime_request *request) {
    static const char length_name[] = "Content-Length: ";
    char digits[24], *end = digits + sizeof digits, *at = end;
    for (size_t rest = request->len; at == end || rest > 0; rest /= 10)
        *--at = (char)('0' + rest % 10);
    const size_t method_len = strlen(request->method), path_len = strlen(request->path),
                 headers_len = strlen(request->headers);
    buf_reset(&http->head);
    char *start =
        buf_reserve(&http->head, method_len + 1 + path_len + http->host_len + headers_len +
                                     sizeof length_name + sizeof digits + 4);
    if (start == NULL)
        return;
    char *to = put(start, request->method, method_len);
    *to++ = ' ';
    to = put(to, request->path, path_len);
    to = put(to, http->host, http->host_len);
    to = put(to, request->headers, headers_len);
    if (request->body != NULL) {
        to = put(to, length_name, sizeof length_name - 1);
        to = put(to, at, (size_t)(end - at));
        to = put(to, "\r\n", 2);
    }
    to = put(to, "\r\n", 2);
    http->head.len = (size_t)(to - start);
}

enum runtime_exchange runtime_http_exchange(struct runtime_http *http,
                                            const struct runtime_request *request,
                                            struct runtime_reply *reply) {
    bool ended = true;
    reply->status = 0;
    http->reason[0] = '\0';
    write_head(http, request);
    if (!buf_ok(&http->head)) {
        broken(http, "not enough memory for the request");
        return EXCHANGE_UNHEARD;
    }
    if (http->fd >= 0 && !still_open(http))
        hang_up(http);
    if (http->fd < 0 && !open_connection(http))
        return EXCHANGE_UNHEARD;
    bool sent = send_request(http, http->head.data, http->head.len, request->body,
                             request->body != NULL ? request->len : 0);
    bool heard = receive_reply(http, reply, &ended);
    if (!heard)
        reply->status = 0;
    if (!sent || !heard || ended || http->from != http->to)
        hang_up(http);
    return heard ? EXCHANGE_DONE : EXCHANGE_BROKEN;
}

const char *runtime_http_reason(const struct runtime_http *http) {
    return http->reason;
}

/* --- life ------------------------------------------------------------------------------------ */

struct runtime_http *runtime_http_new(const char *authority) {
    struct runtime_http *http = malloc(sizeof *http); /* not calloc: the buffer stays untouched */
    char *copy = strdup(authority), *host = NULL;
    int len = asprintf(&host, " HTTP/1.1\r\nHost: %s\r\n", authority);
    if (http == NULL || copy == NULL || len < 0) {
        free(http);
        free(copy);
        free(len < 0 ? NULL : host);
        return NULL;
    }
    http->authority = copy;
    http->host = host;
    http->host_len = (size_t)len;
    http->fd = -1;
    http->reason[0] = '\0';
    http->from = http->to = 0;
    buf_init(&http->head, HEAD_MAX);
    return http;
}

void runtime_http_free(struct runtime_http *http) {
    if (http == NULL)
        return;
    hang_up(http);
    buf_free(&http->head);
    free(http->authority);
    free(http->host);
    free(http);
}
