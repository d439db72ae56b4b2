/*
** Who may call: the one identity of the engine's user, and the role of its workers.
** Answers that refuse have the shape of the service that was asked (facts 4.4).
*/
#ifndef AWSYNC_ENGINE_AUTH_H
#define AWSYNC_ENGINE_AUTH_H

#include <stdbool.h>

#include "host/engine/internal.h"
#include "host/engine/service.h"
#include "sigv4/sigv4.h"

struct auth;

enum auth_service { AUTH_SQS, AUTH_LAMBDA, AUTH_STS };

/* config is borrowed. NULL: no memory. */
struct auth *auth_new(const struct engine_config *config);
void auth_free(struct auth *auth);

struct auth_result {
    enum sigv4_result result;
    struct sigv4_identity identity;
    bool by_worker;
};
void auth_verify(struct auth *auth, enum auth_service service, const struct sigv4_request *request,
                 struct auth_result *out);
/* Answers a call that auth_verify has refused. */
void auth_refuse(const struct auth *auth, enum auth_service service,
                 const struct auth_result *result, struct service_call *call);

#endif
