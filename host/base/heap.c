#include "host/base/heap.h"

#include <stdlib.h>

/* slots[0] is never used, so that index 0 can mean "in no heap". */
enum { FIRST_CAP = 16, CHILDREN = 4 };

static size_t parent_of(size_t index) {
    return (index - 2) / CHILDREN + 1;
}

static size_t first_child_of(size_t index) {
    return (index - 1) * CHILDREN + 2;
}

void heap_init(struct heap *h) {
    *h = (struct heap){0};
}

void heap_free(struct heap *h) {
    free(h->slots);
    heap_init(h);
}

static void put(struct heap *h, size_t index, const struct heap_slot *slot) {
    h->slots[index] = *slot;
    slot->node->index = index;
}

static void rise(struct heap *h, size_t index, const struct heap_slot *slot) {
    while (index > 1 && h->slots[parent_of(index)].key > slot->key) {
        put(h, index, &h->slots[parent_of(index)]);
        index = parent_of(index);
    }
    put(h, index, slot);
}

/* The least of the nodes below index; 0: there are none. */
static size_t least_child(const struct heap *h, size_t index) {
    size_t child = first_child_of(index);
    if (child > h->count)
        return 0;
    size_t end = child + CHILDREN <= h->count + 1 ? child + CHILDREN : h->count + 1;
    size_t least = child;
    while (++child < end)
        if (h->slots[child].key < h->slots[least].key)
            least = child;
    return least;
}

static void sink(struct heap *h, size_t index, const struct heap_slot *slot) {
    size_t child;
    while ((child = least_child(h, index)) != 0 && h->slots[child].key < slot->key) {
        put(h, index, &h->slots[child]);
        index = child;
    }
    put(h, index, slot);
}

/* Puts slot where its key belongs, starting at index, whose node has gone. */
static void settle(struct heap *h, size_t index, const struct heap_slot *slot) {
    if (index > 1 && h->slots[parent_of(index)].key > slot->key)
        rise(h, index, slot);
    else
        sink(h, index, slot);
}

bool heap_insert(struct heap *h, struct heap_node *node) {
    if (h->count + 1 >= h->cap) {
        size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
        struct heap_slot *slots = NULL;
        if (cap <= SIZE_MAX / sizeof(*slots))
            slots = realloc(h->slots, cap * sizeof(*slots));
        if (!slots) {
            node->index = 0;
            return false;
        }
        h->slots = slots;
        h->cap = cap;
    }
    h->count++;
    rise(h, h->count, &(struct heap_slot){node->key, node});
    return true;
}

void heap_remove(struct heap *h, struct heap_node *node) {
    size_t index = node->index;
    if (index == 0)
        return;
    node->index = 0;
    struct heap_slot last = h->slots[h->count--];
    if (last.node != node)
        settle(h, index, &last);
}

void heap_move(struct heap *h, struct heap_node *node, int64_t key) {
    node->key = key;
    if (node->index != 0)
        settle(h, node->index, &(struct heap_slot){key, node});
}

struct heap_node *heap_least(const struct heap *h) {
    return h->count > 0 ? h->slots[1].node : NULL;
}
