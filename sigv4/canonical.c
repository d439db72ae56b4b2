#include "sigv4/internal.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"

enum { ADDED_HEADERS = 2 }; /* what a signer adds: date and token */

static bool is_sendable_target(const char *target, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)target[i];
        if (byte < ' ' || byte == 127 || byte == '#')
            return false;
    }
    return len == 0 || target[0] == '/' || target[0] == '?';
}

enum sigv4_result sigv4_work_init(struct sigv4_work *work, const struct sigv4_request *request,
                                  struct sigv4_cache *cache, bool raw_path) {
    *work = (struct sigv4_work){.request = request, .cache = cache, .raw_path = raw_path};
    buf_init_secret(&work->query.text, SIGV4_MAX_TEXT);
    if (!request->method || !request->target || request->header_count > SIGV4_MAX_HEADERS ||
        (request->header_count && !request->headers) || (request->body_len && !request->body))
        return SIGV4_BAD_INPUT;
    size_t method_len = strnlen(request->method, SIGV4_MAX_NAME + 1);
    size_t len = strnlen(request->target, SIGV4_MAX_TARGET + 1);
    if (method_len > SIGV4_MAX_NAME || !sigv4_is_token(request->method, method_len) ||
        len > SIGV4_MAX_TARGET || !is_sendable_target(request->target, len))
        return SIGV4_BAD_INPUT;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct sigv4_header *header = &request->headers[i];
        if (!header->name || !header->value || !sigv4_is_token(header->name, strlen(header->name)))
            return SIGV4_BAD_INPUT;
    }

    const char *question = memchr(request->target, '?', len);
    work->path = request->target;
    work->path_len = question ? (size_t)(question - request->target) : len;
    if (question) {
        work->wire_query = question + 1;
        work->wire_query_len = len - work->path_len - 1;
    }
    work->header_cap = request->header_count + ADDED_HEADERS;
    work->headers = calloc(work->header_cap, sizeof *work->headers);
    if (!work->headers)
        return SIGV4_NO_MEMORY;
    bool have_crypto =
        cache ? sigv4_cache_lend(cache, &work->crypto) : sigv4_crypto_init(&work->crypto);
    return have_crypto ? SIGV4_OK : SIGV4_NO_MEMORY;
}

void sigv4_work_free(struct sigv4_work *work) {
    free(work->headers);
    work->headers = NULL;
    sigv4_query_free(&work->query);
    if (work->cache && work->crypto.digest)
        sigv4_cache_take_back(work->cache, &work->crypto);
    else
        sigv4_crypto_free(&work->crypto);
}

void sigv4_work_scope(struct sigv4_work *work, const char *amz_date, const char *region,
                      const char *service) {
    const char *const parts[] = {work->date, region, service, SIGV4_TERMINATOR};
    char *at = work->scope;
    memcpy(work->amz_date, amz_date, sizeof work->amz_date);
    memcpy(work->date, amz_date, SIGV4_DATE_LEN);
    memcpy(work->region, region, strlen(region) + 1);
    memcpy(work->service, service, strlen(service) + 1);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t len = strlen(parts[i]);
        memcpy(at, parts[i], len);
        at += len;
        *at++ = '/';
    }
    at[-1] = '\0';
}

bool sigv4_has_token(const struct sigv4_credentials *credentials) {
    return credentials->session_token && *credentials->session_token;
}

enum sigv4_result sigv4_check_credentials(const struct sigv4_credentials *credentials) {
    const char *secret = credentials->secret_access_key;
    if (!credentials->access_key_id || !secret || !*secret ||
        strnlen(secret, SIGV4_MAX_SECRET + 1) > SIGV4_MAX_SECRET ||
        !sigv4_is_scope_part(credentials->access_key_id, SIGV4_MAX_KEY_ID))
        return SIGV4_BAD_INPUT;
    if (sigv4_has_token(credentials))
        for (const char *at = credentials->session_token; *at; at++)
            if (*at <= ' ' || *at >= 127)
                return SIGV4_BAD_INPUT;
    return SIGV4_OK;
}

/* --- headers --------------------------------------------------------------- */

enum sigv4_result sigv4_work_add_header(struct sigv4_work *work, const char *name,
                                        const char *value) {
    size_t bytes = strlen(name) + strlen(value);
    if (work->header_count == work->header_cap || bytes > SIGV4_MAX_SIGNED - work->header_bytes)
        return SIGV4_BAD_INPUT;
    work->header_bytes += bytes;
    work->headers[work->header_count] =
        (struct sigv4_signed_header){.name = name, .value = value, .order = work->header_count};
    work->header_count++;
    return SIGV4_OK;
}

static int compare_names(const char *a, const char *b) {
    for (;; a++, b++) {
        unsigned char x = (unsigned char)ascii_lower(*a), y = (unsigned char)ascii_lower(*b);
        if (x != y)
            return x < y ? -1 : 1;
        if (x == '\0')
            return 0;
    }
}

static int compare_headers(const void *left, const void *right) {
    const struct sigv4_signed_header *a = left, *b = right;
    int order = compare_names(a->name, b->name);
    if (order != 0)
        return order;
    /* Values of one header stay in the order of the request. */
    return a->order < b->order ? -1 : a->order > b->order;
}

void sigv4_work_sort_headers(struct sigv4_work *work) {
    if (work->header_count > 1)
        qsort(work->headers, work->header_count, sizeof *work->headers, compare_headers);
}

static bool repeats(const struct sigv4_work *work, size_t i) {
    return i > 0 && compare_names(work->headers[i - 1].name, work->headers[i].name) == 0;
}

static void add_lower(struct buf *out, const char *name) {
    size_t len = strlen(name);
    char *at = buf_reserve(out, len);
    if (!at)
        return;
    for (size_t i = 0; i < len; i++)
        at[i] = ascii_lower(name[i]);
    out->len += len;
}

bool sigv4_work_signed_names(const struct sigv4_work *work, struct buf *out) {
    for (size_t i = 0; i < work->header_count; i++) {
        if (repeats(work, i))
            continue;
        if (i > 0)
            buf_addc(out, ';');
        add_lower(out, work->headers[i].name);
    }
    return buf_ok(out);
}

/* The length of a blank, or of a line end that a blank follows; 0 when there is neither. */
static size_t blank_at(const char *at) {
    if (sigv4_is_blank(at[0]))
        return 1;
    if (at[0] == '\n' && sigv4_is_blank(at[1]))
        return 2;
    if (at[0] == '\r' && at[1] == '\n' && sigv4_is_blank(at[2]))
        return 3;
    return 0;
}

/* Bytes beyond ASCII count as such. */
static bool is_visible(char c) {
    return (unsigned char)c > ' ' && c != 127;
}

enum sigv4_result sigv4_header_value(struct buf *out, const char *value) {
    bool pending = false, begun = false;
    char *start = buf_reserve(out, strlen(value)), *at = start;
    if (!start)
        return SIGV4_NO_MEMORY;
    while (*value != '\0') {
        size_t blank = blank_at(value);
        if (blank > 0) {
            pending = begun;
            value += blank;
            continue;
        }
        if (!is_visible(*value))
            return SIGV4_BAD_INPUT;
        if (pending)
            *at++ = ' ';
        pending = false;
        begun = true;
        do
            *at++ = *value++;
        while (is_visible(*value));
    }
    *at = '\0';
    out->len += (size_t)(at - start);
    return SIGV4_OK;
}

static enum sigv4_result add_headers(const struct sigv4_work *work, struct buf *out) {
    for (size_t i = 0; i < work->header_count; i++) {
        if (repeats(work, i)) {
            buf_addc(out, ',');
        } else {
            if (i > 0)
                buf_addc(out, '\n');
            add_lower(out, work->headers[i].name);
            buf_addc(out, ':');
        }
        enum sigv4_result result = sigv4_header_value(out, work->headers[i].value);
        if (result != SIGV4_OK)
            return result;
    }
    if (work->header_count > 0)
        buf_addc(out, '\n');
    return SIGV4_OK;
}

/* --- path ------------------------------------------------------------------ */

/* Drops the last segment of what was written since base. */
static void drop_segment(struct buf *out, size_t base) {
    while (out->len > base && out->data[--out->len] != '/')
        ;
    out->data[out->len] = '\0';
}

/* The wire path is encoded already and is encoded once more; segments of the output hold no '/'. */
static void add_normal_path(struct buf *out, const char *path, size_t len) {
    size_t base = out->len;
    for (const char *at = path, *end = path + len; at < end;) {
        const char *stop = memchr(at, '/', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t segment = (size_t)(stop - at);
        if (segment == 2 && memcmp(at, "..", 2) == 0) {
            if (buf_ok(out))
                drop_segment(out, base);
        } else if (segment > 0 && !(segment == 1 && *at == '.')) {
            buf_addc(out, '/');
            sigv4_encode(out, at, segment);
        }
        at = stop + 1;
    }
    if (out->len == base || path[len - 1] == '/')
        buf_addc(out, '/');
}

static void add_path(const struct sigv4_work *work, struct buf *out) {
    if (work->path_len == 0)
        buf_addc(out, '/');
    else if (work->raw_path)
        buf_add(out, work->path, work->path_len);
    else
        add_normal_path(out, work->path, work->path_len);
}

/* --- stages ---------------------------------------------------------------- */

enum sigv4_result sigv4_work_payload(struct sigv4_work *work) {
    const struct sigv4_request *request = work->request;
    return sigv4_sha256_hex(&work->crypto, request->body, request->body_len, work->payload)
               ? SIGV4_OK
               : SIGV4_NO_MEMORY;
}

static enum sigv4_result canonical_request(const struct sigv4_work *work, const char *signed_names,
                                           struct buf *out) {
    enum { REST = 256 }; /* method, payload hash, ends of lines */
    buf_reserve(out, 3 * work->path_len + work->query.text.len + work->header_bytes +
                         2 * work->header_count + strlen(signed_names) + REST);
    buf_adds(out, work->request->method);
    buf_addc(out, '\n');
    add_path(work, out);
    buf_addc(out, '\n');
    sigv4_query_write(&work->query, out);
    buf_addc(out, '\n');
    enum sigv4_result result = add_headers(work, out);
    if (result != SIGV4_OK)
        return result;
    buf_addc(out, '\n'); /* the empty line after the headers */
    buf_adds(out, signed_names);
    buf_addc(out, '\n');
    buf_adds(out, work->payload);
    return buf_ok(out) ? SIGV4_OK : SIGV4_NO_MEMORY;
}

enum sigv4_result sigv4_compute(struct sigv4_work *work,
                                const struct sigv4_credentials *credentials,
                                struct sigv4_stages *stages) {
    enum sigv4_result result = SIGV4_NO_MEMORY;
    unsigned char key[SIGV4_DIGEST_SIZE], signature[SIGV4_DIGEST_SIZE];
    struct buf text;
    buf_init_secret(&text, SIGV4_MAX_TEXT); /* it may hold a session token */

    buf_reserve(&text, work->header_bytes);
    sigv4_work_signed_names(work, &text);
    stages->signed_headers = buf_take(&text, NULL);
    if (!stages->signed_headers)
        goto done;

    result = canonical_request(work, stages->signed_headers, &text);
    if (result != SIGV4_OK)
        goto done;
    result = SIGV4_NO_MEMORY;
    if (!sigv4_sha256_hex(&work->crypto, text.data, text.len, stages->canonical_hash))
        goto done;
    stages->canonical_request = buf_take(&text, NULL);

    const char *const lines[] = {SIGV4_ALGORITHM, work->amz_date, work->scope,
                                 stages->canonical_hash};
    buf_reserve(&text, sizeof SIGV4_ALGORITHM + sizeof work->amz_date + sizeof work->scope +
                           sizeof stages->canonical_hash);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (i > 0)
            buf_addc(&text, '\n');
        buf_adds(&text, lines[i]);
    }
    stages->string_to_sign = buf_take(&text, NULL);
    if (!stages->canonical_request || !stages->string_to_sign)
        goto done;

    result = sigv4_key(&work->crypto, work->cache, credentials, work->date, work->region,
                       work->service, key);
    if (result != SIGV4_OK)
        goto done;
    if (!sigv4_hmac(&work->crypto, key, sizeof key, stages->string_to_sign,
                    strlen(stages->string_to_sign), signature)) {
        result = SIGV4_NO_MEMORY;
        goto done;
    }
    sigv4_hex(signature, stages->signature);
done:
    secret_wipe(key, sizeof key);
    /* The right signature is a secret until somebody has shown it. */
    secret_wipe(signature, sizeof signature);
    buf_wipe(&text);
    return result;
}

void sigv4_stages_free(struct sigv4_stages *stages) {
    secret_free(stages->canonical_request);
    secret_free(stages->signed_headers);
    secret_free(stages->string_to_sign);
    secret_wipe(stages, sizeof *stages);
}

const char *sigv4_result_text(enum sigv4_result result) {
    switch (result) {
    case SIGV4_OK:
        return "ok";
    case SIGV4_NO_MEMORY:
        return "out of memory";
    case SIGV4_BAD_INPUT:
        return "the request cannot be signed";
    case SIGV4_NOT_SIGNED:
        return "the request is not signed";
    case SIGV4_INCOMPLETE:
        return "the signature's parameters are incomplete or malformed";
    case SIGV4_UNKNOWN_KEY:
        return "unknown access key id";
    case SIGV4_BAD_TOKEN:
        return "the session token is missing or not the one of the access key";
    case SIGV4_EXPIRED:
        return "the signature has expired";
    case SIGV4_NOT_YET_VALID:
        return "the signature is not yet valid";
    case SIGV4_WRONG_SCOPE:
        return "the credential scope does not fit";
    case SIGV4_MISMATCH:
        return "the signature does not match";
    }
    return "unknown result";
}
