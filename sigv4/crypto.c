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
    crypto->hmac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (crypto->sha256 && crypto->hmac && EVP_MAC_CTX_set_params(crypto->hmac, params))
        return true;
    sigv4_crypto_free(crypto);
    return false;
}

void sigv4_crypto_free(struct sigv4_crypto *crypto) {
    EVP_MAC_CTX_free(crypto->hmac);
    EVP_MD_free(crypto->sha256);
    *crypto = (struct sigv4_crypto){0};
}

bool sigv4_sha256(const struct sigv4_crypto *crypto, const struct sigv4_span *spans, size_t count,
                  unsigned char *out) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx && EVP_DigestInit_ex2(ctx, crypto->sha256, NULL);
    for (size_t i = 0; done && i < count; i++)
        done = EVP_DigestUpdate(ctx, spans[i].data, spans[i].len);
    done = done && EVP_DigestFinal_ex(ctx, out, NULL);
    EVP_MD_CTX_free(ctx);
    return done;
}

bool sigv4_sha256_hex(const struct sigv4_crypto *crypto, const void *data, size_t len, char *out) {
    unsigned char digest[SIGV4_DIGEST_SIZE];
    const struct sigv4_span span = {len ? data : "", len};
    if (!sigv4_sha256(crypto, &span, 1, digest))
        return false;
    sigv4_hex(digest, out);
    return true;
}

bool sigv4_hmac(const struct sigv4_crypto *crypto, const void *key, size_t key_len,
                const void *data, size_t len, unsigned char *out) {
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(crypto->hmac);
    bool done = ctx && EVP_MAC_init(ctx, key, key_len, NULL) && EVP_MAC_update(ctx, data, len) &&
                EVP_MAC_final(ctx, out, NULL, SIGV4_DIGEST_SIZE);
    EVP_MAC_CTX_free(ctx);
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
