/*
** What deploy, logs, delete and doctor share: calls of Lambda, IAM and CloudWatch Logs, one
** after the other. Sources: Lambda API 2015-03-31, IAM 2010-05-08 (query protocol), Logs
** 2014-03-28.
*/
#ifndef AWSYNC_CLI_CLOUD_H
#define AWSYNC_CLI_CLOUD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/aws/aws.h"
#include "host/base/buf.h"
#include "host/json/json.h"

/* answer is overwritten without being freed; free it by aws_answer_free. body NULL: none; target:
** printf style, of texts that need no encoding. */
void cloud_lambda(struct aws_client *client, const char *method, const struct buf *body,
                  struct aws_answer *answer, const char *target, ...)
    __attribute__((format(printf, 5, 6)));
/* The same with a JSON text as body. */
void cloud_lambda_text(struct aws_client *client, const char *method, const char *body,
                       struct aws_answer *answer, const char *target);
/* pairs: name, value, name, value, ..., NULL. */
void cloud_iam(struct aws_client *client, const char *action, const char *const *pairs,
               struct aws_answer *answer);
/* A request of a service with the query protocol; form: borrowed. */
struct aws_request cloud_form(enum aws_service service, const char *form, size_t len);
void cloud_logs(struct aws_client *client, const char *operation, const struct buf *body,
                struct aws_answer *answer);

/* An operation of SQS whose input is one member. */
void cloud_sqs(struct aws_client *client, const char *operation, const char *member,
               const char *value, struct aws_answer *answer);

/* True when the service answered with that error. Lambda's codes end in Exception or not. */
bool cloud_is(const struct aws_answer *answer, const char *code);
/* Writes `what: Code: message` when the answer is an error, and returns true then. */
bool cloud_failed(const struct aws_answer *answer, const char *what);
/* The text of the first <name> in an XML answer, for free(); NULL: there is none. */
char *cloud_xml_text(const struct aws_answer *answer, const char *name);
/* The answer's JSON, or NULL. */
struct json_tree *cloud_json(const struct aws_answer *answer);

void cloud_sleep(int64_t ms);
/* [a-zA-Z0-9-_]{1,64}; false: the message is written. */
bool cloud_name_valid(const char *name);

/* --- claims.c ---------------------------------------------------------------------------------- */

/* Deletes the claims queue of a function when it is there; *deleted says so. False: the message is
** written. */
bool claims_delete(struct aws_client *client, const char *function, bool *deleted);

/* --- role.c ------------------------------------------------------------------------------------ */

enum { ROLE_NAME_MAX = 64, ROLE_FUNCTION_MAX = ROLE_NAME_MAX - 7 };

/* Creates or updates the role `awsync-FUNCTION`: the trust of Lambda, the policy of
** packaging/policy.json for this function, region and account. Its ARN, for free(); NULL: the
** message is written. A new role takes some seconds until Lambda knows it. */
char *role_make(struct aws_client *client, const char *function);
/* Deletes the role of that ARN if role_make has made it for this function; *deleted says so. False:
** the message is written. */
bool role_delete(struct aws_client *client, const char *function, const char *arn, bool *deleted);
/* Appends the policy for a function; arn: of anything in the account, for its partition and account
** id. */
bool role_policy(struct buf *out, const char *function, const char *region, const char *arn);
/* Copies a part of an ARN (1: partition, 3: region, 4: account, 5: the rest). */
void arn_part(char *out, size_t size, const char *arn, int part);

#endif
