#include "sigv4/internal.h"

#include <string.h>

#include <openssl/evp.h>

#include "host/base/secret.h"

enum { BLOCK_SIZE = 64 }; /* of SHA-256 */

bool sigv4_crypto_init(struct sigv4_crypto *crypto) {
    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->digest = EVP_MD_CTX_new();
    if (crypto->sha256 && crypto->digest)
        return true;
    sigv4_crypto_free(crypto);
    return false;
}

void sigv4_crypto_free(struct sigv4_crypto *crypto) {
    EVP_MD_CTX_free(crypto->digest);
    EVP_MD_free(crypto->sha256);
    *crypto = (struct sigv4_crypto){0};
}

bool sigv4_sha256(struct sigv4_crypto *crypto, const struct sigv4_span *spans, size_t count,
                  unsigned char *out) {
    bool done = EVP_DigestInit_ex2(crypto->digest, crypto->sha256, NULL);
    for (size_t i = 0; done && i < count; i++)
        done = EVP_DigestUpdate(crypto->digest, spans[i].data, spans[i].len);
    return done && EVP_DigestFinal_ex(crypto->digest, out, NULL);
}

bool sigv4_sha256_hex(struct sigv4_crypto *crypto, const void *data, size_t len, char *out) {
    unsigned char digest[SIGV4_DIGEST_SIZE];
    const struct sigv4_span span = {len ? data : "", len};
    if (!sigv4_sha256(crypto, &span, 1, digest))
        return false;
    sigv4_hex(digest, out);
    return true;
}

/* RFC 2104 on the digest's context: OpenSSL's own context would keep the key for as long as it is kept itself, and to
** give it another one costs as much as the whole. */
bool sigv4_hmac(struct sigv4_crypto *crypto, const void *key, size_t key_len, const void *data,
                size_t len, unsigned char *out) {
    enum { INNER = 0x36, OUTER = 0x5c };
    unsigned char block[BLOCK_SIZE] = {0};
    struct sigv4_span spans[2] = {{block, sizeof block}, {data, len}};
    bool done = true;
    if (key_len <= sizeof block)
        memcpy(block, key, key_len);
    else
        done = sigv4_sha256(crypto, &(struct sigv4_span){key, key_len}, 1, block);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= INNER;
    done = done && sigv4_sha256(crypto, spans, 2, out);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= INNER ^ OUTER;
    spans[1] = (struct sigv4_span){out, SIGV4_DIGEST_SIZE};
    done = done && sigv4_sha256(crypto, spans, 2, out);
    secret_wipe(block, sizeof block);
    return done;
}

void sigv4_hex(const unsigned char *digest, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SIGV4_DIGEST_SIZE; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = '\0';
}
