#include "sigv4/internal.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"

static const int64_t LAST_MS = INT64_C(253402300799999); /* the end of the year 9999 */

enum sigv4_result sigv4_begin(struct sigv4_work *work, const struct sigv4_request *request,
                              const struct sigv4_credentials *credentials,
                              const struct sigv4_scope *scope, struct sigv4_cache *cache) {
    enum sigv4_result result = sigv4_work_init(work, request, cache, scope->raw_path);
    if (result == SIGV4_OK)
        result = sigv4_check_credentials(credentials);
    if (result != SIGV4_OK)
        return result;
    if (!scope->region || !sigv4_is_scope_part(scope->region, SIGV4_MAX_NAME) || !scope->service ||
        !sigv4_is_scope_part(scope->service, SIGV4_MAX_NAME) || scope->wall_ms < 0 ||
        scope->wall_ms > LAST_MS)
        return SIGV4_BAD_INPUT;
    char amz_date[CLOCK_AMZ_SIZE];
    clock_amz_date(scope->wall_ms, amz_date);
    sigv4_work_scope(work, amz_date, scope->region, scope->service);
    return sigv4_work_payload(work);
}

/* What proxies change and the hop-by-hop headers are not among these, so they are never signed. */
static bool is_signed_name(const char *name) {
    return sigv4_name_is(name, "host") || sigv4_name_is(name, "content-type") ||
           sigv4_name_starts(name, "x-amz-");
}

/* The hash that the caller announces must be the one that is signed. */
static enum sigv4_result check_payload_header(struct sigv4_work *work, const char *value) {
    if (work->raw_path && strcmp(value, SIGV4_UNSIGNED) == 0) {
        memcpy(work->payload, SIGV4_UNSIGNED, sizeof SIGV4_UNSIGNED);
        return SIGV4_OK;
    }
    return strcmp(value, work->payload) == 0 ? SIGV4_OK : SIGV4_BAD_INPUT;
}

enum sigv4_result sigv4_select_headers(struct sigv4_work *work) {
    size_t hosts = 0;
    for (size_t i = 0; i < work->request->header_count; i++) {
        const struct sigv4_header *header = &work->request->headers[i];
        if (!is_signed_name(header->name))
            continue;
        enum sigv4_result result = SIGV4_OK;
        if (sigv4_name_is(header->name, "host")) {
            hosts++;
            if (header->value[strspn(header->value, " \t")] == '\0')
                result = SIGV4_BAD_INPUT;
        } else if (sigv4_name_is(header->name, "x-amz-content-sha256")) {
            result = check_payload_header(work, header->value);
        }
        if (result == SIGV4_OK)
            result = sigv4_work_add_header(work, header->name, header->value);
        if (result != SIGV4_OK)
            return result;
    }
    return hosts == 1 ? SIGV4_OK : SIGV4_BAD_INPUT;
}

/* Adds a header that the signer decides on, unless the request has the very same already. */
static enum sigv4_result require_header(struct sigv4_work *work, const char *name,
                                        const char *value) {
    size_t count = 0;
    for (size_t i = 0; i < work->header_count; i++) {
        if (!sigv4_name_is(work->headers[i].name, name))
            continue;
        if (!value || strcmp(work->headers[i].value, value) != 0)
            return SIGV4_BAD_INPUT;
        count++;
    }
    if (count > 1)
        return SIGV4_BAD_INPUT;
    return count == 1 || !value ? SIGV4_OK : sigv4_work_add_header(work, name, value);
}

enum sigv4_result sigv4_sign(const struct sigv4_request *request,
                             const struct sigv4_credentials *credentials,
                             const struct sigv4_scope *scope, struct sigv4_cache *cache,
                             struct sigv4_signed *out, struct sigv4_stages *stages) {
    struct sigv4_work work;
    struct sigv4_stages own = {0};
    const struct sigv4_param *param;
    struct buf text;
    if (!stages)
        stages = &own;
    *out = (struct sigv4_signed){0};
    buf_init(&text, SIGV4_MAX_TEXT);

    enum sigv4_result result = sigv4_begin(&work, request, credentials, scope, cache);
    if (result == SIGV4_OK)
        result = sigv4_query_parse(&work.query, work.wire_query, work.wire_query_len);
    /* A request is signed in one way; and X-Amz-Signature would stay out of the canonical query. */
    if (result == SIGV4_OK && (sigv4_query_find(&work.query, "X-Amz-Signature", &param) > 0 ||
                               sigv4_query_find(&work.query, "X-Amz-Algorithm", &param) > 0))
        result = SIGV4_BAD_INPUT;
    if (result == SIGV4_OK)
        result = sigv4_select_headers(&work);
    if (result == SIGV4_OK)
        result = require_header(&work, "x-amz-date", work.amz_date);
    if (result == SIGV4_OK)
        result = require_header(&work, "x-amz-security-token",
                                sigv4_has_token(credentials) ? credentials->session_token : NULL);
    if (result != SIGV4_OK)
        goto done;
    sigv4_work_sort_headers(&work);
    result = sigv4_compute(&work, credentials, stages);
    if (result != SIGV4_OK)
        goto done;
    const char *const pieces[] = {SIGV4_ALGORITHM " Credential=",
                                  credentials->access_key_id,
                                  "/",
                                  work.scope,
                                  ", SignedHeaders=",
                                  stages->signed_headers,
                                  ", Signature=",
                                  stages->signature};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        buf_adds(&text, pieces[i]);
    memcpy(out->amz_date, work.amz_date, sizeof out->amz_date);
    out->authorization = buf_take(&text, NULL);
    if (!out->authorization)
        result = SIGV4_NO_MEMORY;
done:
    buf_free(&text);
    sigv4_work_free(&work);
    sigv4_stages_free(&own);
    return result;
}

void sigv4_signed_free(struct sigv4_signed *out) {
    secret_free(out->authorization);
    secret_wipe(out, sizeof *out);
}
