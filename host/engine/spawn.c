#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/engine/function.h"

#define MARK_CLOEXEC 4 /* CLOSE_RANGE_CLOEXEC, which older headers lack */

struct child {
    const struct spawn *spawn;
    pid_t parent;
    int report; /* write end of a pipe: errno of what failed, nothing when exec has worked */
};

/* Runs on the parent's memory: only system calls, nothing changed that the parent sees. */
static void run_child(const struct child *child) {
    const struct spawn *spawn = child->spawn;
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    struct rlimit limit;
    sigset_t none;
    int error, null;

    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != child->parent)
        _exit(127);
    for (int number = 1; number < 65; number++)
        sigaction(number, &by_default, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (spawn->nofile_soft >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = (rlim_t)spawn->nofile_soft;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(spawn->output, 1) < 0 || dup2(spawn->output, 2) < 0 ||
        chdir(spawn->directory) != 0)
        goto failed;
    /* The engine's own are close-on-exec already; those of its host program need not be. */
    syscall(SYS_close_range, 3U, ~0U, MARK_CLOEXEC);
    execvpe(spawn->argv[0], spawn->argv, spawn->environment);

failed:
    error = errno;
    if (write(child->report, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

/* vfork: the engine may be large, and a fork would copy its page tables for each worker. */
static pid_t start(const struct child *child) {
    pid_t pid = vfork();
    if (pid == 0)
        run_child(child);
    return pid;
}

pid_t spawn_process(const struct spawn *spawn, bool *exec_failed) {
    struct child child = {.spawn = spawn, .parent = getpid()};
    sigset_t all, before;
    int report[2], error = 0;
    pid_t pid;
    ssize_t got;

    *exec_failed = false;
    if (pipe2(report, O_CLOEXEC) != 0)
        return -1;
    child.report = report[1];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = start(&child);
    if (pid < 0)
        error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (pid > 0) {
        do
            got = read(report[0], &error, sizeof(error));
        while (got < 0 && errno == EINTR);
        if (got == (ssize_t)sizeof(error)) {
            *exec_failed = true;
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                continue;
            pid = -1;
        }
    }
    close(report[0]);
    errno = error;
    return pid;
}
