/*
** Calls on their way to Lambda: counted here until Lambda has accepted them. Plain C, no Lua.
** The functions are the program's thread's; answers arrive on the I/O thread.
*/
#ifndef AWSYNC_BINDING_CALLS_H
#define AWSYNC_BINDING_CALLS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/aws/lambda.h"
#include "host/channel/channel.h"

/* More than this is not handed to the I/O thread at once: calls_send waits for room. */
enum { CALLS_BYTES_MAX = 16 * 1024 * 1024 };

struct calls {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t pending, bytes;               /* under way */
    struct call *refused, **refused_end; /* not yet taken by calls_take_failure, in order */
    struct chan_hub *hub; /* whose waiting operation a refusal interrupts; NULL: none */
    bool woken;           /* chan_hub_interrupt was called for a refusal */
};

/* False: no resources. */
bool calls_init(struct calls *calls);
/* After the client's end, which answers all that are under way. */
void calls_destroy(struct calls *calls);
/* NULL before the hub is freed. */
void calls_set_hub(struct calls *calls, struct chan_hub *hub);

enum calls_result { CALLS_OK, CALLS_TIMEOUT, CALLS_NO_MEMORY };
/* Sends an asynchronous call; returns when the I/O thread has it. name: of the Lua function, for
** messages. id: of the call, for calls_take_failure. deadline: of clock_mono_ms, for the wait for
** room. */
enum calls_result calls_send(struct calls *calls, struct aws_client *client,
                             const struct lambda_invoke *in, const char *name, const char *id,
                             int64_t deadline);
/* Waits until all are answered; CALLS_TIMEOUT when the deadline comes first. */
enum calls_result calls_wait(struct calls *calls, int64_t deadline);
enum { CALLS_ID_SIZE = 37 };
/* True when one has been refused: writes a sentence that says which and why, and its id (may be
** NULL), and forgets it. */
bool calls_take_failure(struct calls *calls, char *out, size_t size, char id_out[CALLS_ID_SIZE]);
/* True when a refusal has interrupted a waiting operation since the last time: the interruption was
** ours. */
bool calls_take_woken(struct calls *calls);

#endif
