/*
** SQS's query protocol, for clients from before the JSON protocol: forms in, XML out. The operations
** do not see it: a form becomes the tree that JSON would have given (sqs_query.c), and the JSON that
** they have written becomes XML (sqs_query_xml.c).
** Source: Amazon SQS API reference 2012-11-05, query requests, common errors.
*/
#ifndef AWSYNC_ENGINE_SQS_QUERY_H
#define AWSYNC_ENGINE_SQS_QUERY_H

#include "host/engine/sqs_state.h"

/* True when the call has neither X-Amz-Target nor a JSON content type. */
bool sqs_query_asked(const struct service_call *call);
/* The operation of the parameter Action; NULL: none that is known. */
const struct sqs_operation *sqs_query_operation(const struct service_call *call);
/* Fills the request's operation and tree. False: the request has failed. */
bool sqs_query_read(struct sqs_request *request);

/* Answers with the operation's output, a JSON object; NULL: the operation has none. Frees the call. */
void sqs_query_answer(struct service_call *call, const char *operation, const struct buf *output);
/* As sqs_service_error. */
void sqs_query_error(struct service_call *call, const char *code, const char *message);

#endif
