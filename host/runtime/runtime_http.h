/*
** HTTP/1.1 on one plain connection to the Runtime API, blocking, without a library: what every
** invocation passes twice is as short as it can be, and nothing of TLS is awake before a program
** calls AWS. Everything else that speaks HTTP here does so by libcurl (host/aws/http.h). Plain C,
** no Lua.
*/
#ifndef AWSYNC_RUNTIME_HTTP_H
#define AWSYNC_RUNTIME_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/buf.h"

struct runtime_http;

struct runtime_request {
    const char *method;
    const char *path;
    const char *headers; /* lines that end with CR LF each; Host and Content-Length are added */
    const char *body;    /* NULL: a request without one */
    size_t len;
};

struct runtime_reply {
    /* Called for each header of the final answer; name and value are not terminated. NULL: not
    ** wanted. False: no memory. */
    bool (*on_header)(void *context, const char *name, size_t name_len, const char *value,
                      size_t value_len);
    void *context;
    struct buf *body; /* the content is added to it */
    bool cut;         /* content beyond the buffer's maximum is dropped; else it is an error */
    int status;       /* set; 0: no answer */
};

enum runtime_exchange {
    EXCHANGE_DONE,
    EXCHANGE_UNHEARD, /* no connection was made: nothing was sent */
    EXCHANGE_BROKEN,  /* what was sent may have been heard */
};

/* authority: `host:port`, `[address]:port`; copied. Connects with the first request. NULL: out of
** memory. */
struct runtime_http *runtime_http_new(const char *authority);
void runtime_http_free(struct runtime_http *http);

/* Sends a request, once, and waits for its answer without time limit. The connection is kept for
** the next request where HTTP allows it; one that the other side has closed meanwhile is replaced
** before anything is sent on it. */
enum runtime_exchange runtime_http_exchange(struct runtime_http *http,
                                            const struct runtime_request *request,
                                            struct runtime_reply *reply);
/* What went wrong, after anything but EXCHANGE_DONE; borrowed until the next request. */
const char *runtime_http_reason(const struct runtime_http *http);

#endif
