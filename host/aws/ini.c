#include "host/aws/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/ascii.h"
#include "host/base/buf.h"
#include "host/base/secret.h"

struct ini_line { /* texts lie in the block */
    const char *section, *group, *key, *value;
};

struct ini {
    char *block; /* a copy of the file, cut into texts */
    size_t block_len;
    struct ini_line *lines;
    size_t count, cap;
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text) {
    while (is_blank(*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

static void cut_comment(char *text) {
    for (size_t i = 0; text[i] != '\0'; i++)
        if ((text[i] == '#' || text[i] == ';') && (i == 0 || is_blank(text[i - 1]))) {
            text[i] = '\0';
            return;
        }
}

/* `[ profile  "a b" ]` becomes `profile a b`; NULL when it is no section line. */
static char *section_name(char *line) {
    char *end = strchr(line, ']');
    if (end == NULL)
        return NULL;
    *end = '\0';
    char *name = trim(line + 1), *to = name;
    bool quoted = false;
    for (char *from = name; *from != '\0'; from++) {
        if (*from == '"' || *from == '\'')
            quoted = !quoted;
        else if (quoted || !is_blank(*from))
            *to++ = *from;
        else if (!is_blank(from[1]))
            *to++ = ' ';
    }
    *to = '\0';
    return *name ? name : NULL;
}

static bool add_line(struct ini *ini, const char *section, const char *group, const char *key,
                     const char *value) {
    if (ini->count == ini->cap) {
        size_t cap = ini->cap ? ini->cap * 2 : 32;
        struct ini_line *lines = realloc(ini->lines, cap * sizeof *lines);
        if (lines == NULL)
            return false;
        ini->lines = lines;
        ini->cap = cap;
    }
    ini->lines[ini->count++] = (struct ini_line){section, group, key, value};
    return true;
}

/* Where the parser is: the section, and the key whose value may go on in indented lines. */
struct place {
    const char *section, *group;
    bool key_seen; /* an indented line belongs to the key before it */
};

static bool parse_line(struct ini *ini, struct place *at, char *line) {
    bool indented = is_blank(line[0]);
    char *text = trim(line);
    if (*text == '\0' || *text == '#' || *text == ';')
        return true;
    if (*text == '[' && !indented) {
        *at = (struct place){.section = section_name(text)};
        return at->section == NULL || add_line(ini, at->section, NULL, "", "");
    }
    char *equals = strchr(text, '=');
    if (at->section == NULL || equals == NULL)
        return true;
    *equals = '\0';
    cut_comment(equals + 1);
    const char *key = trim(text), *value = trim(equals + 1);
    if (*key == '\0')
        return true;
    if (indented && at->key_seen)
        return at->group == NULL || add_line(ini, at->section, at->group, key, value);
    at->key_seen = true;
    at->group = *value == '\0' ? key : NULL;
    return add_line(ini, at->section, NULL, key, value);
}

struct ini *ini_parse(const char *text, size_t len) {
    struct ini *ini = calloc(1, sizeof *ini);
    if (ini == NULL || (ini->block = malloc(len + 1)) == NULL)
        goto failed;
    memcpy(ini->block, text, len);
    ini->block[len] = '\0';
    ini->block_len = len;

    struct place at = {0};
    char *line = ini->block, *end = ini->block + len;
    if (len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0)
        line += 3;
    while (line < end) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        char *stop = next != NULL ? next : end;
        bool readable = memchr(line, '\0', (size_t)(stop - line)) == NULL;
        if (stop > line && stop[-1] == '\r')
            stop[-1] = '\0';
        *stop = '\0';
        if (readable && !parse_line(ini, &at, line))
            goto failed;
        line = stop + 1;
    }
    return ini;
failed:
    ini_free(ini);
    return NULL;
}

struct ini *ini_read(const char *path, char *error, size_t error_size) {
    struct ini *ini = NULL;
    struct buf text;
    buf_init_secret(&text, INI_FILE_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            ini = ini_parse("", 0);
        else
            snprintf(error, error_size, "cannot open %s: %s", path, strerror(errno));
        goto done;
    }
    for (;;) {
        char chunk[4096];
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            snprintf(error, error_size, "cannot read %s: %s", path, strerror(errno));
            goto done;
        }
        bool kept = buf_add(&text, chunk, (size_t)got);
        secret_wipe(chunk, (size_t)got);
        if (!kept) {
            snprintf(error, error_size, "%s is longer than %d bytes", path, (int)INI_FILE_MAX);
            goto done;
        }
        if (got == 0)
            break;
    }
    ini = ini_parse(buf_text(&text), text.len);
    if (ini == NULL)
        snprintf(error, error_size, "no memory for %s", path);
done:
    if (fd >= 0)
        close(fd);
    buf_wipe(&text);
    return ini;
}

void ini_free(struct ini *ini) {
    if (ini == NULL)
        return;
    if (ini->block != NULL)
        secret_wipe(ini->block, ini->block_len);
    free(ini->block);
    free(ini->lines);
    free(ini);
}

static const char *find(const struct ini *ini, const char *section, const char *group,
                        const char *key) {
    for (size_t i = ini->count; i > 0; i--) {
        const struct ini_line *line = &ini->lines[i - 1];
        if ((line->group == NULL) == (group == NULL) && ascii_same(line->key, key) &&
            strcmp(line->section, section) == 0 &&
            (group == NULL || ascii_same(line->group, group)))
            return line->value;
    }
    return NULL;
}

bool ini_has(const struct ini *ini, const char *section) {
    return find(ini, section, NULL, "") != NULL;
}

const char *ini_get(const struct ini *ini, const char *section, const char *key) {
    return find(ini, section, NULL, key);
}

const char *ini_get_nested(const struct ini *ini, const char *section, const char *group,
                           const char *key) {
    return find(ini, section, group, key);
}
