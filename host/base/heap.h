/*
** A min-heap of nodes that live inside the caller's structs: timers, messages by due
** time. All operations are O(log n), the least node O(1). Each node has four below it, and keys are kept beside the
** pointers: in a large heap what costs is the cache line that is not there, and a node is looked at only when it moves.
*/
#ifndef AWSYNC_BASE_HEAP_H
#define AWSYNC_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;  /* set before heap_insert; in a heap changed by heap_move only */
    size_t index; /* 0: in no heap; the heap's own otherwise */
};

struct heap_slot {
    int64_t key; /* the node's */
    struct heap_node *node;
};

struct heap {
    struct heap_slot *slots; /* slots[1..count] */
    size_t count;
    size_t cap;
};

void heap_init(struct heap *h);
/* Frees the heap's array; nodes belong to the caller. */
void heap_free(struct heap *h);
/* False when memory ran out; the node is then in no heap. */
bool heap_insert(struct heap *h, struct heap_node *node);
/* Does nothing for a node that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
/* Gives a node in the heap another key. */
void heap_move(struct heap *h, struct heap_node *node, int64_t key);
/* The node with the least key, or NULL. */
struct heap_node *heap_least(const struct heap *h);
static inline bool heap_contains(const struct heap_node *node) {
    return node->index != 0;
}

#endif
