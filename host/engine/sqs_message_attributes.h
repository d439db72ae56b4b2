/*
** Attributes of messages. They are kept in the very bytes that their MD5 covers: sorted by name,
** for each BE32 length and name, BE32 length and data type, a byte 1 (text) or 2 (binary), BE32
** length and value. Source: Amazon SQS developer guide, message metadata and "Calculating the MD5
** message digest for message attributes".
*/
#ifndef AWSYNC_ENGINE_SQS_MESSAGE_ATTRIBUTES_H
#define AWSYNC_ENGINE_SQS_MESSAGE_ATTRIBUTES_H

#include "host/engine/sqs_state.h"

/* Appends the checked attributes to out (which must be empty) and their size as it counts for the
** message. attributes may be NULL. False: the request has failed. */
bool sqs_message_attributes_read(struct sqs_request *request, const struct json_value *attributes,
                                 struct buf *out, size_t *size_out);
/* The only system attribute: AWSTraceHeader, a String. *trace_out: its text, borrowed, or NULL.
** out: as above. */
bool sqs_system_attributes_read(struct sqs_request *request, const struct json_value *attributes,
                                struct buf *out, const char **trace_out);
/* Writes the members MD5OfMessageAttributes and MessageAttributes of a received message, with the
** attributes that names (a list of strings; NULL: none) asks for: by name, `All`, `.*`, or
** `prefix.*`. Writes nothing when there are none. */
void sqs_message_attributes_write(struct sqs_service *service, struct json_writer *out,
                                  const char *attributes, size_t len,
                                  const struct json_value *names);
/* The bytes of stored attributes that count: names, types and values. */
size_t sqs_message_attributes_size(const char *attributes, size_t len);
/* Writes member name with the MD5 of the bytes; nothing when there are none. */
void sqs_md5_member(struct sqs_service *service, struct json_writer *out, const char *name,
                    const char *data, size_t len);

/* True when text has only characters that a message may have: #x9 | #xA | #xD | #x20 to #xD7FF |
** #xE000 to #xFFFD | #x10000 to #x10FFFF. text is UTF-8. */
bool sqs_characters_valid(const char *text, size_t len);

#endif
