/*
** Streams: many values in one message.
**
** A message of a stream is one value after the other, each as its length in bytes (decimal), a
** colon, the value, and a line feed: `2:42\n7:{"a":1}\n`. Its deduplication id is that of its
** first value with the number of values behind it (`PREFIX-1+500`): a reader that gets values once
** more, packed otherwise, knows those that it has. One message is on its way at a time.
**
** The reader holds a message by a lease until its last value is taken. A reader that leaves before
** that gives the whole message back: the next one starts at its beginning.
*/
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/channel/internal.h"

enum { HEAD_MAX = 24 };

/* The last value seen of one sender. */
struct stream_seen {
    struct stream_seen *next;
    uint64_t last;
    char prefix[DEDUP_SIZE];
};

/* --- the sender ------------------------------------------------------------------------------- */

/* Where the sequence number begins in a deduplication id; NULL: it has none. */
static const char *sequence_at(const char *dedup) {
    const char *dash = strrchr(dedup, '-');
    return dash && dash[1] >= '0' && dash[1] <= '9' ? dash + 1 : NULL;
}

static size_t digits(size_t n) {
    size_t count = 1;
    for (; n >= 10; n /= 10)
        count++;
    return count;
}

static bool follows(const struct entry *first, const struct entry *e, uint64_t place) {
    const char *a = sequence_at(first->dedup), *b = sequence_at(e->dedup);
    size_t len = (size_t)(a - first->dedup);
    return len == (size_t)(b - e->dedup) && memcmp(first->dedup, e->dedup, len) == 0 &&
           strtoull(b, NULL, 10) == strtoull(a, NULL, 10) + place;
}

bool stream_pack(struct chan *c) {
    struct sender *out = &c->out;
    struct entry *first = out->first, *e;
    if (!first || first->end || first->packed)
        return true;
    size_t count = 0, bytes = 0;
    for (e = first; e && !e->end && !e->packed && (count == 0 || follows(first, e, count));
         e = e->next) {
        size_t more = digits(e->len) + e->len + 2;
        if (count > 0 && bytes + more > STREAM_BYTES)
            break;
        bytes += more;
        count++;
    }
    struct entry *pack = malloc(sizeof(*pack) + bytes + HEAD_MAX);
    if (!pack)
        return false;
    pack->end = false;
    pack->packed = true;
    pack->ack = NULL;
    pack->turn = (struct turn){0};
    if (first->turn.taken)
        turn_replace(&pack->turn, &first->turn);
    snprintf(pack->dedup, sizeof(pack->dedup), "%.80s+%zu", first->dedup, count);
    char *at = pack->data;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        e = out->first;
        at += snprintf(at, HEAD_MAX, "%zu:", e->len);
        memcpy(at, e->data, e->len);
        at += e->len;
        *at++ = '\n';
        taken += e->len;
        out->first = e->next;
        turn_end(&e->turn);
        free(e);
    }
    pack->len = (size_t)(at - pack->data);
    pack->next = out->first;
    out->first = pack;
    if (!pack->next)
        out->end = &pack->next;
    out->count -= count - 1;
    out->bytes = out->bytes - taken + pack->len;
    return true;
}

/* --- the reader ------------------------------------------------------------------------------- */

/* How many of the message's values this reader has had; notes the others as seen. */
static uint64_t seen_before(struct chan *c, const struct message *m, size_t count) {
    const char *at = sequence_at(m->dedup);
    if (!at)
        return 0;
    size_t len = (size_t)(at - m->dedup);
    uint64_t first = strtoull(at, NULL, 10), had;
    struct stream_seen *seen = c->in.seen;
    while (seen && (strlen(seen->prefix) != len || memcmp(seen->prefix, m->dedup, len) != 0))
        seen = seen->next;
    if (!seen) {
        seen = calloc(1, sizeof(*seen));
        if (!seen)
            return 0;
        memcpy(seen->prefix, m->dedup, len);
        seen->next = c->in.seen;
        c->in.seen = seen;
    }
    had = seen->last >= first ? seen->last - first + 1 : 0;
    if (had < count)
        seen->last = first + count - 1;
    return had;
}

/* The next value of a message: *at moves behind it. False: this is none. */
static bool next_value(const char **at, const char *end, const char **value, size_t *len) {
    size_t n = 0;
    const char *p = *at;
    if (p == end || *p < '0' || *p > '9')
        return false;
    for (; p < end && *p >= '0' && *p <= '9' && n <= SQS_PAYLOAD_MAX; p++)
        n = n * 10 + (size_t)(*p - '0');
    if (p == end || *p++ != ':' || n >= (size_t)(end - p) || p[n] != '\n')
        return false;
    *value = p;
    *len = n;
    *at = p + n + 1;
    return true;
}

static struct message *part(struct chan_lease *pack, const char *value, size_t len) {
    struct message *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->body = malloc(len + 1);
    if (!m->body) {
        free(m);
        return NULL;
    }
    memcpy(m->body, value, len);
    m->body[len] = '\0';
    m->len = len;
    m->pack = pack;
    m->expires_ms = INT64_MAX; /* the lease keeps it */
    return m;
}

void stream_unpack(struct chan *c, struct message *m, int64_t now) {
    const char *at = m->body, *end = m->body + m->len, *value;
    size_t len, count = 0;
    while (next_value(&at, end, &value, &len))
        count++;
    /* What somebody else has sent is a value as it is. */
    bool whole = at != end || count == 0;
    struct message_list parts;
    list_init(&parts);
    struct chan_lease *pack = lease_new(c, m, now);
    if (!pack) {
        ack_return(c, m);
        return;
    }
    pack->own = true;
    at = m->body;
    if (whole) {
        count = 1;
        value = m->body;
        len = m->len;
    }
    uint64_t skip = seen_before(c, m, count);
    for (size_t i = 0; i < count; i++) {
        if (!whole)
            next_value(&at, end, &value, &len);
        if (i < skip)
            continue;
        struct message *p = part(pack, value, len);
        if (!p) {
            list_clear(&parts);
            stream_forget_seen(c);
            lease_end(pack, false, now);
            return;
        }
        list_add(&parts, p);
    }
    pack->len = parts.count;
    if (pack->len == 0)
        lease_end(pack, true, now);
    while (parts.count > 0)
        list_add(&c->in.held, list_take(&parts));
}

void stream_taken(struct message *m, int64_t now) {
    struct chan_lease *pack = m->pack;
    message_free(m);
    if (--pack->len == 0)
        lease_end(pack, true, now);
}

void stream_forget_seen(struct chan *c) {
    while (c->in.seen) {
        struct stream_seen *seen = c->in.seen;
        c->in.seen = seen->next;
        free(seen);
    }
}

void stream_forget(struct chan *c) {
    stream_forget_seen(c);
    while (c->leases) {
        struct chan_lease *pack = c->leases;
        c->leases = pack->next;
        message_free(pack->m);
        free(pack);
    }
}
