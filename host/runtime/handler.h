/* The program: where it is, where its modules are, and the function in it that handles events. */
#ifndef AWSYNC_RUNTIME_HANDLER_H
#define AWSYNC_RUNTIME_HANDLER_H

#include <stdbool.h>

#include <lua.h>

struct handler {
    const char *root; /* LAMBDA_TASK_ROOT, else `.` */
    const char *spec; /* _HANDLER: `file.function`; NULL: not set */
    /* Type of the error that handler_load raises at this moment. */
    const char *error_type;
};

/* Reads the environment; what it keeps is borrowed from there. */
void handler_open(struct handler *handler);
/* Sets package.path and package.cpath: the task root, the folders of our own modules beside the
** running program, then Lua's defaults. Raises. */
void handler_set_paths(lua_State *L, const struct handler *handler);
/* Loads the file, which runs it, and keeps the function. Raises; error_type then says what kind of
** failure it is. */
void handler_load(lua_State *L, struct handler *handler);
/* Pushes the function that handler_load has kept. False: it has no place for a second argument. */
bool handler_push(lua_State *L);

#endif
