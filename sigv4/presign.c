#include "sigv4/internal.h"

#include <string.h>

#include "host/base/secret.h"

enum { LONGEST_S = 604800 };

/* Appends `&name=value` with the value encoded. */
static void add_param(struct buf *out, const char *name, const char *value) {
    buf_addc(out, '&');
    buf_adds(out, name);
    buf_addc(out, '=');
    sigv4_encode(out, value, strlen(value));
}

/* A target that carries one of ours already would be signed twice. */
static bool is_presigned(const struct sigv4_query *query) {
    static const char *const names[] = {"X-Amz-Algorithm",    "X-Amz-Credential",
                                        "X-Amz-Date",         "X-Amz-Expires",
                                        "X-Amz-Signature",    "X-Amz-Security-Token",
                                        "X-Amz-SignedHeaders"};
    const struct sigv4_param *param;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sigv4_query_find(query, names[i], &param) > 0)
            return true;
    return false;
}

/* The target with everything but the signature. */
static enum sigv4_result unsigned_target(const struct sigv4_work *work,
                                         const struct sigv4_credentials *credentials,
                                         int64_t expires_s, struct buf *out) {
    struct buf piece;
    buf_init(&piece, SIGV4_MAX_TEXT);
    if (work->path_len == 0)
        buf_addc(out, '/');
    buf_add(out, work->path, work->path_len);
    buf_addc(out, '?');
    if (work->wire_query_len > 0) {
        buf_add(out, work->wire_query, work->wire_query_len);
        buf_addc(out, '&');
    }
    buf_adds(out, "X-Amz-Algorithm=" SIGV4_ALGORITHM);
    bool done = buf_addf(&piece, "%s/%s", credentials->access_key_id, work->scope);
    add_param(out, "X-Amz-Credential", buf_text(&piece));
    add_param(out, "X-Amz-Date", work->amz_date);
    buf_addf(out, "&X-Amz-Expires=%lld", (long long)expires_s);
    buf_reset(&piece);
    done = sigv4_work_signed_names(work, &piece) && done;
    add_param(out, "X-Amz-SignedHeaders", buf_text(&piece));
    if (sigv4_has_token(credentials))
        add_param(out, "X-Amz-Security-Token", credentials->session_token);
    buf_free(&piece);
    return done && buf_ok(out) ? SIGV4_OK : SIGV4_NO_MEMORY;
}

enum sigv4_result sigv4_presign(const struct sigv4_request *request,
                                const struct sigv4_credentials *credentials,
                                const struct sigv4_scope *scope, struct sigv4_cache *cache,
                                struct buf *out, struct sigv4_stages *stages) {
    struct sigv4_work work;
    struct sigv4_stages own = {0};
    struct buf target;
    if (!stages)
        stages = &own;
    buf_init_secret(&target, SIGV4_MAX_TEXT);

    enum sigv4_result result = sigv4_begin(&work, request, credentials, scope, cache);
    if (result == SIGV4_OK && (scope->expires_s < 1 || scope->expires_s > LONGEST_S))
        result = SIGV4_BAD_INPUT;
    if (result == SIGV4_OK)
        result = sigv4_query_parse(&work.query, work.wire_query, work.wire_query_len);
    if (result == SIGV4_OK && is_presigned(&work.query))
        result = SIGV4_BAD_INPUT;
    if (result == SIGV4_OK)
        result = sigv4_select_headers(&work);
    if (result != SIGV4_OK)
        goto done;
    if (scope->raw_path)
        memcpy(work.payload, SIGV4_UNSIGNED, sizeof SIGV4_UNSIGNED);
    sigv4_work_sort_headers(&work);
    result = unsigned_target(&work, credentials, scope->expires_s, &target);
    if (result != SIGV4_OK)
        goto done;
    const char *query = strchr(target.data, '?') + 1;
    sigv4_query_free(&work.query);
    result = sigv4_query_parse(&work.query, query, strlen(query));
    if (result == SIGV4_OK)
        result = sigv4_compute(&work, credentials, stages);
    if (result != SIGV4_OK)
        goto done;
    add_param(&target, "X-Amz-Signature", stages->signature);
    if (!buf_ok(&target) || !buf_add(out, target.data, target.len))
        result = SIGV4_NO_MEMORY;
done:
    buf_wipe(&target);
    sigv4_work_free(&work);
    sigv4_stages_free(&own);
    return result;
}
