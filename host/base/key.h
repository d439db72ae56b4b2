/* The key of a deployment as people write it: 32 to 64 bytes as hex or base64. */
#ifndef AWSYNC_BASE_KEY_H
#define AWSYNC_BASE_KEY_H

#include <stddef.h>

enum {
    KEY_BYTES_MIN = 32,
    KEY_BYTES_MAX = 64,
    KEY_TEXT_MAX = 256, /* more than the longest key as text, with room for a line end */
};

enum key_result {
    KEY_OK,
    KEY_LONG,      /* more text than any key has */
    KEY_NO_TEXT,   /* neither hex nor base64 */
    KEY_SIZE,      /* too few or too many bytes: *len_out says how many */
    KEY_NO_MEMORY, /* nothing is known of the text */
};

/* Reads len bytes of text, white space around them allowed, into bytes_out (at least KEY_BYTES_MAX
** bytes), which is untouched unless the result is KEY_OK. Leaves no other copy behind. */
enum key_result key_read(const char *text, size_t len, unsigned char *bytes_out, size_t *len_out);
/* Why text from source, `AWSYNC_KEY` or the like, is no key; "" for KEY_OK. Never shows the text. */
void key_explain(enum key_result result, size_t len, const char *source, char *error_out,
                 size_t error_size);

#endif
