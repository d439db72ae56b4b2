#include "host/aws/handles.h"

#include <stdlib.h>

/* An id is the slot's number + 1 in the lower half and its generation in the upper half. */

void handles_free(struct handles *h) {
    free(h->slots);
    *h = (struct handles){0};
}

uint64_t handles_add(struct handles *h, int kind, void *object) {
    uint32_t slot;
    if (h->free != 0) {
        slot = h->free - 1;
        h->free = h->slots[slot].next_free;
    } else {
        if (h->count == h->cap) {
            uint32_t cap = h->cap ? h->cap * 2 : 64;
            if (cap > UINT32_MAX / 4)
                return 0;
            struct handle *slots = realloc(h->slots, cap * sizeof *slots);
            if (slots == NULL)
                return 0;
            h->slots = slots;
            h->cap = cap;
        }
        slot = h->count++;
        h->slots[slot].generation = 0;
    }
    struct handle *s = &h->slots[slot];
    s->object = object;
    s->kind = kind;
    return (uint64_t)s->generation << 32 | (slot + 1);
}

void *handles_get(const struct handles *h, int kind, uint64_t id) {
    uint32_t slot = (uint32_t)id;
    if (slot == 0 || slot > h->count)
        return NULL;
    const struct handle *s = &h->slots[slot - 1];
    return s->generation == id >> 32 && s->kind == kind ? s->object : NULL;
}

void handles_remove(struct handles *h, uint64_t id) {
    uint32_t slot = (uint32_t)id;
    if (slot == 0 || slot > h->count || h->slots[slot - 1].generation != id >> 32)
        return;
    struct handle *s = &h->slots[slot - 1];
    s->object = NULL;
    s->generation++;
    s->next_free = h->free;
    h->free = slot;
}
