/*
** Where keys come from: options, environment, shared files, container endpoint, instance metadata.
** Everything here is for the I/O thread only.
*/
#ifndef AWSYNC_AWS_CREDENTIALS_H
#define AWSYNC_AWS_CREDENTIALS_H

#include "host/aws/config.h"
#include "host/aws/io.h"

enum credentials_source {
    CREDENTIALS_OPTIONS,
    CREDENTIALS_ENVIRONMENT,
    CREDENTIALS_FILES,
    CREDENTIALS_CONTAINER,
    CREDENTIALS_INSTANCE,
};

/* A set of keys that never changes; shared by reference. */
struct credentials {
    char *access_key_id, *secret_access_key, *session_token; /* token NULL: none */
    int64_t expires_ms;                                      /* INT64_MAX: never */
    enum credentials_source source;
    unsigned references;
};
/* Copies the texts; token NULL or empty: none. One reference. NULL: out of memory. */
struct credentials *credentials_new(const char *id, const char *secret, const char *token,
                                    int64_t expires_ms, enum credentials_source source);
struct credentials *credentials_keep(struct credentials *credentials);
/* Wipes and frees with the last reference. NULL is allowed. */
void credentials_release(struct credentials *credentials);
/* Reads the JSON that container endpoint and instance metadata give. NULL with a message, which
** has no secret. */
struct credentials *credentials_parse(const char *text, size_t len, enum credentials_source source,
                                      char *error, size_t error_size);

/* --- fetching over HTTP: container endpoint, instance metadata -------------------------------- */

struct fetch;
/* got: one reference for the callee, or NULL with a message. The fetch is over and freed when this
** returns. */
typedef void (*fetch_done)(void *context, struct credentials *got, const char *message);
/* NULL: out of memory; done is not called. Otherwise done is called later, never from within.
** ca_bundle: as in struct config; borrowed for the fetch. */
struct fetch *fetch_container(struct io *io, const char *ca_bundle, fetch_done done, void *context);
struct fetch *fetch_instance(struct io *io, const char *ca_bundle, fetch_done done, void *context);
/* Ends it without done. NULL is allowed. */
void fetch_cancel(struct fetch *fetch);

/* True when the environment names a container endpoint. */
bool container_wanted(void);
/* Its URL by the rules for hosts: https anywhere; http only for loopback and the addresses of ECS
** and EKS. */
bool container_url(char *out, size_t size, char *error, size_t error_size);
/* False when AWS_EC2_METADATA_DISABLED says so. */
bool instance_wanted(void);
/* Endpoint of the metadata service, without a slash at the end. */
void instance_endpoint(char *out, size_t size);

/* --- the chain -------------------------------------------------------------------------------- */

enum {
    CREDENTIALS_REFRESH_MS =
        300000,                   /* refreshed in the background when they end within this time */
    CREDENTIALS_MUST_MS = 60000,  /* within this time requests wait for new ones */
    CREDENTIALS_AGAIN_MS = 30000, /* pause after a refresh that failed */
};

struct provider;
struct credentials_wait { /* lives inside the caller's struct */
    /* got NULL: error says why. The callee takes its own reference. */
    void (*ready)(void *context, struct credentials *got, const struct aws_error *error);
    void *context;
    /* private */
    struct credentials_wait *prev, *next;
    bool waiting;
    unsigned round;
};

/* config is borrowed for the provider's life. id NULL: the chain; otherwise these keys. */
struct provider *provider_new(struct io *io, const struct config *config, const char *id,
                              const char *secret, const char *token);
void provider_free(struct provider *provider);
/* Calls ready at once or later. now_ms: the service's clock. */
void provider_get(struct provider *provider, struct credentials_wait *wait, int64_t now_ms);
void provider_cancel(struct provider *provider, struct credentials_wait *wait);
/* The service calls these keys expired. True when there may be newer ones: provider_get gives them.
 */
bool provider_refuse(struct provider *provider, const struct credentials *used);

#endif
