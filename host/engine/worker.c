#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "host/base/clock.h"
#include "host/engine/function.h"
#include "host/engine/http.h"

#define LINE_MAX_SIZE  65536   /* longer lines are cut into pieces */
#define DRAIN_MAX      1048576 /* bytes of output read in one go */
#define REAP_LATEST_MS 200     /* after the end, when events of higher priority never pause */
#define ENV_TEXT_MAX   256

/* --- output ----------------------------------------------------------------------------------- */

static void write_line(struct worker *w, const char *text, size_t len) {
    log_worker_line(w->function->config, w->invocation, w->answered_id, text, len);
}

static void flush_line(struct worker *w) {
    if (w->line.len > 0)
        write_line(w, w->line.data, w->line.len);
    buf_reset(&w->line);
}

static void add_output(struct worker *w, const char *data, size_t len) {
    const char *end = data + len;

    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t piece = (size_t)((newline != NULL ? newline : end) - data);

        if (newline != NULL && w->line.len == 0 && piece <= LINE_MAX_SIZE) {
            write_line(w, data, piece); /* as most lines are: no copy */
            data = newline + 1;
            continue;
        }
        if (piece > LINE_MAX_SIZE - w->line.len)
            piece = LINE_MAX_SIZE - w->line.len;
        buf_add(&w->line, data, piece);
        data += piece;
        if (data == newline) {
            flush_line(w);
            data++;
        } else if (w->line.len >= LINE_MAX_SIZE || !buf_ok(&w->line)) {
            flush_line(w);
        }
    }
}

/* False when there is nothing more for now; at the end of the output also stops the watch. */
static bool read_output(struct worker *w, size_t *read_out) {
    char data[16384];
    ssize_t got = read(w->output, data, sizeof(data));

    *read_out = got > 0 ? (size_t)got : 0;
    if (got > 0) {
        add_output(w, data, (size_t)got);
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        event_del(w->on_output);
    return false;
}

void worker_drain(struct worker *w) {
    size_t total = 0, got;

    while (total < DRAIN_MAX && read_output(w, &got))
        total += got;
}

static void on_output(evutil_socket_t fd, short what, void *context) {
    size_t got;

    (void)fd;
    (void)what;
    read_output(context, &got);
}

/* --- end -------------------------------------------------------------------------------------- */

/* As the platform names it; NULL for status 0. */
static const char *status_text(int status, char *out, size_t size) {
    if (WIFEXITED(status)) {
        if (WEXITSTATUS(status) == 0)
            return NULL;
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
    } else {
        const char *name = sigdescr_np(WTERMSIG(status));
        snprintf(out, size, "signal: %s%s", name != NULL ? name : "unknown",
                 WCOREDUMP(status) ? " (core dumped)" : "");
        if (out[8] >= 'A' && out[8] <= 'Z')
            out[8] = (char)(out[8] - 'A' + 'a');
    }
    return out;
}

static void reap(struct worker *w) {
    char text[64];
    int status = 0;
    pid_t pid;

    kill(-w->pid, SIGKILL); /* what it has left behind; its pid is still taken */
    do
        pid = waitpid(w->pid, &status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return; /* not yet */
    worker_drain(w);
    flush_line(w);
    function_worker_ended(w->function, w, status_text(status, text, sizeof(text)));
}

static void on_reap(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    reap(context);
}

static void mark_exited(struct worker *w) {
    if (w->exited_ms == 0) {
        w->exited_ms = clock_mono_ms();
        event_active(w->on_reap, EV_TIMEOUT, 0);
    }
}

static void on_exit_seen(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    mark_exited(context);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    struct worker *w = context;

    (void)fd;
    (void)what;
    function_time_over(w->function, w);
}

void worker_set_timer(struct worker *w, int64_t ms) {
    /* libevent reads a clock of 4 ms: no timer of ours is to be early. */
    struct timeval wait = {.tv_sec = (ms + 4) / 1000, .tv_usec = ((ms + 4) % 1000) * 1000};

    if (ms < 0)
        evtimer_del(w->on_timer);
    else
        evtimer_add(w->on_timer, &wait);
}

void worker_kill(struct worker *w) {
    kill(-w->pid, SIGKILL);
    kill(w->pid, SIGKILL); /* it may have left its group */
}

void worker_wait(struct worker *w) {
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* --- memory ----------------------------------------------------------------------------------- */

static size_t read_proc(pid_t pid, const char *name, char *out, size_t size) {
    char path[64];
    ssize_t got = 0;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        got = read(fd, out, size - 1);
        close(fd);
    }
    if (got < 0)
        got = 0;
    out[got] = '\0';
    return (size_t)got;
}

static void saw_kb(struct worker *w, size_t kb) {
    if (kb > w->peak_kb)
        w->peak_kb = kb;
}

size_t worker_peak_kb(struct worker *w) {
    char text[4096];
    const char *line;

    if (w->exited_ms == 0) {
        read_proc(w->pid, "status", text, sizeof(text));
        line = strstr(text, "\nVmHWM:");
        if (line != NULL)
            saw_kb(w, (size_t)strtoul(line + 7, NULL, 10));
    }
    return w->peak_kb;
}

bool worker_check(struct worker *w, size_t limit_kb) {
    size_t page_kb = (size_t)sysconf(_SC_PAGESIZE) / 1024;
    char text[128];
    const char *resident;
    siginfo_t info = {0};
    size_t kb;

    if (w->pidfd < 0 && waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0)
        mark_exited(w);
    if (w->exited_ms != 0) {
        if (clock_mono_ms() - w->exited_ms > REAP_LATEST_MS)
            reap(w); /* frees it */
        return true;
    }
    read_proc(w->pid, "statm", text, sizeof(text));
    resident = strchr(text, ' ');
    kb = resident != NULL ? strtoul(resident, NULL, 10) * page_kb : 0;
    saw_kb(w, kb);
    return kb <= limit_kb;
}

/* --- start ------------------------------------------------------------------------------------ */

static void log_stream_name(char *out, size_t size) {
    char now[CLOCK_ISO_SIZE], id[RANDOM_UUID_SIZE];

    clock_iso_date(clock_wall_ms(), now);
    random_uuid(id);
    snprintf(out, size, "%.4s/%.2s/%.2s/[$LATEST]%.8s%.4s%.4s%.4s%.12s", now, now + 5, now + 8, id,
             id + 9, id + 14, id + 19, id + 24);
}

static pid_t start_process(struct worker *w, int port, int output, bool *exec_failed) {
    const struct engine_config *config = w->function->config;
    char runtime_api[ENV_TEXT_MAX], stream[ENV_TEXT_MAX], stream_name[ENV_TEXT_MAX / 2];
    size_t count = 0;
    char **environment;
    pid_t pid;

    while (config->environment[count] != NULL)
        count++;
    environment = calloc(count + 3, sizeof(*environment));
    if (environment == NULL)
        return -1;
    snprintf(runtime_api, sizeof(runtime_api), "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%d", port);
    log_stream_name(stream_name, sizeof(stream_name));
    snprintf(stream, sizeof(stream), "AWS_LAMBDA_LOG_STREAM_NAME=%s", stream_name);
    environment[0] = runtime_api;
    environment[1] = stream;
    memcpy(environment + 2, config->environment, count * sizeof(*environment));
    pid = spawn_process(&(struct spawn){.argv = config->command,
                                        .environment = environment,
                                        .directory = config->task_root,
                                        .output = output,
                                        .nofile_soft = w->function->nofile_soft},
                        exec_failed);
    free(environment);
    return pid;
}

static bool watch_process(struct worker *w) {
    struct event_base *base = w->function->base;

#ifdef SYS_pidfd_open
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0U);
#endif
    w->on_reap = event_new(base, -1, 0, on_reap, w);
    w->on_timer = evtimer_new(base, on_timer, w);
    w->on_output = event_new(base, w->output, EV_READ | EV_PERSIST, on_output, w);
    if (w->on_reap == NULL || w->on_timer == NULL || w->on_output == NULL)
        return false;
    event_priority_set(w->on_reap, 2);
    if (event_add(w->on_output, NULL) != 0)
        return false;
    if (w->pidfd < 0) {
        w->function->without_pidfd = true;
        return true;
    }
    w->on_exit = event_new(base, w->pidfd, EV_READ, on_exit_seen, w);
    return w->on_exit != NULL && event_add(w->on_exit, NULL) == 0;
}

enum worker_trouble worker_start(struct function *f, struct worker **w_out, char *error_out,
                                 size_t error_size) {
    struct worker *w = calloc(1, sizeof(*w));
    int pipe_ends[2] = {-1, -1}, port = 0, error = 0;
    bool exec_failed = false, watched = false;

    *w_out = NULL;
    if (w == NULL) {
        snprintf(error_out, error_size, "fork/exec: out of memory");
        return WORKER_NO_RESOURCE;
    }
    w->function = f;
    w->state = WORKER_STARTING;
    w->pid = w->pidfd = w->output = -1;
    w->init_us = -1;
    buf_init(&w->line, LINE_MAX_SIZE);
    w->spawned_us = clock_mono_us();
    if (pipe2(pipe_ends, O_CLOEXEC) == 0 && runtime_api_open(w, &port)) {
        w->output = pipe_ends[0];
        fcntl(w->output, F_SETFL, O_NONBLOCK);
        w->pid = start_process(w, port, pipe_ends[1], &exec_failed);
        watched = w->pid > 0 && watch_process(w);
    }
    error = errno;
    if (pipe_ends[1] >= 0)
        close(pipe_ends[1]);
    if (watched) {
        *w_out = w;
        return WORKER_OK;
    }
    char text[128];
    const char *reason = strerror_r(error, text, sizeof(text));
    snprintf(error_out, error_size, "fork/exec %s: %s", f->config->command[0], reason);
    /* `No such file` as the platform writes it: `no such file`. */
    char *first = error_out + strlen("fork/exec ") + strlen(f->config->command[0]) + 2;
    if (first < error_out + error_size && *first >= 'A' && *first <= 'Z')
        *first = (char)(*first - 'A' + 'a');
    if (w->output < 0 && pipe_ends[0] >= 0)
        close(pipe_ends[0]);
    if (w->pid > 0) {
        worker_kill(w);
        worker_wait(w);
    }
    worker_free(w);
    return exec_failed ? WORKER_CANNOT_EXEC : WORKER_NO_RESOURCE;
}

void worker_free(struct worker *w) {
    struct event *const events[] = {w->on_exit, w->on_reap, w->on_output, w->on_timer};

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i] != NULL)
            event_free(events[i]);
    if (w->http != NULL) {
        w->asking = NULL;
        http_server_free(w->http);
    }
    if (w->pidfd >= 0)
        close(w->pidfd);
    if (w->output >= 0)
        close(w->output);
    buf_free(&w->line);
    free(w);
}
