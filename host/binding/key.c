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

#include "host/base/base64.h"
#include "host/base/secret.h"

enum {
    KEY_BYTES_MIN = 32,
    KEY_BYTES_MAX = 64,
    KEY_TEXT_MAX = 256, /* more than the longest key as text, with room for a line end */
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Sixty-four hex digits could be base64 of 48 bytes as well: hex wins, since no random base64
** looks like it. */
static bool parse(struct envelope_key *key, const char *text, size_t len, const char *source,
                  char *error_out, size_t error_size) {
    while (len > 0 && is_space(text[len - 1]))
        len--;
    while (len > 0 && is_space(text[0])) {
        text++;
        len--;
    }
    struct buf bytes;
    buf_init_secret(&bytes, KEY_TEXT_MAX);
    if (len > KEY_TEXT_MAX) {
        snprintf(error_out, error_size, "%s is too long for a key", source);
        return false;
    }
    bool read = (len >= 2 * KEY_BYTES_MIN && hex_decode(&bytes, text, len)) ||
                base64_decode(&bytes, text, len);
    if (!buf_ok(&bytes))
        snprintf(error_out, error_size, "not enough memory to read %s", source);
    else if (!read)
        snprintf(error_out, error_size, "%s is neither hex nor base64", source);
    else if (bytes.len < KEY_BYTES_MIN || bytes.len > KEY_BYTES_MAX)
        snprintf(error_out, error_size, "%s holds %zu bytes; a key has %d to %d", source, bytes.len,
                 KEY_BYTES_MIN, KEY_BYTES_MAX);
    bool good = read && bytes.len >= KEY_BYTES_MIN && bytes.len <= KEY_BYTES_MAX;
    if (good) {
        memcpy(key->bytes, bytes.data, bytes.len);
        key->len = bytes.len;
    }
    buf_wipe(&bytes);
    return good;
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
        snprintf(error_out, error_size, "%s is too long for a key", source);
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
