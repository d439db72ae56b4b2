#include "host/base/secret.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

void secret_wipe(void *data, size_t len) {
    if (data)
        OPENSSL_cleanse(data, len);
}

void secret_free(char *text) {
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

bool secret_equal(const void *a, const void *b, size_t len) {
    return CRYPTO_memcmp(a, b, len) == 0;
}
