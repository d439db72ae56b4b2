#include "sigv4/internal.h"

#include <string.h>

enum { LONGEST_S = 604800 };

static void claim_init(struct sigv4_claim *claim) {
    *claim = (struct sigv4_claim){0};
    buf_init_secret(&claim->credential, SIGV4_MAX_CLAIM);
    buf_init_secret(&claim->signed_names, SIGV4_MAX_CLAIM);
    buf_init_secret(&claim->signature, SIGV4_MAX_CLAIM);
    buf_init_secret(&claim->token, SIGV4_MAX_TARGET);
}

void sigv4_claim_free(struct sigv4_claim *claim) {
    buf_free(&claim->credential);
    buf_free(&claim->signed_names);
    buf_free(&claim->signature);
    buf_free(&claim->token);
}

static bool is_plain(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] >= 127)
            return false;
    return true;
}

/* The only header of that name; *count says how many there are. */
static const char *find_header(const struct sigv4_request *request, const char *lower,
                               size_t *count) {
    const char *value = NULL;
    *count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        if (sigv4_name_is(request->headers[i].name, lower) && (*count)++ == 0)
            value = request->headers[i].value;
    return value;
}

static enum sigv4_result read_date(struct sigv4_claim *claim, const char *text) {
    claim->date_ms = clock_parse_amz(text);
    if (claim->date_ms < 0)
        return SIGV4_INCOMPLETE;
    clock_amz_date(claim->date_ms, claim->amz_date);
    return strcmp(claim->amz_date, text) == 0 ? SIGV4_OK : SIGV4_INCOMPLETE;
}

/* --- the Authorization header ------------------------------------------------ */

/* One `Name=value` of the header. An empty SignedHeaders is well formed, but signs no host. */
static enum sigv4_result read_part(struct sigv4_claim *claim, unsigned *seen, const char *part,
                                   size_t len) {
    const struct {
        const char *name;
        struct buf *value;
        bool may_be_empty;
    } known[] = {
        {"Credential", &claim->credential, false},
        {"SignedHeaders", &claim->signed_names, true},
        {"Signature", &claim->signature, false},
    };
    const char *equals = memchr(part, '=', len);
    if (!equals)
        return SIGV4_INCOMPLETE;
    size_t name_len = (size_t)(equals - part), value_len = len - name_len - 1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) != name_len || memcmp(known[i].name, part, name_len) != 0)
            continue;
        if ((*seen & 1U << i) != 0 || (value_len == 0 && !known[i].may_be_empty))
            return SIGV4_INCOMPLETE;
        *seen |= 1U << i;
        return buf_add(known[i].value, equals + 1, value_len) ? SIGV4_OK : SIGV4_NO_MEMORY;
    }
    return SIGV4_INCOMPLETE;
}

static enum sigv4_result read_authorization(struct sigv4_claim *claim, const char *text) {
    enum { ALL_SEEN = 7 };
    const size_t scheme = strlen(SIGV4_ALGORITHM);
    size_t len = strnlen(text, SIGV4_MAX_CLAIM + 1);
    if (len > SIGV4_MAX_CLAIM)
        return SIGV4_INCOMPLETE;
    for (; len > 0 && sigv4_is_blank(*text); text++)
        len--;
    if (len <= scheme || memcmp(text, SIGV4_ALGORITHM, scheme) != 0 || text[scheme] != ' ')
        return SIGV4_INCOMPLETE;
    if (!is_plain(text, len))
        return SIGV4_INCOMPLETE;
    unsigned seen = 0;
    for (const char *at = text + scheme, *end = text + len; at <= end;) {
        const char *stop = memchr(at, ',', (size_t)(end - at));
        const char *next = stop ? stop + 1 : end + 1;
        if (!stop)
            stop = end;
        while (at < stop && sigv4_is_blank(*at))
            at++;
        while (at < stop && sigv4_is_blank(stop[-1]))
            stop--;
        enum sigv4_result result = read_part(claim, &seen, at, (size_t)(stop - at));
        if (result != SIGV4_OK)
            return result;
        at = next;
    }
    return seen == ALL_SEEN ? SIGV4_OK : SIGV4_INCOMPLETE;
}

static enum sigv4_result read_date_header(struct sigv4_claim *claim,
                                          const struct sigv4_request *request) {
    char iso[CLOCK_AMZ_SIZE];
    struct buf text;
    size_t count;
    enum sigv4_result result = SIGV4_INCOMPLETE;
    buf_init(&text, SIGV4_MAX_NAME);
    const char *value = find_header(request, "x-amz-date", &count);
    bool is_amz = value != NULL;
    if (!is_amz)
        value = find_header(request, "date", &count);
    if (count != 1 || strnlen(value, SIGV4_MAX_NAME) == SIGV4_MAX_NAME ||
        sigv4_header_value(&text, value) != SIGV4_OK)
        goto done;
    int64_t http = is_amz ? -1 : clock_parse_http(buf_text(&text));
    if (http >= 0) {
        clock_amz_date(http, iso);
        result = read_date(claim, iso);
    } else {
        result = read_date(claim, buf_text(&text));
    }
done:
    buf_free(&text);
    return result;
}

static enum sigv4_result read_token_header(struct sigv4_claim *claim,
                                           const struct sigv4_request *request) {
    size_t count;
    const char *value = find_header(request, "x-amz-security-token", &count);
    if (count == 0)
        return SIGV4_OK;
    if (count > 1 || strnlen(value, SIGV4_MAX_TARGET) == SIGV4_MAX_TARGET)
        return SIGV4_BAD_TOKEN;
    claim->has_token = true;
    enum sigv4_result result = sigv4_header_value(&claim->token, value);
    return result == SIGV4_BAD_INPUT ? SIGV4_BAD_TOKEN : result;
}

/* --- the query ----------------------------------------------------------------- */

/* The decoded value of a parameter that must be there once. */
static enum sigv4_result read_param(const struct sigv4_work *work, const char *name,
                                    struct buf *out) {
    const struct sigv4_param *param;
    if (sigv4_query_find(&work->query, name, &param) != 1 || param->value_len > out->max)
        return SIGV4_INCOMPLETE;
    if (!sigv4_decode(out, param->value, param->value_len))
        return SIGV4_NO_MEMORY;
    if (is_plain(out->data, out->len))
        return SIGV4_OK;
    buf_reset(out);
    return SIGV4_INCOMPLETE;
}

static enum sigv4_result read_expiry(struct sigv4_claim *claim, const char *text) {
    int64_t seconds = 0;
    if (*text == '\0')
        return SIGV4_INCOMPLETE;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return SIGV4_INCOMPLETE;
        seconds = seconds * 10 + (*text - '0');
        if (seconds > LONGEST_S)
            return SIGV4_INCOMPLETE;
    }
    claim->expires_ms = seconds * 1000;
    return seconds > 0 ? SIGV4_OK : SIGV4_INCOMPLETE;
}

static enum sigv4_result read_presigned(struct sigv4_claim *claim, const struct sigv4_work *work) {
    const struct sigv4_param *param;
    struct buf algorithm, date, expires;
    buf_init(&algorithm, SIGV4_MAX_NAME);
    buf_init(&date, SIGV4_MAX_NAME);
    buf_init(&expires, SIGV4_MAX_NAME);
    claim->presigned = true;
    claim->has_token = sigv4_query_find(&work->query, "X-Amz-Security-Token", &param) > 0;

    const struct {
        const char *name;
        struct buf *value;
    } params[] = {
        {"X-Amz-Credential", &claim->credential},
        {"X-Amz-Algorithm", &algorithm},
        {"X-Amz-SignedHeaders", &claim->signed_names},
        {"X-Amz-Signature", &claim->signature},
        {"X-Amz-Date", &date},
        {"X-Amz-Expires", &expires},
    };
    enum sigv4_result result = SIGV4_OK;
    for (size_t i = 0; result == SIGV4_OK && i < sizeof params / sizeof *params; i++)
        result = read_param(work, params[i].name, params[i].value);
    if (result == SIGV4_OK && claim->has_token)
        result = read_param(work, "X-Amz-Security-Token", &claim->token);
    if (result == SIGV4_OK && (strcmp(buf_text(&algorithm), SIGV4_ALGORITHM) != 0 ||
                               claim->credential.len == 0 || claim->signature.len == 0))
        result = SIGV4_INCOMPLETE;
    if (result == SIGV4_OK)
        result = read_date(claim, buf_text(&date));
    if (result == SIGV4_OK)
        result = read_expiry(claim, buf_text(&expires));
    buf_free(&algorithm);
    buf_free(&date);
    buf_free(&expires);
    return result;
}

enum sigv4_result sigv4_claim_read(struct sigv4_claim *claim, const struct sigv4_work *work) {
    const struct sigv4_param *param;
    size_t count;
    claim_init(claim);
    const char *authorization = find_header(work->request, "authorization", &count);
    bool presigned = sigv4_query_find(&work->query, "X-Amz-Algorithm", &param) > 0 ||
                     sigv4_query_find(&work->query, "X-Amz-Signature", &param) > 0;
    if (!authorization)
        return presigned ? read_presigned(claim, work) : SIGV4_NOT_SIGNED;
    if (presigned || count > 1)
        return SIGV4_INCOMPLETE;
    enum sigv4_result result = read_authorization(claim, authorization);
    if (result == SIGV4_OK)
        result = read_date_header(claim, work->request);
    return result == SIGV4_OK ? read_token_header(claim, work->request) : result;
}
