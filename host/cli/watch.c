/* Runs the program anew after each change: a child process for each run, inotify for the changes. */
#include "host/cli/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/cli/cli.h"

enum { SETTLE_MS = 100, DEPTH_MAX = 16 };

struct watch {
    int changes, signals; /* inotify, signalfd */
    pid_t child;          /* 0: none runs */
    char **words;         /* of a run */
    const char *root;     /* folder of the program */
    const char *ending;   /* of its file's name: `.py` */
};

static bool interesting(const char *name, const char *ending) {
    const char *const ends[] = {".lua", ".json", ".so", ending};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t end = strlen(ends[i]);
        if (name[0] != '.' && len > end && strcmp(name + len - end, ends[i]) == 0)
            return true;
    }
    return false;
}

/* Editors write in place, or another file which then takes the name. */
static bool add_folder(int changes, const char *path, int depth) {
    if (inotify_add_watch(changes, path,
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                              IN_ONLYDIR) < 0)
        return false;
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && depth < DEPTH_MAX && (entry = readdir(folder)) != NULL) {
        char inner[PATH_MAX];
        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR &&
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner)
            add_folder(changes, inner, depth + 1);
    }
    if (folder != NULL)
        closedir(folder);
    return true;
}

/* Reads what has come. True when a file of the program was among it. Its folder is looked through
** for new folders when there are any. */
static bool take_changes(const struct watch *watch) {
    _Alignas(struct inotify_event) char block[16384];
    bool any = false, folders = false;
    ssize_t len;
    while ((len = read(watch->changes, block, sizeof block)) > 0)
        for (char *at = block; at < block + len;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            if ((event->mask & IN_ISDIR) != 0)
                folders = true;
            else if (event->len > 0 && (event->mask & IN_CREATE) == 0 &&
                     interesting(event->name, watch->ending))
                any = true;
            at += sizeof *event + event->len;
        }
    if (folders) /* a file may have been faster than we: its folder is a change, too */
        any = add_folder(watch->changes, watch->root, 0) || any;
    return any;
}

/* The option as it was written: getopt_long takes beginnings, too. */
static bool is_watch(const char *word) {
    size_t len = strlen(word);
    return len > 2 && strncmp("--watch", word, len) == 0;
}

static bool start(struct watch *watch) {
    sigset_t none;
    sigemptyset(&none);
    watch->child = fork();
    if (watch->child < 0) {
        cli_error("fork: %s", strerror(errno));
        watch->child = 0;
        return false;
    }
    if (watch->child == 0) {
        sigprocmask(SIG_SETMASK, &none, NULL);
        execv("/proc/self/exe", watch->words);
        _exit(127);
    }
    return true;
}

static void finish(struct watch *watch) {
    if (watch->child == 0)
        return;
    kill(watch->child, SIGTERM);
    while (waitpid(watch->child, NULL, 0) < 0 && errno == EINTR) {
    }
    watch->child = 0;
}

/* Collects a run that has ended. */
static void collect(struct watch *watch) {
    int status;
    if (watch->child == 0 || waitpid(watch->child, &status, WNOHANG) != watch->child)
        return;
    watch->child = 0;
    fprintf(stderr, "awsync: run ended with status %d; waiting for a change\n",
            WIFEXITED(status) ? WEXITSTATUS(status) : CLI_SIGNAL + WTERMSIG(status));
}

/* The signal that is to end us; 0: none. */
static int take_signal(struct watch *watch) {
    struct signalfd_siginfo info;
    while (read(watch->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGCHLD)
            return (int)info.ssi_signo;
        collect(watch);
    }
    return 0;
}

static int loop(struct watch *watch) {
    struct pollfd fds[2] = {{.fd = watch->signals, .events = POLLIN},
                            {.fd = watch->changes, .events = POLLIN}};
    bool changed = false;
    for (;;) {
        int ready = poll(fds, 2, changed ? SETTLE_MS : -1);
        if (ready < 0 && errno != EINTR)
            return CLI_FAILED;
        int signal = take_signal(watch);
        if (signal != 0)
            return CLI_SIGNAL + signal;
        if (take_changes(watch)) {
            changed = true;
        } else if (changed && ready == 0) { /* an editor's several writes are over */
            changed = false;
            finish(watch);
            fputs("awsync: changed, running again\n", stderr);
            if (!start(watch))
                return CLI_FAILED;
        }
    }
}

int cli_watch(int argc, char **argv, const char *file) {
    struct watch watch = {.changes = -1, .signals = -1};
    int status = CLI_FAILED;
    char path[PATH_MAX], program[] = "awsync";
    if (realpath(file, path) == NULL) {
        cli_error("%s: %s", file, strerror(errno));
        return CLI_USAGE;
    }
    char *slash = strrchr(path, '/'), *dot = strrchr(slash, '.');
    *slash = '\0';
    watch.ending = dot != NULL && dot > slash + 1 ? dot : ".lua";
    watch.root = path[0] != '\0' ? path : "/";
    watch.words = calloc((size_t)argc + 2, sizeof *watch.words);
    if (watch.words == NULL) {
        cli_error("out of memory");
        goto done;
    }
    int count = 0;
    watch.words[count++] = program;
    for (int i = 0; i < argc; i++)
        if (!is_watch(argv[i]))
            watch.words[count++] = argv[i];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    watch.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    watch.changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch.signals < 0 || watch.changes < 0 || !add_folder(watch.changes, watch.root, 0)) {
        cli_error("%s cannot be watched: %s", path, strerror(errno));
        goto done;
    }
    status = start(&watch) ? loop(&watch) : CLI_FAILED;
    finish(&watch);
done:
    free(watch.words);
    if (watch.signals >= 0)
        close(watch.signals);
    if (watch.changes >= 0)
        close(watch.changes);
    return status;
}
