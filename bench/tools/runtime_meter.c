/*
** Times a custom runtime. Usage: runtime_meter COUNT EVENT_FILE COMMAND [ARGUMENT...]
**
** Starts the command with a Runtime API of its own on a free port of 127.0.0.1, and measures from
** just before the fork to its first request for an event. Then gives it COUNT events, one after
** the other, and kills it. Prints one line:
**
**   START_NS START_CPU_NS PEAK_KB ANSWER_NS ROUND_NS END_PEAK_KB
**
** START_CPU_NS is what all its threads have computed by the first request: a busy machine disturbs
** it less. PEAK_KB is VmHWM then, END_PEAK_KB after the last event. ANSWER_NS is the median
** time from the first byte of the event to the last byte of its answer, ROUND_NS from the first
** byte of the event to the request for the next one. The first tenth of the events warms up.
*/
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS = 16,
    REQUEST_MAX = 8 * 1024 * 1024,
    LOOK_MS = 100,
    SILENCE_MS = 20000,
    EVENTS_MAX = 1000000
};

struct connection {
    int fd;
    char *data; /* of the request so far; REQUEST_MAX and a NUL */
    size_t len;
};

struct meter {
    int listener;
    pid_t child;
    struct connection connections[CONNECTIONS];
    size_t count; /* events to give */
    size_t given; /* so far */
    bool answered;
    char *event; /* head and body, as they go out */
    size_t head_len, event_len;
    char *body;
    size_t body_len;
    int64_t started_ns, sent_ns;
    int64_t *answers_ns, *rounds_ns;
    int64_t start_ns, start_cpu_ns;
    long start_kb, end_kb;
    bool over;
};

static _Noreturn void fail(struct meter *m, const char *what) {
    fprintf(stderr, "runtime_meter: %s\n", what);
    if (m->child > 0)
        kill(m->child, SIGKILL);
    exit(EXIT_FAILURE);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static long peak_kb(pid_t pid) {
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kb;
}

/* Of all its threads that still live. */
static int64_t cpu_ns(pid_t pid) {
    char path[512];
    int64_t total_ns = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        long long ns;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file != NULL && fscanf(file, "%lld", &ns) == 1)
            total_ns += ns;
        if (file != NULL)
            fclose(file);
    }
    if (tasks != NULL)
        closedir(tasks);
    return total_ns;
}

/* --- the events ------------------------------------------------------------------------------ */

static void read_event(struct meter *m, const char *path) {
    FILE *file = fopen(path, "r");
    m->body = malloc(REQUEST_MAX);
    m->event = malloc(REQUEST_MAX + 1024);
    if (file == NULL || m->body == NULL || m->event == NULL)
        fail(m, "cannot read the event");
    m->body_len = fread(m->body, 1, REQUEST_MAX, file);
    fclose(file);
}

/* A new request id each time, as the platform does it. */
static void give_event(struct meter *m, int fd) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int head_len =
        snprintf(m->event, 1024,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-%012zu\r\n"
                 "Lambda-Runtime-Deadline-Ms: %lld\r\n"
                 "Lambda-Runtime-Invoked-Function-Arn: "
                 "arn:aws:lambda:eu-west-1:123456789012:function:bench\r\n"
                 "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 m->given, (long long)t.tv_sec * 1000 + 60000, m->body_len);
    memcpy(m->event + head_len, m->body, m->body_len);
    size_t len = (size_t)head_len + m->body_len, sent = 0;
    m->sent_ns = now_ns();
    while (sent < len) {
        ssize_t piece = send(fd, m->event + sent, len - sent, MSG_NOSIGNAL);
        if (piece <= 0)
            fail(m, "cannot send the event");
        sent += (size_t)piece;
    }
    m->given++;
    m->answered = false;
}

/* --- the requests ---------------------------------------------------------------------------- */

static void asks_for_next(struct meter *m, int fd) {
    if (m->given == 0) {
        m->start_ns = now_ns() - m->started_ns;
        m->start_cpu_ns = cpu_ns(m->child);
        m->start_kb = peak_kb(m->child);
    } else {
        if (!m->answered)
            fail(m, "the runtime asks for an event before it has answered");
        m->rounds_ns[m->given - 1] = now_ns() - m->sent_ns;
    }
    if (m->given == m->count) {
        m->end_kb = peak_kb(m->child);
        m->over = true;
    } else {
        give_event(m, fd);
    }
}

static void answers(struct meter *m, int fd) {
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                                   "Content-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    m->answers_ns[m->given - 1] = now_ns() - m->sent_ns;
    m->answered = true;
    if (send(fd, accepted, sizeof accepted - 1, MSG_NOSIGNAL) != (ssize_t)sizeof accepted - 1)
        fail(m, "cannot accept the answer");
}

static bool has_header(const char *head, const char *wanted) {
    for (const char *line = head; (line = strstr(line, "\r\n")) != NULL; line += 2)
        if (strncasecmp(line + 2, wanted, strlen(wanted)) == 0)
            return true;
    return false;
}

static size_t content_length(const char *head) {
    for (const char *line = head; (line = strstr(line, "\r\n")) != NULL; line += 2)
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            return strtoul(line + 17, NULL, 10);
    return 0;
}

/* Length of the request that is complete in data, with its body; 0: not yet. Chunks are found by
** their end: no body here holds one. */
static size_t complete(const struct connection *c) {
    const char *end = strstr(c->data, "\r\n\r\n");
    if (end == NULL)
        return 0;
    size_t head_len = (size_t)(end - c->data) + 4;
    char after = c->data[head_len - 2];
    c->data[head_len - 2] = '\0';
    bool chunked = has_header(c->data, "transfer-encoding: chunked");
    size_t len = head_len + content_length(c->data);
    c->data[head_len - 2] = after;
    if (chunked) {
        bool ended = c->len >= head_len + 5 && memcmp(c->data + c->len - 5, "0\r\n\r\n", 5) == 0;
        return ended ? c->len : 0;
    }
    return c->len >= len ? len : 0;
}

static void handle(struct meter *m, struct connection *c) {
    size_t len = complete(c);
    if (len == 0)
        return;
    const char *line_end = strstr(c->data, " HTTP/1.1\r\n");
    size_t path_len = line_end != NULL ? (size_t)(line_end - c->data) : 0;
    bool get = strncmp(c->data, "GET ", 4) == 0;
    bool response = path_len > 9 && memcmp(line_end - 9, "/response", 9) == 0;
    bool next = path_len > 5 && memcmp(line_end - 5, "/next", 5) == 0;
    if (!(get && next) && !(response && m->given > 0 && !m->answered))
        fail(m, "the runtime makes a request that it should not: it has failed");
    memmove(c->data, c->data + len, c->len - len);
    c->len -= len;
    c->data[c->len] = '\0';
    if (next)
        asks_for_next(m, c->fd);
    else
        answers(m, c->fd);
}

static void receive(struct meter *m, struct connection *c) {
    ssize_t got = read(c->fd, c->data + c->len, REQUEST_MAX - c->len);
    if (got <= 0) {
        close(c->fd);
        c->fd = -1;
        c->len = 0;
        return;
    }
    c->len += (size_t)got;
    c->data[c->len] = '\0';
    handle(m, c);
}

static void accept_connection(struct meter *m) {
    int one = 1, fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &m->connections[i];
        if (c->fd >= 0)
            continue;
        if (c->data == NULL && (c->data = malloc(REQUEST_MAX + 1)) == NULL)
            fail(m, "no memory");
        c->fd = fd;
        c->len = 0;
        return;
    }
    fail(m, "too many connections");
}

static void serve(struct meter *m) {
    int silent_ms = 0;
    while (!m->over) {
        struct pollfd fds[CONNECTIONS + 1];
        for (int i = 0; i < CONNECTIONS; i++)
            fds[i] = (struct pollfd){.fd = m->connections[i].fd, .events = POLLIN};
        fds[CONNECTIONS] = (struct pollfd){.fd = m->listener, .events = POLLIN};
        silent_ms = poll(fds, CONNECTIONS + 1, LOOK_MS) == 0 ? silent_ms + LOOK_MS : 0;
        if (silent_ms > 0 && waitpid(m->child, NULL, WNOHANG) == m->child)
            fail(m, "the runtime has ended");
        if (silent_ms >= SILENCE_MS)
            fail(m, "the runtime is silent");
        for (int i = 0; i < CONNECTIONS; i++)
            if (fds[i].revents != 0)
                receive(m, &m->connections[i]);
        if (fds[CONNECTIONS].revents != 0)
            accept_connection(m);
    }
}

/* --- start and end --------------------------------------------------------------------------- */

static void open_listener(struct meter *m) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char authority[64];
    m->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(m->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(m->listener, CONNECTIONS) != 0 ||
        getsockname(m->listener, (struct sockaddr *)&address, &len) != 0)
        fail(m, "cannot listen");
    snprintf(authority, sizeof authority, "127.0.0.1:%d", ntohs(address.sin_port));
    setenv("AWS_LAMBDA_RUNTIME_API", authority, 1);
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t median(int64_t *list, size_t count) {
    size_t warm = count / 10;
    if (count == 0)
        return 0;
    qsort(list + warm, count - warm, sizeof *list, ascending);
    return list[warm + (count - warm) / 2];
}

int main(int argc, char **argv) {
    struct meter m = {0};
    if (argc < 4 || (m.count = strtoul(argv[1], NULL, 10)) > EVENTS_MAX)
        fail(&m, "usage: runtime_meter COUNT EVENT_FILE COMMAND [ARGUMENT...]");
    for (int i = 0; i < CONNECTIONS; i++)
        m.connections[i].fd = -1;
    m.answers_ns = calloc(m.count + 1, sizeof *m.answers_ns);
    m.rounds_ns = calloc(m.count + 1, sizeof *m.rounds_ns);
    if (m.answers_ns == NULL || m.rounds_ns == NULL)
        fail(&m, "no memory");
    read_event(&m, argv[2]);
    open_listener(&m);
    m.started_ns = now_ns();
    m.child = vfork();
    if (m.child == 0) {
        execv(argv[3], argv + 3);
        _exit(127);
    }
    serve(&m);
    kill(m.child, SIGKILL);
    while (waitpid(m.child, NULL, 0) < 0 && errno == EINTR)
        continue;
    printf("%lld %lld %ld %lld %lld %ld\n", (long long)m.start_ns, (long long)m.start_cpu_ns,
           m.start_kb, (long long)median(m.answers_ns, m.count),
           (long long)median(m.rounds_ns, m.count), m.end_kb);
    return EXIT_SUCCESS;
}
