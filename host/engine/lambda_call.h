/* Calls of the Lambda API: which operation, which function, how a refusal reads. */
#ifndef AWSYNC_ENGINE_LAMBDA_CALL_H
#define AWSYNC_ENGINE_LAMBDA_CALL_H

#include "host/engine/internal.h"
#include "host/engine/lambda_name.h"
#include "host/engine/service.h"

struct function;

/* Answers the call. function NULL: every function is unknown. */
void lambda_call(const struct engine_config *config, struct function *function,
                 struct service_call *call);
/* True for Invoke, by its path; every other operation manages. */
bool lambda_is_invoke(const struct service_call *call);

/* Answers with an error as Lambda words it. reason: of a throttled call, else NULL. */
void lambda_error(struct service_call *call, int status, const char *type, const char *reason,
                  const char *message);
void lambda_fail(struct service_call *call, int status, const char *type, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* False, and error_out says where, when text is not one JSON value. */
bool lambda_check_json(const char *text, size_t len, char *error_out, size_t error_size);

/* --- the operations; the function is there, name says by what it was asked for ---------------- */

typedef void (*lambda_operation)(struct function *f, const struct lambda_name *name,
                                 struct service_call *call);

/* lambda_invoke.c */
void lambda_serve_invoke(struct function *f, const struct lambda_name *name,
                         struct service_call *call);

/* lambda_settings.c */
void lambda_get_function(struct function *f, const struct lambda_name *name,
                         struct service_call *call);
void lambda_get_configuration(struct function *f, const struct lambda_name *name,
                              struct service_call *call);
void lambda_put_concurrency(struct function *f, const struct lambda_name *name,
                            struct service_call *call);
void lambda_get_concurrency(struct function *f, const struct lambda_name *name,
                            struct service_call *call);
void lambda_delete_concurrency(struct function *f, const struct lambda_name *name,
                               struct service_call *call);
void lambda_put_event_config(struct function *f, const struct lambda_name *name,
                             struct service_call *call);
void lambda_update_event_config(struct function *f, const struct lambda_name *name,
                                struct service_call *call);
void lambda_get_event_config(struct function *f, const struct lambda_name *name,
                             struct service_call *call);
void lambda_delete_event_config(struct function *f, const struct lambda_name *name,
                                struct service_call *call);

#endif
