/* A runtime of the user's own: the words of --bootstrap, and where the program lies. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/cli/cli.h"

enum { WORDS_MAX = 64, TEXT_MAX = 131072 }; /* execve takes no longer word */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

/* Appends one character of a word, behind a backslash the one that follows it. False: nothing
** follows. */
static bool add_character(struct buf *word, const char **at) {
    if (**at == '\\' && *++*at == '\0')
        return false;
    return buf_addc(word, *(*at)++);
}

/* Appends what stands between two quotes; *at is behind the first of them, afterwards behind the
** second. False: there is no second. */
static bool add_quoted(struct buf *word, const char **at, char quote) {
    while (**at != '\0' && **at != quote) {
        bool escaped = quote == '"' && **at == '\\' && ((*at)[1] == '"' || (*at)[1] == '\\');
        if (!(escaped ? add_character(word, at) : buf_addc(word, *(*at)++)))
            return false;
    }
    if (**at == '\0')
        return false;
    ++*at;
    return true;
}

/* Reads one word from *at on, which is no blank. NULL: a quote or a backslash has no end. */
static char *read_word(const char **at) {
    struct buf word;
    bool ok = true;
    buf_init(&word, TEXT_MAX);
    while (ok && **at != '\0' && !is_blank(**at)) {
        char c = **at;
        if (c == '\'' || c == '"') {
            ++*at;
            ok = add_quoted(&word, at, c);
        } else {
            ok = add_character(&word, at);
        }
    }
    if (ok)
        return buf_take(&word, NULL);
    buf_free(&word);
    return NULL;
}

static bool runs(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return false;
    if (!S_ISREG(info.st_mode))
        errno = EISDIR;
    return S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* The workers run in another folder: a relative path becomes an absolute one. Links stay as they
** are, some programs find their files by the link's place. */
static char *absolute(const char *path, size_t len) {
    char here[PATH_MAX];
    char *out = NULL;
    if (len > 0 && path[0] == '/')
        return strndup(path, len);
    if (getcwd(here, sizeof here) == NULL || asprintf(&out, "%s/%.*s", here, (int)len, path) < 0)
        return NULL;
    return out;
}

/* The program of that name in the PATH; NULL: there is none, or no memory. */
static char *find_in_path(const char *name) {
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ":");
        char *folder = absolute(at, len), *file = NULL;
        if (folder != NULL && asprintf(&file, "%s/%s", folder, name) < 0)
            file = NULL;
        free(folder);
        if (file != NULL && runs(file))
            return file;
        free(file);
        at += len + (at[len] == ':');
    }
    return NULL;
}

/* The path of a program that can be run; NULL: the message is written. */
static char *find_program(const char *name) {
    if (strchr(name, '/') == NULL) {
        char *found = find_in_path(name);
        if (found == NULL)
            cli_error("--bootstrap: %s is not in the PATH", name);
        return found;
    }
    if (!runs(name)) {
        cli_error("--bootstrap: %s: %s", name, strerror(errno));
        return NULL;
    }
    char *found = absolute(name, strlen(name));
    if (found == NULL)
        cli_error("out of memory");
    return found;
}

char **cli_command_read(const char *text) {
    char **words = calloc(WORDS_MAX + 1, sizeof *words);
    size_t count = 0;
    const char *at = text;
    if (words == NULL) {
        cli_error("out of memory");
        return NULL;
    }
    for (;;) {
        while (is_blank(*at))
            at++;
        if (*at == '\0')
            break;
        if (count == WORDS_MAX) {
            cli_error("--bootstrap: a command has %d words at most", WORDS_MAX);
            goto failed;
        }
        if ((words[count] = read_word(&at)) == NULL) {
            cli_error("--bootstrap: a quote or backslash without its end: %s", text);
            goto failed;
        }
        count++;
    }
    if (count == 0 || words[0][0] == '\0') {
        cli_error("--bootstrap needs a program");
        goto failed;
    }
    char *program = find_program(words[0]);
    if (program == NULL)
        goto failed;
    free(words[0]);
    words[0] = program;
    return words;
failed:
    cli_command_free(words);
    return NULL;
}

void cli_command_free(char **words) {
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        free(words[i]);
    free(words);
}
