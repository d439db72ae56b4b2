#include "host/engine/sqs_crypto.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "host/base/random.h"
#include "host/base/secret.h"

enum { KEY_SIZE = 32, HANDLE_SIZE = 20, MAC_SIZE = 16, SEALED_SIZE = HANDLE_SIZE + MAC_SIZE };

/* Looking up an algorithm costs OpenSSL 3 more than a small digest: done once. */
struct sqs_crypto {
    EVP_MD *md5, *sha256;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
};

struct sqs_crypto *sqs_crypto_new(void) {
    struct sqs_crypto *crypto = calloc(1, sizeof(*crypto));
    if (!crypto)
        return NULL;
    unsigned char key[KEY_SIZE];
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    random_bytes(key, sizeof(key));
    crypto->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->digest = EVP_MD_CTX_new();
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    crypto->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    bool ok = crypto->md5 && crypto->sha256 && crypto->digest && crypto->mac &&
              EVP_MAC_init(crypto->mac, key, sizeof(key), params) == 1;
    secret_wipe(key, sizeof(key));
    if (ok)
        return crypto;
    sqs_crypto_free(crypto);
    return NULL;
}

void sqs_crypto_free(struct sqs_crypto *crypto) {
    if (!crypto)
        return;
    EVP_MD_free(crypto->md5);
    EVP_MD_free(crypto->sha256);
    EVP_MD_CTX_free(crypto->digest);
    EVP_MAC_CTX_free(crypto->mac);
    free(crypto);
}

static void digest(struct sqs_crypto *crypto, const EVP_MD *md, const void *data, size_t len,
                   uint8_t *out) {
    unsigned size = 0;
    EVP_DigestInit_ex(crypto->digest, md, NULL);
    EVP_DigestUpdate(crypto->digest, data, len);
    EVP_DigestFinal_ex(crypto->digest, out, &size);
}

void sqs_md5(struct sqs_crypto *crypto, const void *data, size_t len, uint8_t *out) {
    digest(crypto, crypto->md5, data, len, out);
}

void sqs_hex(const uint8_t *data, size_t len, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

void sqs_sha256_text(struct sqs_crypto *crypto, const void *data, size_t len, char *out) {
    uint8_t sum[32];
    digest(crypto, crypto->sha256, data, len, sum);
    sqs_hex(sum, sizeof(sum), out);
}

void sqs_uuid_text(const uint8_t *uuid, char *out) {
    static const unsigned char parts[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < sizeof(parts); i++) {
        sqs_hex(uuid, parts[i], out);
        uuid += parts[i];
        out += 2 * (size_t)parts[i];
        *out++ = '-';
    }
    out[-1] = '\0';
}

static void put(uint8_t *out, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *in, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | in[i];
    return value;
}

static void seal(struct sqs_crypto *crypto, const uint8_t *data, uint8_t *mac_out) {
    uint8_t mac[32] = {0};
    size_t size = 0;
    EVP_MAC_init(crypto->mac, NULL, 0, NULL);
    EVP_MAC_update(crypto->mac, data, HANDLE_SIZE);
    EVP_MAC_final(crypto->mac, mac, &size, sizeof(mac));
    memcpy(mac_out, mac, MAC_SIZE);
}

void sqs_handle_write(struct sqs_crypto *crypto, const struct sqs_handle *handle, char *out) {
    uint8_t sealed[SEALED_SIZE];
    put(sealed, handle->queue, 8);
    put(sealed + 8, (uint64_t)handle->sequence, 8);
    put(sealed + 16, handle->generation, 4);
    seal(crypto, sealed, sealed + HANDLE_SIZE);
    EVP_EncodeBlock((unsigned char *)out, sealed, sizeof(sealed));
}

bool sqs_handle_read(struct sqs_crypto *crypto, const char *text, size_t len,
                     struct sqs_handle *out) {
    uint8_t sealed[SEALED_SIZE], mac[MAC_SIZE];
    if (len != SQS_HANDLE_TEXT_SIZE - 1 ||
        EVP_DecodeBlock(sealed, (const unsigned char *)text, (int)len) != SEALED_SIZE)
        return false;
    seal(crypto, sealed, mac);
    if (!secret_equal(mac, sealed + HANDLE_SIZE, MAC_SIZE))
        return false;
    out->queue = get(sealed, 8);
    out->sequence = (int64_t)get(sealed + 8, 8);
    out->generation = (uint32_t)get(sealed + 16, 4);
    return true;
}
