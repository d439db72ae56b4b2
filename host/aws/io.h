/*
** The I/O thread: tasks from other threads, timers, HTTP exchanges. Started by the first task or
** timer. It blocks all signals, so that they reach the program's own threads.
*/
#ifndef AWSYNC_AWS_IO_H
#define AWSYNC_AWS_IO_H

#include "host/aws/aws.h"
#include "host/aws/handles.h"
#include "host/aws/http.h"

struct io;

/* A task that lives inside the caller's struct. */
struct io_post {
    aws_task task;
    void *context;
    struct io_post *next;
    bool owned; /* private: freed after it has run */
};

/* on_end runs on the thread when it is to end, again and again until no task is left: it cancels
** what is under way. */
struct io *io_new(aws_task on_end, void *context);
/* Ends the thread. Tasks that wait are run, timers dropped. */
void io_free(struct io *io);
/* True on the I/O thread once io_free was called: nothing new may begin. */
bool io_ending(const struct io *io);

/* From any thread. False when the thread cannot be started; the post is then the caller's again. */
bool io_post(struct io *io, struct io_post *post);
bool io_post_task(struct io *io, aws_task task, void *context);
uint64_t io_timer(struct io *io, int64_t delay_ms, aws_task task, void *context);
void io_timer_cancel(struct io *io, uint64_t id);

/* The same lock guards the ids of timers and of requests. */
void io_lock(struct io *io);
void io_unlock(struct io *io);
/* Under the lock: appends a post and returns true when io_wake is due after the unlock. The thread
** must run. */
bool io_post_locked(struct io *io, struct io_post *post);
void io_wake(struct io *io);
enum io_handle { IO_TIMER, IO_REQUEST };
/* Under the lock. */
struct handles *io_handles(struct io *io);
/* Starts the thread if it does not run yet; under the lock. */
bool io_start_locked(struct io *io);

/* On the I/O thread only. */
struct http *io_http(struct io *io);

#endif
