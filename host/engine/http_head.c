#include "host/engine/http_head.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/ascii.h"

enum {
    FIRST_FIELDS = 16,
    LENGTH_DIGITS = 18, /* of Content-Length, so that it cannot overflow */
    BESIDE_MAX = 65536, /* a chunk's size and extensions, the trailers */
};

size_t http_head_length(const char *text, size_t len, size_t *searched) {
    size_t begin = 0;

    while (begin < len && (text[begin] == '\r' || text[begin] == '\n'))
        begin++;
    const char *end = text + len;
    const char *at = text + (*searched > begin ? *searched : begin);
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && *at == '\n')
            return (size_t)(at - text) + 1;
        if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
            return (size_t)(at - text) + 2;
    }
    *searched = len > 3 ? len - 3 : 0; /* the end may be cut */
    return 0;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* --- the request line ------------------------------------------------------------------------- */

static bool is_method(const char *text, size_t len) {
    static const char *const known[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i]) == len && memcmp(known[i], text, len) == 0)
            return true;
    return false;
}

/* `METHOD SP TARGET SP VERSION`, ends with a NUL. */
static int read_request_line(struct http_head *head, char *line, size_t len) {
    char *target = memchr(line, ' ', len);
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;

    if (version == NULL || target == line || version == target + 1 ||
        strncmp(version + 1, "HTTP/", 5) != 0)
        return 400;
    if (strcmp(version + 1, "HTTP/1.1") != 0 && strcmp(version + 1, "HTTP/1.0") != 0)
        return 505;
    if (!is_method(line, (size_t)(target - line)))
        return 501;
    for (const char *at = target + 1; at < version; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            return 400;
    *target++ = '\0';
    *version = '\0';
    head->method = line;
    head->target = target;
    head->old = version[8] == '0';
    head->keeps = !head->old;
    return 0;
}

/* --- fields ----------------------------------------------------------------------------------- */

static bool add_field(struct http_head *head, const struct http_field *field) {
    if (head->count == head->room) {
        size_t room = head->room != 0 ? 2 * head->room : FIRST_FIELDS;
        struct http_field *fields = realloc(head->fields, room * sizeof(*fields));
        if (fields == NULL)
            return false;
        head->fields = fields;
        head->room = room;
    }
    head->fields[head->count++] = *field;
    return true;
}

static bool is(const struct http_field *field, const char *name, size_t len) {
    return field->name_len == len && ascii_same_n(field->name, name, len);
}
#define IS(field, name) is(field, name, sizeof(name) - 1)

static int read_length(struct http_head *head, const char *value, bool *has_length) {
    uint64_t length = 0;
    size_t len = strlen(value);

    if (len < 1 || len > LENGTH_DIGITS || strspn(value, "0123456789") != len)
        return 400;
    for (; *value != '\0'; value++)
        length = length * 10 + (uint64_t)(*value - '0');
    if (*has_length && length != head->length)
        return 400;
    *has_length = true;
    head->length = length;
    return 0;
}

/* A list of tokens. */
static void read_connection(struct http_head *head, const char *value) {
    while (*value != '\0') {
        value += strspn(value, " \t,");
        size_t len = strcspn(value, " \t,");
        if (len == 5 && ascii_same_n(value, "close", len))
            head->keeps = false;
        else if (len == 10 && ascii_same_n(value, "keep-alive", len))
            head->keeps = true;
        value += len;
    }
}

/* What the connection itself must know. */
static int heed_field(struct http_head *head, const struct http_field *field, bool *has_length) {
    if (IS(field, "Content-Length"))
        return read_length(head, field->value, has_length);
    if (IS(field, "Connection"))
        read_connection(head, field->value);
    if (IS(field, "Expect"))
        head->expects = ascii_same(field->value, "100-continue");
    if (!IS(field, "Transfer-Encoding"))
        return 0;
    if (head->chunked || head->old)
        return 400;
    if (!ascii_same(field->value, "chunked"))
        return 501;
    head->chunked = true;
    return 0;
}

/* `name: value`, which ends with a NUL. */
static int read_field(struct http_head *head, char *line, size_t len, bool *has_length) {
    char *colon = memchr(line, ':', len);
    char *value, *end = line + len;

    if (colon == NULL || colon == line)
        return 400;
    for (const char *at = line; at < colon; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 127)
            return 400;
    for (value = colon + 1; is_blank(*value); value++)
        continue;
    while (end > value && is_blank(end[-1]))
        end--;
    *end = '\0';
    *colon = '\0';
    struct http_field field = {line, (size_t)(colon - line), value};
    return add_field(head, &field) ? heed_field(head, &field, has_length) : 500;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Ends the line at `at` with a NUL, folds what belongs to it into it; the next line. NULL: it holds a byte that no
** head may hold. */
static char *cut_line(char *at, const char *end, size_t *len_out) {
    char *line = at;

    for (;;) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        char *next = stop + 1; /* a head ends with a line's end */
        if (stop > line && stop[-1] == '\r')
            stop--;
        if (stop > line && next < end && is_blank(*next)) { /* a folded field */
            while (is_blank(*next))
                next++;
            memset(stop, ' ', (size_t)(next - stop));
            at = next;
            continue;
        }
        *stop = '\0';
        *len_out = (size_t)(stop - line);
        bool good = memchr(line, '\0', *len_out) == NULL && memchr(line, '\r', *len_out) == NULL;
        return good ? next : NULL;
    }
}

static int read_head(struct http_head *head, char *text, size_t len) {
    const char *end = text + len;
    bool has_length = false;
    size_t line_len;
    char *line, *next;

    for (line = text; line < end && (*line == '\r' || *line == '\n'); line++)
        continue;
    if ((next = cut_line(line, end, &line_len)) == NULL)
        return 400;
    int status = read_request_line(head, line, line_len);
    while (status == 0) {
        line = next;
        if ((next = cut_line(line, end, &line_len)) == NULL)
            return 400;
        if (line_len == 0)
            break;
        status = read_field(head, line, line_len, &has_length);
    }
    if (status == 0 && head->chunked && has_length)
        return 400; /* two ways to tell where the request ends */
    return status;
}

int http_head_read(struct http_head *head, char *text, size_t len) {
    *head = (struct http_head){.fields = head->fields, .room = head->room};
    int status = read_head(head, text, len);
    if (status != 0)
        *head = (struct http_head){.fields = head->fields, .room = head->room};
    return status;
}

const char *http_head_find(const struct http_head *head, const char *name, size_t name_len) {
    for (size_t i = 0; i < head->count; i++)
        if (is(&head->fields[i], name, name_len))
            return head->fields[i].value;
    return NULL;
}

void http_head_free(struct http_head *head) {
    free(head->fields);
    *head = (struct http_head){0};
}

/* --- chunks ----------------------------------------------------------------------------------- */

enum {
    SIZE,      /* hexadecimal digits */
    EXTENSION, /* to the end of the size's line */
    SIZE_END,  /* LF */
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,      /* at the beginning of a line */
    TRAILER_LINE, /* within one, which nobody reads */
    LAST_LF,
    OVER,
};

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte that is no body; false: it must not be there. */
static bool step(struct http_chunks *chunks, char c, size_t max) {
    int digit;

    switch (chunks->state) {
    case SIZE:
        digit = hex_value(c);
        if (digit < 0) {
            chunks->state = c == '\r' ? SIZE_END : EXTENSION;
            return chunks->digits && (c == '\r' || c == ';' || is_blank(c));
        }
        chunks->digits = true;
        /* Beyond the maximum it is too large, however many digits are still to come. */
        chunks->left = chunks->left > max ? chunks->left : chunks->left * 16 + (uint64_t)digit;
        return true;
    case EXTENSION:
        if (c == '\r')
            chunks->state = SIZE_END;
        return c != '\n';
    case SIZE_END:
        chunks->state = chunks->left > 0 ? DATA : TRAILER;
        return c == '\n';
    case DATA_CR:
        chunks->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        chunks->state = SIZE;
        chunks->digits = false;
        chunks->beside = 0;
        return c == '\n';
    case TRAILER:
        chunks->state = c == '\r' ? LAST_LF : TRAILER_LINE;
        return c != '\n';
    case TRAILER_LINE:
        if (c == '\n')
            chunks->state = TRAILER;
        return true;
    default: /* LAST_LF */
        chunks->state = OVER;
        return c == '\n';
    }
}

int http_chunks_read(struct http_chunks *chunks, const char *text, size_t len, struct buf *out,
                     size_t *used_out) {
    size_t at = 0;
    int status = 100;

    while (status == 100 && at < len) {
        if (chunks->state != DATA) {
            if (!step(chunks, text[at++], out->max) || ++chunks->beside > BESIDE_MAX)
                status = 400;
            else if (chunks->state == OVER)
                status = 200;
            else if (chunks->state == DATA && chunks->left > out->max - out->len)
                status = 413;
            continue;
        }
        size_t take = len - at;
        if (take > chunks->left)
            take = (size_t)chunks->left;
        if (!buf_add(out, text + at, take))
            status = 500;
        at += take;
        chunks->left -= take;
        if (chunks->left == 0)
            chunks->state = DATA_CR;
    }
    *used_out = at;
    return status;
}
