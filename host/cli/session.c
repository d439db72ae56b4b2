/* An engine with a program, its logs on standard error, and the signals that end it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host/cli/cli.h"

/* One write for a line: lines of several workers stay whole. */
static void log_line(void *context, bool platform, const char *request_id, const char *text,
                     size_t len) {
    const struct cli_session *session = context;
    (void)request_id;
    if (platform && session->quiet)
        return;
    flockfile(stderr);
    fwrite(text, 1, len, stderr);
    putc_unlocked('\n', stderr);
    fflush(stderr);
    funlockfile(stderr);
}

bool cli_session_start(struct cli_session *session, const struct cli_options *options,
                       const struct cli_program *program) {
    *session = (struct cli_session){.quiet = options->quiet,
                                    .stats = options->stats,
                                    .faulty = options->faulty,
                                    .signals = -1};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigdelset(&set, SIGPIPE); /* a write to a closed pipe is an error there and then */
    session->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (session->signals < 0) {
        cli_error("signalfd: %s", strerror(errno));
        return false;
    }
    struct engine_options engine = {
        .port = options->port,
        .log = log_line,
        .log_context = session,
        .function_name = program->name,
        .command = (const char *const *)program->command,
        .task_root = program->root,
        .handler = program->handler,
        .environment = (const char *const *)program->environment,
        .concurrency = options->concurrency,
        .memory_mb = options->memory_mb,
        .timeout_s = options->timeout_s,
        .max_retries = options->retries,
        .event_age_ms = (int64_t)options->event_age_s * 1000,
        .reserved = options->reserved,
        .on_failure = options->on_failure,
        .fault = options->faulty ? &options->fault : NULL,
    };
    char error[256];
    session->engine = engine_start(&engine, error, sizeof error);
    if (session->engine == NULL)
        cli_error("the engine cannot start: %s", error);
    return session->engine != NULL;
}

int cli_session_wait(struct cli_session *session, int wake, int timeout_ms) {
    struct pollfd fds[2] = {{.fd = session->signals, .events = POLLIN},
                            {.fd = wake, .events = POLLIN}};
    if (poll(fds, 2, timeout_ms) <= 0)
        return 0;
    struct signalfd_siginfo info;
    if (read(session->signals, &info, sizeof info) == (ssize_t)sizeof info)
        return (int)info.ssi_signo;
    return 0;
}

void cli_session_end(struct cli_session *session) {
    if (session->engine != NULL && session->stats)
        cli_stats_print(session->engine, session->faulty);
    engine_stop(session->engine);
    session->engine = NULL;
    if (session->signals >= 0)
        close(session->signals);
    session->signals = -1;
}
