#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "host/engine/lambda_name.h"

#define NAME_MAX_LEN 256 /* of all forms together */
#define LETTERS      "abcdefghijklmnopqrstuvwxyz"
#define WORD         LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define DIGITS       "0123456789"

/* A part between colons. */
struct part {
    const char *text;
    size_t len;
};

static bool is(struct part part, const char *text) {
    return part.len == strlen(text) && memcmp(part.text, text, part.len) == 0;
}

static bool only(struct part part, const char *allowed) {
    return part.len > 0 && strspn(part.text, allowed) >= part.len;
}

static bool copy_part(struct part part, char *out, size_t max) {
    if (part.len > max)
        return false;
    memcpy(out, part.text, part.len);
    out[part.len] = '\0';
    return true;
}

static bool is_account(struct part part) {
    return part.len == 12 && only(part, DIGITS);
}

/* `eu-west-1`, `us-gov-east-1` */
static bool is_region(struct part part) {
    return part.len >= 6 && part.len <= LAMBDA_REGION_MAX && only(part, LETTERS "-" DIGITS) &&
           part.text[2] == '-' && part.text[part.len - 2] == '-' &&
           strchr(DIGITS, part.text[part.len - 1]) != NULL;
}

static bool is_qualifier(struct part part) {
    return is(part, "$LATEST") || (part.len <= LAMBDA_QUALIFIER_MAX && only(part, WORD));
}

bool lambda_name_parse(const char *text, struct lambda_name *out) {
    struct part parts[8];
    size_t count = 0, at = 0;

    *out = (struct lambda_name){0};
    if (strlen(text) > NAME_MAX_LEN)
        return false;
    for (;;) {
        size_t len = strcspn(text, ":");
        if (count == sizeof(parts) / sizeof(parts[0]))
            return false;
        parts[count++] = (struct part){text, len};
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    if (count > 3 && is(parts[0], "arn")) {
        if (strncmp(parts[1].text, "aws", 3) != 0 || !is(parts[2], "lambda"))
            return false;
        at = 3;
    }
    if (at + 1 < count && is_region(parts[at]) &&
        !copy_part(parts[at++], out->region, LAMBDA_REGION_MAX))
        return false;
    if (at + 1 < count && is_account(parts[at]) && !copy_part(parts[at++], out->account, 12))
        return false;
    if (at + 1 < count && is(parts[at], "function"))
        at++;
    if (at >= count || !only(parts[at], WORD ".") ||
        !copy_part(parts[at++], out->function, LAMBDA_FUNCTION_MAX))
        return false;
    if (at < count &&
        (!is_qualifier(parts[at]) || !copy_part(parts[at++], out->qualifier, LAMBDA_QUALIFIER_MAX)))
        return false;
    return at == count;
}

enum lambda_qualifier lambda_qualifier_of_query(const char *query, char *out) {
    enum lambda_qualifier result = LAMBDA_QUALIFIER_NONE;
    struct evkeyvalq form;
    const char *value = NULL;

    if (*query == '\0')
        return LAMBDA_QUALIFIER_NONE;
    TAILQ_INIT(&form);
    if (evhttp_parse_query_str(query, &form) == 0)
        value = evhttp_find_header(&form, "Qualifier");
    if (value != NULL) {
        struct part part = {value, strlen(value)};
        result = is_qualifier(part) && copy_part(part, out, LAMBDA_QUALIFIER_MAX)
                     ? LAMBDA_QUALIFIER_GIVEN
                     : LAMBDA_QUALIFIER_BAD;
    }
    evhttp_clear_headers(&form);
    return result;
}
