/* The query protocol's requests: a form becomes a tree of names, and that the JSON of the input. */
#include "host/engine/sqs_query.h"

#include <stdlib.h>
#include <string.h>

#include "host/engine/sqs_shapes.h"

enum {
    INPUT_MAX = 512 * 1024 * 1024, /* each byte of the largest form written in six */
    INPUT_DEPTH = 64,
    NODES_MAX = 4096, /* a batch of ten messages with ten attributes each has about 600 */
    ACTION_MAX = 64,
};

/* `MessageAttribute.1.Name=a` is a path of three nodes, the last of which has a value. */
struct node {
    const char *name, *value; /* in the form's copy; value NULL: none */
    size_t value_len;
    struct node *child, *next; /* children with numbers for names are in their order */
};

struct form {
    char *text; /* a copy of the form, decoded in place */
    struct node root;
    size_t nodes;
};

/* How lists and maps of the JSON protocol are called here. */
static const struct flat {
    const char *member, *name, *key, *value;
} flats[] = {
    {"Attributes", "Attribute", "Name", "Value"},
    {"AttributeNames", "AttributeName", NULL, NULL},
    {"MessageAttributes", "MessageAttribute", "Name", "Value"},
    {"MessageSystemAttributes", "MessageSystemAttribute", "Name", "Value"},
    {"MessageAttributeNames", "MessageAttributeName", NULL, NULL},
    {"MessageSystemAttributeNames", "MessageSystemAttributeName", NULL, NULL},
    {"StringListValues", "StringListValue", NULL, NULL},
    {"BinaryListValues", "BinaryListValue", NULL, NULL},
    {"tags", "Tag", "Key", "Value"},
    {"Tags", "Tag", "Key", "Value"},
    {"TagKeys", "TagKey", NULL, NULL},
    {"AWSAccountIds", "AWSAccountId", NULL, NULL},
    {"Actions", "ActionName", NULL, NULL},
};

bool sqs_query_asked(const struct service_call *call) {
    static const char json[] = "application/x-amz-json-";
    if (service_header(call, "X-Amz-Target"))
        return false;
    const char *type = service_header(call, "Content-Type");
    return !type || strncmp(type, json, sizeof(json) - 1) != 0;
}

/* Of a GET without body the query, else the body. */
static const char *form_text(const struct service_call *call, size_t *len_out) {
    const char *body = service_body(call, len_out);
    if (*len_out > 0)
        return body;
    *len_out = strlen(service_query(call));
    return service_query(call);
}

/* --- the tree of names ------------------------------------------------------------------------ */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place and ends the text by NUL, for which there is room. Returns its length. */
static size_t decode(char *text, size_t len) {
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 &&
                   hex_digit(text[i + 2]) >= 0) {
            c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        }
        text[out++] = c;
    }
    text[out] = '\0';
    return out;
}

/* The number that is the whole text, or 0. */
static unsigned long number_of(const char *text) {
    char *end;
    if (*text < '0' || *text > '9')
        return 0;
    unsigned long number = strtoul(text, &end, 10);
    return *end == '\0' ? number : 0;
}

static const struct node *find(const struct node *parent, const char *name) {
    for (const struct node *node = parent->child; node; node = node->next) {
        if (strcmp(node->name, name) == 0)
            return node;
    }
    return NULL;
}

/* The child of the name, made when there is none; NULL: too many, or no memory. */
static struct node *child_of(struct form *form, struct node *parent, const char *name) {
    unsigned long number = number_of(name);
    struct node **at = &parent->child;
    for (; *at; at = &(*at)->next) {
        if (strcmp((*at)->name, name) == 0)
            return *at;
        if (number > 0 && number_of((*at)->name) > number)
            break;
    }
    struct node *node = form->nodes < NODES_MAX ? calloc(1, sizeof(*node)) : NULL;
    if (!node)
        return NULL;
    form->nodes++;
    node->name = name;
    node->next = *at;
    *at = node;
    return node;
}

static bool add_parameter(struct form *form, char *name, const char *value, size_t value_len) {
    struct node *node = &form->root;
    while (node && name) {
        char *dot = strchr(name, '.');
        if (dot)
            *dot = '\0';
        node = child_of(form, node, name);
        name = dot ? dot + 1 : NULL;
    }
    if (!node)
        return false;
    node->value = value;
    node->value_len = value_len;
    return true;
}

/* Depth is bounded by the number of nodes; the stack holds them all. */
static void free_children(struct node *node) {
    while (node->child) {
        struct node *child = node->child;
        node->child = child->next;
        free_children(child);
        free(child);
    }
}

static void form_free(struct form *form) {
    free_children(&form->root);
    free(form->text);
}

/* On failure *problem_out says what is wrong. To be freed in both cases. */
static bool form_read(struct form *form, const char *text, size_t len, const char **problem_out) {
    *form = (struct form){.text = malloc(len + 1)};
    *problem_out = "The request has too many parameters.";
    if (!form->text)
        return false;
    memcpy(form->text, text, len);
    form->text[len] = '\0';
    char *end = form->text + len;
    for (char *at = form->text; at < end;) {
        char *stop = memchr(at, '&', (size_t)(end - at));
        stop = stop ? stop : end;
        char *equals = memchr(at, '=', (size_t)(stop - at));
        char *value = equals ? equals + 1 : stop;
        size_t value_len = decode(value, (size_t)(stop - value));
        size_t name_len = equals ? decode(at, (size_t)(equals - at)) : (size_t)(stop - at);
        if (!json_utf8_valid(at, name_len) || !json_utf8_valid(value, value_len)) {
            *problem_out = "The parameters must be UTF-8.";
            return false;
        }
        if (name_len > 0 && !add_parameter(form, at, value, value_len))
            return false;
        at = stop + 1;
    }
    return true;
}

/* --- the tree as JSON ------------------------------------------------------------------------- */

static void write_members(struct json_writer *out, const struct node *from,
                          const struct sqs_member *members, const char *entries);

static void write_text(struct json_writer *out, const struct node *node) {
    if (node && node->value)
        json_string_n(out, node->value, node->value_len);
    else
        json_string(out, "");
}

/* What is no integer stays a string, which the check of types refuses. */
static void write_integer(struct json_writer *out, const struct node *node) {
    char *end;
    long long value = strtoll(node->value, &end, 10);
    if (node->value_len > 0 && node->value_len < 19 && end == node->value + node->value_len &&
        node->value[0] > ' ' && node->value[0] != '+')
        json_integer(out, value);
    else
        write_text(out, node);
}

/* A member of a map: `.Name` and `.Value`. */
static void write_pair(struct json_writer *out, const struct node *pair, const struct flat *flat,
                       const struct sqs_member *member) {
    const struct node *key = find(pair, flat->key), *value = find(pair, flat->value);
    if (key && key->value)
        json_key_n(out, key->value, key->value_len);
    else
        json_key(out, "");
    if (!member->members) {
        write_text(out, value);
        return;
    }
    json_object_begin(out);
    if (value)
        write_members(out, value, member->members, NULL);
    json_object_end(out);
}

static void write_map(struct json_writer *out, const struct node *list, const struct flat *flat,
                      const struct sqs_member *member) {
    json_object_begin(out);
    if (find(list, flat->key)) /* `Attribute.Name`, as the oldest clients write a single one */
        write_pair(out, list, flat, member);
    for (const struct node *item = list->child; item; item = item->next) {
        if (number_of(item->name) > 0)
            write_pair(out, item, flat, member);
    }
    json_object_end(out);
}

static void write_list(struct json_writer *out, const struct node *list,
                       const struct sqs_member *member) {
    json_array_begin(out);
    if (list->value && !member->members) /* `AttributeName=All` */
        write_text(out, list);
    for (const struct node *item = list->child; item; item = item->next) {
        if (number_of(item->name) == 0)
            continue;
        if (!member->members) {
            write_text(out, item);
            continue;
        }
        json_object_begin(out);
        write_members(out, item, member->members, NULL);
        json_object_end(out);
    }
    json_array_end(out);
}

static const struct flat *flat_of(const char *member) {
    for (size_t i = 0; i < sizeof(flats) / sizeof(*flats); i++) {
        if (strcmp(flats[i].member, member) == 0)
            return &flats[i];
    }
    return NULL;
}

/* entries: name of the member Entries; NULL where there is none. */
static void write_members(struct json_writer *out, const struct node *from,
                          const struct sqs_member *members, const char *entries) {
    for (const struct sqs_member *member = members; member->name; member++) {
        const struct flat *flat = flat_of(member->name);
        const char *name = member->name;
        if (member->kind == SQS_STRUCTURE_LIST)
            name = entries;
        else if (flat)
            name = flat->name;
        const struct node *node = name ? find(from, name) : NULL;
        if (!node)
            continue;
        switch (member->kind) {
        case SQS_STRING:
        case SQS_INTEGER:
            if (!node->value)
                break;
            json_key(out, member->name);
            if (member->kind == SQS_INTEGER)
                write_integer(out, node);
            else
                write_text(out, node);
            break;
        case SQS_STRING_LIST:
        case SQS_STRUCTURE_LIST:
            json_key(out, member->name);
            write_list(out, node, member);
            break;
        case SQS_STRING_MAP:
        case SQS_STRUCTURE_MAP:
            json_key(out, member->name);
            if (flat)
                write_map(out, node, flat, member);
            else
                json_null(out);
            break;
        }
    }
}

/* --- requests --------------------------------------------------------------------------------- */

const struct sqs_operation *sqs_query_operation(const struct service_call *call) {
    static const char key[] = "Action=";
    size_t len;
    const char *text = form_text(call, &len), *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        stop = stop ? stop : end;
        size_t size = (size_t)(stop - text);
        if (size > sizeof(key) - 1 && memcmp(text, key, sizeof(key) - 1) == 0) {
            char name[ACTION_MAX] = "";
            size -= sizeof(key) - 1;
            if (size < sizeof(name))
                memcpy(name, text + sizeof(key) - 1, size);
            return sqs_operation_find(name);
        }
        text = stop + 1;
    }
    return NULL;
}

/* The path of a queue URL, `/ACCOUNT/NAME`; NULL: the call went to no queue. */
static const char *queue_path(const struct service_call *call) {
    const char *path = service_path(call);
    const char *slash = path[0] == '/' ? strchr(path + 1, '/') : NULL;
    return slash && slash[1] != '\0' ? path : NULL;
}

static bool find_operation(struct sqs_request *request, const struct form *form) {
    const struct node *action = find(&form->root, "Action");
    if (!action || !action->value) {
        sqs_fail(request, "UnknownOperationException", "%s", "");
        return false;
    }
    request->operation = sqs_operation_find(action->value);
    if (request->operation && queue_path(request->call) &&
        (strcmp(action->value, "CreateQueue") == 0 || strcmp(action->value, "ListQueues") == 0))
        request->operation = NULL;
    if (!request->operation)
        sqs_fail(request, "UnknownOperationException",
                 "The action %.100s is not valid for this endpoint.", action->value);
    return request->operation != NULL;
}

static void write_input(struct sqs_request *request, const struct form *form, struct buf *out) {
    struct json_writer w;
    struct buf entries;
    buf_init(&entries, 2 * ACTION_MAX);
    buf_addf(&entries, "%sRequestEntry", request->operation->name);
    json_writer_init(&w, out);
    json_object_begin(&w);
    write_members(&w, &form->root, request->operation->input, buf_text(&entries));
    if (!find(&form->root, "QueueUrl") && queue_path(request->call))
        json_member(&w, "QueueUrl", queue_path(request->call));
    json_object_end(&w);
    buf_free(&entries);
}

bool sqs_query_read(struct sqs_request *request) {
    struct form form;
    struct buf input;
    const char *problem;
    char error[256] = "";
    size_t len;
    const char *text = form_text(request->call, &len);
    buf_init(&input, INPUT_MAX);
    if (!form_read(&form, text, len, &problem)) {
        sqs_fail(request, "SerializationException", "%s", problem);
        goto done;
    }
    if (!find_operation(request, &form))
        goto done;
    write_input(request, &form, &input);
    if (!buf_ok(&input)) {
        sqs_fail_memory(request);
        goto done;
    }
    request->tree = json_parse(input.data, input.len, INPUT_DEPTH, error, sizeof(error));
    if (!request->tree)
        sqs_fail(request, "SerializationException", "%s", error);
done:
    form_free(&form);
    buf_free(&input);
    return request->tree != NULL;
}
