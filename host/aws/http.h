/*
** HTTP exchanges on the I/O thread: a curl multi handle with its kept-alive connections.
**
** An exchange belongs to its caller and must stay where it is from http_begin until done was
** called or http_abort has returned. Everything but http_wake is for the I/O thread only.
*/
#ifndef AWSYNC_AWS_HTTP_H
#define AWSYNC_AWS_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/buf.h"
#include "host/aws/error.h"

enum { HTTP_HEADERS_MAX = 64 << 10 }; /* bytes */

enum http_outcome {
    HTTP_ANSWERED,      /* status, headers and answer are whole */
    HTTP_NOT_CONNECTED, /* no connection: nothing was sent */
    HTTP_UNTRUSTED,     /* no TLS with that server: certificate, CA file */
    HTTP_LOST,          /* the connection broke before the answer was whole */
    HTTP_TIMEOUT,
    HTTP_TOO_LONG, /* the answer is over its maximum */
    HTTP_BAD_URL,
    HTTP_NO_MEMORY,
};

struct http_exchange;
typedef void (*http_done)(struct http_exchange *exchange);

struct http_exchange {
    /* The request: set by the caller, borrowed until done. */
    const char *method, *url;
    struct curl_slist *request_headers; /* by http_header_add */
    const void *body;
    size_t body_len;
    int64_t timeout_ms;
    const char *ca_bundle; /* NULL: libcurl's own */
    bool once; /* libcurl must not send it again by itself when a kept-alive connection breaks */
    bool no_proxy;
    http_done done;
    void *context;
    /* The answer: valid in done and until the exchange begins again. */
    enum http_outcome outcome;
    long status;
    struct buf answer, header_lines;
    bool sent;       /* some of the request has left */
    int64_t took_ms; /* from the begin to the end */
    char message[CURL_ERROR_SIZE];
    /* private */
    CURL *easy;
    size_t body_at;
    int64_t began_ms;
    struct http_exchange *prev, *next;
};
/* answer_max: bytes. secret: the answer leaves no copy in freed memory. */
void http_exchange_init(struct http_exchange *exchange, size_t answer_max, bool secret);
/* Frees what the exchange owns. It must not be under way. */
void http_exchange_free(struct http_exchange *exchange);
/* Adds a header to the request; value NULL: libcurl is not to send it of its own. False: out of
** memory. */
bool http_header_add(struct http_exchange *exchange, const char *name, const char *value);
/* Wipes and frees the request's headers: some are secrets. */
void http_headers_free(struct http_exchange *exchange);
static inline struct headers http_headers(const struct http_exchange *exchange) {
    return (struct headers){exchange->header_lines.data, exchange->header_lines.len};
}

struct http;
/* NULL: out of memory, or libcurl cannot be used. */
struct http *http_new(void);
/* No exchange may be under way. */
void http_free(struct http *http);
/* Sends the request. False: it could not be begun, outcome and message say why and done is not
** called. */
bool http_begin(struct http *http, struct http_exchange *exchange);
/* Ends an exchange without calling done. Nothing happens when it is not under way. */
void http_abort(struct http *http, struct http_exchange *exchange);
/* Moves everything on and calls done for what has ended. */
void http_perform(struct http *http);
/* Waits for something to do, a wake, or the end of the time. */
void http_poll(struct http *http, int timeout_ms);
/* Ends the present or the next http_poll. From any thread. */
void http_wake(struct http *http);

#endif
