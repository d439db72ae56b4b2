#include "host/engine/sqs_recent.h"

#include <stdlib.h>
#include <string.h>

#include "host/engine/sqs_hash.h"

struct sqs_recent_entry {
    UT_hash_handle hh;
    int64_t seen_ms;
    char data[]; /* the record, then the id */
};

void sqs_recent_init(struct sqs_recent *recent, size_t record_size, int64_t keep_ms) {
    recent->entries = NULL;
    recent->record_size = (record_size + 7) & ~(size_t)7;
    recent->keep_ms = keep_ms;
}

static void forget(struct sqs_recent *recent, struct sqs_recent_entry *entry) {
    HASH_DELETE(hh, recent->entries, entry);
    free(entry);
}

void sqs_recent_clear(struct sqs_recent *recent) {
    while (recent->entries)
        forget(recent, recent->entries);
}

void sqs_recent_expire(struct sqs_recent *recent, int64_t now_ms) {
    while (recent->entries && now_ms - recent->entries->seen_ms >= recent->keep_ms)
        forget(recent, recent->entries);
}

static struct sqs_recent_entry *find(const struct sqs_recent *recent, const void *id, size_t len) {
    struct sqs_recent_entry *entry = NULL;
    HASH_FIND(hh, recent->entries, id, len, entry);
    return entry;
}

void *sqs_recent_find(const struct sqs_recent *recent, const void *id, size_t len) {
    struct sqs_recent_entry *entry = find(recent, id, len);
    return entry ? entry->data : NULL;
}

void *sqs_recent_add(struct sqs_recent *recent, const void *id, size_t len, int64_t now_ms) {
    struct sqs_recent_entry *entry = malloc(sizeof(*entry) + recent->record_size + len);
    if (!entry)
        return NULL;
    memset(entry, 0, sizeof(*entry) + recent->record_size);
    entry->seen_ms = now_ms;
    char *key = entry->data + recent->record_size;
    memcpy(key, id, len);
    HASH_ADD_KEYPTR(hh, recent->entries, key, len, entry);
    if (!entry->hh.tbl) {
        free(entry);
        return NULL;
    }
    return entry->data;
}

void sqs_recent_remove(struct sqs_recent *recent, const void *id, size_t len) {
    struct sqs_recent_entry *entry = find(recent, id, len);
    if (entry)
        forget(recent, entry);
}

size_t sqs_recent_count(const struct sqs_recent *recent) {
    return HASH_COUNT(recent->entries);
}
