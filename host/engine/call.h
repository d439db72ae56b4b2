/* The front's side of service.h, for the files of the engine that answer in its name. */
#ifndef AWSYNC_ENGINE_CALL_H
#define AWSYNC_ENGINE_CALL_H

#include <stdbool.h>

#include "host/engine/service.h"

/* True when the call was signed with the temporary credentials of a worker. */
bool call_by_worker(const struct service_call *call);
/* An injected fault: is the event of this Invoke delivered twice? Asked once. */
bool call_is_twice(struct service_call *call);

#endif
