#include "sigv4/internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/random.h"
#include "host/base/secret.h"

/*
** The cache is a table of SETS rows of WAYS entries: bounded, no allocation, the least recently
** used entry of a row makes room. Date, region and so on are not kept: an entry is found by
** a salted hash over all of them and the secret, so a rotated secret has another entry.
*/
enum { SETS = 64, WAYS = 4, KEPT = 4 };

struct entry {
    unsigned char fingerprint[SIGV4_DIGEST_SIZE];
    unsigned char key[SIGV4_DIGEST_SIZE];
    uint64_t used; /* 0: empty */
};

struct sigv4_cache {
    pthread_mutex_t lock;
    struct sigv4_crypto kept[KEPT]; /* that nobody uses */
    size_t kept_count;
    unsigned char salt[SIGV4_DIGEST_SIZE];
    uint64_t uses;
    struct entry entries[SETS][WAYS];
};

struct sigv4_cache *sigv4_cache_new(void) {
    struct sigv4_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    if (!sigv4_crypto_init(&cache->kept[0]) || pthread_mutex_init(&cache->lock, NULL) != 0) {
        sigv4_crypto_free(&cache->kept[0]);
        free(cache);
        return NULL;
    }
    cache->kept_count = 1;
    random_bytes(cache->salt, sizeof cache->salt);
    return cache;
}

void sigv4_cache_free(struct sigv4_cache *cache) {
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->lock);
    while (cache->kept_count > 0)
        sigv4_crypto_free(&cache->kept[--cache->kept_count]);
    secret_wipe(cache, sizeof *cache);
    free(cache);
}

bool sigv4_cache_lend(struct sigv4_cache *cache, struct sigv4_crypto *crypto_out) {
    pthread_mutex_lock(&cache->lock);
    bool found = cache->kept_count > 0;
    if (found)
        *crypto_out = cache->kept[--cache->kept_count];
    pthread_mutex_unlock(&cache->lock);
    return found || sigv4_crypto_init(crypto_out);
}

void sigv4_cache_take_back(struct sigv4_cache *cache, struct sigv4_crypto *crypto) {
    pthread_mutex_lock(&cache->lock);
    if (cache->kept_count < KEPT) {
        cache->kept[cache->kept_count++] = *crypto;
        *crypto = (struct sigv4_crypto){0};
    }
    pthread_mutex_unlock(&cache->lock);
    sigv4_crypto_free(crypto);
}

static struct entry *row_of(struct sigv4_cache *cache, const unsigned char *fingerprint) {
    return cache->entries[fingerprint[0] % SETS];
}

static bool recall(struct sigv4_cache *cache, const unsigned char *fingerprint,
                   unsigned char *key) {
    bool found = false;
    pthread_mutex_lock(&cache->lock);
    struct entry *row = row_of(cache, fingerprint);
    for (int i = 0; i < WAYS && !found; i++) {
        found = row[i].used && secret_equal(row[i].fingerprint, fingerprint, SIGV4_DIGEST_SIZE);
        if (found) {
            memcpy(key, row[i].key, SIGV4_DIGEST_SIZE);
            row[i].used = ++cache->uses;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

static void keep(struct sigv4_cache *cache, const unsigned char *fingerprint,
                 const unsigned char *key) {
    pthread_mutex_lock(&cache->lock);
    struct entry *row = row_of(cache, fingerprint);
    struct entry *place = &row[0];
    for (int i = 1; i < WAYS; i++)
        if (row[i].used < place->used)
            place = &row[i];
    memcpy(place->fingerprint, fingerprint, SIGV4_DIGEST_SIZE);
    memcpy(place->key, key, SIGV4_DIGEST_SIZE);
    place->used = ++cache->uses;
    pthread_mutex_unlock(&cache->lock);
}

/* The chain of the document: secret, date, region, service, terminator. */
static bool derive(struct sigv4_crypto *crypto, const char *secret, const char *date,
                   const char *region, const char *service, unsigned char *key) {
    static const char prefix[] = "AWS4";
    const char *const links[] = {region, service, SIGV4_TERMINATOR};
    char first[sizeof prefix + SIGV4_MAX_SECRET];
    unsigned char step[2][SIGV4_DIGEST_SIZE];
    size_t secret_len = strlen(secret), used = sizeof prefix - 1 + secret_len;

    memcpy(first, prefix, sizeof prefix - 1);
    memcpy(first + sizeof prefix - 1, secret, secret_len);
    bool done = sigv4_hmac(crypto, first, used, date, strlen(date), step[0]);
    for (size_t i = 0; done && i < sizeof links / sizeof *links; i++)
        done = sigv4_hmac(crypto, step[i % 2], SIGV4_DIGEST_SIZE, links[i], strlen(links[i]),
                          step[(i + 1) % 2]);
    if (done)
        memcpy(key, step[1], SIGV4_DIGEST_SIZE);
    secret_wipe(first, sizeof first);
    secret_wipe(step, sizeof step);
    return done;
}

enum sigv4_result sigv4_key(struct sigv4_crypto *crypto, struct sigv4_cache *cache,
                            const struct sigv4_credentials *credentials, const char *date,
                            const char *region, const char *service, unsigned char *key) {
    const char *secret = credentials->secret_access_key;
    if (strlen(secret) > SIGV4_MAX_SECRET)
        return SIGV4_BAD_INPUT;
    if (!cache)
        return derive(crypto, secret, date, region, service, key) ? SIGV4_OK : SIGV4_NO_MEMORY;

    /* Each part with its NUL, so that no two lists of parts hash alike. */
    const char *const parts[] = {credentials->access_key_id, date, region, service, secret};
    enum { PARTS = sizeof parts / sizeof *parts };
    struct sigv4_span spans[1 + PARTS] = {{cache->salt, sizeof cache->salt}};
    unsigned char fingerprint[SIGV4_DIGEST_SIZE];
    for (size_t i = 0; i < PARTS; i++)
        spans[1 + i] = (struct sigv4_span){parts[i], strlen(parts[i]) + 1};
    if (!sigv4_sha256(crypto, spans, 1 + PARTS, fingerprint))
        return SIGV4_NO_MEMORY;
    if (recall(cache, fingerprint, key))
        return SIGV4_OK;
    if (!derive(crypto, secret, date, region, service, key))
        return SIGV4_NO_MEMORY;
    keep(cache, fingerprint, key);
    return SIGV4_OK;
}
