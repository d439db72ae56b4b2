#include "host/base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"

enum { FIRST_CAP = 64 };

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_init_secret(struct buf *b, size_t max) {
    buf_init(b, max);
    b->secret = true;
}

void buf_free(struct buf *b) {
    if (b->secret && b->data)
        secret_wipe(b->data, b->cap);
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
    b->failed = false;
}

void buf_wipe(struct buf *b) {
    if (b->data)
        secret_wipe(b->data, b->cap);
    buf_free(b);
}

void buf_reset(struct buf *b) {
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

static bool fail(struct buf *b) {
    /* What was collected may be a secret whoever called; failures are rare enough to wipe always.
     */
    buf_wipe(b);
    b->failed = true;
    return false;
}

static bool grow(struct buf *b, size_t cap) {
    char *data;
    if (b->secret) {
        /* realloc would leave a copy of the secret behind. */
        data = malloc(cap);
        if (data && b->data) {
            memcpy(data, b->data, b->len + 1);
            secret_wipe(b->data, b->cap);
            free(b->data);
        }
    } else {
        data = realloc(b->data, cap);
    }
    if (!data)
        return fail(b);
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

/* Makes room for len more bytes and the NUL. */
static bool make_room(struct buf *b, size_t len) {
    if (b->failed)
        return false;
    if (b->len > b->max || len > b->max - b->len)
        return fail(b);
    size_t need = b->len + len + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need)
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : need;
    if (cap > b->max + 1)
        cap = b->max + 1;
    return grow(b, cap);
}

bool buf_add(struct buf *b, const void *data, size_t len) {
    if (!make_room(b, len))
        return false;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_addc(struct buf *b, char c) {
    if (!make_room(b, 1))
        return false;
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
    return true;
}

bool buf_adds(struct buf *b, const char *text) {
    return buf_add(b, text, strlen(text));
}

bool buf_addf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    bool done = buf_vaddf(b, format, args);
    va_end(args);
    return done;
}

bool buf_vaddf(struct buf *b, const char *format, va_list args) {
    if (!make_room(b, 0))
        return false;
    va_list again;
    va_copy(again, args);
    size_t room = b->cap - b->len;
    int len = vsnprintf(b->data + b->len, room, format, args);
    bool done = false;
    if (len < 0) {
        fail(b);
    } else if ((size_t)len < room) {
        done = true;
    } else {
        b->data[b->len] = '\0'; /* not the piece that did fit */
        done = make_room(b, (size_t)len);
        if (done && vsnprintf(b->data + b->len, b->cap - b->len, format, again) != len)
            done = fail(b);
    }
    va_end(again);
    if (done)
        b->len += (size_t)len;
    return done;
}

char *buf_reserve(struct buf *b, size_t len) {
    if (!make_room(b, len))
        return NULL;
    b->data[b->len + len] = '\0';
    return b->data + b->len;
}

bool buf_ok(const struct buf *b) {
    return !b->failed;
}

const char *buf_text(const struct buf *b) {
    if (!b->data)
        return "";
    /* Who reserved more than was needed has left the NUL too far behind. */
    if (b->data[b->len] != '\0')
        b->data[b->len] = '\0';
    return b->data;
}

char *buf_take(struct buf *b, size_t *len_out) {
    char *data = NULL;
    size_t len = 0;
    if (make_room(b, 0)) {
        data = b->data;
        len = b->len;
        data[len] = '\0';
        b->data = NULL;
        b->len = b->cap = 0;
    } else {
        buf_free(b);
    }
    if (len_out)
        *len_out = len;
    return data;
}
