/* The life of one request: sign, send, judge the answer, send again. */
#ifndef AWSYNC_AWS_REQUEST_H
#define AWSYNC_AWS_REQUEST_H

#include "host/aws/client.h"

/* As aws_submit, but takes the body (from malloc), also when it returns 0. */
uint64_t request_submit(struct aws_client *client, const struct aws_request *request, char *body,
                        aws_done done, void *context);
/* A request that is answered with this error, on the I/O thread as all are. */
uint64_t request_refuse(struct aws_client *client, const char *code, const char *message,
                        aws_done done, void *context);
/* On the I/O thread: ends all that is under way with AWS_CODE_CANCELLED. */
void request_cancel_all(struct aws_client *client);

#endif
