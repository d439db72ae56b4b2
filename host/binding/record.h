/*
** Exit records: what a spawned call leaves behind. Plain C, no Lua.
**
** A record is one line and a text: `awsync/1 exit <mac> <JSON>\n<value>`. The MAC is HMAC-SHA256
** under the deployment's key over `awsync/1 exit` and everything behind the MAC, so that nobody
** else can raise errors in a parent or hand values to a future. The value is a message of the
** codec: the list of results, or what was raised.
*/
#ifndef AWSYNC_BINDING_RECORD_H
#define AWSYNC_BINDING_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/buf.h"
#include "host/binding/envelope.h"

enum {
    RECORD_ID_SIZE = 37,
    RECORD_RUNNING_MAX = 10000, /* ids of calls still running in one record */
    RECORD_HEAD_MAX = 512 * 1024,
};

struct record {
    const char *run, *call, *request_id, *function, *args; /* "" where there is none */
    const char *kind;      /* NULL: it ended well; else as an error object's */
    const char *traceback; /* of an error */
    int64_t duration_ms, memory_bytes;
    const char (*running)[RECORD_ID_SIZE]; /* of its own calls; borrowed */
    size_t running_count;
    bool running_more; /* there are others beside these */
    const char *value; /* a message of the codec */
    size_t value_len;
};

/* Appends the signed text. False when out has failed. */
bool record_seal(const struct envelope_key *key, const struct record *record, struct buf *out);
enum record_result {
    RECORD_OK,
    RECORD_FORGED,    /* no record, or not one of this deployment's key; also without a key */
    RECORD_NO_MEMORY, /* nothing is known of the text */
};
/* Verifies, and gives the places of the two parts in text with RECORD_OK. */
enum record_result record_open(const struct envelope_key *key, const char *text, size_t len,
                               const char **head, size_t *head_len, const char **value,
                               size_t *value_len);

#endif
