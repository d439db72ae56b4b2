/* See memory.h. */
#include "host/runtime/memory.h"

#include <stdlib.h>

/*
** What stays for the host itself, out of the function's memory M in bytes: code and libraries,
** the I/O thread, TLS, an event and an answer of 6 MB, messages on their way, and what malloc
** cannot give back. A 128 MB function leaves its Lua state 80 MB.
*/
#ifndef MEMORY_FOR_HOST
#define MEMORY_FOR_HOST(M) (((size_t)32 << 20) + (M) / 8)
#endif
#define MEMORY_LEAST ((size_t)16 << 20) /* a Lua state never gets less */

void memory_open(struct memory *memory) {
    const char *text = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    memory->used = 0;
    memory->bound = 0;
    memory->function_mb = text != NULL ? strtol(text, NULL, 10) : 0;
    if (memory->function_mb <= 0 || memory->function_mb > 1024 * 1024) {
        memory->function_mb = 0;
        return;
    }
    size_t all = (size_t)memory->function_mb << 20;
    memory->bound =
        all > MEMORY_FOR_HOST(all) + MEMORY_LEAST ? all - MEMORY_FOR_HOST(all) : MEMORY_LEAST;
}

void *memory_alloc(void *context, void *block, size_t old_size, size_t new_size) {
    struct memory *memory = context;
    if (block == NULL)
        old_size = 0; /* it tells the kind of object then */
    if (new_size == 0) {
        free(block);
        memory->used -= old_size;
        return NULL;
    }
    /* Shrinking never fails, even over the bound. */
    if (memory->bound > 0 && new_size > old_size &&
        new_size - old_size > memory->bound - memory->used)
        return NULL;
    void *grown = realloc(block, new_size);
    if (grown != NULL)
        memory->used = memory->used - old_size + new_size;
    return grown;
}
