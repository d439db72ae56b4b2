#include "host/aws/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/base/ascii.h"
#include "host/json/json.h"

enum { ERROR_BODY_MAX = 64 << 10, ERROR_DEPTH_MAX = 16 };

const char *headers_get(struct headers headers, const char *name) {
    size_t name_len = strlen(name);
    const char *line = headers.data, *end = headers.data + headers.len;
    for (; line != NULL && line < end; line += strlen(line) + 1)
        if (ascii_same_n(line, name, name_len) && line[name_len] == ':') {
            line += name_len + 1;
            return line + strspn(line, " \t");
        }
    return NULL;
}

void error_copy(char *out, size_t size, const char *text) {
    size_t len = strlen(text);
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
    out[len] = '\0';
}

void error_set(struct aws_error *error, const char *code, const char *message, ...) {
    char text[sizeof error->message];
    va_list args;
    va_start(args, message);
    vsnprintf(text, sizeof text, message, args);
    va_end(args);
    error_copy(error->code, sizeof error->code, code);
    error_copy(error->message, sizeof error->message, text);
}

/* `ns#Name:http://...` is `Name`. */
static void set_code(struct aws_error *error, const char *text) {
    char name[256];
    error_copy(name, sizeof name, text);
    name[strcspn(name, ":")] = '\0';
    const char *hash = strrchr(name, '#');
    error_copy(error->code, sizeof error->code, hash != NULL ? hash + 1 : name);
}

void error_read_request_id(char *out, struct headers headers) {
    const char *id = headers_get(headers, "x-amzn-requestid");
    if (id == NULL)
        id = headers_get(headers, "x-amz-request-id");
    error_copy(out, sizeof(((struct aws_error *)0)->request_id), id != NULL ? id : "");
}

static void read_json(struct aws_error *error, const char *body, size_t body_len) {
    struct json_tree *tree = json_parse(body, body_len, ERROR_DEPTH_MAX, NULL, 0);
    if (tree == NULL)
        return;
    const struct json_value *root = json_root(tree);
    static const char *const code_names[] = {"__type", "code", "Code"};
    static const char *const message_names[] = {"message", "Message", "errorMessage"};
    for (size_t i = 0; i < 3 && error->code[0] == '\0'; i++) {
        const char *code = json_get_text(root, code_names[i]);
        if (code != NULL)
            set_code(error, code);
    }
    for (size_t i = 0; i < 3 && error->message[0] == '\0'; i++) {
        const char *message = json_get_text(root, message_names[i]);
        if (message != NULL)
            error_copy(error->message, sizeof error->message, message);
    }
    json_tree_free(tree);
}

/* The text of the first element of that name, with the five entities of XML read. */
static void xml_text(const char *body, const char *name, char *out, size_t size) {
    char open[64], close[64], text[1024];
    snprintf(open, sizeof open, "<%s>", name);
    snprintf(close, sizeof close, "</%s>", name);
    const char *from = strstr(body, open);
    const char *to = from != NULL ? strstr(from, close) : NULL;
    if (to == NULL)
        return;
    static const struct {
        const char *entity;
        char c;
    } entities[] = {
        {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    size_t len = 0;
    for (from += strlen(open); from < to && len + 1 < sizeof text; len++) {
        text[len] = *from;
        size_t step = 1;
        for (size_t i = 0; *from == '&' && i < sizeof entities / sizeof *entities; i++)
            if (strncmp(from, entities[i].entity, strlen(entities[i].entity)) == 0) {
                text[len] = entities[i].c;
                step = strlen(entities[i].entity);
                break;
            }
        from += step;
    }
    text[len] = '\0';
    error_copy(out, size, text);
}

static void read_xml(struct aws_error *error, const char *body) {
    if (error->code[0] == '\0')
        xml_text(body, "Code", error->code, sizeof error->code);
    xml_text(body, "Message", error->message, sizeof error->message);
    if (error->request_id[0] == '\0')
        xml_text(body, "RequestId", error->request_id, sizeof error->request_id);
}

void error_read(struct aws_error *error, long status, struct headers headers, const char *body,
                size_t body_len) {
    *error = (struct aws_error){.status = status};
    const char *type = headers_get(headers, "x-amzn-errortype");
    if (type != NULL)
        set_code(error, type);
    const char *query = headers_get(headers, "x-amzn-query-error");
    if (query != NULL) {
        error_copy(error->query_code, sizeof error->query_code, query);
        error->query_code[strcspn(error->query_code, ";")] = '\0';
    }
    error_read_request_id(error->request_id, headers);

    size_t blank = strspn(body, " \t\r\n");
    if (body_len > 0 && body_len <= ERROR_BODY_MAX) {
        if (body[blank] == '<')
            read_xml(error, body + blank);
        else
            read_json(error, body, body_len);
    }
    if (error->code[0] == '\0' && error->query_code[0] != '\0')
        error_copy(error->code, sizeof error->code, error->query_code);
    if (error->code[0] == '\0')
        snprintf(error->code, sizeof error->code, "HTTP%ld", status);
    if (error->message[0] == '\0')
        snprintf(error->message, sizeof error->message, "the service answered with HTTP status %ld",
                 status);
}
