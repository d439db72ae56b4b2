/* The key of a deployment, for packages: what makes one valid is said in docs/wire.md. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/base64.h"
#include "host/base/key.h"
#include "host/base/random.h"
#include "host/base/secret.h"
#include "host/cli/cli.h"
#include "host/cli/package.h"

/* The text as it is goes into the package; its bytes are of no use here. */
static enum key_result check(const char *text, size_t len) {
    unsigned char bytes[KEY_BYTES_MAX];
    enum key_result result = key_read(text, len, bytes, &len);
    secret_wipe(bytes, sizeof bytes);
    return result;
}

int cli_key_read(struct buf *out, const char *folder, char **from, char *error, size_t error_size) {
    const char *given = getenv("AWSYNC_KEY");
    char path[PATH_MAX];
    const char *source = "AWSYNC_KEY";
    if (from != NULL)
        *from = NULL;
    enum key_result result;
    if (given != NULL && given[0] != '\0') {
        result = check(given, strlen(given));
        if (result == KEY_OK && !buf_adds(out, given))
            result = KEY_NO_MEMORY;
    } else {
        snprintf(path, sizeof path, "%s/awsync.key", folder);
        source = path;
        if (!cli_read_file(out, path)) {
            if (errno == ENOENT)
                return 0;
            snprintf(error, error_size, "%s: %s", path, strerror(errno));
            return -1;
        }
        result = check(buf_text(out), out->len);
    }
    if (result == KEY_NO_MEMORY) {
        key_explain(result, 0, source, error, error_size);
        return -1;
    }
    if (result != KEY_OK) {
        snprintf(error, error_size,
                 "%s is no key: a key is %d to %d random bytes as hex or base64, as `openssl rand "
                 "-hex 32` makes them",
                 source, KEY_BYTES_MIN, KEY_BYTES_MAX);
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
    unsigned char bytes[KEY_BYTES_MIN];
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
