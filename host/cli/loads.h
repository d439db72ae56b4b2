/* Does a program load? Its bootstrap is started against a Runtime API that only listens. */
#ifndef AWSYNC_CLI_LOADS_H
#define AWSYNC_CLI_LOADS_H

#include "host/cli/cli.h"

/* Starts the program's bootstrap and waits, as Lambda does, at most 10 s until it asks for its first
** event, which it never gets. False, with what it said, when it fails or takes longer. What the
** program prints goes to standard error. */
bool cli_loads(const struct cli_program *program, char *error, size_t error_size);

#endif
