/* Lambda's Invoke, API version 2015-03-31: what is asked, what is refused, how it is answered. */
#ifndef AWSYNC_ENGINE_LAMBDA_INVOKE_H
#define AWSYNC_ENGINE_LAMBDA_INVOKE_H

#include "host/engine/internal.h"
#include "host/engine/service.h"

struct function;
struct invocation;
struct outcome;

/* function NULL: every function is unknown. */
void lambda_invoke_call(const struct engine_config *config, struct function *function,
                        struct service_call *call);
/* Answers a synchronous invocation that is over. */
void lambda_invoke_answer(struct invocation *inv, const struct outcome *outcome);
/* Answers with an error as Lambda words it. reason: of a throttled call, else NULL. */
void lambda_invoke_error(struct service_call *call, int status, const char *type,
                         const char *reason, const char *message);

#endif
