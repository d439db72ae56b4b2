#include "host/cli/loads.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/secret.h"
#include "host/json/json.h"

enum { INIT_MS = 10000, STEP_MS = 50, REQUEST_MAX = 6 << 20 };

/* A socket on a free port of the loopback; -1: none. */
static int listen_anywhere(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, 4) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
        *port = ntohs(address.sin_port);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

enum { OWN_VARIABLES = 6 };

static pid_t spawn(const struct cli_program *program, int port) {
    static const char *const names[OWN_VARIABLES] = {
        "AWS_LAMBDA_RUNTIME_API",   "_HANDLER",   "LAMBDA_TASK_ROOT",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"};
    char authority[32];
    snprintf(authority, sizeof authority, "127.0.0.1:%d", port);
    const char *const values[OWN_VARIABLES] = {authority,     program->handler, program->root,
                                               program->name, "us-east-1",      "128"};
    size_t count = 0;
    while (program->environment[count] != NULL)
        count++;
    char *own[OWN_VARIABLES] = {NULL};
    char **all = calloc(count + OWN_VARIABLES + 1, sizeof *all);
    pid_t child = -1;
    posix_spawn_file_actions_t actions;
    if (all == NULL || posix_spawn_file_actions_init(&actions) != 0) {
        free(all);
        return -1;
    }
    memcpy(all, program->environment, count * sizeof *all);
    bool ok = posix_spawn_file_actions_adddup2(&actions, 2, 1) == 0;
    for (size_t i = 0; ok && i < OWN_VARIABLES; i++) {
        ok = asprintf(&own[i], "%s=%s", names[i], values[i]) >= 0;
        if (!ok)
            own[i] = NULL;
        all[count + i] = own[i];
    }
    if (!ok || posix_spawn(&child, program->command[0], &actions, NULL, program->command, all) != 0)
        child = -1;
    posix_spawn_file_actions_destroy(&actions);
    for (size_t i = 0; i < OWN_VARIABLES; i++)
        free(own[i]);
    free(all);
    return child;
}

/* True when request holds its whole body. *body: where that begins. */
static bool complete(const struct buf *request, const char **body) {
    const char *text = buf_text(request), *end = strstr(text, "\r\n\r\n");
    if (end == NULL)
        return false;
    *body = end + 4;
    const char *length = strcasestr(text, "\r\ncontent-length:");
    size_t want = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return request->len - (size_t)(*body - text) >= want;
}

/* The first request says it all: the next event is asked for, or what went wrong is told. */
static bool judge(const struct buf *request, const char *body, char *error, size_t error_size) {
    const char *text = buf_text(request);
    if (strncmp(text, "GET ", 4) == 0)
        return true;
    struct json_tree *tree =
        json_parse(body, request->len - (size_t)(body - text), JSON_DEPTH_DEFAULT, NULL, 0);
    const char *message = tree != NULL ? json_get_text(json_root(tree), "errorMessage") : NULL;
    snprintf(error, error_size, "%s", message != NULL ? message : "it failed without a word");
    json_tree_free(tree);
    return false;
}

static bool wait_for_word(int listener, pid_t *child, char *error, size_t error_size) {
    int64_t end = clock_mono_ms() + INIT_MS;
    struct pollfd fd = {.fd = listener, .events = POLLIN};
    struct buf request;
    const char *body;
    bool loads = false;
    buf_init(&request, REQUEST_MAX);
    for (;;) {
        int status;
        bool ended = waitpid(*child, &status, WNOHANG) == *child;
        if (ended)
            *child = 0;
        if (poll(&fd, 1, ended ? 0 : STEP_MS) > 0) {
            char block[16384];
            if (fd.fd == listener) {
                fd.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd.fd < 0)
                    fd.fd = listener;
                continue;
            }
            ssize_t n = read(fd.fd, block, sizeof block);
            if (n <= 0 || !buf_add(&request, block, (size_t)n)) {
                snprintf(error, error_size, "it hung up in the middle of a sentence");
                break;
            }
            if (complete(&request, &body)) {
                loads = judge(&request, body, error, error_size);
                break;
            }
        } else if (ended) {
            snprintf(error, error_size, "its process ended (%s %d)",
                     WIFSIGNALED(status) ? "signal" : "status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            break;
        } else if (clock_mono_ms() > end) {
            snprintf(error, error_size, "it was not ready after %d s, Lambda's limit",
                     INIT_MS / 1000);
            break;
        }
    }
    if (fd.fd != listener)
        close(fd.fd);
    buf_free(&request);
    return loads;
}

bool cli_loads(const struct cli_program *program, char *error, size_t error_size) {
    int port = 0, listener = listen_anywhere(&port);
    pid_t child = listener >= 0 ? spawn(program, port) : -1;
    bool loads = false;
    if (child < 0) {
        snprintf(error, error_size, "%s cannot be started", program->command[0]);
        goto done;
    }
    loads = wait_for_word(listener, &child, error, error_size);
    if (child > 0) {
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
done:
    if (listener >= 0)
        close(listener);
    return loads;
}
