/* Lambda's Invoke, API version 2015-03-31: what is asked, what is refused, how it is answered. */
#ifndef AWSYNC_ENGINE_LAMBDA_INVOKE_H
#define AWSYNC_ENGINE_LAMBDA_INVOKE_H

struct invocation;
struct outcome;

/* Answers a synchronous invocation that is over. */
void lambda_invoke_answer(struct invocation *inv, const struct outcome *outcome);

#endif
