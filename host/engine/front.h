/*
** The engine's face: HTTP, request ids, authentication, and which service a request belongs to.
** Implements service.h.
*/
#ifndef AWSYNC_ENGINE_FRONT_H
#define AWSYNC_ENGINE_FRONT_H

#include "host/engine/internal.h"

struct event_base;
struct front;
struct function;
struct sqs_service;

/* Where requests go; all borrowed for the front's life. */
struct front_services {
    struct sqs_service *sqs;
    struct function *function; /* NULL: no Lambda */
    struct fault *fault;       /* NULL: none are injected */
};

/* Listens at once; port_out as http_listen has it. NULL on failure, errno says why. Requests are
** answered after front_open. */
struct front *front_new(struct event_base *base, const struct engine_config *config,
                        struct figures *figures, int *port_out);
bool front_open(struct front *front, const struct front_services *services);
/* Every call must have been answered by its service. NULL is allowed. */
void front_free(struct front *front);

#endif
