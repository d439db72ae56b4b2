/* A failed call into Lua: what it was, in the words and the form in which it is logged and
** answered. */
#ifndef AWSYNC_RUNTIME_FAILURE_H
#define AWSYNC_RUNTIME_FAILURE_H

#include <stdbool.h>

#include <lua.h>

#include "host/base/buf.h"

/* Error types, sent in a header that takes `(Runtime|Function)\.[A-Z][a-zA-Z]+`. */
#define ERROR_BAD_HANDLER "Runtime.MalformedHandlerName"
#define ERROR_IMPORT      "Runtime.ImportModuleError" /* the file is missing or raises */
#define ERROR_SYNTAX      "Runtime.UserCodeSyntaxError"
#define ERROR_NO_HANDLER  "Runtime.HandlerNotFound"
#define ERROR_CONFIG      "Runtime.BadConfiguration"
#define ERROR_EVENT       "Runtime.UnmarshalError"  /* the event is no JSON */
#define ERROR_ENVELOPE    "Runtime.EnvelopeRefused" /* a call that cannot be trusted */
#define ERROR_RESULT      "Runtime.MarshalError"    /* the result has no JSON form */
#define ERROR_MEMORY      "Runtime.OutOfMemory"
#define ERROR_DELIVERY    "Runtime.DeliveryFailed" /* a push or a call did not reach AWS */
#define ERROR_FUNCTION    "Function.Error"         /* raised by the program */
#define ERROR_TOO_LARGE   "Function.ResponseSizeTooLarge"

struct failure {
    const char *type;     /* one of the above */
    struct buf message;   /* without the traceback */
    bool foreign;         /* an error of another lambda, passed on: its text says where it was */
    bool quiet;           /* a call that was cancelled: nobody failed */
    struct buf traceback; /* as luaL_traceback makes it; "" when there is none */
};

void failure_init(struct failure *failure);
void failure_free(struct failure *failure);
/* Makes it a failure of this type and text. */
void failure_set(struct failure *failure, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Calls function(L) with argument as a light userdata, protected, and leaves an empty stack.
** *type is looked at when the call has failed: the phase in which it then was. On an error
** false, and failure is set: may be called outside any protection. An error object shows by its
** __tostring, else as JSON when it is plain data. */
bool failure_call(lua_State *L, lua_CFunction function, void *argument, const char *const *type,
                  struct failure *failure);

/* Logs it, once. */
void failure_log(const struct failure *failure);
/* Appends `{"errorMessage":…,"errorType":…,"stackTrace":[…]}`. */
bool failure_body(const struct failure *failure, struct buf *out);
/* Appends X-Ray's cause on one line. False when there is none that would fit. */
bool failure_cause(const struct failure *failure, const char *directory, struct buf *out);

#endif
