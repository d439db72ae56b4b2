/*
** The command line `awsync`: a command is a file with one function, listed in main.c.
**
** Standard output carries the result alone; logs and messages go to standard error. Exit status:
** 0, 1 when the function (or the engine) failed, 2 for wrong usage, 128 + N after signal N.
*/
#ifndef AWSYNC_CLI_H
#define AWSYNC_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/buf.h"
#include "host/cli/flags.h"
#include "host/engine/engine.h"
#include "host/engine/fault.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_SIGNAL = 128 };

/* Each gets the arguments from the command's own name on and returns the exit status. */
int cli_run(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_invoke(int argc, char **argv);
int cli_new(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_package(int argc, char **argv);
int cli_deploy(int argc, char **argv);
int cli_logs(int argc, char **argv);
int cli_delete(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_gc(int argc, char **argv);
int cli_dead_letters(int argc, char **argv);

/* --- output.c: what a command says ------------------------------------------------------------ */

/* Writes `awsync: ...` and a newline to standard error. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Hands on what was printed. False: some of it could not be written; the message is written once.
** main does so at the end of each command: a command needs it where it goes on afterwards. */
bool cli_output_flush(void);

/* --- options.c: the options that run and serve share ------------------------------------------ */

struct cli_options {
    const char *file;       /* borrowed from argv, as all texts here; or the default one */
    const char *event;      /* JSON text or `@FILE`; NULL: `{}` */
    const char *event_from; /* name of a fixture: `sqs`; NULL: none */
    int concurrency, memory_mb, timeout_s, port;
    int retries, event_age_s, reserved; /* of asynchronous events; 0: the engine's defaults */
    const char *on_failure;             /* name of a queue; NULL: none */
    const char *bootstrap;              /* command of the workers; NULL: the runtime for Lua */
    const char *handler;                /* _HANDLER; NULL: `main` of the file */
    struct cli_texts env;               /* NAME=value for the workers, checked */
    bool quiet, help, stats, watch;
    bool faulty; /* fault was given */
    struct fault_spec fault;
};
/* What --help says of the common ones; of the faults a command may say more. */
#define CLI_HELP_FILE                                                                              \
    "FILE can be left out for main.lua, NAME.lua in the folder NAME, or the folder's only Lua "    \
    "file.\n\n"
#define CLI_HELP_LIMITS                                                                            \
    "  --concurrency N    most workers at once (1000)\n"                                           \
    "  --memory MB        memory of a worker, 128 to 10240 (128)\n"                                \
    "  --timeout SECONDS  longest life of an invocation, 1 to 900 (60)\n"
#define CLI_HELP_WORKERS                                                                           \
    "  --handler H        _HANDLER of the workers, `file.function` (main of FILE)\n"               \
    "  --env NAME=VALUE   a variable of the workers; may be given several times\n"                 \
    "  --bootstrap CMD    the workers run CMD, a program that speaks the Runtime API, with its "   \
    "arguments,\n"                                                                                 \
    "                     instead of the runtime for Lua; FILE may be any file then\n"             \
    "  --stats            at the end, requests and billed time with an estimate of their cost on " \
    "standard error\n"                                                                             \
    "  --fault SPEC       inject faults into calls of SQS and Lambda: "                            \
    "`seed=7,drop=0.05,delay=0.1:200ms,\n"                                                         \
    "                     error=0.02,throttle=0.05,cut=0.02,duplicate=0.05,"                       \
    "only=SendMessageBatch+Invoke`;\n"                                                             \
    "                     rates from 0 to 1; the same seed gives the same faults"

enum cli_accepts { CLI_EVENT = 1, CLI_PORT = 2, CLI_ASYNC = 4 };

/* Reads argv into out. False for wrong usage: the message is written. accepts: which of the
** options that are not common to all commands there are (CLI_EVENT | CLI_PORT | CLI_ASYNC). */
bool cli_options_read(struct cli_options *out, int argc, char **argv, unsigned accepts);

/* True for NAME=value, or NAME alone, with a name that Lambda takes for a variable of a function and
** a value in UTF-8. False: the message, which names --env, is written. */
bool cli_variable_check(const char *item);

/* --- command.c: a runtime of the user's own --------------------------------------------------- */

/* The words of text, ended by NULL, as a shell reads them: blanks part them but within '...', "..."
** or behind a backslash; nothing is expanded. The first becomes the absolute path of a program
** that can be run, looked for in the PATH when it has no slash. NULL: the message is written. Free
** by cli_command_free, which allows NULL. */
char **cli_command_read(const char *text);
void cli_command_free(char **words);

/* --- here.c: the program of the present folder ------------------------------------------------ */

/* What a command takes that is given no FILE, as a list of one: `main.lua`, else the file with the
** folder's name, as `awsync new` makes it, else the only Lua file. NULL: none of these is here; the
** message, which begins with the command's name, is written. Static. */
char *const *cli_default_file(const char *command);

/* --- program.c: a file as a function ---------------------------------------------------------- */

struct cli_program {
    char *root;         /* folder of the file, absolute: LAMBDA_TASK_ROOT */
    char *handler;      /* `squares.main` */
    char name[65];      /* name of the function: `squares` */
    char **command;     /* of a worker, ended by NULL; the first is the path of the runtime */
    char **environment; /* NAME=value for the workers, ended by NULL */
    char run[17];       /* id of this run */
};
/* Reads file, bootstrap, handler and env of the options. Without bootstrap the file must be Lua, with
** it may be any. False when the file or the runtime is not there; the message is written. Free by
** cli_program_free, also then. */
bool cli_program_open(struct cli_program *out, const struct cli_options *options);
/* The same for root, handler and name alone, of a Lua file: for programs that run elsewhere. */
bool cli_program_locate(struct cli_program *out, const char *file);
/* Wipes what is secret. */
void cli_program_free(struct cli_program *program);

/* Appends the event's text; checks that it is JSON. False: the message is written. */
bool cli_event_read(struct buf *out, const char *event);
/* Appends the fixture of that name: an event as the service of that name sends it. False: the
** message is written. */
bool cli_fixture_read(struct buf *out, const char *name);

/* --- session.c: an engine with a program, and the signals that end it ------------------------- */

struct cli_session {
    struct engine *engine;
    int signals; /* signalfd of SIGINT and SIGTERM */
    bool quiet, stats, faulty;
};
/* Blocks the signals for all threads to come and starts the engine. False: the message is written.
 */
bool cli_session_start(struct cli_session *session, const struct cli_options *options,
                       const struct cli_program *program);
/* The signal that has come, or 0. Waits up to timeout_ms (-1: for ever) for one, or for wake (a
** descriptor; -1: none) to be readable. */
int cli_session_wait(struct cli_session *session, int wake, int timeout_ms);
/* Prints the statistics, if they were asked for, and stops the engine. */
void cli_session_end(struct cli_session *session);

/* --- stats.c ---------------------------------------------------------------------------------- */

/* Writes requests, billed time and an estimate of their cost to standard error. faulty: injected
** faults too. */
void cli_stats_print(struct engine *engine, bool faulty);

#endif
