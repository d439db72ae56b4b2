/*
** The head of an HTTP/1 request and a chunked body (RFC 9112), read where they lie. Knows no sockets.
*/
#ifndef AWSYNC_ENGINE_HTTP_HEAD_H
#define AWSYNC_ENGINE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/buf.h"

struct http_field {
    const char *name; /* as on the wire */
    size_t name_len;
    const char *value; /* without the blanks around it; a folded line goes on behind blanks */
};

/* Texts lie in the text that was read. An empty head is zeroed. */
struct http_head {
    const char *method, *target;
    struct http_field *fields; /* owned, reused */
    size_t count, room;
    uint64_t length; /* of the body; 0 when it is chunked or there is none */
    bool chunked;
    bool expects; /* the client waits for `100 Continue` */
    bool keeps;   /* the connection stays open behind the answer */
    bool old;     /* HTTP/1.0 */
};

/* Bytes of the head that text begins with, its empty line and empty lines before it among them; 0: it is not
** there as a whole. *searched: what earlier calls with less of the same text have seen, 0 at first. */
size_t http_head_length(const char *text, size_t len, size_t *searched);
/* Reads such a head of len bytes and cuts it to pieces. 0, or the status that refuses it: 400, 500 (no memory),
** 501 (method, transfer coding), 505. head is then as good as empty, but for keeps, which is false. */
int http_head_read(struct http_head *head, char *text, size_t len);
/* The value of the first field of that name, in any case; NULL: there is none. */
const char *http_head_find(const struct http_head *head, const char *name, size_t name_len);
void http_head_free(struct http_head *head);

/* Where a chunked body is. The beginning is zeroed. */
struct http_chunks {
    unsigned char state;
    bool digits; /* of the size have been seen */
    uint64_t left;
    size_t beside; /* bytes since the last chunk */
};
/* Takes what it can from text and adds the body in it to out. Returns 200 at the end of the body, 100 when more must
** come, or the status that refuses it: 400, 413 (over out's maximum), 500. *used_out: bytes taken. */
int http_chunks_read(struct http_chunks *chunks, const char *text, size_t len, struct buf *out,
                     size_t *used_out);

#endif
