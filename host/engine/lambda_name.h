/* FunctionName and Qualifier of the Lambda API in all their forms. */
#ifndef AWSYNC_ENGINE_LAMBDA_NAME_H
#define AWSYNC_ENGINE_LAMBDA_NAME_H

#include <stdbool.h>

enum { LAMBDA_FUNCTION_MAX = 64, LAMBDA_REGION_MAX = 32, LAMBDA_QUALIFIER_MAX = 128 };

/* What AWS says that it checks against. */
#define LAMBDA_NAME_PATTERN                                                                        \
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"      \
    "([a-zA-Z0-9-_\\.]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"

/* "" where the text did not say. */
struct lambda_name {
    char region[LAMBDA_REGION_MAX + 1];
    char account[13];
    char function[LAMBDA_FUNCTION_MAX + 1];
    char qualifier[LAMBDA_QUALIFIER_MAX + 1];
};

/* `NAME`, `NAME:QUALIFIER`, `[REGION:]ACCOUNT:function:NAME[:QUALIFIER]` or a full ARN. */
bool lambda_name_parse(const char *text, struct lambda_name *out);

enum lambda_qualifier { LAMBDA_QUALIFIER_NONE, LAMBDA_QUALIFIER_GIVEN, LAMBDA_QUALIFIER_BAD };
/* The parameter Qualifier of a query string. out: LAMBDA_QUALIFIER_MAX + 1 bytes. */
enum lambda_qualifier lambda_qualifier_of_query(const char *query, char *out);

#endif
