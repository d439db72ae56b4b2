#include "host/cli/share.h"

#include <string.h>

/* Written by tools/embed. */
#include "share_files.h"

const struct share_file *share_find(const char *name) {
    for (size_t i = 0; i < sizeof share_files / sizeof share_files[0]; i++)
        if (strcmp(share_files[i].name, name) == 0)
            return &share_files[i];
    return NULL;
}

const struct share_file *share_all(size_t *count) {
    *count = sizeof share_files / sizeof share_files[0];
    return share_files;
}
