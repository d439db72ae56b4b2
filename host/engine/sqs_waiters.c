/* Long polls: receives that wait for a message, first come first served. */
#include "host/engine/sqs_state.h"

#include <stdlib.h>

struct sqs_waiter {
    struct sqs_service *service;
    struct sqs_entry *entry;
    struct service_call *call;
    const struct sqs_operation *operation;
    struct json_tree *tree; /* what receive borrows from */
    struct sqs_receive receive;
    struct heap_node deadline;
    struct sqs_waiter *prev, *next;
};

#define OF_NODE(type, member, node) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Bills the waiter, takes it out of everything and frees it; the call is the caller's to answer. */
static struct service_call *leave(struct sqs_waiter *waiter, size_t payload) {
    struct sqs_entry *entry = waiter->entry;
    struct service_call *call = waiter->call;
    sqs_bill(waiter->service, waiter->operation, entry->fifo, payload);
    heap_remove(&waiter->service->deadlines, &waiter->deadline);
    *(waiter->prev ? &waiter->prev->next : &entry->first_waiter) = waiter->next;
    *(waiter->next ? &waiter->next->prev : &entry->last_waiter) = waiter->prev;
    if (!entry->first_waiter)
        heap_remove(&waiter->service->wakes, &entry->wake);
    json_tree_free(waiter->tree);
    free(waiter);
    return call;
}

static void answer_nothing(struct sqs_waiter *waiter) {
    struct sqs_service *service = waiter->service;
    const struct sqs_operation *operation = waiter->operation;
    struct service_call *call = leave(waiter, 0);
    struct json_writer w;
    buf_reset(&service->answer);
    json_writer_init(&w, &service->answer);
    json_object_begin(&w);
    json_object_end(&w);
    sqs_answer(service, call, operation, false);
}

/* The client has gone: what comes next is for somebody else. */
static void gone(void *context) {
    answer_nothing(context);
}

bool sqs_wait(struct sqs_request *request, struct sqs_entry *entry,
              const struct sqs_receive *receive, int64_t wait_ms) {
    struct sqs_waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return false;
    waiter->deadline.key = request->now_ms + wait_ms;
    if (!heap_insert(&request->service->deadlines, &waiter->deadline)) {
        free(waiter);
        return false;
    }
    waiter->service = request->service;
    waiter->entry = entry;
    waiter->call = request->call;
    waiter->operation = request->operation;
    waiter->receive = *receive;
    waiter->tree = request->tree;
    request->tree = NULL;
    waiter->prev = entry->last_waiter;
    *(entry->last_waiter ? &entry->last_waiter->next : &entry->first_waiter) = waiter;
    entry->last_waiter = waiter;
    sqs_stir(request->service, entry);
    service_on_gone(waiter->call, gone, waiter);
    return true;
}

void sqs_stir(struct sqs_service *service, struct sqs_entry *entry) {
    if (entry->stirred || !entry->first_waiter)
        return;
    entry->stirred = true;
    entry->next_stirred = service->stirred;
    service->stirred = entry;
}

/* Serves waiters as long as there is something for them, then notes when the queue has to be
** looked at again. */
static void serve(struct sqs_service *service, struct sqs_entry *entry, int64_t now_ms) {
    while (entry->first_waiter) {
        struct sqs_waiter *waiter = entry->first_waiter;
        struct json_writer w;
        struct sqs_received got;
        buf_reset(&service->answer);
        json_writer_init(&w, &service->answer);
        json_object_begin(&w);
        sqs_receive_now(service, entry, &waiter->receive, now_ms, &w, &got);
        json_object_end(&w);
        if (got.count == 0)
            break;
        const struct sqs_operation *operation = waiter->operation;
        sqs_answer(service, leave(waiter, got.payload), operation, false);
    }
    int64_t due_ms = sqs_queue_next_due(entry->queue);
    if (!entry->first_waiter || due_ms == INT64_MAX) {
        heap_remove(&service->wakes, &entry->wake);
    } else if (heap_contains(&entry->wake)) {
        heap_move(&service->wakes, &entry->wake, due_ms);
    } else {
        entry->wake.key = due_ms;
        heap_insert(&service->wakes, &entry->wake);
    }
}

static void set_timer(struct sqs_service *service, int64_t now_ms) {
    const struct heap_node *deadline = heap_least(&service->deadlines),
                           *wake = heap_least(&service->wakes);
    int64_t due_ms = sqs_moves_due(service);
    if (!deadline && !wake && due_ms == INT64_MAX) {
        if (service->armed_ms >= 0)
            event_del(service->timer);
        service->armed_ms = -1;
        return;
    }
    if (deadline && deadline->key < due_ms)
        due_ms = deadline->key;
    if (wake && wake->key < due_ms)
        due_ms = wake->key;
    if (due_ms == service->armed_ms)
        return;
    service->armed_ms = due_ms;
    int64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    struct timeval left = {.tv_sec = (time_t)(left_ms / 1000),
                           .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};
    event_add(service->timer, &left);
}

void sqs_wake(struct sqs_service *service) {
    service->armed_ms = -1;
    sqs_settle(service);
}

void sqs_settle(struct sqs_service *service) {
    int64_t now_ms = sqs_now(service);
    struct heap_node *node;
    sqs_moves_run(service, now_ms);
    while ((node = heap_least(&service->wakes)) && node->key <= now_ms) {
        struct sqs_entry *entry = OF_NODE(struct sqs_entry, wake, node);
        heap_remove(&service->wakes, node);
        sqs_stir(service, entry);
    }
    /* Serving may stir further queues (dead letters), each of them a finite number of times: every
    ** move needs receives before. */
    while (service->stirred) {
        struct sqs_entry *entry = service->stirred;
        service->stirred = entry->next_stirred;
        entry->stirred = false;
        serve(service, entry, now_ms);
    }
    while ((node = heap_least(&service->deadlines)) && node->key <= now_ms)
        answer_nothing(OF_NODE(struct sqs_waiter, deadline, node));
    set_timer(service, now_ms);
}

void sqs_waiters_end(struct sqs_entry *entry, const char *code, const char *message) {
    while (entry->first_waiter) {
        if (code)
            sqs_service_error(leave(entry->first_waiter, 0), code, message);
        else
            answer_nothing(entry->first_waiter);
    }
}
