#include "host/aws/io.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "host/base/clock.h"
#include "host/base/heap.h"

enum { POLL_MAX_MS = 60000 };

struct timer {
    struct heap_node node; /* key: due, on the monotonic clock; first member */
    aws_task task;
    void *context;
    uint64_t id;
};

struct io {
    pthread_mutex_t lock;
    /* Under the lock. */
    struct io_post *first, *last;
    struct heap timers;
    struct handles handles;
    bool started, stop;
    bool woken; /* a wake is on its way: more are not needed */
    /* Set before the thread starts. */
    struct http *http;
    pthread_t thread;
    aws_task on_end;
    void *context;
    /* The thread's own. */
    bool ending;
};

static _Thread_local const struct io *here; /* the I/O thread that this thread is */

struct io *io_new(aws_task on_end, void *context) {
    struct io *io = calloc(1, sizeof *io);
    if (io == NULL || pthread_mutex_init(&io->lock, NULL) != 0) {
        free(io);
        return NULL;
    }
    heap_init(&io->timers);
    io->on_end = on_end;
    io->context = context;
    return io;
}

void io_lock(struct io *io) {
    pthread_mutex_lock(&io->lock);
}

void io_unlock(struct io *io) {
    pthread_mutex_unlock(&io->lock);
}

struct handles *io_handles(struct io *io) {
    return &io->handles;
}

struct http *io_http(struct io *io) {
    return io->http;
}

bool io_ending(const struct io *io) {
    return io->ending;
}

void io_wake(struct io *io) {
    if (here != io)
        http_wake(io->http);
}

/* --- tasks ------------------------------------------------------------------------------------ */

bool io_post_locked(struct io *io, struct io_post *post) {
    post->next = NULL;
    if (io->last != NULL)
        io->last->next = post;
    else
        io->first = post;
    io->last = post;
    bool wake = !io->woken;
    io->woken = true;
    return wake;
}

bool io_post(struct io *io, struct io_post *post) {
    io_lock(io);
    bool ready = io_start_locked(io);
    bool wake = ready && io_post_locked(io, post);
    io_unlock(io);
    if (wake)
        io_wake(io);
    return ready;
}

bool io_post_task(struct io *io, aws_task task, void *context) {
    struct io_post *post = malloc(sizeof *post);
    if (post == NULL)
        return false;
    *post = (struct io_post){.task = task, .context = context, .owned = true};
    if (io_post(io, post))
        return true;
    free(post);
    return false;
}

/* Runs what is there; false when there was nothing. */
static bool run_posts(struct io *io) {
    io_lock(io);
    struct io_post *post = io->first;
    io->first = io->last = NULL;
    io->woken = false;
    io_unlock(io);
    bool any = post != NULL;
    while (post != NULL) {
        struct io_post *next = post->next; /* the task may free a post that it lives in */
        struct io_post *owned = post->owned ? post : NULL;
        post->task(post->context);
        free(owned);
        post = next;
    }
    return any;
}

/* --- timers ----------------------------------------------------------------------------------- */

uint64_t io_timer(struct io *io, int64_t delay_ms, aws_task task, void *context) {
    struct timer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return 0;
    uint64_t id = 0;
    bool wake = false;
    int64_t now = clock_mono_ms();
    t->task = task;
    t->context = context;
    t->node.key = delay_ms <= 0 ? now : delay_ms < INT64_MAX - now ? now + delay_ms : INT64_MAX;

    io_lock(io);
    if (io_start_locked(io) && (id = handles_add(&io->handles, IO_TIMER, t)) != 0) {
        t->id = id;
        if (heap_insert(&io->timers, &t->node)) {
            /* The thread itself looks at its timers before it sleeps: it needs no waking, and must
            ** not look like woken to those who post while it sleeps. */
            if (heap_least(&io->timers) == &t->node && here != io) {
                wake = !io->woken;
                io->woken = true;
            }
        } else {
            handles_remove(&io->handles, id);
            id = 0;
        }
    }
    io_unlock(io);
    if (id == 0)
        free(t);
    if (wake)
        io_wake(io);
    return id;
}

void io_timer_cancel(struct io *io, uint64_t id) {
    io_lock(io);
    struct timer *t = handles_get(&io->handles, IO_TIMER, id);
    if (t != NULL) {
        heap_remove(&io->timers, &t->node);
        handles_remove(&io->handles, id);
    }
    io_unlock(io);
    free(t);
}

/* Takes the next timer that is due at now, or NULL. */
static struct timer *take_due(struct io *io, int64_t now) {
    io_lock(io);
    struct timer *t = (struct timer *)heap_least(&io->timers);
    if (t != NULL && t->node.key <= now) {
        heap_remove(&io->timers, &t->node);
        handles_remove(&io->handles, t->id);
    } else {
        t = NULL;
    }
    io_unlock(io);
    return t;
}

static void run_timers(struct io *io) {
    int64_t now =
        clock_mono_ms(); /* once: timers of no delay that make others must not keep us here */
    for (struct timer *t; (t = take_due(io, now)) != NULL;) {
        t->task(t->context);
        free(t);
    }
}

/* --- the thread ------------------------------------------------------------------------------- */

static int poll_time(struct io *io, bool *stop) {
    int64_t wait = POLL_MAX_MS;
    io_lock(io);
    const struct heap_node *least = heap_least(&io->timers);
    if (least != NULL) {
        int64_t left = least->key - clock_mono_ms();
        wait = left < 0 ? 0 : left < wait ? left : wait;
    }
    if (io->first != NULL)
        wait = 0;
    *stop = io->stop;
    io_unlock(io);
    return (int)wait;
}

static void *run(void *context) {
    struct io *io = context;
    here = io;
    for (bool stop = false; !stop;) {
        run_posts(io);
        run_timers(io);
        http_perform(io->http);
        int wait = poll_time(io, &stop);
        if (!stop && wait > 0)
            http_poll(io->http, wait);
    }
    io->ending = true;
    do
        io->on_end(io->context);
    while (run_posts(io));
    return NULL;
}

bool io_start_locked(struct io *io) {
    if (io->started)
        return true;
    if (io->http == NULL && (io->http = http_new()) == NULL)
        return false;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    io->started = pthread_create(&io->thread, NULL, run, io) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return io->started;
}

void io_free(struct io *io) {
    if (io == NULL)
        return;
    io_lock(io);
    io->stop = true;
    bool started = io->started;
    io_unlock(io);
    if (started) {
        io_wake(io);
        pthread_join(io->thread, NULL);
    }
    http_free(io->http);
    for (struct heap_node *n; (n = heap_least(&io->timers)) != NULL;) {
        heap_remove(&io->timers, n);
        free((struct timer *)n);
    }
    heap_free(&io->timers);
    handles_free(&io->handles);
    pthread_mutex_destroy(&io->lock);
    free(io);
}
