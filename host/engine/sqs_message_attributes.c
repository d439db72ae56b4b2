#include "host/engine/sqs_message_attributes.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/ascii.h"
#include "host/base/base64.h"

enum {
    ATTRIBUTES_MAX = 10,
    NAME_MAX_BYTES = 256,
    BYTES_MAX = 2 * SQS_MESSAGE_MAX, /* the request is refused later if the message is too long */
    DIGITS_MAX = 38,
    TEXT = 1,
    BINARY = 2,
};

bool sqs_characters_valid(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        if (c == 0xEF && i + 2 < len && (unsigned char)text[i + 1] == 0xBF &&
            (unsigned char)text[i + 2] >= 0xBE)
            return false; /* U+FFFE, U+FFFF */
    }
    return true;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool fail(struct sqs_request *request, const char *format, const char *name) {
    /* format is one of the literals below, each with one %s */
    struct buf text;
    buf_init(&text, 1024);
    const char *place = strstr(format, "%s");
    buf_add(&text, format, (size_t)(place - format));
    buf_add(&text, name, strnlen(name, NAME_MAX_BYTES));
    buf_adds(&text, place + 2);
    sqs_fail(request, "InvalidParameterValueException", "%s", buf_text(&text));
    buf_free(&text);
    return false;
}

static bool name_valid(const char *name, size_t len) {
    if (len == 0 || len > NAME_MAX_BYTES || name[0] == '.' || name[len - 1] == '.' ||
        ascii_same_n(name, "aws.", 4) || ascii_same_n(name, "amazon.", 7))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c == '.' && name[i + 1] == '.')
            return false;
        if (c < 0x80 && !strchr("_-.", c) && !(c >= '0' && c <= '9') &&
            !((c | 32) >= 'a' && (c | 32) <= 'z'))
            return false;
        if (c == '\0')
            return false;
    }
    return true;
}

/* `String`, `Number`, `Binary`, each with an optional `.label`. */
static bool is_type(const char *data_type, const char *base) {
    size_t len = strlen(base);
    return strncmp(data_type, base, len) == 0 && (data_type[len] == '\0' || data_type[len] == '.');
}

/* A decimal number with at most 38 digits of precision. */
static bool number_valid(const char *text) {
    size_t digits = 0, significant = 0;
    if (*text == '+' || *text == '-')
        text++;
    for (bool point = false; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        point = point || *text == '.';
        if (*text != '.') {
            digits++;
            significant += significant || *text != '0';
        }
    }
    if (digits == 0 || significant > DIGITS_MAX)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '+' || *text == '-')
            text++;
        if (*text == '\0' || strspn(text, "0123456789") > 3)
            return false;
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

static void put_length(struct buf *out, size_t len) {
    unsigned char be[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
                           (unsigned char)(len >> 8), (unsigned char)len};
    buf_add(out, be, sizeof(be));
}

static void put_field(struct buf *out, const char *text, size_t len) {
    put_length(out, len);
    buf_add(out, text, len);
}

/* value: of attribute name, String or Number. */
static bool read_text(struct sqs_request *request, const char *name, const char *type,
                      const struct json_value *value, struct buf *out, size_t *size) {
    if (!value || value->len == 0) {
        bool number = is_type(type, "Number");
        return fail(
            request,
            number
                ? "Message (user) attribute '%s' must contain a non-empty value of type 'Number'."
                : "Message (user) attribute '%s' must contain a non-empty value of type 'String'.",
            name);
    }
    if (!sqs_characters_valid(value->text, value->len))
        return fail(request, "Message (user) attribute '%s' contains invalid characters.", name);
    if (is_type(type, "Number") &&
        (strlen(value->text) != value->len || !number_valid(value->text)))
        return fail(request, "Can't cast the value of message (user) attribute '%s' to a number.",
                    name);
    buf_addc(out, TEXT);
    put_field(out, value->text, value->len);
    *size += value->len;
    return true;
}

static bool read_binary(struct sqs_request *request, const char *name,
                        const struct json_value *value, struct buf *out, size_t *size) {
    if (!value || value->len == 0)
        return fail(
            request,
            "Message (user) attribute '%s' must contain a non-empty value of type 'Binary'.", name);
    struct buf bytes;
    buf_init(&bytes, BYTES_MAX);
    bool ok = base64_decode(&bytes, value->text, value->len);
    if (ok) {
        buf_addc(out, BINARY);
        put_field(out, buf_text(&bytes), bytes.len);
        *size += bytes.len;
    } else {
        sqs_fail(request, "SerializationException", "BinaryValue must be base64.");
    }
    buf_free(&bytes);
    return ok;
}

static bool has_items(const struct json_value *value, const char *member) {
    const struct json_value *list = sqs_get(value, member);
    return list && list->len > 0;
}

static bool read_one(struct sqs_request *request, const struct json_value *attribute,
                     struct buf *out, size_t *size) {
    const char *name = attribute->key;
    const struct json_value *type = sqs_get(attribute, "DataType");
    if (has_items(attribute, "StringListValues") || has_items(attribute, "BinaryListValues")) {
        sqs_fail(request, "UnsupportedOperation",
                 "Message attribute list values in SendMessage operation are not supported.");
        return false;
    }
    if (!type || type->len == 0)
        return fail(
            request,
            "The message (user) attribute '%s' must contain a non-empty message attribute type.",
            name);
    bool binary = is_type(type->text, "Binary");
    if (type->len > NAME_MAX_BYTES || strlen(type->text) != type->len ||
        !sqs_characters_valid(type->text, type->len) ||
        !(binary || is_type(type->text, "String") || is_type(type->text, "Number")))
        return fail(request,
                    "The type of message (user) attribute '%s' is invalid. You must use only the "
                    "following supported type "
                    "prefixes: Binary, Number, String.",
                    name);
    put_field(out, name, attribute->key_len);
    put_field(out, type->text, type->len);
    *size += attribute->key_len + type->len;
    if (binary)
        return read_binary(request, name, sqs_get(attribute, "BinaryValue"), out, size);
    return read_text(request, name, type->text, sqs_get(attribute, "StringValue"), out, size);
}

static int by_name(const void *a, const void *b) {
    const struct json_value *x = *(const struct json_value *const *)a,
                            *y = *(const struct json_value *const *)b;
    return strcmp(x->key, y->key);
}

bool sqs_message_attributes_read(struct sqs_request *request, const struct json_value *attributes,
                                 struct buf *out, size_t *size_out) {
    const struct json_value *sorted[ATTRIBUTES_MAX];
    size_t count = 0;
    *size_out = 0;
    for (const struct json_value *v = attributes ? attributes->child : NULL; v; v = v->next) {
        if (count == ATTRIBUTES_MAX) {
            sqs_fail(request, "InvalidParameterValueException",
                     "Number of message attributes [%zu] exceeds the allowed maximum [%d].",
                     attributes->len, ATTRIBUTES_MAX);
            return false;
        }
        if (!name_valid(v->key, v->key_len))
            return fail(request,
                        "Invalid message attribute name '%s': 1 to 256 letters, digits, hyphens, "
                        "underscores and periods; not "
                        "beginning with AWS. or Amazon.; no period at an end or after another.",
                        v->key);
        sorted[count++] = v;
    }
    if (count)
        qsort(sorted, count, sizeof(*sorted), by_name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(sorted[i]->key, sorted[i - 1]->key) == 0)
            return fail(request, "Message (user) attribute name '%s' already exists.",
                        sorted[i]->key);
        if (!read_one(request, sorted[i], out, size_out))
            return false;
    }
    if (!buf_ok(out)) {
        sqs_fail(
            request, "InvalidParameterValueException",
            "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.",
            SQS_MESSAGE_MAX);
        return false;
    }
    return true;
}

bool sqs_system_attributes_read(struct sqs_request *request, const struct json_value *attributes,
                                struct buf *out, const char **trace_out) {
    *trace_out = NULL;
    for (const struct json_value *v = attributes ? attributes->child : NULL; v; v = v->next) {
        if (strcmp(v->key, "AWSTraceHeader") != 0)
            return fail(request, "Message system attribute name '%s' is invalid.", v->key);
        const struct json_value *type = sqs_get(v, "DataType"), *value = sqs_get(v, "StringValue");
        if (!type || strcmp(type->text, "String") != 0 || !value || value->len == 0 ||
            strlen(value->text) != value->len || value->len > UINT16_MAX ||
            !sqs_characters_valid(value->text, value->len))
            return fail(
                request,
                "Message system attribute '%s' must contain a non-empty value of type 'String'.",
                v->key);
        if (*trace_out)
            return fail(request, "Message system attribute name '%s' already exists.", v->key);
        size_t size = 0;
        if (!read_one(request, v, out, &size))
            return false;
        *trace_out = value->text;
    }
    return true;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct attribute {
    const char *name, *type, *value;
    size_t name_len, type_len, value_len;
    bool binary;
};

static size_t get_length(const char *at) {
    const unsigned char *p = (const unsigned char *)at;
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static const char *get_field(const char *at, const char **text_out, size_t *len_out) {
    *len_out = get_length(at);
    *text_out = at + 4;
    return at + 4 + *len_out;
}

/* The attribute at `at`; returns the place of the next. */
static const char *get_attribute(const char *at, struct attribute *out) {
    at = get_field(at, &out->name, &out->name_len);
    at = get_field(at, &out->type, &out->type_len);
    out->binary = *at++ == BINARY;
    return get_field(at, &out->value, &out->value_len);
}

size_t sqs_message_attributes_size(const char *attributes, size_t len) {
    const char *end = attributes + len;
    size_t size = 0;
    struct attribute a;
    for (const char *at = attributes; at < end;) {
        at = get_attribute(at, &a);
        size += a.name_len + a.type_len + a.value_len;
    }
    return size;
}

static bool wanted(const struct attribute *a, const struct json_value *names) {
    for (const struct json_value *v = names ? names->child : NULL; v; v = v->next) {
        if (strcmp(v->text, "All") == 0 || strcmp(v->text, ".*") == 0)
            return true;
        if (v->len == a->name_len && memcmp(v->text, a->name, v->len) == 0)
            return true;
        if (v->len > 2 && memcmp(v->text + v->len - 2, ".*", 2) == 0 && a->name_len >= v->len - 2 &&
            memcmp(v->text, a->name, v->len - 2) == 0)
            return true;
    }
    return false;
}

static void write_one(struct json_writer *out, const struct attribute *a) {
    json_key_n(out, a->name, a->name_len);
    json_object_begin(out);
    json_key(out, "DataType");
    json_string_n(out, a->type, a->type_len);
    if (a->binary) {
        struct buf text;
        buf_init(&text, 2 * BYTES_MAX);
        base64_encode(&text, a->value, a->value_len);
        json_member(out, "BinaryValue", buf_text(&text));
        buf_free(&text);
    } else {
        json_key(out, "StringValue");
        json_string_n(out, a->value, a->value_len);
    }
    json_object_end(out);
}

void sqs_md5_member(struct sqs_service *service, struct json_writer *out, const char *name,
                    const char *data, size_t len) {
    if (len == 0)
        return;
    uint8_t md5[SQS_MD5_SIZE];
    char text[SQS_MD5_TEXT_SIZE];
    sqs_md5(service->crypto, data, len, md5);
    sqs_hex(md5, sizeof(md5), text);
    json_member(out, name, text);
}

void sqs_message_attributes_write(struct sqs_service *service, struct json_writer *out,
                                  const char *attributes, size_t len,
                                  const struct json_value *names) {
    if (len == 0 || !names || !names->child)
        return;
    struct buf chosen; /* in the same form: the MD5 covers what is shown */
    struct attribute a;
    buf_init(&chosen, BYTES_MAX);
    const char *end = attributes + len;
    for (const char *at = attributes; at < end;) {
        const char *next = get_attribute(at, &a);
        if (wanted(&a, names))
            buf_add(&chosen, at, (size_t)(next - at));
        at = next;
    }
    if (chosen.len > 0) {
        sqs_md5_member(service, out, "MD5OfMessageAttributes", chosen.data, chosen.len);
        json_key(out, "MessageAttributes");
        json_object_begin(out);
        end = chosen.data + chosen.len;
        for (const char *at = chosen.data; at < end;) {
            at = get_attribute(at, &a);
            write_one(out, &a);
        }
        json_object_end(out);
    }
    buf_free(&chosen);
}
