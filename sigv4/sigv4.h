/*
** AWS Signature Version 4: sign a request and verify one.
** Source: AWS General Reference, "Signature Version 4 signing process", and the rules of the SDKs.
**
** The stages are those of the document: canonical request, string to sign, signing key, signature.
** Each product can be looked at (struct sigv4_stages). Knows OpenSSL and nothing of HTTP or Lua.
*/
#ifndef AWSYNC_SIGV4_H
#define AWSYNC_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/buf.h"

enum sigv4_result {
    SIGV4_OK,
    SIGV4_NO_MEMORY,
    SIGV4_BAD_INPUT, /* a header, path or parameter that cannot be signed */
    /* The others are sigv4_verify's. */
    SIGV4_NOT_SIGNED,  /* neither an Authorization header nor a presigned query */
    SIGV4_INCOMPLETE,  /* Authorization is malformed or lacks a part; the date is missing or none */
    SIGV4_UNKNOWN_KEY, /* no secret for that access key id */
    SIGV4_BAD_TOKEN,   /* session token missing or not the one of that key */
    SIGV4_EXPIRED,     /* too old, or past X-Amz-Expires */
    SIGV4_NOT_YET_VALID, /* from the future by more than the allowed skew */
    SIGV4_WRONG_SCOPE,   /* another date, region, service or terminator in the credential scope */
    SIGV4_MISMATCH,      /* the signature differs */
};
/* Static text, lower case, for messages. */
const char *sigv4_result_text(enum sigv4_result result);

struct sigv4_header {
    const char *name;  /* any case */
    const char *value; /* may have outer and inner blanks and folded lines */
};

/* A request as it goes over the wire. All pointers are borrowed for the call. */
struct sigv4_request {
    const char *method;
    const char *target; /* path and query as on the request line: `/a%20b?x=1`; "" is `/` */
    const struct sigv4_header *headers; /* host must be among them */
    size_t header_count;
    const void *body;
    size_t body_len;
};

struct sigv4_credentials {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* NULL or "": none */
};

struct sigv4_scope {
    const char *region;
    const char *service;
    int64_t wall_ms;   /* time of signing, milliseconds since 1970 */
    bool raw_path;     /* S3: path neither normalised nor encoded a second time */
    int64_t expires_s; /* presigned form: seconds it holds, 1..604800 */
};

/* What each stage made. Zero it before the call; sigv4_stages_free wipes and frees. */
struct sigv4_stages {
    char *canonical_request;
    char canonical_hash[65]; /* hex SHA-256 of it */
    char *signed_headers;    /* `host;x-amz-date` */
    char *string_to_sign;
    char signature[65]; /* hex */
};
void sigv4_stages_free(struct sigv4_stages *stages);

/*
** Signing keys by access key, secret, day, region and service, so that a request costs one HMAC
** instead of five. Bounded: 256 keys, the least recently used go. It holds no secret, only a salted
** hash of it. Safe between threads.
*/
struct sigv4_cache;
/* NULL when memory ran out. */
struct sigv4_cache *sigv4_cache_new(void);
/* Wipes the keys. NULL is allowed. */
void sigv4_cache_free(struct sigv4_cache *cache);

/* The headers to add to the request, so that it is signed. */
struct sigv4_signed {
    char amz_date[17];   /* X-Amz-Date */
    char *authorization; /* Authorization */
};
void sigv4_signed_free(struct sigv4_signed *out);

/*
** Header form. Signs host, content-type and every x-amz-* header given, and x-amz-date and (with a
** token) x-amz-security-token, which the caller adds to the request as given here; nothing else,
** so never what proxies and connections change. An empty session token counts as none.
**
** SIGV4_BAD_INPUT: not exactly one host; a name that is no token; control characters (a folded
** line is allowed); x-amz-date that does not fit scope->wall_ms to the second; another token than
** the credentials'; x-amz-content-sha256 that is not the body's hash; a target that is presigned,
** has a '#' or is over 128 KiB; more than 10,000 headers or 1 MiB of signed ones; '/', ',' or
** blanks in key id, region or service, or these over 128, 64 and 64 bytes; a secret over 1024
** bytes.
**
** cache and stages may be NULL; without a cache the algorithms are fetched each time, too. out is
** zeroed first; the caller frees it by sigv4_signed_free, also after an error.
*/
enum sigv4_result sigv4_sign(const struct sigv4_request *request,
                             const struct sigv4_credentials *credentials,
                             const struct sigv4_scope *scope, struct sigv4_cache *cache,
                             struct sigv4_signed *out, struct sigv4_stages *stages);

/* Presigned form: appends the target with X-Amz-Algorithm ... X-Amz-Signature to out; after any
** error but SIGV4_NO_MEMORY out is as it was. The payload hash is that of the body, with raw_path
** (S3) UNSIGNED-PAYLOAD. Signed are the headers as in sigv4_sign, but none is added. cache and
** stages may be NULL. */
enum sigv4_result sigv4_presign(const struct sigv4_request *request,
                                const struct sigv4_credentials *credentials,
                                const struct sigv4_scope *scope, struct sigv4_cache *cache,
                                struct buf *out, struct sigv4_stages *stages);

/* Finds the secret of an access key id. Fills out (borrowed until verify returns) or says false. */
typedef bool (*sigv4_lookup)(void *context, const char *access_key_id,
                             struct sigv4_credentials *out);

struct sigv4_rules {
    const char *region;  /* NULL: any */
    const char *service; /* NULL: any */
    int64_t now_ms;
    int64_t skew_ms; /* how far a date may be off, both ways */
    bool raw_path;
    sigv4_lookup lookup;
    void *context;
};

struct sigv4_identity {
    char access_key_id[129];
    char region[65];
    char service[65];
    char amz_date[17]; /* of the request; "" when it had none */
};

/*
** Verifies header or presigned form. The SignedHeaders list decides what is signed: a listed
** header that is not there is SIGV4_INCOMPLETE; host not listed, or in the header form an x-amz-*
** header of the request not listed, is SIGV4_MISMATCH (as AWS answers). Both forms at once, a part
** twice or two Authorization headers are SIGV4_INCOMPLETE. The order of the tests: form, signed
** headers, scope, key, token, time, signature. Signature and token are compared in constant time.
** The date is that of X-Amz-Date, else of Date. identity (may be NULL) is filled as far as it was
** read, also after an error. stages (may be NULL) has what was computed: the right signature of
** somebody else's request, so never show it.
*/
enum sigv4_result sigv4_verify(const struct sigv4_request *request, const struct sigv4_rules *rules,
                               struct sigv4_cache *cache, struct sigv4_identity *identity,
                               struct sigv4_stages *stages);

#endif
