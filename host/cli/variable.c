/* Variables that a user gives to a function. */
#include <string.h>

#include "host/cli/cli.h"
#include "host/json/json.h"

/* Lambda's CreateFunction refuses them, whose values are the platform's. */
static bool is_reserved(const char *name, size_t len) {
    static const char *const reserved[] = {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    };
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strlen(reserved[i]) == len && memcmp(reserved[i], name, len) == 0)
            return true;
    return false;
}

bool cli_variable_check(const char *item) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t len = strcspn(item, "=");
    if (len < 2 || strspn(item, letters) != len || strchr("0123456789_", item[0]) != NULL) {
        cli_error("--env takes NAME=VALUE, with a NAME of two or more letters, digits and _");
        return false;
    }
    if (is_reserved(item, len)) {
        cli_error("--env: %.*s is reserved, Lambda gives it its value", (int)len, item);
        return false;
    }
    if (!json_utf8_valid(item, strlen(item))) {
        cli_error("--env: the value of %.*s is not UTF-8", (int)len, item);
        return false;
    }
    return true;
}
