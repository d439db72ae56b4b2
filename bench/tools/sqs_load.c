/*
** Calls of SQS per second, each signed, as many at once as there are connections.
**
**   sqs_load QUEUE CONNECTIONS SECONDS PID [FOLDER]   sends for so long, receives and deletes what it has sent
**   sqs_load QUEUE fill COUNT                         puts so many messages on the queue
**   sqs_load QUEUE values COUNT BATCH PID             sends, receives and deletes so many messages of a
**                                                     FIFO queue, 1 or up to 10 in a request, one after the other
**
** Endpoint, region and credentials come from the environment, as an SDK has them. The queue is
** made when it is not there. Prints `NAME CALLS_PER_SECOND MICROSECONDS` for each operation: the time
** is that of the processors that the process PID, the server, has had for a call. With FOLDER the
** body of the last answer to each is left in FOLDER/NAME, which is what bare_http answers. For values
** it prints `NAME CALLS MILLISECONDS PROCESSOR`, of one call, and `value COUNT MILLISECONDS PROCESSOR`, of one
** value: requests are made and signed before the clock runs, so that the first is the server's time and the
** way to it; the second is what the server's processors had of it.
*/
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/base/clock.h"
#include "sigv4/sigv4.h"

enum {
    MOST_CONNECTIONS = 1024,
    REQUEST_MAX = 64 * 1024,
    ANSWER_MAX = 1024 * 1024,
    FILL_CONNECTIONS = 16,
    BATCH = 10,
    PATIENCE_MS = 30000, /* for any answer */
};

/* As long as a signed value of a channel is. */
static const char message[] = "{\\\"id\\\":17,\\\"name\\\":\\\"square\\\",\\\"args\\\":[1,2,3],"
                              "\\\"note\\\":\\\"as large as a small value of a channel is\\\"}";

struct connection {
    int fd; /* -1: closed */
    const struct buf *request;
    size_t sent;
    struct buf answer;
};

/* One operation, called many times. */
struct phase {
    const char *name;
    struct buf *requests; /* one for each call, or one for all */
    bool one_for_all;
    size_t count;     /* calls to make; SIZE_MAX: until the deadline */
    int64_t until_us; /* begin no call after it */
    void (*on_answer)(struct phase *phase, const char *body, size_t len); /* may be NULL */
    size_t begun, ended;
    double per_second, server_us;
    int64_t took_us;
    struct buf last; /* body of the last answer */
};

struct client {
    struct sockaddr_in address;
    char host[64]; /* `127.0.0.1:1234` */
    const char *region;
    struct sigv4_credentials credentials;
    struct sigv4_cache *cache;
    int epoll;
    size_t count; /* connections of the phase */
    struct connection connections[MOST_CONNECTIONS];
    struct buf *handles; /* of what was received: JSON text, still escaped */
    size_t handle_count, handle_room;
    clockid_t server; /* of the server's processor time */
    bool has_server;
};

static struct client client;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "sqs_load: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
    exit(1);
}

static void *must(void *memory) {
    if (memory == NULL)
        fail("out of memory", NULL);
    return memory;
}

/* --- requests --------------------------------------------------------------------------------- */

/* A whole signed HTTP request. */
static void make_request(struct buf *out, const char *operation, const struct buf *body) {
    char target[64];
    char date[CLOCK_AMZ_SIZE];
    int64_t now_ms = clock_wall_ms();
    struct sigv4_signed signature;

    snprintf(target, sizeof(target), "AmazonSQS.%s", operation);
    clock_amz_date(now_ms, date);
    const struct sigv4_header headers[] = {
        {"Host", client.host},
        {"Content-Type", "application/x-amz-json-1.0"},
        {"X-Amz-Target", target},
        {"X-Amz-Date", date},
    };
    struct sigv4_request request = {
        .method = "POST",
        .target = "/",
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body = buf_text(body),
        .body_len = body->len,
    };
    struct sigv4_scope scope = {.region = client.region, .service = "sqs", .wall_ms = now_ms};
    if (sigv4_sign(&request, &client.credentials, &scope, client.cache, &signature, NULL) !=
        SIGV4_OK)
        fail("the request cannot be signed", operation);
    buf_init(out, REQUEST_MAX);
    buf_adds(out, "POST / HTTP/1.1\r\n");
    for (size_t i = 0; i < request.header_count; i++)
        buf_addf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
    buf_addf(out, "Authorization: %s\r\nContent-Length: %zu\r\n\r\n", signature.authorization,
             body->len);
    buf_add(out, buf_text(body), body->len);
    if (!buf_ok(out))
        fail("out of memory", NULL);
    sigv4_signed_free(&signature);
}

/* --- connections ------------------------------------------------------------------------------ */

static void open_connection(struct connection *c) {
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&client.address, sizeof(client.address)))
        fail("no connection", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(client.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("epoll_ctl", strerror(errno));
}

static void close_connection(struct connection *c) {
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void write_request(struct connection *c) {
    while (c->sent < c->request->len) {
        ssize_t n =
            send(c->fd, c->request->data + c->sent, c->request->len - c->sent, MSG_NOSIGNAL);
        if (n < 0)
            fail("send", strerror(errno));
        c->sent += (size_t)n;
    }
}

/* Begins the next call of the phase, if there is one. */
static void begin(struct phase *phase, struct connection *c) {
    c->request = NULL;
    if (phase->begun >= phase->count ||
        (phase->count == SIZE_MAX && clock_mono_us() >= phase->until_us))
        return;
    c->request = &phase->requests[phase->one_for_all ? 0 : phase->begun];
    phase->begun++;
    c->sent = 0;
    buf_reset(&c->answer);
    if (c->fd < 0)
        open_connection(c);
    write_request(c);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* The value of a header in the answer's head; NULL: not there. */
static const char *find_header(const char *head, const char *end, const char *name) {
    size_t len = strlen(name);
    for (const char *line = head; (line = memchr(line, '\n', (size_t)(end - line))) != NULL;) {
        line++;
        if ((size_t)(end - line) > len && strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

/* True when the answer is there as a whole. */
static bool read_whole(const struct buf *answer, const char **body_out, size_t *len_out) {
    const char *text = buf_text(answer);
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL)
        return false;
    if (strncmp(text, "HTTP/1.1 200", 12) != 0)
        fail("an answer that is none", text);
    const char *length = find_header(text, end, "Content-Length");
    if (length == NULL)
        fail("an answer without Content-Length", text);
    *body_out = end + 4;
    *len_out = strtoul(length, NULL, 10);
    return answer->len >= (size_t)(*body_out - text) + *len_out;
}

static bool closes(const struct buf *answer, const char *body) {
    const char *value = find_header(answer->data, body, "Connection");
    return value != NULL && strncasecmp(value, "close", 5) == 0;
}

static void read_answer(struct phase *phase, struct connection *c) {
    const char *body;
    size_t len;
    char *place = buf_reserve(&c->answer, 16384);
    if (place == NULL)
        fail("an answer that is too long", NULL);
    ssize_t n = recv(c->fd, place, 16384, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 && c->request == NULL) { /* a server that closes what it has answered */
        close_connection(c);
        return;
    }
    if (n <= 0)
        fail("the connection was closed", n < 0 ? strerror(errno) : NULL);
    c->answer.len += (size_t)n;
    if (!read_whole(&c->answer, &body, &len))
        return;
    phase->ended++;
    if (phase->on_answer != NULL)
        phase->on_answer(phase, body, len);
    buf_reset(&phase->last);
    buf_add(&phase->last, body, len);
    if (closes(&c->answer, body))
        close_connection(c);
    begin(phase, c);
}

static double server_us(void) {
    struct timespec now = {0};
    if (client.has_server && clock_gettime(client.server, &now) != 0)
        fail("the server's processor time", strerror(errno));
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void run(struct phase *phase, size_t connections) {
    struct epoll_event events[64];
    int64_t began_us = clock_mono_us();
    double server_began_us = server_us();

    buf_init(&phase->last, ANSWER_MAX);
    client.count = connections;
    for (size_t i = 0; i < connections; i++)
        begin(phase, &client.connections[i]);
    while (phase->ended < phase->begun) {
        int n = epoll_wait(client.epoll, events, 64, PATIENCE_MS);
        if (n == 0 || (n < 0 && errno != EINTR))
            fail("no answer", phase->name);
        for (int i = 0; i < n; i++)
            read_answer(phase, events[i].data.ptr);
    }
    phase->took_us = clock_mono_us() - began_us;
    phase->per_second = (double)phase->ended * 1e6 / (double)phase->took_us;
    phase->server_us = (server_us() - server_began_us) / (double)phase->ended;
}

/* --- the operations --------------------------------------------------------------------------- */

static void call_once(const char *operation, const struct buf *body, struct phase *phase) {
    struct buf request;
    make_request(&request, operation, body);
    *phase =
        (struct phase){.name = operation, .requests = &request, .one_for_all = true, .count = 1};
    run(phase, 1);
    phase->requests = NULL;
    buf_free(&request);
}

/* The text of a member of the answer, between its quotes and still escaped. */
static const char *find_text(const char *body, const char *name, size_t *len_out) {
    const char *at = strstr(body, name);
    at = at ? strchr(at + strlen(name) + 1, '"') : NULL; /* behind the name's own quote */
    if (at == NULL)
        return NULL;
    *len_out = strcspn(at + 1, "\"");
    return at + 1;
}

static void keep_one(const char *handle, size_t len) {
    if (client.handle_count == client.handle_room) {
        client.handle_room = client.handle_room ? 2 * client.handle_room : 1024;
        client.handles =
            must(realloc(client.handles, client.handle_room * sizeof(*client.handles)));
    }
    struct buf *place = &client.handles[client.handle_count++];
    buf_init(place, REQUEST_MAX);
    buf_add(place, handle, len);
}

static void keep_handles(struct phase *phase, const char *body, size_t len) {
    size_t handle_len;
    const char *handle = find_text(body, "\"ReceiptHandle\"", &handle_len);
    (void)len;
    (void)phase;
    if (handle == NULL)
        fail("nothing to receive", body);
    for (; handle != NULL; handle = find_text(handle, "\"ReceiptHandle\"", &handle_len))
        keep_one(handle, handle_len);
}

static void write_file(const char *folder, const struct phase *phase) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, phase->name);
    FILE *file = fopen(path, "wb");
    if (file == NULL ||
        fwrite(buf_text(&phase->last), 1, phase->last.len, file) != phase->last.len ||
        fclose(file) != 0)
        fail(path, strerror(errno));
}

static void report(struct phase *phase, const char *folder) {
    printf("%s %.1f %.2f\n", phase->name, phase->per_second, phase->server_us);
    if (folder != NULL)
        write_file(folder, phase);
    buf_free(&phase->last);
}

/* The URL of the queue, which is made if need be. */
static void make_queue(const char *name, struct buf *url_out, const char *folder, bool fifo) {
    struct buf body;
    struct phase phase;
    size_t len = 0;

    buf_init(&body, REQUEST_MAX);
    buf_addf(&body, "{\"QueueName\":\"%s\"%s}", name,
             fifo ? ",\"Attributes\":{\"FifoQueue\":\"true\"}" : "");
    call_once("CreateQueue", &body, &phase);
    const char *url = find_text(buf_text(&phase.last), "\"QueueUrl\"", &len);
    if (url == NULL)
        fail("no queue", buf_text(&phase.last));
    buf_init(url_out, REQUEST_MAX);
    buf_add(url_out, url, len);
    if (folder != NULL)
        write_file(folder, &phase);
    buf_free(&phase.last);
    buf_free(&body);
}

static void fill(const char *url, size_t count) {
    struct buf body, request;

    buf_init(&body, REQUEST_MAX);
    buf_addf(&body, "{\"QueueUrl\":\"%s\",\"Entries\":[", url);
    for (int i = 0; i < BATCH; i++)
        buf_addf(&body, "%s{\"Id\":\"%d\",\"MessageBody\":\"%s\"}", i ? "," : "", i, message);
    buf_adds(&body, "]}");
    make_request(&request, "SendMessageBatch", &body);
    struct phase phase = {.name = "SendMessageBatch",
                          .requests = &request,
                          .one_for_all = true,
                          .count = (count + BATCH - 1) / BATCH};
    run(&phase, FILL_CONNECTIONS);
    report(&phase, NULL);
    buf_free(&request);
    buf_free(&body);
}

static void measure(const char *url, size_t connections, double seconds, const char *folder) {
    struct buf body, send_request, receive_request;

    buf_init(&body, REQUEST_MAX);
    buf_addf(&body, "{\"QueueUrl\":\"%s\",\"MessageBody\":\"%s\"}", url, message);
    make_request(&send_request, "SendMessage", &body);
    struct phase sends = {.name = "SendMessage",
                          .requests = &send_request,
                          .one_for_all = true,
                          .count = SIZE_MAX,
                          .until_us = clock_mono_us() + (int64_t)(seconds * 1e6)};
    run(&sends, connections);
    report(&sends, folder);

    buf_reset(&body);
    buf_addf(&body, "{\"QueueUrl\":\"%s\",\"MaxNumberOfMessages\":1}", url);
    make_request(&receive_request, "ReceiveMessage", &body);
    struct phase receives = {.name = "ReceiveMessage",
                             .requests = &receive_request,
                             .one_for_all = true,
                             .count = sends.ended,
                             .on_answer = keep_handles};
    run(&receives, connections);
    report(&receives, folder);

    struct buf *requests = must(calloc(client.handle_count, sizeof(*requests)));
    for (size_t i = 0; i < client.handle_count; i++) {
        buf_reset(&body);
        buf_addf(&body, "{\"QueueUrl\":\"%s\",\"ReceiptHandle\":\"%s\"}", url,
                 buf_text(&client.handles[i]));
        make_request(&requests[i], "DeleteMessage", &body);
    }
    struct phase deletes = {.name = "DeleteMessage",
                            .requests = requests,
                            .count = client.handle_count};
    run(&deletes, connections);
    report(&deletes, folder);
    for (size_t i = 0; i < client.handle_count; i++)
        buf_free(&requests[i]);
    free(requests);
    buf_free(&send_request);
    buf_free(&receive_request);
    buf_free(&body);
}

/* Whether the answer to a batch names an entry that has failed. */
static bool names_failure(const char *body) {
    const char *failed = strstr(body, "\"Failed\"");
    return failed != NULL && failed[8 + strspn(failed + 8, ": \n[")] == '{';
}

struct sum {
    size_t calls;
    double us, server_us;
};

/* Signs, makes one call, and adds its time to the sum. */
static void call_timed(const char *operation, const struct buf *body, struct sum *sum,
                       void (*on_answer)(struct phase *, const char *, size_t)) {
    struct buf request;
    make_request(&request, operation, body);
    struct phase phase = {.name = operation,
                          .requests = &request,
                          .one_for_all = true,
                          .count = 1,
                          .on_answer = on_answer};
    run(&phase, 1);
    sum->calls++;
    sum->us += (double)phase.took_us;
    sum->server_us += phase.server_us;
    if (names_failure(buf_text(&phase.last)))
        fail("refused", buf_text(&phase.last));
    buf_free(&phase.last);
    buf_free(&request);
}

static void print_sum(const char *name, const struct sum *sum) {
    double thousand = 1e3 * (double)sum->calls;
    printf("%s %zu %.4f %.4f\n", name, sum->calls, sum->us / thousand, sum->server_us / thousand);
}

/* As few requests as SQS allows for values in one line, or one message in each. */
static void carry(const char *url, size_t count, size_t batch) {
    static const char group[] = "\"MessageGroupId\":\"one\"";
    bool many = batch > 1;
    const char *send = many ? "SendMessageBatch" : "SendMessage";
    const char *delete = many ? "DeleteMessageBatch" : "DeleteMessage";
    struct sum sends = {0}, receives = {0}, deletes = {0};
    size_t done = 0;
    struct buf body;

    buf_init(&body, REQUEST_MAX);
    for (size_t i = 0; i < count;) {
        buf_reset(&body);
        buf_addf(&body, "{\"QueueUrl\":\"%s\",%s", url, many ? "\"Entries\":[" : "");
        for (size_t in = 0; in < batch && i < count; in++, i++) {
            if (many)
                buf_addf(&body, "%s{\"Id\":\"%zu\",", in > 0 ? "," : "", in);
            buf_addf(&body, "\"MessageBody\":\"%s\",%s,\"MessageDeduplicationId\":\"%zu\"%s",
                     message, group, i, many ? "}" : "");
        }
        buf_adds(&body, many ? "]}" : "}");
        call_timed(send, &body, &sends, NULL);
    }
    while (done < count) {
        buf_reset(&body);
        buf_addf(&body, "{\"QueueUrl\":\"%s\",\"MaxNumberOfMessages\":%zu,\"WaitTimeSeconds\":20}",
                 url, batch);
        call_timed("ReceiveMessage", &body, &receives, keep_handles);
        buf_reset(&body);
        buf_addf(&body, "{\"QueueUrl\":\"%s\",%s", url, many ? "\"Entries\":[" : "");
        for (size_t first = done; done < client.handle_count; done++) {
            if (many)
                buf_addf(&body, "%s{\"Id\":\"%zu\",", done > first ? "," : "", done - first);
            buf_addf(&body, "\"ReceiptHandle\":\"%s\"%s", buf_text(&client.handles[done]),
                     many ? "}" : "");
        }
        buf_adds(&body, many ? "]}" : "}");
        call_timed(delete, &body, &deletes, NULL);
    }
    struct sum values = {.calls = count,
                         .us = sends.us + receives.us + deletes.us,
                         .server_us = sends.server_us + receives.server_us + deletes.server_us};
    print_sum(send, &sends);
    print_sum("ReceiveMessage", &receives);
    print_sum(delete, &deletes);
    print_sum("value", &values);
    buf_reset(&body);
    buf_addf(&body, "{\"QueueUrl\":\"%s\"}", url);
    call_timed("DeleteQueue", &body, &values, NULL);
    buf_free(&body);
}

/* --- the program ------------------------------------------------------------------------------ */

static const char *need(const char *name) {
    const char *value = getenv(name);
    if (value == NULL || *value == '\0')
        fail("not in the environment", name);
    return value;
}

static void configure(void) {
    const char *url = need("AWS_ENDPOINT_URL");
    const char *colon = strrchr(url, ':');
    if (strncmp(url, "http://", 7) != 0 || colon == url + 4 ||
        strlen(url + 7) >= sizeof(client.host))
        fail("the endpoint is not http://ADDRESS:PORT", url);
    memcpy(client.host, url + 7, strlen(url + 7) + 1);
    client.host[strcspn(client.host, "/")] = '\0';
    client.address = (struct sockaddr_in){.sin_family = AF_INET};
    client.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    client.region = need("AWS_REGION");
    client.credentials.access_key_id = need("AWS_ACCESS_KEY_ID");
    client.credentials.secret_access_key = need("AWS_SECRET_ACCESS_KEY");
    client.cache = must(sigv4_cache_new());
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client.epoll < 0)
        fail("epoll_create1", strerror(errno));
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        client.connections[i].fd = -1;
        buf_init(&client.connections[i].answer, ANSWER_MAX);
    }
}

/* Whose processor time is measured. */
static void watch(const char *pid) {
    client.has_server = clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &client.server) == 0;
    if (!client.has_server)
        fail("no such process", pid);
}

static void release(void) {
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        close_connection(&client.connections[i]);
        buf_free(&client.connections[i].answer);
    }
    for (size_t i = 0; i < client.handle_count; i++)
        buf_free(&client.handles[i]);
    free(client.handles);
    close(client.epoll);
    sigv4_cache_free(client.cache);
}

int main(int argc, char **argv) {
    struct buf url;

    bool fills = argc == 4 && strcmp(argv[2], "fill") == 0;
    bool carries = argc == 6 && strcmp(argv[2], "values") == 0;
    if (!fills && (argc < 5 || argc > 6)) {
        fprintf(stderr, "usage: sqs_load QUEUE CONNECTIONS SECONDS PID [FOLDER]\n"
                        "       sqs_load QUEUE fill COUNT\n"
                        "       sqs_load QUEUE values COUNT BATCH PID\n");
        return 2;
    }
    configure();
    if (fills) {
        make_queue(argv[1], &url, NULL, false);
        fill(buf_text(&url), strtoul(argv[3], NULL, 10));
    } else if (carries) {
        size_t count = strtoul(argv[3], NULL, 10), batch = strtoul(argv[4], NULL, 10);
        if (count < 1 || batch < 1 || batch > BATCH)
            fail("a batch has 1 to 10 values", argv[4]);
        watch(argv[5]);
        make_queue(argv[1], &url, NULL, true);
        carry(buf_text(&url), count, batch);
    } else {
        size_t connections = strtoul(argv[2], NULL, 10);
        double seconds = strtod(argv[3], NULL);
        if (connections < 1 || connections > MOST_CONNECTIONS || !(seconds > 0))
            fail("connections are 1 to 1024, seconds more than none", NULL);
        watch(argv[4]);
        const char *folder = argc == 6 ? argv[5] : NULL;
        make_queue(argv[1], &url, folder, false);
        measure(buf_text(&url), connections, seconds, folder);
    }
    buf_free(&url);
    release();
    return 0;
}
