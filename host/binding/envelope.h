/*
** Signed envelopes: what a spawned call, and a function inside a message, travel in. Plain C, no
** Lua.
**
** An envelope is JSON, since a Lambda event has to be: {"awsync":1,"mac":"<hex>","body":"<JSON text
** as a string>"}. The MAC is HMAC-SHA256 under the deployment's key over a version line and the
** exact bytes of the body. Nothing of the body is looked at before it holds.
*/
#ifndef AWSYNC_ENVELOPE_H
#define AWSYNC_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/aws/budget.h"
#include "host/base/buf.h"
#include "host/base/key.h"

/* What to tell somebody whose process has no key. */
#define ENVELOPE_KEY_HELP                                                                          \
    "set AWSYNC_KEY to 32 to 64 random bytes as hex or base64 (`openssl rand -hex 32`), or put "   \
    "them into a file awsync.key beside the program; `awsync run` makes a key for each run"

enum {
    ENVELOPE_MAC_SIZE = 65,           /* hex and a NUL */
    ENVELOPE_SKEW_MS = 5 * 60 * 1000, /* how far in the future an issue time may lie */
};

struct envelope_key {
    unsigned char bytes[KEY_BYTES_MAX]; /* secret */
    size_t len;                         /* 0: no key; otherwise KEY_BYTES_MIN and more */
};
/* AWSYNC_KEY (32 to 64 bytes as hex or base64), else the file `awsync.key` in program_dir (may
** be NULL). No key at all is not an error: key->len is 0. False for a key that is there but
** cannot be used; error_out says why and never shows it. */
bool envelope_key_load(struct envelope_key *key, const char *program_dir, char *error_out,
                       size_t error_size);
void envelope_key_wipe(struct envelope_key *key);
/* Lower-case hex of HMAC-SHA256 over head, a newline and body. head holds no newline and says
** kind and version of what is signed, so that the MAC of one kind never holds for another. False
** when memory ran out. */
bool envelope_mac(const struct envelope_key *key, const char *head, const void *body, size_t len,
                  char mac_out[ENVELOPE_MAC_SIZE]);

/* Who spawned what: inside the signature. Texts are NUL-terminated; "" where there is none. */
struct envelope_claims {
    char run[17];    /* run id */
    char call[37];   /* id of this call: a UUID */
    char parent[65]; /* request id of the spawner */
    /* Queues for its exit record: URLs and names, blanks between them, the nearest ancestor first;
    ** "" none */
    char inbox[2048];
    char function[128];         /* name of the function, for messages */
    int depth;                  /* 1: called by main */
    int64_t issued_ms;          /* wall clock */
    int64_t lifetime_ms;        /* refused when older */
    int64_t scope;              /* by which its parent can cancel it; 0: not at all */
    struct budget_claim budget; /* share 0: the caller knows no limit */
};

enum envelope_result {
    ENVELOPE_OK,
    ENVELOPE_NONE,      /* no envelope at all: an ordinary event */
    ENVELOPE_NO_KEY,    /* it is one, and this process has no key */
    ENVELOPE_MALFORMED, /* cut or changed so that it cannot be read */
    ENVELOPE_VERSION,   /* another version than ours */
    ENVELOPE_FORGED,    /* the MAC does not hold: changed, or another deployment's key */
    ENVELOPE_EXPIRED,   /* older than its lifetime, or from the future by more than 5 minutes */
    ENVELOPE_NO_MEMORY,
};
/* Static text that names the reason: `signature does not hold: ...`. */
const char *envelope_result_text(enum envelope_result result);

/* Appends the sealed envelope to out. payload: JSON text (a call as codec_encode_call made it).
** False when out has failed. */
bool envelope_seal(const struct envelope_key *key, const struct envelope_claims *claims,
                   const char *payload, size_t len, struct buf *out);
/* True when event is a JSON object with the member `awsync`: cheap, no trust implied. */
bool envelope_is(const char *event, size_t len);
/* Verifies, then reads. payload_out gets the payload appended. claims are valid with ENVELOPE_OK
** only. */
enum envelope_result envelope_open(const struct envelope_key *key, const char *event, size_t len,
                                   int64_t now_ms, struct envelope_claims *claims,
                                   struct buf *payload_out);

#endif
