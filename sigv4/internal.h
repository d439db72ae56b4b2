/*
** What the files of this room share. Nothing here is for callers.
**
** A signing is one struct sigv4_work: who signs fills it, sigv4_compute makes the stages of it.
*/
#ifndef AWSYNC_SIGV4_INTERNAL_H
#define AWSYNC_SIGV4_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/ascii.h"
#include "host/base/buf.h"
#include "host/base/clock.h"
#include "sigv4/sigv4.h"

#define SIGV4_ALGORITHM  "AWS4-HMAC-SHA256"
#define SIGV4_TERMINATOR "aws4_request"
#define SIGV4_UNSIGNED   "UNSIGNED-PAYLOAD"

/* Bounds for what comes from outside. AWS's own are lower. */
enum {
    SIGV4_MAX_TARGET = 128 * 1024,    /* bytes of path and query */
    SIGV4_MAX_HEADERS = 10000,        /* headers of a request */
    SIGV4_MAX_SIGNED = 1024 * 1024,   /* bytes of the signed headers, names and values */
    SIGV4_MAX_CLAIM = 16 * 1024,      /* bytes of an Authorization header */
    SIGV4_MAX_TEXT = 8 * 1024 * 1024, /* a canonical request within these bounds is shorter */
    SIGV4_MAX_SECRET = 1024,
    SIGV4_MAX_KEY_ID = 128,
    SIGV4_MAX_NAME = 64, /* region, service */
    SIGV4_DATE_LEN = 8,
    SIGV4_HEX_LEN = 64,
    SIGV4_DIGEST_SIZE = 32,
    SIGV4_SCOPE_SIZE = SIGV4_DATE_LEN + 2 * SIGV4_MAX_NAME + sizeof "///" SIGV4_TERMINATOR,
};

/* --- crypto.c ------------------------------------------------------------- */

/* The algorithms and their contexts, of one thread at a time. To fetch them and to make a context
** costs more than a short hash, so a cache keeps them for the next request. */
struct sigv4_crypto {
    struct evp_md_st *sha256;
    struct evp_md_ctx_st *digest;
};
/* False when OpenSSL fails; crypto is then empty. */
bool sigv4_crypto_init(struct sigv4_crypto *crypto);
void sigv4_crypto_free(struct sigv4_crypto *crypto);

/* A piece of what is hashed. Borrowed. */
struct sigv4_span {
    const void *data;
    size_t len;
};
/* SHA-256 over all pieces. False when OpenSSL fails. */
bool sigv4_sha256(struct sigv4_crypto *crypto, const struct sigv4_span *spans, size_t count,
                  unsigned char *out);
/* out: SIGV4_HEX_LEN + 1 bytes. */
bool sigv4_sha256_hex(struct sigv4_crypto *crypto, const void *data, size_t len, char *out);
bool sigv4_hmac(struct sigv4_crypto *crypto, const void *key, size_t key_len, const void *data,
                size_t len, unsigned char *out);
/* Lower-case hex and a NUL. */
void sigv4_hex(const unsigned char *digest, char *out);

/* --- key.c ---------------------------------------------------------------- */

/* The signing key of a day, region and service; from the cache when there is one (it may be NULL).
** date: YYYYMMDD with a NUL. The caller wipes key (SIGV4_DIGEST_SIZE bytes). */
enum sigv4_result sigv4_key(struct sigv4_crypto *crypto, struct sigv4_cache *cache,
                            const struct sigv4_credentials *credentials, const char *date,
                            const char *region, const char *service, unsigned char *key);

/* Takes a crypto out of the cache, which makes one when all are lent. False when OpenSSL fails. */
bool sigv4_cache_lend(struct sigv4_cache *cache, struct sigv4_crypto *crypto_out);
/* Puts it back; crypto is then empty. */
void sigv4_cache_take_back(struct sigv4_cache *cache, struct sigv4_crypto *crypto);

/* --- text.c --------------------------------------------------------------- */

/* One tested character class per function; none depends on the locale. */
static inline bool sigv4_is_blank(char c) {
    return c == ' ' || c == '\t';
}
bool sigv4_is_token_char(char c); /* RFC 9110, section 5.6.2 */
int sigv4_hex_value(char c);      /* -1: no hex digit */
/* len bytes that form a non-empty token: a method, a header name. */
bool sigv4_is_token(const char *text, size_t len);
/* Visible ASCII without '/' and ',': a part of the credential scope. 1 to max bytes. */
bool sigv4_is_scope_part(const char *text, size_t max);
/* Compares as if name were in lower case already. */
bool sigv4_name_is(const char *name, const char *lower);
bool sigv4_name_starts(const char *name, const char *lower);
/* Appends with every byte but the unreserved ones as %XX. */
bool sigv4_encode(struct buf *out, const char *text, size_t len);
/* Appends with %XX decoded; a '%' that begins no such triple stays as it is. */
bool sigv4_decode(struct buf *out, const char *text, size_t len);

/* --- query.c -------------------------------------------------------------- */

struct sigv4_param {
    const char *name; /* encoded; into the query's text */
    size_t name_len;
    const char *value; /* encoded */
    size_t value_len;
};
struct sigv4_query {
    struct sigv4_param *params; /* sorted; owned */
    size_t count;
    struct buf text; /* what params point into */
};
/* Reads a query as it is on the wire (without '?'), encodes it canonically and sorts it.
** The caller frees by sigv4_query_free, also after an error. */
enum sigv4_result sigv4_query_parse(struct sigv4_query *query, const char *text, size_t len);
void sigv4_query_free(struct sigv4_query *query);
/* Appends `name=value&...`, without X-Amz-Signature. */
bool sigv4_query_write(const struct sigv4_query *query, struct buf *out);
/* How many parameters have this name; the first in found. name: unreserved characters only. */
size_t sigv4_query_find(const struct sigv4_query *query, const char *name,
                        const struct sigv4_param **found);

/* --- canonical.c ---------------------------------------------------------- */

struct sigv4_work {
    const struct sigv4_request *request;
    struct sigv4_cache *cache;  /* NULL: none */
    struct sigv4_crypto crypto; /* goes back to the cache */
    const char *path;           /* of the request's target */
    size_t path_len;
    const char *wire_query; /* without '?'; NULL when there is none */
    size_t wire_query_len;
    bool raw_path;
    struct sigv4_query query;
    struct sigv4_signed_header *headers; /* those that are signed; owned, the texts are borrowed */
    size_t header_count;
    size_t header_cap;
    size_t header_bytes;
    char amz_date[CLOCK_AMZ_SIZE];
    char date[SIGV4_DATE_LEN + 1];
    char region[SIGV4_MAX_NAME + 1];
    char service[SIGV4_MAX_NAME + 1];
    char scope[SIGV4_SCOPE_SIZE];
    char payload[SIGV4_HEX_LEN + 1]; /* hash of the body, or UNSIGNED-PAYLOAD */
};
struct sigv4_signed_header {
    const char *name;
    const char *value;
    size_t order;
};

/* Splits and tests method and target. The caller frees by sigv4_work_free, also after an error. */
enum sigv4_result sigv4_work_init(struct sigv4_work *work, const struct sigv4_request *request,
                                  struct sigv4_cache *cache, bool raw_path);
void sigv4_work_free(struct sigv4_work *work);
/* Sets date and scope. amz_date as X-Amz-Date has it; region and service fit their fields. */
void sigv4_work_scope(struct sigv4_work *work, const char *amz_date, const char *region,
                      const char *service);
enum sigv4_result sigv4_work_add_header(struct sigv4_work *work, const char *name,
                                        const char *value);
/* After the last header: brings them into their canonical order. */
void sigv4_work_sort_headers(struct sigv4_work *work);
/* Appends `host;x-amz-date`. */
bool sigv4_work_signed_names(const struct sigv4_work *work, struct buf *out);
/* Hashes the body. */
enum sigv4_result sigv4_work_payload(struct sigv4_work *work);
/* Makes every stage. stages must be empty. */
enum sigv4_result sigv4_compute(struct sigv4_work *work,
                                const struct sigv4_credentials *credentials,
                                struct sigv4_stages *stages);
/* Appends a header value in canonical form: trimmed, unfolded, each run of blanks one blank.
** SIGV4_BAD_INPUT for control characters and line ends that begin no folded line. */
enum sigv4_result sigv4_header_value(struct buf *out, const char *value);
/* Tests what signs: lengths and characters. An empty session token counts as none. */
enum sigv4_result sigv4_check_credentials(const struct sigv4_credentials *credentials);
bool sigv4_has_token(const struct sigv4_credentials *credentials);

/* --- sign.c ---------------------------------------------------------------- */

/* What both forms begin with: tests the input, sets scope and payload. The caller frees work. */
enum sigv4_result sigv4_begin(struct sigv4_work *work, const struct sigv4_request *request,
                              const struct sigv4_credentials *credentials,
                              const struct sigv4_scope *scope, struct sigv4_cache *cache);
/* Adds host, content-type and the x-amz-* headers of the request; there must be one host. */
enum sigv4_result sigv4_select_headers(struct sigv4_work *work);

/* --- claim.c --------------------------------------------------------------- */

/* What a request says about its signature. Every text is visible ASCII and blanks. */
struct sigv4_claim {
    bool presigned;
    bool has_token;
    struct buf credential;
    struct buf signed_names;
    struct buf signature;
    struct buf token;
    char amz_date[CLOCK_AMZ_SIZE];
    int64_t date_ms;
    int64_t expires_ms; /* presigned: how long it holds */
};
/* Reads it from the Authorization header or the query; work has its query. SIGV4_NOT_SIGNED or
** SIGV4_INCOMPLETE when there is none. The caller frees by sigv4_claim_free, also after an error.
*/
enum sigv4_result sigv4_claim_read(struct sigv4_claim *claim, const struct sigv4_work *work);
void sigv4_claim_free(struct sigv4_claim *claim);

#endif
