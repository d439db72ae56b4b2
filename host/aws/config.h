/*
** What the client is to use: region, endpoints, limits; from options, environment and shared
** files. Source: AWS SDKs and Tools Reference Guide (settings, service-specific endpoints, FIPS
** and dual-stack endpoints).
*/
#ifndef AWSYNC_AWS_CONFIG_H
#define AWSYNC_AWS_CONFIG_H

#include "host/aws/aws.h"
#include "host/aws/ini.h"

struct endpoint {
    char *url;    /* `https://sqs.eu-west-1.amazonaws.com`, without a slash at the end */
    char *host;   /* as the Host header has it */
    char *prefix; /* path before every target, "" or `/a/b` */
    char *region; /* to sign with */
};

struct config {
    char *region;         /* NULL: none is configured */
    char *profile;        /* never NULL */
    bool profile_chosen;  /* by option or environment: then it has to be there */
    bool profile_by_code; /* by option: goes before the keys of the environment */
    char *ca_bundle;      /* NULL: the system's */
    char *user_agent;
    int max_attempts;
    char *config_path, *credentials_path;
    bool config_closed; /* the config file is not for this user */
    struct endpoint endpoints[AWS_SERVICE_COUNT];
    char *endpoint_errors[AWS_SERVICE_COUNT]; /* why a service has none; NULL: it has one */
};

/* Reads environment and files. False with a message in error when nothing can be done with them (a
** file that cannot be read, a profile that is not there); config_free is due in both cases. A config
** file that this user may not open is no error until something is missing: as in the AWS SDKs. */
bool config_load(struct config *config, const struct aws_options *options, char *error,
                 size_t error_size);
void config_free(struct config *config);
/* Name for signing: `sqs`. */
const char *config_service_name(enum aws_service service);

/* The section of a profile in the config file: `default`, `profile NAME`. out is cut to size. */
void config_section(const struct ini *file, const char *profile, char *out, size_t size);
/* An environment variable, or NULL when it is not set or empty. */
const char *config_env(const char *name);

/* Cuts a URL into an endpoint. False with a message when it is none of http or https, has user
** information, a query, a fragment, or characters that a URL cannot have. */
bool endpoint_parse(struct endpoint *out, const char *url, const char *region, char *error,
                    size_t error_size);
/* AWS's own endpoint of a service. */
bool endpoint_default(struct endpoint *out, enum aws_service service, const char *region, bool fips,
                      bool dualstack, char *error, size_t error_size);
void endpoint_free(struct endpoint *endpoint);

#endif
