/* The query protocol's answers: JSON becomes XML. */
#include "host/engine/sqs_query.h"

#include <string.h>

#include "host/engine/sqs_error.h"

#define NAMESPACE    "http://queue.amazonaws.com/doc/2012-11-05/"
#define HEAD         "<?xml version=\"1.0\"?>"
#define CONTENT_TYPE "text/xml"

enum { ANSWER_MAX = 256 * 1024 * 1024, ANSWER_DEPTH = 64, ERROR_MAX = 64 * 1024 };

/* Lists and maps are flat: their items stand where the member would. */
static const struct flat {
    const char *member, *name, *key, *value; /* key NULL: a list */
} flats[] = {
    {"Messages", "Message", NULL, NULL},
    {"QueueUrls", "QueueUrl", NULL, NULL},
    {"queueUrls", "QueueUrl", NULL, NULL},
    {"Failed", "BatchResultErrorEntry", NULL, NULL},
    {"Results", "ListMessageMoveTasksResultEntry", NULL, NULL},
    {"Attributes", "Attribute", "Name", "Value"},
    {"MessageAttributes", "MessageAttribute", "Name", "Value"},
    {"Tags", "Tag", "Key", "Value"},
};

/* What stands for the character at text, NULL: it stands for itself. */
static const char *entity_of(const char *text, size_t left, size_t *len_out) {
    static const char unknown[] = "&#xFFFD;"; /* for what XML 1.0 cannot hold */
    const unsigned char *p = (const unsigned char *)text;
    *len_out = 1;
    switch (text[0]) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\r': /* as it is, it would be read as a line feed */
        return "&#xD;";
    case '\t':
    case '\n':
        return NULL;
    default:
        break;
    }
    if (left >= 3 && p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE) {
        *len_out = 3; /* U+FFFE, U+FFFF */
        return unknown;
    }
    return p[0] < ' ' ? unknown : NULL;
}

static void add_escaped(struct buf *out, const char *text, size_t len) {
    size_t begin = 0, taken;
    for (size_t i = 0; i < len; i += taken) {
        const char *entity = entity_of(text + i, len - i, &taken);
        if (!entity)
            continue;
        buf_add(out, text + begin, i - begin);
        buf_adds(out, entity);
        begin = i + taken;
    }
    buf_add(out, text + begin, len - begin);
}

static void add_open(struct buf *out, const char *name) {
    buf_addf(out, "<%s>", name);
}

static void add_close(struct buf *out, const char *name) {
    buf_addf(out, "</%s>", name);
}

static void add_members(struct buf *out, const struct json_value *object, const char *entry);

static void add_value(struct buf *out, const struct json_value *v) {
    switch (v->type) {
    case JSON_T_STRING:
        add_escaped(out, v->text, v->len);
        break;
    case JSON_T_BOOL:
        buf_adds(out, v->boolean ? "true" : "false");
        break;
    case JSON_T_INTEGER:
        buf_addf(out, "%lld", (long long)v->integer);
        break;
    case JSON_T_OBJECT:
        add_members(out, v, "");
        break;
    default: /* the operations write no others */
        break;
    }
}

static void add_element(struct buf *out, const char *name, const struct json_value *v) {
    add_open(out, name);
    add_value(out, v);
    add_close(out, name);
}

static const struct flat *flat_of(const char *member) {
    for (size_t i = 0; i < sizeof(flats) / sizeof(*flats); i++) {
        if (strcmp(flats[i].member, member) == 0)
            return &flats[i];
    }
    return NULL;
}

static void add_items(struct buf *out, const struct json_value *v, const struct flat *flat) {
    for (const struct json_value *item = v->child; item; item = item->next) {
        if (!flat->key) {
            add_element(out, flat->name, item);
            continue;
        }
        add_open(out, flat->name);
        add_open(out, flat->key);
        add_escaped(out, item->key, item->key_len);
        add_close(out, flat->key);
        add_element(out, flat->value, item);
        add_close(out, flat->name);
    }
}

/* entry: name of an item of Successful. */
static void add_members(struct buf *out, const struct json_value *object, const char *entry) {
    for (const struct json_value *v = object->child; v; v = v->next) {
        const struct flat *flat = flat_of(v->key);
        struct flat successful = {v->key, entry, NULL, NULL};
        if (strcmp(v->key, "Successful") == 0)
            flat = &successful;
        if (flat)
            add_items(out, v, flat);
        else
            add_element(out, v->key, v);
    }
}

static void add_result(struct buf *out, const char *operation, const struct json_value *output) {
    struct buf entry;
    if (!output->child) {
        buf_addf(out, "<%sResult/>", operation);
        return;
    }
    buf_init(&entry, 128);
    buf_addf(&entry, "%sResultEntry", operation);
    buf_addf(out, "<%sResult>", operation);
    add_members(out, output, buf_text(&entry));
    buf_addf(out, "</%sResult>", operation);
    buf_free(&entry);
}

void sqs_query_answer(struct service_call *call, const char *operation, const struct buf *output) {
    struct json_tree *tree = NULL;
    struct buf xml;
    buf_init(&xml, ANSWER_MAX);
    buf_addf(&xml, HEAD "<%sResponse xmlns=\"" NAMESPACE "\">", operation);
    if (output) {
        tree = json_parse(output->data, output->len, ANSWER_DEPTH, NULL, 0);
        if (!tree)
            goto failed;
        add_result(&xml, operation, json_root(tree));
    }
    buf_addf(&xml, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
             service_request_id(call), operation);
    if (!buf_ok(&xml))
        goto failed;
    service_answer(call, 200, CONTENT_TYPE, xml.data, xml.len);
    goto done;
failed:
    sqs_query_error(call, "InternalFailure", "The engine has run out of memory.");
done:
    json_tree_free(tree);
    buf_free(&xml);
}

void sqs_query_error(struct service_call *call, const char *code, const char *message) {
    struct sqs_error error = sqs_error_find(code);
    int status = error.status;
    struct buf xml;
    buf_init(&xml, ERROR_MAX);
    if (strcmp(code, "UnknownOperationException") == 0 && *message == '\0') {
        /* Nothing was asked for, as when a browser opens a queue's URL. */
        status = 404;
        buf_adds(&xml, "<UnknownOperationException/>\n");
    } else {
        if (strcmp(code, "QueueDoesNotExist") == 0)
            message = "The specified queue does not exist for this wsdl version.";
        if (!json_utf8_valid(message, strlen(message)))
            message = "The request is invalid.";
        buf_addf(&xml, HEAD "<ErrorResponse xmlns=\"" NAMESPACE "\"><Error><Type>%s</Type>",
                 status < 500 ? "Sender" : "Receiver");
        buf_addf(&xml, "<Code>%s</Code><Message>", error.query_code);
        add_escaped(&xml, message, strlen(message));
        buf_addf(&xml, "</Message><Detail/></Error><RequestId>%s</RequestId></ErrorResponse>",
                 service_request_id(call));
    }
    service_answer(call, status, CONTENT_TYPE, buf_text(&xml), xml.len);
    buf_free(&xml);
}
