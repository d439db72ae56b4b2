/* `awsync run --watch`. */
#ifndef AWSYNC_CLI_WATCH_H
#define AWSYNC_CLI_WATCH_H

/* Runs this program again, by the words but without `--watch`, whenever a file of the program
** changes: a .lua, .so or .json file in the folder of `file` or below it. A run that is under way
** is ended first. Returns the exit status when a signal has come. */
int cli_watch(int argc, char **argv, const char *file);

#endif
