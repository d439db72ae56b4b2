/*
** The shared configuration files of AWS: `~/.aws/config` and `~/.aws/credentials`. Source: AWS
** SDKs and Tools Reference Guide, "Shared config and credentials files".
**
** Lenient as the SDKs are: a line that cannot be read is skipped. Section and key that are there
** twice: the last value counts. Keys are compared without case. Comments begin a line or follow a
** blank.
*/
#ifndef AWSYNC_AWS_INI_H
#define AWSYNC_AWS_INI_H

#include <stdbool.h>
#include <stddef.h>

struct ini;

enum { INI_FILE_MAX = 4 << 20 }; /* bytes of a file */

/* The text is copied, wiped when the file is freed. NULL: out of memory. */
struct ini *ini_parse(const char *text, size_t len);
/* Reads a file. A file that is not there is an empty one. NULL with a message when it cannot be
** read. */
struct ini *ini_read(const char *path, char *error, size_t error_size);
void ini_free(struct ini *ini);

/* section as written, with one blank between its words and without quotes: `profile dev`,
** `services local`. */
bool ini_has(const struct ini *ini, const char *section);
/* The value or NULL. Borrowed. */
const char *ini_get(const struct ini *ini, const char *section, const char *key);
/* The value of an indented line below `group =`. */
const char *ini_get_nested(const struct ini *ini, const char *section, const char *group,
                           const char *key);

#endif
