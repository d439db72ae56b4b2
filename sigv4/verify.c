#include "sigv4/internal.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"

/* --- the credential scope --------------------------------------------------------- */

struct scope_parts {
    char date[SIGV4_DATE_LEN + 1];
    bool fits; /* lengths and terminator are right */
};

/* False when the part is longer than out. */
static bool copy_part(char *out, size_t size, const char *part, size_t len) {
    if (len >= size)
        return false;
    memcpy(out, part, len);
    out[len] = '\0';
    return true;
}

/* Splits `key/date/region/service/aws4_request`. */
static enum sigv4_result read_credential(const char *text, struct sigv4_identity *identity,
                                         struct scope_parts *parts) {
    enum { PARTS = 5 };
    const char *part[PARTS];
    size_t len[PARTS], count = 0;
    for (const char *at = text;; at++) {
        size_t span = strcspn(at, "/");
        if (count == PARTS || span == 0)
            return SIGV4_INCOMPLETE;
        part[count] = at;
        len[count++] = span;
        at += span;
        if (*at == '\0')
            break;
    }
    if (count != PARTS)
        return SIGV4_INCOMPLETE;
    parts->fits = copy_part(parts->date, sizeof parts->date, part[1], len[1]) &&
                  copy_part(identity->region, sizeof identity->region, part[2], len[2]) &&
                  copy_part(identity->service, sizeof identity->service, part[3], len[3]) &&
                  strcmp(part[4], SIGV4_TERMINATOR) == 0;
    return copy_part(identity->access_key_id, sizeof identity->access_key_id, part[0], len[0])
               ? SIGV4_OK
               : SIGV4_UNKNOWN_KEY;
}

static bool scope_fits(const struct scope_parts *parts, const struct sigv4_claim *claim,
                       const struct sigv4_identity *identity, const struct sigv4_rules *rules) {
    return parts->fits && memcmp(parts->date, claim->amz_date, SIGV4_DATE_LEN) == 0 &&
           (!rules->region || strcmp(rules->region, identity->region) == 0) &&
           (!rules->service || strcmp(rules->service, identity->service) == 0);
}

/* --- the signed headers ------------------------------------------------------------- */

struct name_list {
    char **names; /* ascending; into the claim's text */
    bool *seen;
    size_t count;
};

static void name_list_free(struct name_list *list) {
    free(list->names);
    free(list->seen);
}

/* Splits `host;x-amz-date` in place. Any other order, upper case or a name twice cannot match. */
static enum sigv4_result name_list_read(struct name_list *list, char *text, size_t len) {
    *list = (struct name_list){0};
    size_t pieces = 1;
    for (size_t i = 0; i < len; i++)
        pieces += text[i] == ';';
    list->names = calloc(pieces, sizeof *list->names);
    list->seen = calloc(pieces, sizeof *list->seen);
    if (!list->names || !list->seen)
        return SIGV4_NO_MEMORY;
    if (len == 0)
        return SIGV4_OK;
    enum sigv4_result result = SIGV4_OK;
    for (char *at = text; list->count < pieces;) {
        size_t span = strcspn(at, ";");
        if (!sigv4_is_token(at, span))
            return SIGV4_INCOMPLETE;
        for (size_t i = 0; i < span; i++)
            if (at[i] != ascii_lower(at[i]))
                result = SIGV4_MISMATCH;
        at[span] = '\0';
        if (list->count > 0 && strcmp(list->names[list->count - 1], at) >= 0)
            result = SIGV4_MISMATCH;
        list->names[list->count++] = at;
        at += span + 1;
    }
    return result;
}

/* Compares a name of any case with one in lower case. */
static int compare_name(const char *name, const char *lower) {
    for (; ascii_lower(*name) == *lower; name++, lower++)
        if (*lower == '\0')
            return 0;
    return (unsigned char)ascii_lower(*name) < (unsigned char)*lower ? -1 : 1;
}

static bool name_list_mark(struct name_list *list, const char *name) {
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_name(name, list->names[middle]);
        if (order == 0) {
            list->seen[middle] = true;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* What the list names goes into work. AWS calls a listed header that is not there an incomplete
** signature, and a host or x-amz-* header that is not listed a wrong one. */
static enum sigv4_result select_headers(struct sigv4_work *work, struct sigv4_claim *claim) {
    struct name_list list;
    enum sigv4_result result =
        name_list_read(&list, claim->signed_names.data, claim->signed_names.len);
    if (result != SIGV4_OK)
        goto done;
    bool unsigned_header = !name_list_mark(&list, "host");
    memset(list.seen, 0, list.count * sizeof *list.seen);
    for (size_t i = 0; i < work->request->header_count; i++) {
        const struct sigv4_header *header = &work->request->headers[i];
        if (name_list_mark(&list, header->name)) {
            result = sigv4_work_add_header(work, header->name, header->value);
            if (result != SIGV4_OK)
                goto done;
        } else if (!claim->presigned && sigv4_name_starts(header->name, "x-amz-")) {
            unsigned_header = true;
        }
    }
    for (size_t i = 0; i < list.count; i++)
        if (!list.seen[i])
            result = SIGV4_INCOMPLETE;
    if (result == SIGV4_OK && unsigned_header)
        result = SIGV4_MISMATCH;
    sigv4_work_sort_headers(work);
done:
    name_list_free(&list);
    return result;
}

/* --- time, token, payload --------------------------------------------------------------- */

static enum sigv4_result check_time(const struct sigv4_claim *claim,
                                    const struct sigv4_rules *rules) {
    int64_t age_ms = rules->now_ms - claim->date_ms;
    if (age_ms < 0 && -age_ms > rules->skew_ms)
        return SIGV4_NOT_YET_VALID;
    int64_t limit_ms = claim->presigned ? claim->expires_ms : rules->skew_ms;
    return age_ms > limit_ms ? SIGV4_EXPIRED : SIGV4_OK;
}

static enum sigv4_result check_token(const struct sigv4_claim *claim,
                                     const struct sigv4_credentials *credentials) {
    if (!sigv4_has_token(credentials))
        return claim->has_token ? SIGV4_BAD_TOKEN : SIGV4_OK;
    size_t len = strlen(credentials->session_token);
    bool same = claim->has_token && claim->token.len == len &&
                secret_equal(buf_text(&claim->token), credentials->session_token, len);
    return same ? SIGV4_OK : SIGV4_BAD_TOKEN;
}

/* An announced hash must be the body's; only S3 allows none. */
static enum sigv4_result set_payload(struct sigv4_work *work, const struct sigv4_claim *claim) {
    if (work->raw_path && claim->presigned) {
        memcpy(work->payload, SIGV4_UNSIGNED, sizeof SIGV4_UNSIGNED);
        return SIGV4_OK;
    }
    enum sigv4_result result = sigv4_work_payload(work);
    bool unhashed = false;
    for (size_t i = 0; result == SIGV4_OK && i < work->request->header_count; i++) {
        const struct sigv4_header *header = &work->request->headers[i];
        if (!sigv4_name_is(header->name, "x-amz-content-sha256"))
            continue;
        struct buf value;
        buf_init(&value, 2 * SIGV4_HEX_LEN);
        if (strnlen(header->value, 2 * SIGV4_HEX_LEN) == 2 * SIGV4_HEX_LEN ||
            sigv4_header_value(&value, header->value) != SIGV4_OK)
            result = SIGV4_MISMATCH;
        else if (work->raw_path && strcmp(buf_text(&value), SIGV4_UNSIGNED) == 0)
            unhashed = true;
        else if (strcmp(buf_text(&value), work->payload) != 0)
            result = SIGV4_MISMATCH;
        buf_free(&value);
    }
    if (result == SIGV4_OK && unhashed)
        memcpy(work->payload, SIGV4_UNSIGNED, sizeof SIGV4_UNSIGNED);
    return result;
}

/* --- the whole ----------------------------------------------------------------------------- */

static enum sigv4_result look_up(const struct sigv4_rules *rules,
                                 const struct sigv4_identity *identity,
                                 struct sigv4_credentials *credentials) {
    *credentials = (struct sigv4_credentials){0};
    if (!rules->lookup || !rules->lookup(rules->context, identity->access_key_id, credentials))
        return SIGV4_UNKNOWN_KEY;
    credentials->access_key_id = identity->access_key_id;
    return sigv4_check_credentials(credentials) == SIGV4_OK ? SIGV4_OK : SIGV4_UNKNOWN_KEY;
}

static bool signature_fits(const struct sigv4_claim *claim, const struct sigv4_stages *stages) {
    return claim->signature.len == SIGV4_HEX_LEN &&
           secret_equal(buf_text(&claim->signature), stages->signature, SIGV4_HEX_LEN);
}

/* Everything that costs no hashing comes first, and no signing key is made for a scope that is
** refused anyway: a stranger cannot fill the cache. */
static enum sigv4_result verify(struct sigv4_work *work, struct sigv4_claim *claim,
                                const struct sigv4_rules *rules, struct sigv4_identity *identity,
                                struct sigv4_stages *stages) {
    struct scope_parts parts = {0};
    struct sigv4_credentials credentials;
    enum sigv4_result result = sigv4_claim_read(claim, work);
    memcpy(identity->amz_date, claim->amz_date, sizeof identity->amz_date);
    enum sigv4_result read = SIGV4_OK;
    if (claim->credential.len > 0)
        read = read_credential(claim->credential.data, identity, &parts);
    if (result == SIGV4_OK)
        result = read;
    if (result == SIGV4_OK)
        result = select_headers(work, claim);
    if (result == SIGV4_OK && !scope_fits(&parts, claim, identity, rules))
        result = SIGV4_WRONG_SCOPE;
    if (result == SIGV4_OK)
        result = look_up(rules, identity, &credentials);
    if (result == SIGV4_OK)
        result = check_token(claim, &credentials);
    if (result == SIGV4_OK)
        result = check_time(claim, rules);
    if (result == SIGV4_OK)
        result = set_payload(work, claim);
    if (result != SIGV4_OK)
        return result;
    sigv4_work_scope(work, claim->amz_date, identity->region, identity->service);
    result = sigv4_compute(work, &credentials, stages);
    if (result != SIGV4_OK)
        return result;
    return signature_fits(claim, stages) ? SIGV4_OK : SIGV4_MISMATCH;
}

enum sigv4_result sigv4_verify(const struct sigv4_request *request, const struct sigv4_rules *rules,
                               struct sigv4_cache *cache, struct sigv4_identity *identity,
                               struct sigv4_stages *stages) {
    struct sigv4_work work;
    struct sigv4_claim claim = {0};
    struct sigv4_identity own_identity;
    struct sigv4_stages own = {0};
    if (!identity)
        identity = &own_identity;
    if (!stages)
        stages = &own;
    *identity = (struct sigv4_identity){0};

    enum sigv4_result result = sigv4_work_init(&work, request, cache, rules->raw_path);
    if (result == SIGV4_OK)
        result = sigv4_query_parse(&work.query, work.wire_query, work.wire_query_len);
    if (result == SIGV4_OK)
        result = verify(&work, &claim, rules, identity, stages);
    sigv4_claim_free(&claim);
    sigv4_work_free(&work);
    sigv4_stages_free(&own);
    return result;
}
