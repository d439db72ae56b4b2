/* Reading the errors of AWS: JSON protocols by header and body, query protocol by XML. */
#ifndef AWSYNC_AWS_ERROR_H
#define AWSYNC_AWS_ERROR_H

#include "host/aws/aws.h"

/* Header lines of an answer, `name: value`, each with its NUL, one behind the other. */
struct headers {
    const char *data;
    size_t len;
};
/* The value of a header in any case, without outer blanks, or NULL. */
const char *headers_get(struct headers headers, const char *name);

/* An error of our side. message: printf style. */
void error_set(struct aws_error *error, const char *code, const char *message, ...)
    __attribute__((format(printf, 3, 4)));
/* Copies as much of text as fits, never cutting a UTF-8 sequence in two; control characters become
** blanks. */
void error_copy(char *out, size_t size, const char *text);

/* Reads an answer that is no 2xx. Order of the code: header x-amzn-errortype, body `__type`,
** `code`, XML `Code`; none of them: `HTTP503`. attempts and may_have_run are the caller's. */
void error_read(struct aws_error *error, long status, struct headers headers, const char *body,
                size_t body_len);
/* The id of an answer, "" when it has none. out: 64 bytes. */
void error_read_request_id(char *out, struct headers headers);

#endif
