#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/buf.h"
#include "host/base/clock.h"
#include "host/engine/auth.h"
#include "host/engine/lambda_call.h"
#include "host/engine/sqs.h"
#include "host/engine/sts.h"

#define MINUTE_MS 60000

struct auth {
    const struct engine_config *config;
    struct sigv4_cache *cache;
};

static const struct {
    const char *name;
    int skew_minutes;
} services[] = {
    [AUTH_SQS] = {"sqs", 15},
    [AUTH_LAMBDA] = {"lambda", 5},
    [AUTH_STS] = {"sts", 15},
};

struct auth *auth_new(const struct engine_config *config) {
    struct auth *auth = malloc(sizeof(*auth));

    if (auth == NULL)
        return NULL;
    auth->config = config;
    auth->cache = sigv4_cache_new();
    if (auth->cache == NULL) {
        free(auth);
        return NULL;
    }
    return auth;
}

void auth_free(struct auth *auth) {
    if (auth == NULL)
        return;
    sigv4_cache_free(auth->cache);
    free(auth);
}

static bool lookup(void *context, const char *access_key_id, struct sigv4_credentials *out) {
    const struct engine_config *config = context;

    if (strcmp(access_key_id, config->access_key_id) == 0) {
        *out = (struct sigv4_credentials){config->access_key_id, config->secret_access_key, NULL};
        return true;
    }
    if (strcmp(access_key_id, config->worker_key_id) == 0) {
        *out = (struct sigv4_credentials){config->worker_key_id, config->worker_secret,
                                          config->worker_token};
        return true;
    }
    return false;
}

void auth_verify(struct auth *auth, enum auth_service service, const struct sigv4_request *request,
                 struct auth_result *out) {
    struct sigv4_rules rules = {
        .region = auth->config->region,
        .service = services[service].name,
        .now_ms = clock_wall_ms(),
        .skew_ms = (int64_t)services[service].skew_minutes * MINUTE_MS,
        .lookup = lookup,
        .context = (void *)auth->config, /* lookup does not write */
    };

    memset(&out->identity, 0, sizeof(out->identity));
    out->result = sigv4_verify(request, &rules, auth->cache, &out->identity, NULL);
    out->by_worker = strcmp(out->identity.access_key_id, auth->config->worker_key_id) == 0;
}

/* --- refusals --------------------------------------------------------------------------------- */

/* A row for each way to fail. The names are those of the JSON protocols; STS has its own. */
static const struct refusal {
    enum sigv4_result result;
    const char *name; /* NULL: see auth_refuse */
    int lambda_status;
    const char *sts_code;
    int sts_status;
    const char *message; /* NULL: made from the request */
} refusals[] = {
    {SIGV4_NOT_SIGNED, NULL, 403, "MissingAuthenticationToken", 403, NULL},
    {SIGV4_BAD_INPUT, "IncompleteSignatureException", 400, "IncompleteSignature", 400,
     "The request holds what cannot be signed."},
    {SIGV4_INCOMPLETE, "IncompleteSignatureException", 400, "IncompleteSignature", 400,
     "Authorization header requires 'Credential' parameter. Authorization header requires "
     "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
     "Authorization "
     "header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
    {SIGV4_UNKNOWN_KEY, "UnrecognizedClientException", 403, "InvalidClientTokenId", 403,
     "The security token included in the request is invalid."},
    {SIGV4_BAD_TOKEN, "UnrecognizedClientException", 403, "InvalidClientTokenId", 403,
     "The security token included in the request is invalid."},
    {SIGV4_EXPIRED, "InvalidSignatureException", 403, "SignatureDoesNotMatch", 403, NULL},
    {SIGV4_NOT_YET_VALID, "InvalidSignatureException", 403, "SignatureDoesNotMatch", 403, NULL},
    {SIGV4_WRONG_SCOPE, "InvalidSignatureException", 403, "SignatureDoesNotMatch", 403, NULL},
    {SIGV4_MISMATCH, "InvalidSignatureException", 403, "SignatureDoesNotMatch", 403,
     "The request signature we calculated does not match the signature you provided. Check your "
     "AWS Secret Access Key and signing method. Consult the service documentation for details."},
};

/* `Signature expired: DATE is now earlier than LIMIT (NOW - 5 min.)`, and its opposite. */
static void add_date_message(struct buf *out, enum auth_service service,
                             const struct auth_result *result) {
    bool expired = result->result == SIGV4_EXPIRED;
    int minutes = services[service].skew_minutes;
    int64_t now_ms = clock_wall_ms();
    char now[CLOCK_AMZ_SIZE], limit[CLOCK_AMZ_SIZE];

    clock_amz_date(now_ms, now);
    clock_amz_date(now_ms + (expired ? -minutes : minutes) * (int64_t)MINUTE_MS, limit);
    buf_addf(out, "%s: %s is %s %s (%s %c %d min.)",
             expired ? "Signature expired" : "Signature not yet current", result->identity.amz_date,
             expired ? "now earlier than" : "still later than", limit, now, expired ? '-' : '+',
             minutes);
}

static void add_scope_message(struct buf *out, const struct engine_config *config,
                              enum auth_service service, const struct auth_result *result) {
    if (strcmp(result->identity.region, config->region) != 0)
        buf_addf(out, "Credential should be scoped to a valid region, not '%s'. ",
                 result->identity.region);
    if (strcmp(result->identity.service, services[service].name) != 0)
        buf_addf(out, "Credential should be scoped to correct service: '%s'. ",
                 services[service].name);
    if (out->len == 0)
        buf_adds(out, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                      "date from HTTP. ");
    if (buf_ok(out) && out->len > 0)
        out->data[--out->len] = '\0';
}

static void add_unsigned_message(struct buf *out, enum auth_service service,
                                 struct service_call *call) {
    const char *host = service_host(call);

    if (service == AUTH_LAMBDA)
        buf_adds(out, "Missing Authentication Token");
    else if (service == AUTH_STS)
        buf_adds(out, "Request is missing Authentication Token");
    else
        buf_addf(out, "Access to the resource http://%s%s is denied.", host, service_path(call));
}

void auth_refuse(const struct auth *auth, enum auth_service service,
                 const struct auth_result *result, struct service_call *call) {
    const struct refusal *row = NULL;
    const char *name;
    struct buf message;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].result == result->result)
            row = &refusals[i];
    buf_init(&message, 2 * 65536);
    if (row == NULL)
        buf_adds(&message, "The request could not be verified.");
    else if (row->message != NULL)
        buf_adds(&message, row->message);
    else if (row->result == SIGV4_NOT_SIGNED)
        add_unsigned_message(&message, service, call);
    else if (row->result == SIGV4_WRONG_SCOPE)
        add_scope_message(&message, auth->config, service, result);
    else
        add_date_message(&message, service, result);

    switch (service) {
    case AUTH_STS:
        sts_error(call, row ? row->sts_status : 500, row ? row->sts_code : "InternalFailure",
                  buf_text(&message));
        break;
    case AUTH_LAMBDA:
        name = row == NULL ? "ServiceException"
                           : (row->name ? row->name : "MissingAuthenticationTokenException");
        lambda_error(call, row ? row->lambda_status : 500, name, NULL, buf_text(&message));
        break;
    case AUTH_SQS:
        name = row == NULL ? "InternalFailure" : (row->name ? row->name : "AccessDeniedException");
        sqs_service_error(call, name, buf_text(&message));
        break;
    }
    buf_free(&message);
}
