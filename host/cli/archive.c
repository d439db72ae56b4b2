/* Writes a zip by libzip. Times are constant and names are sorted: same files, same bytes. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

#include "host/cli/cli.h"
#include "host/cli/package.h"

enum { FIRST_DAY = (0 << 9) | (1 << 5) | 1 }; /* 1980-01-01, as zips count */

const struct archive_file *archive_find(const struct archive *archive, const char *name) {
    for (size_t i = 0; i < archive->count; i++)
        if (strcmp(archive->files[i].name, name) == 0)
            return &archive->files[i];
    return NULL;
}

static bool grow(struct archive *archive) {
    if (archive->count < archive->cap)
        return true;
    size_t cap = archive->cap == 0 ? 32 : 2 * archive->cap;
    struct archive_file *files = realloc(archive->files, cap * sizeof *files);
    if (files == NULL)
        return false;
    archive->files = files;
    archive->cap = cap;
    return true;
}

bool archive_add(struct archive *archive, const char *name, struct buf *data, unsigned mode) {
    bool twice = archive_find(archive, name) != NULL;
    struct archive_file file = {.data = *data, .mode = mode};
    if (!twice && grow(archive) && (file.name = strdup(name)) != NULL) {
        archive->unpacked += data->len;
        archive->files[archive->count++] = file;
        *data = (struct buf){0};
        return true;
    }
    cli_error(twice ? "%s would be in the package twice" : "%s: out of memory", name);
    buf_wipe(data);
    return false;
}

static int by_name(const void *a, const void *b) {
    const struct archive_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static bool add_all(const struct archive *archive, zip_t *zip) {
    for (size_t i = 0; i < archive->count; i++) {
        const struct archive_file *file = &archive->files[i];
        zip_source_t *source = zip_source_buffer(zip, buf_text(&file->data), file->data.len, 0);
        zip_int64_t at =
            source != NULL ? zip_file_add(zip, file->name, source, ZIP_FL_ENC_UTF_8) : -1;
        if (at < 0) {
            zip_source_free(source);
            return false;
        }
        zip_uint64_t index = (zip_uint64_t)at;
        if (zip_file_set_dostime(zip, index, 0, FIRST_DAY, 0) != 0 ||
            zip_file_set_external_attributes(zip, index, 0, ZIP_OPSYS_UNIX,
                                             (zip_uint32_t)(S_IFREG | file->mode) << 16) != 0 ||
            zip_set_file_compression(zip, index, ZIP_CM_DEFLATE, 9) != 0)
            return false;
    }
    return true;
}

static bool read_all(zip_source_t *source, struct buf *out) {
    zip_stat_t info;
    zip_stat_init(&info);
    if (zip_source_stat(source, &info) != 0 || zip_source_open(source) != 0)
        return false;
    char *room = buf_reserve(out, (size_t)info.size);
    bool ok = room != NULL && zip_source_read(source, room, info.size) == (zip_int64_t)info.size;
    if (ok)
        out->len += (size_t)info.size;
    zip_source_close(source);
    return ok;
}

bool archive_write(struct archive *archive, struct buf *out) {
    zip_error_t error;
    zip_error_init(&error);
    qsort(archive->files, archive->count, sizeof *archive->files, by_name);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = source != NULL ? zip_open_from_source(source, ZIP_TRUNCATE, &error) : NULL;
    bool ok = false;
    if (zip == NULL) {
        zip_source_free(source);
        cli_error("no zip can be made: %s", zip_error_strerror(&error));
        goto done;
    }
    zip_source_keep(source);
    ok = add_all(archive, zip) && zip_close(zip) == 0;
    if (!ok) {
        cli_error("no zip can be made: %s", zip_strerror(zip));
        zip_discard(zip);
    } else if (!read_all(source, out)) {
        cli_error("no zip can be made: it is too big");
        ok = false;
    }
    zip_source_free(source);
done:
    zip_error_fini(&error);
    return ok;
}

void archive_free(struct archive *archive) {
    for (size_t i = 0; i < archive->count; i++) {
        buf_wipe(&archive->files[i].data);
        free(archive->files[i].name);
    }
    free(archive->files);
    *archive = (struct archive){0};
}
