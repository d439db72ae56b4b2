/* Files that are inside the program: host/cli/share/ and packaging/policy.json, trust.json. */
#ifndef AWSYNC_CLI_SHARE_H
#define AWSYNC_CLI_SHARE_H

#include <stddef.h>

struct share_file {
    const char *name; /* `events/sqs.json`, `policy.json` */
    const char *text; /* NUL-terminated */
    size_t len;
};

/* The file, or NULL. */
const struct share_file *share_find(const char *name);
/* All of them, in the order of their names. */
const struct share_file *share_all(size_t *count);

#endif
