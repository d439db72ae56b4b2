/* See calls.h. */
#include "host/binding/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "host/base/clock.h"

struct call { /* owned by the request until its answer */
    struct calls *calls;
    size_t bytes;
    char function[128], id[CALLS_ID_SIZE];
    struct call *next; /* of the refused ones, which the table of calls owns */
    struct aws_error error;
};

bool calls_init(struct calls *calls) {
    *calls = (struct calls){0};
    calls->refused_end = &calls->refused;
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&calls->lock, NULL) != 0)
        return false;
    bool ok = pthread_condattr_init(&attributes) == 0;
    if (ok) {
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        ok = pthread_cond_init(&calls->changed, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
    }
    if (!ok)
        pthread_mutex_destroy(&calls->lock);
    return ok;
}

void calls_destroy(struct calls *calls) {
    while (calls_take_failure(calls, NULL, 0, NULL))
        ;
    pthread_cond_destroy(&calls->changed);
    pthread_mutex_destroy(&calls->lock);
}

void calls_set_hub(struct calls *calls, struct chan_hub *hub) {
    pthread_mutex_lock(&calls->lock);
    calls->hub = hub;
    pthread_mutex_unlock(&calls->lock);
}

/* On the I/O thread. */
static void on_answer(void *context, const struct aws_error *error,
                      const struct lambda_result *result) {
    (void)result;
    struct call *call = context;
    struct calls *calls = call->calls;
    pthread_mutex_lock(&calls->lock);
    calls->pending--;
    calls->bytes -= call->bytes;
    if (error != NULL) {
        call->error = *error;
        *calls->refused_end = call;
        calls->refused_end = &call->next;
        call = NULL;
        if (calls->hub != NULL) {
            calls->woken = true;
            chan_hub_interrupt(calls->hub);
        }
    }
    pthread_cond_broadcast(&calls->changed);
    pthread_mutex_unlock(&calls->lock);
    free(call);
}

/* With the lock held. False: the deadline is over. */
static bool wait_for_change(struct calls *calls, int64_t deadline) {
    if (deadline == CHAN_FOREVER)
        return pthread_cond_wait(&calls->changed, &calls->lock) == 0;
    struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    return clock_mono_ms() < deadline &&
           (pthread_cond_timedwait(&calls->changed, &calls->lock, &until) == 0 ||
            clock_mono_ms() < deadline);
}

enum calls_result calls_send(struct calls *calls, struct aws_client *client,
                             const struct lambda_invoke *in, const char *name, const char *id,
                             int64_t deadline) {
    struct call *call = malloc(sizeof *call);
    if (call == NULL)
        return CALLS_NO_MEMORY;
    call->calls = calls;
    call->next = NULL;
    snprintf(call->id, sizeof call->id, "%s", id);
    call->bytes = in->payload_len;
    snprintf(call->function, sizeof call->function, "%s", name);

    bool room = true;
    pthread_mutex_lock(&calls->lock);
    while (room && calls->bytes > 0 && calls->bytes + in->payload_len > CALLS_BYTES_MAX)
        room = wait_for_change(calls, deadline);
    if (room) {
        calls->pending++;
        calls->bytes += in->payload_len;
    }
    pthread_mutex_unlock(&calls->lock);
    if (!room) {
        free(call);
        return CALLS_TIMEOUT;
    }
    if (lambda_invoke(client, in, on_answer, call) != 0)
        return CALLS_OK;
    pthread_mutex_lock(&calls->lock);
    calls->pending--;
    calls->bytes -= in->payload_len;
    pthread_mutex_unlock(&calls->lock);
    free(call);
    return CALLS_NO_MEMORY;
}

enum calls_result calls_wait(struct calls *calls, int64_t deadline) {
    bool in_time = true;
    pthread_mutex_lock(&calls->lock);
    while (calls->pending > 0 && in_time)
        in_time = wait_for_change(calls, deadline);
    bool done = calls->pending == 0;
    pthread_mutex_unlock(&calls->lock);
    return done ? CALLS_OK : CALLS_TIMEOUT;
}

bool calls_take_failure(struct calls *calls, char *out, size_t size, char id_out[CALLS_ID_SIZE]) {
    pthread_mutex_lock(&calls->lock);
    struct call *call = calls->refused;
    if (call != NULL && (calls->refused = call->next) == NULL)
        calls->refused_end = &calls->refused;
    pthread_mutex_unlock(&calls->lock);
    if (call == NULL)
        return false;
    const struct aws_error *e = &call->error;
    if (out != NULL)
        snprintf(out, size, "invoke: the call of '%s' was refused: %s%s%s%s%s%s", call->function,
                 e->code, e->message[0] != '\0' ? ": " : "", e->message,
                 e->request_id[0] != '\0' ? " (request id " : "", e->request_id,
                 e->request_id[0] != '\0' ? ")" : "");
    if (id_out != NULL)
        snprintf(id_out, CALLS_ID_SIZE, "%s", call->id);
    free(call);
    return true;
}

bool calls_take_woken(struct calls *calls) {
    pthread_mutex_lock(&calls->lock);
    bool woken = calls->woken;
    calls->woken = false;
    pthread_mutex_unlock(&calls->lock);
    return woken;
}
