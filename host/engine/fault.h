/*
** Injected faults: what the network and AWS may do to a call, done on purpose. Seeded: the nth call (of those that are
** eligible) always meets the same fate.
**
** drop: the call has its effect, its answer is lost; delay: the call is held up before it has one; error: 500 or 503,
** throttle: the service's word for it, both without effect; cut: the connection is closed, half of the time before the
** call has an effect, half of the time within the answer; duplicate: a message sent to a standard queue, or an
** asynchronous event, is delivered twice.
*/
#ifndef AWSYNC_ENGINE_FAULT_H
#define AWSYNC_ENGINE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/engine/engine.h"

enum fault_kind {
    FAULT_DROP,
    FAULT_DELAY,
    FAULT_ERROR,
    FAULT_THROTTLE,
    FAULT_DUPLICATE,
    FAULT_CUT,
    FAULT_KINDS,
};
const char *fault_name(enum fault_kind kind); /* `drop` */

struct fault_spec {
    uint64_t seed;
    double
        rate[FAULT_KINDS]; /* 0..1; those of drop, error, throttle and cut are 1 at most together */
    int64_t delay_ms;
    uint64_t only;     /* a bit for each operation, see fault_bit; 0: all */
    bool workers_only; /* calls of others than workers are spared */
};

/* Reads `seed=7,drop=0.05,delay=0.1:200ms,only=SendMessage+Invoke`. False: error_out says what is wrong. */
bool fault_parse(struct fault_spec *out, const char *text, char *error_out, size_t error_size);

/* Numbers of operations: those of sqs.h, and one for Lambda's Invoke. */
enum { FAULT_INVOKE = 63 };

struct fault;

/* spec is copied. NULL: no memory. */
struct fault *fault_new(const struct fault_spec *spec);
void fault_free(struct fault *fault); /* NULL is allowed */

/* What a call meets. */
struct fault_fate {
    int64_t delay_ms; /* 0: none */
    enum fault_kind
        ending; /* FAULT_DROP, FAULT_ERROR, FAULT_THROTTLE, FAULT_CUT; FAULT_KINDS: none */
    bool late;  /* FAULT_CUT: within the answer */
    int status; /* FAULT_ERROR: 500 or 503 */
};
/* The next call. fault NULL: nothing happens to it. */
struct fault_fate fault_decide(struct fault *fault, unsigned operation, bool by_worker);
/* Is the next message or event delivered twice? */
bool fault_twice(struct fault *fault, unsigned operation);
/* How often each fault has happened. Any thread. */
void fault_read(const struct fault *fault, uint64_t counts_out[FAULT_KINDS]);

#endif
