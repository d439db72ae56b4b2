#include "host/binding/codec_internal.h"

#include <stdlib.h>
#include <string.h>

void codec_map_init(struct codec_map *map) {
    map->keys = NULL;
    map->cap = map->count = 0;
}

void codec_map_free(struct codec_map *map) {
    if (map->keys && map->keys != map->first_keys) {
        free(map->keys);
        free(map->values);
    }
    codec_map_init(map);
}

/* Where key is or belongs. */
static size_t place(const void *const *keys, size_t cap, const void *key) {
    uint64_t hash = ((uint64_t)(uintptr_t)key >> 3) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (cap - 1);
    while (keys[at] && keys[at] != key)
        at = (at + 1) & (cap - 1);
    return at;
}

static bool grow(struct codec_map *map) {
    size_t cap = map->cap * 4;
    const void **keys = calloc(cap, sizeof(*keys));
    uint32_t *values = calloc(cap, sizeof(*values));
    if (!keys || !values) {
        free(keys);
        free(values);
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->keys[i]) {
            size_t at = place(keys, cap, map->keys[i]);
            keys[at] = map->keys[i];
            values[at] = map->values[i];
        }
    }
    if (map->keys != map->first_keys) {
        free(map->keys);
        free(map->values);
    }
    map->keys = keys;
    map->values = values;
    map->cap = cap;
    return true;
}

enum codec_map_result codec_map_put(struct codec_map *map, const void *key, uint32_t value,
                                    uint32_t *old) {
    if (!map->keys) {
        map->keys = map->first_keys;
        map->values = map->first_values;
        map->cap = CODEC_MAP_FIRST;
        memset(map->first_keys, 0, sizeof(map->first_keys));
    }
    size_t at = place(map->keys, map->cap, key);
    if (map->keys[at]) {
        *old = map->values[at];
        return CODEC_MAP_OLD;
    }
    if (map->count >= map->cap / 4 * 3) {
        if (!grow(map))
            return CODEC_MAP_NO_MEMORY;
        at = place(map->keys, map->cap, key);
    }
    map->keys[at] = key;
    map->values[at] = value;
    map->count++;
    return CODEC_MAP_NEW;
}
