/* The deployment's key: where it comes from, and the MAC that it makes. */
#include "host/binding/envelope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "host/base/key.h"
#include "host/base/secret.h"

static bool parse(struct envelope_key *key, const char *text, size_t len, const char *source,
                  char *error_out, size_t error_size) {
    enum key_result result = key_read(text, len, key->bytes, &len);
    key->len = result == KEY_OK ? len : 0;
    key_explain(result, len, source, error_out, error_size);
    return result == KEY_OK;
}

static bool load_file(struct envelope_key *key, const char *path, char *error_out,
                      size_t error_size) {
    /* Not to be held up by a pipe of that name. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return true;
        snprintf(error_out, error_size, "the key file %s cannot be read: %s", path,
                 strerror(errno));
        return false;
    }
    char text[KEY_TEXT_MAX];
    size_t len = 0;
    bool good = false;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(error_out, error_size, "the key file %s is no regular file", path);
        goto done;
    }
    while (len < sizeof(text)) {
        ssize_t got = read(fd, text + len, sizeof(text) - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            snprintf(error_out, error_size, "the key file %s cannot be read: %s", path,
                     strerror(errno));
            goto done;
        }
        if (got == 0)
            break;
        len += (size_t)got;
    }
    char source[PATH_MAX + 32];
    snprintf(source, sizeof(source), "the key file %s", path);
    if (len == sizeof(text))
        key_explain(KEY_LONG, len, source, error_out, error_size);
    else
        good = parse(key, text, len, source, error_out, error_size);
done:
    secret_wipe(text, sizeof(text));
    close(fd);
    return good;
}

bool envelope_key_load(struct envelope_key *key, const char *program_dir, char *error_out,
                       size_t error_size) {
    key->len = 0;
    if (error_size > 0)
        error_out[0] = '\0';
    const char *text = getenv("AWSYNC_KEY");
    if (text && text[0] != '\0')
        return parse(key, text, strlen(text), "AWSYNC_KEY", error_out, error_size);
    if (!program_dir)
        return true;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/awsync.key", program_dir);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        snprintf(error_out, error_size, "the path of the key file is too long");
        return false;
    }
    return load_file(key, path, error_out, error_size);
}

void envelope_key_wipe(struct envelope_key *key) {
    secret_wipe(key, sizeof(*key));
}

bool envelope_mac(const struct envelope_key *key, const char *head, const void *body, size_t len,
                  char mac_out[ENVELOPE_MAC_SIZE]) {
    static char digest_name[] = "SHA256";
    unsigned char digest[32];
    size_t digest_len = 0;
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end(),
    };
    bool good = context && key->len > 0 &&
                EVP_MAC_init(context, key->bytes, key->len, params) == 1 &&
                EVP_MAC_update(context, (const unsigned char *)head, strlen(head)) == 1 &&
                EVP_MAC_update(context, (const unsigned char *)"\n", 1) == 1 &&
                EVP_MAC_update(context, body, len) == 1 &&
                EVP_MAC_final(context, digest, &digest_len, sizeof(digest)) == 1 &&
                digest_len == sizeof(digest);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(hmac);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; good && i < sizeof(digest); i++) {
        mac_out[2 * i] = digits[digest[i] >> 4];
        mac_out[2 * i + 1] = digits[digest[i] & 15];
    }
    mac_out[good ? ENVELOPE_MAC_SIZE - 1 : 0] = '\0';
    secret_wipe(digest, sizeof(digest));
    return good;
}
