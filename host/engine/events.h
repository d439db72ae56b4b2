/*
** What Lambda does with asynchronous events: they wait, are throttled, tried again, get too old,
** and how they end goes to a destination. Source: Lambda developer guide, asynchronous invocation.
**
** With a reserved concurrency an event is let in only when there is room at that moment, as on
** AWS: else it is throttled and comes back after a wait that doubles each time. Without one it
** waits in order for a worker of this machine.
*/
#ifndef AWSYNC_ENGINE_EVENTS_H
#define AWSYNC_ENGINE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct function;
struct invocation;
struct outcome;

enum {
    EVENT_RETRIES_MAX = 2,
    EVENT_AGE_MIN_S = 60,
    EVENT_AGE_MAX_S = 21600,
};

/* Changed by the operations of Lambda's API (lambda_settings.c). */
struct event_settings {
    bool configured;               /* there is an EventInvokeConfig */
    int retries;                   /* -1: not set, the engine's */
    int age_s;                     /* 0: not set, the engine's */
    char *on_success, *on_failure; /* ARNs of standard queues; owned; NULL: none */
    int64_t modified_ms;           /* wall clock */
    int reserved;                  /* concurrent executions; -1: none */
};

/* False: no memory. events_free is due then too. */
bool events_init(struct function *f);
void events_free(struct function *f);

/* A new event, or one whose wait is over. It may have ended when this returns. */
void events_submit(struct function *f, struct invocation *inv);
/* The event to run now, taken out of the queue; NULL: none may. */
struct invocation *events_take(struct function *f);
/* An attempt of the event is over: the event has ended, or waits to be tried again. */
void events_settle(struct function *f, struct invocation *inv, const struct outcome *outcome);
/* The reserved concurrency has changed: it holds for what waits too. */
void events_reconsider(struct function *f);

#endif
