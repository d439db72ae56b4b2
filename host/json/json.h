/*
** JSON text (RFC 8259): one reader, one writer, and a tree for small documents.
**
** Exact: integers that fit 64 bits stay integers; other numbers are doubles and are written in the
** shortest form that reads back as the same double. The reader checks UTF-8, pairs surrogates,
** bounds the depth and never reads past the given length. Independent of the locale. Knows no Lua
** and no AWS.
*/
#ifndef AWSYNC_JSON_H
#define AWSYNC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/buf.h"

enum { JSON_DEPTH_DEFAULT = 512, JSON_DEPTH_MAX = 4096 };

/* --- reader: pulls one token after the other, without allocation ---------------------------- */

enum json_token {
    JSON_ERROR, /* reader.error and error_at say what and where; every later call gives it again */
    JSON_END,   /* the document is over and nothing but white space followed */
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_INTEGER, /* reader.integer */
    JSON_DOUBLE,  /* reader.number: has a fraction or an exponent, or does not fit 64 bits */
    JSON_STRING,  /* reader.raw: between the quotes, still escaped */
    JSON_KEY,     /* an object's key, as JSON_STRING; its value follows */
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
};

struct json_reader {
    const char *text; /* borrowed */
    size_t len;
    size_t at; /* offset of the next byte */
    int64_t integer;
    double number;
    const char *raw; /* borrowed from text */
    size_t raw_len;
    bool escaped;      /* raw has backslashes: json_unescape is needed */
    const char *error; /* static text */
    size_t error_at;   /* byte offset */
    size_t token_at; /* offset of the first byte of the last token, of a string's or key's quote */
    unsigned depth, max_depth;
    /* private */
    unsigned char state;
    unsigned char stack[JSON_DEPTH_MAX / 8]; /* a bit for each level: object or array */
};

/* text is borrowed for the reader's life and may be NULL when len is 0. max_depth:
** 1..JSON_DEPTH_MAX nested arrays and objects. */
void json_reader_init(struct json_reader *r, const char *text, size_t len, unsigned max_depth);
/* The next token. A number like 1e400 that no double holds is an error; -0 is the double -0.0. */
enum json_token json_next(struct json_reader *r);
/* Skips the value that the last token began (or, after JSON_KEY, the value that follows). False on
** a syntax error. Afterwards reader.at is just behind the value. token_at of the value's first
** token, kept by the caller, and reader.at are the bounds of its text. */
bool json_skip(struct json_reader *r, enum json_token token);
/* Appends raw's text without escapes, as UTF-8. Cannot fail on what json_next has returned, but
** for memory. A lone surrogate was refused by json_next. */
bool json_unescape(struct buf *out, const char *raw, size_t raw_len);
/* "… at byte N", N being error_at, for messages. out is always terminated. */
void json_reader_message(const struct json_reader *r, char *out, size_t size);

/* --- writer --------------------------------------------------------------------------------- */

/* Appends to a buffer; puts the commas and colons itself. Nesting is the caller's to balance. */
struct json_writer {
    struct buf *out; /* borrowed */
    bool comma;      /* the next value needs one before it */
};

void json_writer_init(struct json_writer *w, struct buf *out);
void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
/* As json_string: false and nothing is written when key is no UTF-8. Keys known to be UTF-8 need
** no test. */
bool json_key(struct json_writer *w, const char *key);
bool json_key_n(struct json_writer *w, const char *key, size_t len);
void json_null(struct json_writer *w);
void json_bool(struct json_writer *w, bool value);
void json_integer(struct json_writer *w, int64_t value);
/* Shortest form that reads back as the same double and as a double: 1.0 is `1.0`, -0.0 is `-0.0`.
** nan and the infinities have no JSON form: nothing is written and false returned. The other
** functions that return bool also return false when the buffer has failed. */
bool json_double(struct json_writer *w, double value);
/* text must be UTF-8: otherwise false and nothing is written. Escapes what JSON demands, and
** U+007F, U+FFFE, U+FFFF, so that the result also holds only the characters that SQS allows. */
bool json_string(struct json_writer *w, const char *text);
bool json_string_n(struct json_writer *w, const char *text, size_t len);
/* A value that is JSON text already, as it is. */
void json_raw(struct json_writer *w, const char *json, size_t len);
/* `json_key` and `json_string`; both or nothing. */
bool json_member(struct json_writer *w, const char *key, const char *text);

/* Room for what json_escape_block writes for so many bytes of text. */
#define JSON_ESCAPED_SIZE(len) ((len)*6 + 8)
/* Writes the characters that begin before stop as json_string does, without quotes; *at gets the
** place behind the last of them. end: of the text. Returns the place behind what is written; NULL
** when the text is not UTF-8. to: JSON_ESCAPED_SIZE of stop - *at. */
char *json_escape_block(char *to, const char **at, const char *stop, const char *end);

/* Length of the valid UTF-8 sequence at text (1..4), or 0. left: bytes that may be read. */
size_t json_utf8_length(const char *text, size_t left);
bool json_utf8_valid(const char *text, size_t len);

enum { JSON_NUMBER_SIZE = 32 };
/* The text of a finite double as json_double writes it; returns its length. out: JSON_NUMBER_SIZE
** bytes. */
size_t json_double_text(double value, char *out);

/* --- tree: for requests and answers of a few kilobytes -------------------------------------- */

enum json_type {
    JSON_T_NULL,
    JSON_T_BOOL,
    JSON_T_INTEGER,
    JSON_T_DOUBLE,
    JSON_T_STRING,
    JSON_T_ARRAY,
    JSON_T_OBJECT
};

struct json_value {
    enum json_type type;
    bool boolean;
    int64_t integer;
    double number;
    const char *text; /* JSON_T_STRING: unescaped, NUL-terminated; may hold NULs */
    size_t len;       /* bytes of text, or number of items */
    const char *key;  /* name in the enclosing object, NUL-terminated; NULL elsewhere */
    size_t key_len;
    struct json_value *child; /* first item or member */
    struct json_value *next;  /* next sibling */
};

struct json_tree; /* owns all its values and texts */

/* NULL on error; error_out (may be NULL) then has a message. */
struct json_tree *json_parse(const char *text, size_t len, unsigned max_depth, char *error_out,
                             size_t error_size);
void json_tree_free(struct json_tree *tree);
/* As json_tree_free, after wiping every text: for answers that hold secrets. */
void json_tree_wipe(struct json_tree *tree);
const struct json_value *json_root(const struct json_tree *tree);
/* The member, the last one if the key is there twice; NULL when there is none or v is no object
** (or NULL). */
const struct json_value *json_get(const struct json_value *v, const char *key);
/* The text of a string member, or NULL. */
const char *json_get_text(const struct json_value *v, const char *key);

#endif
