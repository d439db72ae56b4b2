#include "sigv4/internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

bool sigv4_crypto_init(struct sigv4_crypto *crypto) {
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->digest = EVP_MD_CTX_new();
    crypto->hmac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (crypto->sha256 && crypto->digest && crypto->hmac &&
        EVP_MAC_CTX_set_params(crypto->hmac, params))
        return true;
    sigv4_crypto_free(crypto);
    return false;
}

void sigv4_crypto_free(struct sigv4_crypto *crypto) {
    EVP_MAC_CTX_free(crypto->hmac);
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

bool sigv4_hmac(struct sigv4_crypto *crypto, const void *key, size_t key_len, const void *data,
                size_t len, unsigned char *out) {
    static const unsigned char blank[SIGV4_DIGEST_SIZE];
    bool done = EVP_MAC_init(crypto->hmac, key, key_len, NULL) &&
                EVP_MAC_update(crypto->hmac, data, len) &&
                EVP_MAC_final(crypto->hmac, out, NULL, SIGV4_DIGEST_SIZE);
    /* The context would keep the key for as long as it is kept itself. */
    return EVP_MAC_init(crypto->hmac, blank, sizeof blank, NULL) && done;
}

void sigv4_hex(const unsigned char *digest, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SIGV4_DIGEST_SIZE; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = '\0';
}
