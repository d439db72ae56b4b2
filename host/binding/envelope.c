/*
** Sealing and opening. The outer object is all that is looked at before the MAC holds; the body is
** then read with the same care nevertheless, since a key can be in the hands of a program with a
** bug.
*/
#include "host/binding/envelope.h"

#include <string.h>

#include "host/base/secret.h"
#include "host/json/json.h"

enum { VERSION = 1, BODY_DEPTH = 4096 - 8 };

static const char HEAD[] = "awsync/1 call";

const char *envelope_result_text(enum envelope_result result) {
    switch (result) {
    case ENVELOPE_OK:
        return "the envelope holds";
    case ENVELOPE_NONE:
        return "no envelope";
    case ENVELOPE_NO_KEY:
        return "the envelope cannot be verified, since this process has no key: " ENVELOPE_KEY_HELP;
    case ENVELOPE_MALFORMED:
        return "the envelope cannot be read: cut or changed on its way";
    case ENVELOPE_VERSION:
        return "the envelope is of another version than awsync/1";
    case ENVELOPE_FORGED:
        return "the envelope's signature does not hold: changed on its way, or signed with the key "
               "of another deployment";
    case ENVELOPE_EXPIRED:
        return "the envelope is older than its lifetime, or from the future";
    case ENVELOPE_NO_MEMORY:
        return "not enough memory to open the envelope";
    }
    return "unknown result";
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* A name from the program may hold any bytes; for messages a `?` will do. */
static void add_text(struct json_writer *w, const char *key, const char *text) {
    json_key(w, key);
    if (json_string(w, text))
        return;
    char copy[2048];
    size_t len = 0;
    for (; len < sizeof(copy) - 1 && text[len] != '\0'; len++)
        copy[len] = (unsigned char)text[len] < 0x80 ? text[len] : '?';
    json_string_n(w, copy, len);
}

static void add_integer(struct json_writer *w, const char *key, int64_t value) {
    json_key(w, key);
    json_integer(w, value);
}

static bool write_body(struct buf *out, const struct envelope_claims *claims, const char *payload,
                       size_t len) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_object_begin(&w);
    add_text(&w, "run", claims->run);
    add_text(&w, "call", claims->call);
    add_text(&w, "parent", claims->parent);
    add_text(&w, "inbox", claims->inbox);
    add_text(&w, "function", claims->function);
    add_integer(&w, "depth", claims->depth);
    add_integer(&w, "issued", claims->issued_ms);
    add_integer(&w, "lifetime", claims->lifetime_ms);
    add_integer(&w, "scope", claims->scope);
    if (claims->budget.share > 0) {
        json_key(&w, "budget");
        json_array_begin(&w);
        json_integer(&w, claims->budget.spent);
        json_integer(&w, claims->budget.share);
        json_integer(&w, claims->budget.typical_ms);
        json_array_end(&w);
    }
    json_key(&w, "payload");
    json_raw(&w, payload, len);
    json_object_end(&w);
    return buf_ok(out);
}

bool envelope_seal(const struct envelope_key *key, const struct envelope_claims *claims,
                   const char *payload, size_t len, struct buf *out) {
    struct buf body;
    char mac[ENVELOPE_MAC_SIZE];
    buf_init(&body, out->max);
    bool good = write_body(&body, claims, payload, len) &&
                envelope_mac(key, HEAD, body.data, body.len, mac);
    if (good) {
        struct json_writer w;
        json_writer_init(&w, out);
        json_object_begin(&w);
        add_integer(&w, "awsync", VERSION);
        json_member(&w, "mac", mac);
        json_key(&w, "body");
        good = json_string_n(&w, body.data, body.len);
        json_object_end(&w);
        good = good && buf_ok(out);
    }
    buf_free(&body);
    return good;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct outer {
    const char *mac, *body; /* borrowed from the event; NULL: not there */
    size_t mac_len, body_len;
    int64_t version;
    bool has_version, malformed;
};

static bool key_is(const struct json_reader *r, const char *key) {
    return r->raw_len == strlen(key) && memcmp(r->raw, key, r->raw_len) == 0;
}

/* The value of one of our members; nothing of ours may be there twice. */
static bool set_member(struct json_reader *r, enum json_token token, const char **text,
                       size_t *len) {
    if (token != JSON_STRING || *text)
        return false;
    *text = r->raw;
    *len = r->raw_len;
    return true;
}

static bool set_version(struct json_reader *r, enum json_token token, struct outer *o) {
    if (token != JSON_INTEGER || o->has_version)
        return false;
    o->version = r->integer;
    return true;
}

/* False when the event is no object with the member `awsync`. */
static bool read_outer(const char *event, size_t len, struct outer *o) {
    struct json_reader r;
    json_reader_init(&r, event, len, JSON_DEPTH_DEFAULT);
    *o = (struct outer){0};
    if (json_next(&r) != JSON_OBJECT_BEGIN)
        return false;
    enum json_token token = json_next(&r);
    for (; token == JSON_KEY; token = json_next(&r)) {
        bool version = key_is(&r, "awsync");
        bool mac = key_is(&r, "mac");
        bool body = key_is(&r, "body");
        bool good = false;
        token = json_next(&r);
        if (version)
            good = set_version(&r, token, o);
        else if (mac)
            good = set_member(&r, token, &o->mac, &o->mac_len);
        else if (body)
            good = set_member(&r, token, &o->body, &o->body_len);
        o->has_version = o->has_version || version;
        o->malformed = o->malformed || !good;
        if (!json_skip(&r, token))
            break;
    }
    if (token != JSON_OBJECT_END || json_next(&r) != JSON_END || !o->mac || !o->body)
        o->malformed = true;
    return o->has_version;
}

bool envelope_is(const char *event, size_t len) {
    struct json_reader r;
    json_reader_init(&r, event, len, JSON_DEPTH_DEFAULT);
    if (json_next(&r) != JSON_OBJECT_BEGIN)
        return false;
    while (json_next(&r) == JSON_KEY) {
        if (key_is(&r, "awsync"))
            return true;
        if (!json_skip(&r, JSON_KEY))
            return false;
    }
    return false;
}

static enum envelope_result read_text(struct json_reader *r, char *out, size_t size) {
    if (json_next(r) != JSON_STRING)
        return ENVELOPE_MALFORMED;
    struct buf text;
    buf_init(&text, r->raw_len);
    enum envelope_result result = ENVELOPE_NO_MEMORY;
    if (json_unescape(&text, r->raw, r->raw_len)) {
        bool fits = text.len < size && !memchr(buf_text(&text), 0, text.len);
        result = fits ? ENVELOPE_OK : ENVELOPE_MALFORMED;
        if (fits)
            memcpy(out, buf_text(&text), text.len + 1);
    }
    buf_free(&text);
    return result;
}

static bool read_integer(struct json_reader *r, int64_t least, int64_t most, int64_t *out) {
    if (json_next(r) != JSON_INTEGER || r->integer < least || r->integer > most)
        return false;
    *out = r->integer;
    return true;
}

static bool read_depth(struct json_reader *r, int *out) {
    int64_t depth;
    if (!read_integer(r, 0, INT32_MAX, &depth))
        return false;
    *out = (int)depth;
    return true;
}

static bool read_budget(struct json_reader *r, struct budget_claim *out) {
    return json_next(r) == JSON_ARRAY_BEGIN && read_integer(r, 0, INT64_MAX / 4, &out->spent) &&
           read_integer(r, 1, INT64_MAX / 4, &out->share) &&
           read_integer(r, 0, INT64_MAX / 4, &out->typical_ms) && json_next(r) == JSON_ARRAY_END;
}

static enum envelope_result read_claim(struct json_reader *r, struct envelope_claims *claims) {
    bool good = false;
    if (key_is(r, "run"))
        return read_text(r, claims->run, sizeof(claims->run));
    if (key_is(r, "call"))
        return read_text(r, claims->call, sizeof(claims->call));
    if (key_is(r, "parent"))
        return read_text(r, claims->parent, sizeof(claims->parent));
    if (key_is(r, "inbox"))
        return read_text(r, claims->inbox, sizeof(claims->inbox));
    if (key_is(r, "function"))
        return read_text(r, claims->function, sizeof(claims->function));
    if (key_is(r, "issued"))
        good = read_integer(r, 0, INT64_MAX / 4, &claims->issued_ms);
    else if (key_is(r, "lifetime"))
        good = read_integer(r, 0, INT64_MAX / 4, &claims->lifetime_ms);
    else if (key_is(r, "scope"))
        good = read_integer(r, 0, INT64_MAX / 4, &claims->scope);
    else if (key_is(r, "depth"))
        good = read_depth(r, &claims->depth);
    return good ? ENVELOPE_OK : ENVELOPE_MALFORMED;
}

/* Claims and payload of a body whose MAC has held. */
static enum envelope_result read_body(const struct buf *body, struct envelope_claims *claims,
                                      size_t *payload_at, size_t *payload_len) {
    struct json_reader r;
    json_reader_init(&r, buf_text(body), body->len, BODY_DEPTH);
    *payload_len = 0;
    memset(claims, 0, sizeof(*claims));
    if (json_next(&r) != JSON_OBJECT_BEGIN)
        return ENVELOPE_MALFORMED;
    int seen = 0;
    for (;;) {
        enum json_token token = json_next(&r);
        if (token == JSON_OBJECT_END)
            break;
        if (token != JSON_KEY)
            return ENVELOPE_MALFORMED;
        if (key_is(&r, "payload")) {
            *payload_at = r.at;
            if (!json_skip(&r, JSON_KEY))
                return ENVELOPE_MALFORMED;
            *payload_len = r.at - *payload_at;
        } else if (key_is(&r, "budget")) {
            if (!read_budget(&r, &claims->budget))
                return ENVELOPE_MALFORMED;
            continue; /* the only one that may be absent */
        } else {
            enum envelope_result result = read_claim(&r, claims);
            if (result != ENVELOPE_OK)
                return result;
        }
        seen++;
    }
    bool whole = json_next(&r) == JSON_END && seen == 10 && *payload_len > 0;
    return whole ? ENVELOPE_OK : ENVELOPE_MALFORMED;
}

enum envelope_result envelope_open(const struct envelope_key *key, const char *event, size_t len,
                                   int64_t now_ms, struct envelope_claims *claims,
                                   struct buf *payload_out) {
    struct outer outer;
    if (!read_outer(event, len, &outer))
        return ENVELOPE_NONE;
    if (outer.malformed)
        return ENVELOPE_MALFORMED;
    if (outer.version != VERSION)
        return ENVELOPE_VERSION;
    if (!key || key->len == 0)
        return ENVELOPE_NO_KEY;

    enum envelope_result result = ENVELOPE_NO_MEMORY;
    char mac[ENVELOPE_MAC_SIZE];
    struct buf body;
    buf_init(&body, len);
    if (!json_unescape(&body, outer.body, outer.body_len) ||
        !envelope_mac(key, HEAD, buf_text(&body), body.len, mac))
        goto done;
    result = ENVELOPE_FORGED;
    if (outer.mac_len != ENVELOPE_MAC_SIZE - 1 || !secret_equal(mac, outer.mac, outer.mac_len))
        goto done;
    size_t payload_at = 0, payload_len = 0;
    result = read_body(&body, claims, &payload_at, &payload_len);
    if (result != ENVELOPE_OK)
        goto done;
    result = ENVELOPE_EXPIRED;
    if (claims->issued_ms > now_ms + ENVELOPE_SKEW_MS ||
        now_ms - claims->issued_ms > claims->lifetime_ms)
        goto done;
    result = buf_add(payload_out, body.data + payload_at, payload_len) ? ENVELOPE_OK
                                                                       : ENVELOPE_NO_MEMORY;
done:
    buf_free(&body);
    secret_wipe(mac, sizeof(mac));
    if (result != ENVELOPE_OK)
        memset(claims, 0, sizeof(*claims));
    return result;
}
