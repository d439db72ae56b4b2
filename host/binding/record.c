/* See record.h. */
#include "host/binding/record.h"

#include <string.h>

#include "host/base/secret.h"
#include "host/json/json.h"

static const char HEAD[] = "awsync/1 exit";

enum { HEAD_LEN = sizeof HEAD - 1, MAC_LEN = ENVELOPE_MAC_SIZE - 1 };

/* What is no UTF-8 is shown as `?`: it is for people. */
static void add_text(struct json_writer *w, const char *key, const char *text) {
    if (text == NULL || text[0] == '\0')
        return;
    json_key(w, key);
    size_t len = strlen(text);
    if (json_string_n(w, text, len))
        return;
    struct buf shown;
    buf_init(&shown, len);
    for (size_t i = 0; i < len;) {
        size_t n = json_utf8_length(text + i, len - i);
        if (n == 0)
            buf_addc(&shown, '?');
        else
            buf_add(&shown, text + i, n);
        i += n > 0 ? n : 1;
    }
    json_string_n(w, buf_text(&shown), shown.len);
    buf_free(&shown);
}

static void add_integer(struct json_writer *w, const char *key, int64_t value) {
    json_key(w, key);
    json_integer(w, value);
}

static void write_head(struct buf *out, const struct record *r) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_object_begin(&w);
    add_text(&w, "run", r->run);
    add_text(&w, "call", r->call);
    add_text(&w, "request_id", r->request_id);
    add_text(&w, "fn", r->function);
    add_text(&w, "args", r->args);
    add_text(&w, "kind", r->kind);
    add_text(&w, "traceback", r->traceback);
    add_integer(&w, "duration_ms", r->duration_ms);
    add_integer(&w, "memory", r->memory_bytes);
    if (r->running_count > 0) {
        json_key(&w, "running");
        json_array_begin(&w);
        for (size_t i = 0; i < r->running_count; i++)
            json_string(&w, r->running[i]);
        json_array_end(&w);
    }
    if (r->running_more) {
        json_key(&w, "more");
        json_bool(&w, true);
    }
    json_object_end(&w);
}

bool record_seal(const struct envelope_key *key, const struct record *r, struct buf *out) {
    struct buf body;
    char mac[ENVELOPE_MAC_SIZE];
    buf_init(&body, out->max);
    write_head(&body, r);
    buf_addc(&body, '\n');
    buf_add(&body, r->value, r->value_len);
    bool good = buf_ok(&body) && envelope_mac(key, HEAD, buf_text(&body), body.len, mac) &&
                buf_addf(out, "%s %s ", HEAD, mac) && buf_add(out, buf_text(&body), body.len);
    buf_free(&body);
    return good;
}

enum record_result record_open(const struct envelope_key *key, const char *text, size_t len,
                               const char **head, size_t *head_len, const char **value,
                               size_t *value_len) {
    const size_t skip = HEAD_LEN + 1 + MAC_LEN + 1;
    if (key->len == 0 || len < skip || memcmp(text, HEAD, HEAD_LEN) != 0 || text[HEAD_LEN] != ' ' ||
        text[skip - 1] != ' ')
        return RECORD_FORGED;
    char mac[ENVELOPE_MAC_SIZE];
    const char *body = text + skip;
    if (!envelope_mac(key, HEAD, body, len - skip, mac))
        return RECORD_NO_MEMORY;
    bool good = secret_equal(mac, text + HEAD_LEN + 1, MAC_LEN);
    secret_wipe(mac, sizeof mac);
    const char *line = good ? memchr(body, '\n', len - skip) : NULL;
    if (line == NULL)
        return RECORD_FORGED;
    *head = body;
    *head_len = (size_t)(line - body);
    *value = line + 1;
    *value_len = len - skip - *head_len - 1;
    return RECORD_OK;
}
