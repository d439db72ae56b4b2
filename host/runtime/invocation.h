/* One invocation, from the event to the one answer. */
#ifndef AWSYNC_RUNTIME_INVOCATION_H
#define AWSYNC_RUNTIME_INVOCATION_H

#include <lua.h>

#include "host/runtime/runtime_api.h"

struct runtime {
    lua_State *L;
    struct runtime_api *api;
    const char *root;                    /* LAMBDA_TASK_ROOT */
    const char *function;                /* its name, or NULL */
    const struct runtime_event *current; /* of the running invocation, or NULL */
};

/* Runs the handler, or the function of a signed call, and answers. RUNTIME_ENDED: the process
** has to end; whatever else went wrong has been logged and the next invocation may come. Outside
** any protection. */
enum runtime_result invocation_handle(struct runtime *runtime, const struct runtime_event *event);

#endif
