#include "host/base/heap.h"

#include <stdlib.h>

/* nodes[0] is never used, so that index 0 can mean "in no heap". */
enum { FIRST_CAP = 16 };

void heap_init(struct heap *h) {
    *h = (struct heap){0};
}

void heap_free(struct heap *h) {
    free(h->nodes);
    heap_init(h);
}

static void put(struct heap *h, size_t index, struct heap_node *node) {
    h->nodes[index] = node;
    node->index = index;
}

static void rise(struct heap *h, size_t index, struct heap_node *node) {
    while (index > 1 && h->nodes[index / 2]->key > node->key) {
        put(h, index, h->nodes[index / 2]);
        index /= 2;
    }
    put(h, index, node);
}

static void sink(struct heap *h, size_t index, struct heap_node *node) {
    for (;;) {
        size_t child = index * 2;
        if (child > h->count)
            break;
        if (child < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
            child++;
        if (h->nodes[child]->key >= node->key)
            break;
        put(h, index, h->nodes[child]);
        index = child;
    }
    put(h, index, node);
}

/* Puts node where its key belongs, starting at index, whose node has gone. */
static void settle(struct heap *h, size_t index, struct heap_node *node) {
    if (index > 1 && h->nodes[index / 2]->key > node->key)
        rise(h, index, node);
    else
        sink(h, index, node);
}

bool heap_insert(struct heap *h, struct heap_node *node) {
    if (h->count + 1 >= h->cap) {
        size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
        struct heap_node **nodes = NULL;
        if (cap <= SIZE_MAX / sizeof(*nodes))
            nodes = realloc(h->nodes, cap * sizeof(*nodes));
        if (!nodes) {
            node->index = 0;
            return false;
        }
        h->nodes = nodes;
        h->cap = cap;
    }
    h->count++;
    rise(h, h->count, node);
    return true;
}

void heap_remove(struct heap *h, struct heap_node *node) {
    size_t index = node->index;
    if (index == 0)
        return;
    node->index = 0;
    struct heap_node *last = h->nodes[h->count--];
    if (last != node)
        settle(h, index, last);
}

void heap_move(struct heap *h, struct heap_node *node, int64_t key) {
    node->key = key;
    if (node->index != 0)
        settle(h, node->index, node);
}

struct heap_node *heap_least(const struct heap *h) {
    return h->count > 0 ? h->nodes[1] : NULL;
}
