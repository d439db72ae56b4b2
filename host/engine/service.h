/*
** A request on its way through the engine: read and authenticated by the front (front.c), answered by a service.
** All of the engine runs on one thread, that of its event base.
*/
#ifndef AWSYNC_ENGINE_SERVICE_H
#define AWSYNC_ENGINE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service_call; /* from the front until service_answer */

/* All are borrowed for the call's life. */
const char *service_method(const struct service_call *call); /* `POST` */
const char *service_path(
    const struct service_call *call); /* as on the wire, still percent-encoded, without the query */
const char *service_query(const struct service_call *call); /* "" when there is none */
const char *service_header(const struct service_call *call,
                           const char *name); /* any case; NULL: absent */
const char *service_body(const struct service_call *call, size_t *len_out); /* NUL-terminated */
const char *
service_request_id(const struct service_call *call);       /* UUID, sent back as x-amzn-RequestId */
const char *service_host(const struct service_call *call); /* Host header, for URLs in answers */
const char *service_region(const struct service_call *call);  /* of the credential scope */
const char *service_account(const struct service_call *call); /* 12 digits */

/* Adds a header to the answer. Copied. */
void service_set_header(struct service_call *call, const char *name, const char *value);
/* Sends the answer and frees the call. body is copied; len 0 sends an empty body. */
void service_answer(struct service_call *call, int status, const char *content_type,
                    const void *body, size_t len);
/* For calls that are answered later: gone runs when the client's connection closes before. The call is still valid then and must
** still be answered (into the void) by service_answer, in gone or later. */
void service_on_gone(struct service_call *call, void (*gone)(void *context), void *context);

#endif
