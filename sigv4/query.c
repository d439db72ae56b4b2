#include "sigv4/internal.h"

#include <stdlib.h>
#include <string.h>

static int compare_text(const char *a, size_t a_len, const char *b, size_t b_len) {
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    if (order != 0)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

static int compare_params(const void *left, const void *right) {
    const struct sigv4_param *a = left, *b = right;
    int order = compare_text(a->name, a->name_len, b->name, b->name_len);
    return order != 0 ? order : compare_text(a->value, a->value_len, b->value, b->value_len);
}

/* Decodes through scratch and encodes into text, so that `~` and `%7e` are the same parameter. */
static bool recode(struct buf *text, struct buf *scratch, const char *piece, size_t len) {
    buf_reset(scratch);
    return sigv4_decode(scratch, piece, len) && sigv4_encode(text, scratch->data, scratch->len);
}

static bool add_param(struct sigv4_query *query, struct buf *scratch, const char *piece,
                      size_t len) {
    const char *equals = memchr(piece, '=', len);
    size_t name_len = equals ? (size_t)(equals - piece) : len;
    size_t name_at = query->text.len;
    if (!recode(&query->text, scratch, piece, name_len))
        return false;
    size_t value_at = query->text.len;
    if (equals && !recode(&query->text, scratch, equals + 1, len - name_len - 1))
        return false;
    query->params[query->count++] = (struct sigv4_param){
        .name = query->text.data + name_at,
        .name_len = value_at - name_at,
        .value = query->text.data + value_at,
        .value_len = query->text.len - value_at,
    };
    return true;
}

enum sigv4_result sigv4_query_parse(struct sigv4_query *query, const char *text, size_t len) {
    *query = (struct sigv4_query){0};
    buf_init_secret(&query->text, SIGV4_MAX_TEXT);
    if (len == 0)
        return SIGV4_OK;
    enum sigv4_result result = SIGV4_NO_MEMORY;
    struct buf scratch;
    buf_init_secret(&scratch, SIGV4_MAX_TEXT);
    size_t pieces = 1;
    for (size_t i = 0; i < len; i++)
        pieces += text[i] == '&';
    /* Room for the whole at once: params point into it. */
    query->params = calloc(pieces, sizeof *query->params);
    if (!query->params || !buf_reserve(&query->text, 3 * len) || !buf_reserve(&scratch, len))
        goto done;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if (stop > at && !add_param(query, &scratch, at, (size_t)(stop - at)))
            goto done;
        at = stop + 1;
    }
    if (query->count > 1)
        qsort(query->params, query->count, sizeof *query->params, compare_params);
    result = SIGV4_OK;
done:
    buf_free(&scratch);
    return result;
}

void sigv4_query_free(struct sigv4_query *query) {
    free(query->params);
    query->params = NULL;
    query->count = 0;
    buf_free(&query->text);
}

static bool is_named(const struct sigv4_param *param, const char *name) {
    return param->name_len == strlen(name) && memcmp(param->name, name, param->name_len) == 0;
}

bool sigv4_query_write(const struct sigv4_query *query, struct buf *out) {
    bool first = true;
    for (size_t i = 0; i < query->count; i++) {
        const struct sigv4_param *param = &query->params[i];
        if (is_named(param, "X-Amz-Signature"))
            continue;
        if (!first)
            buf_addc(out, '&');
        first = false;
        buf_add(out, param->name, param->name_len);
        buf_addc(out, '=');
        buf_add(out, param->value, param->value_len);
    }
    return buf_ok(out);
}

size_t sigv4_query_find(const struct sigv4_query *query, const char *name,
                        const struct sigv4_param **found) {
    size_t count = 0;
    *found = NULL;
    for (size_t i = 0; i < query->count; i++) {
        if (!is_named(&query->params[i], name))
            continue;
        if (count++ == 0)
            *found = &query->params[i];
    }
    return count;
}
