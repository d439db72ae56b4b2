/* The key of a deployment, for packages: what makes one valid is said in docs/wire.md. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/base64.h"
#include "host/base/random.h"
#include "host/base/secret.h"
#include "host/cli/cli.h"
#include "host/cli/package.h"

enum { KEY_MIN = 32, KEY_MAX = 64, KEY_TEXT_MAX = 256 }; /* bytes */

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool cli_key_valid(const char *text, size_t len) {
    while (len > 0 && is_space(text[len - 1]))
        len--;
    while (len > 0 && is_space(text[0])) {
        text++;
        len--;
    }
    struct buf bytes;
    buf_init_secret(&bytes, KEY_TEXT_MAX);
    bool read =
        (len >= 2 * KEY_MIN && hex_decode(&bytes, text, len)) || base64_decode(&bytes, text, len);
    bool valid = read && bytes.len >= KEY_MIN && bytes.len <= KEY_MAX;
    buf_wipe(&bytes);
    return valid;
}

int cli_key_read(struct buf *out, const char *folder, char **from, char *error, size_t error_size) {
    const char *given = getenv("AWSYNC_KEY");
    char path[PATH_MAX];
    const char *source = "AWSYNC_KEY";
    if (from != NULL)
        *from = NULL;
    if (given != NULL && given[0] != '\0') {
        buf_adds(out, given);
    } else {
        snprintf(path, sizeof path, "%s/awsync.key", folder);
        source = path;
        if (!cli_read_file(out, path)) {
            if (errno == ENOENT)
                return 0;
            snprintf(error, error_size, "%s: %s", path, strerror(errno));
            return -1;
        }
    }
    if (!buf_ok(out) || !cli_key_valid(buf_text(out), out->len)) {
        snprintf(error, error_size,
                 "%s is no key: a key is %d to %d random bytes as hex or base64, as `openssl rand "
                 "-hex 32` makes them",
                 source, KEY_MIN, KEY_MAX);
        return -1;
    }
    if (from != NULL && (*from = strdup(source)) == NULL) {
        snprintf(error, error_size, "out of memory");
        return -1;
    }
    return 1;
}

static bool make(struct buf *out, const char *folder) {
    char path[PATH_MAX];
    unsigned char bytes[KEY_MIN];
    random_bytes(bytes, sizeof bytes);
    bool ok = hex_encode(out, bytes, sizeof bytes) && buf_addc(out, '\n');
    secret_wipe(bytes, sizeof bytes);
    snprintf(path, sizeof path, "%s/awsync.key", folder);
    int fd = ok ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd < 0) {
        cli_error("%s cannot be made: %s; AWSYNC_KEY can hold the key instead", path,
                  strerror(errno));
        return false;
    }
    ok = write(fd, out->data, out->len) == (ssize_t)out->len;
    ok = close(fd) == 0 && ok;
    if (!ok) {
        cli_error("%s cannot be written: %s", path, strerror(errno));
        unlink(path);
        return false;
    }
    fprintf(stderr,
            "awsync: made %s, which signs spawned calls: keep it for the next time, and to "
            "yourself\n",
            path);
    return true;
}

bool cli_key_get(struct buf *out, const char *folder) {
    char error[PATH_MAX + 256];
    int found = cli_key_read(out, folder, NULL, error, sizeof error);
    if (found < 0)
        cli_error("%s", error);
    return found > 0 || (found == 0 && make(out, folder));
}
