/*
** The allocator of the runtime's Lua state: counts, and refuses what goes over a bound below the
** function's memory, so that running out is a Lua error that can be reported and not the end of
** the process.
*/
#ifndef AWSYNC_RUNTIME_MEMORY_H
#define AWSYNC_RUNTIME_MEMORY_H

#include <stddef.h>

struct memory {
    size_t used, bound; /* bytes; bound 0: none */
    long function_mb;   /* of the function; 0: not known */
};

/* Reads AWS_LAMBDA_FUNCTION_MEMORY_SIZE (MB). */
void memory_open(struct memory *memory);
/* A lua_Alloc with a struct memory. */
void *memory_alloc(void *memory, void *block, size_t old_size, size_t new_size);

#endif
