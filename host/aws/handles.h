/* Ids for objects that other threads name: an id whose object has gone is never valid again. */
#ifndef AWSYNC_AWS_HANDLES_H
#define AWSYNC_AWS_HANDLES_H

#include <stddef.h>
#include <stdint.h>

struct handle {
    void *object;
    uint32_t generation;
    uint32_t next_free; /* slot + 1; 0: none */
    int kind;
};
struct handles {
    struct handle *slots;
    uint32_t count, cap;
    uint32_t free; /* slot + 1; 0: none */
};

/* Zeroed memory is an empty table. Not safe between threads by itself. */
void handles_free(struct handles *h);
/* An id other than 0, or 0 when memory ran out. */
uint64_t handles_add(struct handles *h, int kind, void *object);
/* The object of that kind, or NULL when the id is none (any more). */
void *handles_get(const struct handles *h, int kind, uint64_t id);
void handles_remove(struct handles *h, uint64_t id);

#endif
