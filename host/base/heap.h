/*
** A binary min-heap of nodes that live inside the caller's structs: timers, messages by due
** time. All operations are O(log n), the least node O(1).
*/
#ifndef AWSYNC_BASE_HEAP_H
#define AWSYNC_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;  /* set before heap_insert; changed by heap_move only */
    size_t index; /* 0: in no heap; the heap's own otherwise */
};

struct heap {
    struct heap_node **nodes; /* nodes[1..count] */
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
