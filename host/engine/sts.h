/* STS, API version 2011-06-15, query protocol: GetCallerIdentity. */
#ifndef AWSYNC_ENGINE_STS_H
#define AWSYNC_ENGINE_STS_H

#include "host/engine/internal.h"
#include "host/engine/service.h"

void sts_call(const struct engine_config *config, struct service_call *call);
/* Answers with an error as STS words it. */
void sts_error(struct service_call *call, int status, const char *code, const char *message);

#endif
