/* What a deployment package holds, and where it comes from. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/package.h"

enum { PATH_SIZE = PATH_MAX + 256, REASON = PATH_MAX + 512 };

/* --- places ------------------------------------------------------------------------------------ */

bool cli_self_folder(char *out, size_t size) {
    ssize_t len = readlink("/proc/self/exe", out, size - 1);
    out[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL)
        *slash = '\0';
    return slash != NULL;
}

bool cli_lua_folder(char *out, size_t size) {
    static const char *const places[] = {"lua", "../share/lua/5.4", "../lua"};
    char self[PATH_MAX], probe[PATH_SIZE + 16];
    if (!cli_self_folder(self, sizeof self))
        return false;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(out, size, "%s/%s", self, places[i]);
        snprintf(probe, sizeof probe, "%s/awsync.lua", out);
        if (access(probe, R_OK) == 0)
            return true;
    }
    return false;
}

void cli_static_bootstrap(char *out, size_t size, const char *arch) {
    char self[PATH_MAX], other[64] = "";
    if (arch != NULL) /* where `make bootstrap-static ARCH=` leaves one for another machine */
        snprintf(other, sizeof other, "static/%s/bootstrap", arch);
    const char *const places[] = {other, "static/bootstrap", "bootstrap"};
    if (cli_self_folder(self, sizeof self))
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            if (places[i][0] == '\0')
                continue;
            snprintf(out, size, "%s/%s", self, places[i]);
            if (access(out, R_OK) == 0)
                return;
        }
    out[0] = '\0';
}

/* lua-cjson of that architecture, where this installation or the distribution has it. */
static bool find_cjson(char *out, size_t size, enum elf_arch arch) {
    const char *debian =
        arch == ELF_ARCH_ARM64 ? "/usr/lib/aarch64-linux-gnu" : "/usr/lib/x86_64-linux-gnu";
    char self[PATH_MAX] = "";
    cli_self_folder(self, sizeof self);
    const char *const places[][2] = {
        {self, arch == ELF_ARCH_ARM64 ? "static/arm64" : "static/x86_64"},
        {self, "lua"},
        {self, "../lib/lua/5.4"},
        {"/usr/local/lib", "lua/5.4"},
        {debian, "lua/5.4"},
        {"/usr/lib64", "lua/5.4"},
        {"/usr/lib", "lua/5.4"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(out, size, "%s/%s/cjson.so", places[i][0], places[i][1]);
        struct buf data;
        struct elf_facts facts;
        char error[128];
        buf_init(&data, PACKAGE_UNPACKED_MAX);
        bool fits = cli_read_file(&data, out) &&
                    elf_read(&facts, buf_text(&data), data.len, error, sizeof error) &&
                    facts.arch == arch;
        buf_free(&data);
        if (fits)
            return true;
    }
    return false;
}

bool cli_read_file(struct buf *out, const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    char block[16384];
    size_t n, room = out->max - out->len;
    bool fits = true;
    setvbuf(file, NULL, _IONBF, 0); /* no copy of a secret in a buffer of stdio's */
    errno = 0;
    while ((n = fread(block, 1, sizeof block, file)) > 0 && (fits = n <= room) &&
           buf_add(out, block, n))
        room -= n;
    int error = ferror(file) != 0 ? errno : 0;
    fclose(file);
    if (out->secret)
        explicit_bzero(block, sizeof block);
    errno = error != 0 ? error : !fits ? EFBIG : !buf_ok(out) ? ENOMEM : 0;
    return errno == 0;
}

/* --- what Lambda can run ----------------------------------------------------------------------- */

static bool lambda_has(const char *library, const struct archive *archive) {
    static const char *const there[] = {
        "libc.so.6",  "libm.so.6",     "libdl.so.2",           "libpthread.so.0",
        "librt.so.1", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        if (strcmp(library, there[i]) == 0)
            return true;
    char name[PATH_MAX]; /* LD_LIBRARY_PATH has lib/ of the package */
    snprintf(name, sizeof name, "lib/%s", library);
    return archive != NULL && archive_find(archive, name) != NULL;
}

bool cli_check_elf(const char *path, const struct buf *data, const char *arch,
                   const struct archive *archive, enum elf_arch *found, char *error,
                   size_t error_size) {
    struct elf_facts facts;
    char why[128];
    if (!elf_read(&facts, buf_text(data), data->len, why, sizeof why)) {
        snprintf(error, error_size, "%s %s", path, why);
        return false;
    }
    const char *is = elf_arch_name(facts.arch);
    if (facts.arch == ELF_ARCH_OTHER || (arch != NULL && strcmp(is, arch) != 0)) {
        snprintf(error, error_size, "%s is for %s, not for %s", path, is,
                 arch != NULL ? arch : "x86_64 or arm64");
        return false;
    }
    for (size_t i = 0; i < facts.needed_count; i++)
        if (!lambda_has(facts.needed[i], archive)) {
            snprintf(error, error_size, "%s needs %s, which provided.al2023 has not", path,
                     facts.needed[i]);
            return false;
        }
    if (facts.glibc_private) {
        snprintf(error, error_size, "%s needs GLIBC_PRIVATE, which is another in Lambda", path);
        return false;
    }
    if (facts.glibc_major > 2 || (facts.glibc_major == 2 && facts.glibc_minor > 34)) {
        snprintf(error, error_size, "%s needs GLIBC_%d.%d; provided.al2023 has 2.34", path,
                 facts.glibc_major, facts.glibc_minor);
        return false;
    }
    if (found != NULL)
        *found = facts.arch;
    return true;
}

/* --- collecting -------------------------------------------------------------------------------- */

struct collector {
    struct archive *archive;
    const struct package_options *options;
    char root[PATH_MAX];   /* folder of the program */
    char output[PATH_MAX]; /* absolute; "": none */
};

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool read_into(struct buf *out, const char *path) {
    buf_init(out, PACKAGE_UNPACKED_MAX);
    if (cli_read_file(out, path))
        return true;
    if (errno == EFBIG)
        cli_error("%s is over Lambda's limit of %d bytes for all unpacked files", path,
                  PACKAGE_UNPACKED_MAX);
    else
        cli_error("%s: %s", path, strerror(errno));
    buf_free(out);
    return false;
}

static bool add_file(struct archive *archive, const char *path, const char *name, unsigned mode) {
    struct buf data;
    if (!read_into(&data, path) || !archive_add(archive, name, &data, mode))
        return false;
    if (archive->unpacked <= PACKAGE_UNPACKED_MAX)
        return true;
    cli_error("the package has over %d bytes unpacked, Lambda's limit; %s was the last file",
              PACKAGE_UNPACKED_MAX, path);
    return false;
}

static bool add_folder(struct collector *collector, const char *path, const char *name);

/* name "": the program's folder itself. named: by the user, not found in a folder. */
static bool add_path(struct collector *collector, const char *path, const char *name, bool named) {
    struct stat info;
    if (strcmp(path, collector->output) == 0 || strcmp(name, "awsync.key") == 0)
        return true;
    if ((named ? stat(path, &info) : lstat(path, &info)) != 0) {
        cli_error("%s: %s", path, strerror(errno));
        return false;
    }
    if (S_ISLNK(info.st_mode) && (stat(path, &info) != 0 || S_ISDIR(info.st_mode))) {
        cli_error("%s: a link to a folder or to nothing is not followed", path);
        return false;
    }
    if (S_ISDIR(info.st_mode))
        return add_folder(collector, path, name);
    if (!S_ISREG(info.st_mode)) {
        cli_error("%s is neither a file nor a folder", path);
        return false;
    }
    return add_file(collector->archive, path, name, (info.st_mode & 0111) != 0 ? 0755 : 0644);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static bool add_folder(struct collector *collector, const char *path, const char *name) {
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, visible, NULL);
    bool ok = count >= 0;
    if (!ok)
        cli_error("%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char inner[PATH_SIZE], inner_name[PATH_SIZE];
        snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        snprintf(inner_name, sizeof inner_name, "%s%s%s", name, name[0] != '\0' ? "/" : "",
                 entries[i]->d_name);
        ok = ok && add_path(collector, inner, inner_name, false);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* A file that the user names lies below the program's folder: so does it in the package. */
static bool add_named(struct collector *collector, const char *given) {
    char path[PATH_MAX];
    if (realpath(given, path) == NULL) {
        cli_error("%s: %s", given, strerror(errno));
        return false;
    }
    size_t len = strcmp(collector->root, "/") == 0 ? 0 : strlen(collector->root);
    if (strcmp(path, collector->root) == 0)
        return add_folder(collector, path, "");
    if (strncmp(path, collector->root, len) != 0 || path[len] != '/') {
        cli_error("%s lies outside of the program's folder, %s", given, collector->root);
        return false;
    }
    const char *name = path + len + 1;
    return add_path(collector, path, name, true);
}

static bool add_program(struct collector *collector) {
    const struct package_options *options = collector->options;
    for (size_t i = 0; i < options->file_count; i++) {
        /* a folder that is named behind its own file must not add it again */
        struct archive part = {0};
        struct collector inner = *collector;
        inner.archive = &part;
        bool ok = add_named(&inner, options->files[i]);
        for (size_t k = 0; k < part.count; k++) {
            struct archive_file *file = &part.files[k];
            if (ok && archive_find(collector->archive, file->name) == NULL)
                ok = archive_add(collector->archive, file->name, &file->data, file->mode);
        }
        archive_free(&part);
        if (!ok)
            return false;
    }
    return true;
}

/* awsync.lua and what is in awsync/ but the kit for specs. */
static bool add_modules(struct archive *archive) {
    char folder[PATH_MAX], path[PATH_SIZE];
    struct archive part = {0};
    struct collector collector = {.archive = &part};
    if (!cli_lua_folder(folder, sizeof folder)) {
        cli_error("awsync's Lua modules are not where this program is installed");
        return false;
    }
    snprintf(path, sizeof path, "%s/awsync.lua", folder);
    bool ok = add_file(&part, path, "lua/awsync.lua", 0644);
    snprintf(path, sizeof path, "%s/awsync", folder);
    ok = ok && (access(path, F_OK) != 0 || add_folder(&collector, path, "lua/awsync"));
    for (size_t i = 0; ok && i < part.count; i++) {
        struct archive_file *file = &part.files[i];
        if (ends_with(file->name, ".lua") && strcmp(file->name, "lua/awsync/testing.lua") != 0)
            ok = archive_add(archive, file->name, &file->data, 0644);
    }
    archive_free(&part);
    return ok;
}

static bool add_bootstrap(struct archive *archive, const struct package_options *options,
                          enum elf_arch *arch) {
    char path[PATH_MAX], why[REASON];
    if (options->bootstrap != NULL)
        snprintf(path, sizeof path, "%s", options->bootstrap);
    else
        cli_static_bootstrap(path, sizeof path, options->arch);
    if (path[0] == '\0') {
        cli_error("there is no bootstrap beside this program: build it by `make bootstrap-static` "
                  "and name it by --bootstrap");
        return false;
    }
    struct buf data;
    if (!read_into(&data, path))
        return false;
    if (!cli_check_elf(path, &data, options->arch, NULL, arch, why, sizeof why)) {
        cli_error("%s; `make bootstrap-static` builds one that Lambda runs (ARCH=arm64 for the "
                  "other architecture), --bootstrap PATH names it",
                  why);
        buf_free(&data);
        return false;
    }
    return archive_add(archive, "bootstrap", &data, 0755);
}

static bool add_cjson(struct archive *archive, enum elf_arch arch) {
    char path[PATH_MAX];
    if (archive_find(archive, "lib/cjson.so") != NULL || archive_find(archive, "cjson.so") != NULL)
        return true; /* the program brings its own */
    if (!find_cjson(path, sizeof path, arch)) {
        cli_error("lua-cjson for %s is not on this machine: put its cjson.so into lib/ beside the "
                  "program and name it as a FILE",
                  elf_arch_name(arch));
        return false;
    }
    return add_file(archive, path, "lib/cjson.so", 0755);
}

/* C rocks have to be for Lambda too. */
static bool check_libraries(const struct archive *archive, enum elf_arch arch) {
    char why[REASON];
    for (size_t i = 0; i < archive->count; i++) {
        const struct archive_file *file = &archive->files[i];
        if (!ends_with(file->name, ".so") && strstr(file->name, ".so.") == NULL)
            continue;
        if (!cli_check_elf(file->name, &file->data, elf_arch_name(arch), archive, NULL, why,
                           sizeof why)) {
            cli_error("%s", why);
            return false;
        }
    }
    return true;
}

static bool add_key(struct archive *archive, const char *folder) {
    struct buf key;
    buf_init_secret(&key, 512);
    if (!cli_key_get(&key, folder)) {
        buf_wipe(&key);
        return false;
    }
    return archive_add(archive, "awsync.key", &key, 0444);
}

static bool collect(struct collector *collector, struct package *out) {
    enum elf_arch arch = ELF_ARCH_OTHER;
    if (!add_program(collector))
        return false;
    if (archive_find(collector->archive, "bootstrap") != NULL) {
        cli_error("the program has a file named bootstrap, which is the runtime's name");
        return false;
    }
    if (!add_bootstrap(collector->archive, collector->options, &arch) ||
        !add_modules(collector->archive) || !add_cjson(collector->archive, arch) ||
        !check_libraries(collector->archive, arch) || !add_key(collector->archive, collector->root))
        return false;
    snprintf(out->arch, sizeof out->arch, "%s", elf_arch_name(arch));
    return true;
}

bool package_build(struct package *out, const struct package_options *options) {
    struct cli_program program;
    struct archive archive = {0};
    struct collector collector = {.archive = &archive, .options = options};
    *out = (struct package){0};
    buf_init_secret(&out->zip, PACKAGE_UNPACKED_MAX);
    bool ok = cli_program_locate(&program, options->files[0]);
    if (!ok)
        goto done;
    ok = false;
    if (strlen(program.handler) >= sizeof out->handler ||
        strchr(program.handler, '.') != strrchr(program.handler, '.') ||
        strpbrk(program.handler, " \t") != NULL) {
        cli_error("%s: Lambda takes no handler of that name: use letters, digits, - and _",
                  options->files[0]);
        goto done;
    }
    snprintf(out->name, sizeof out->name, "%s", program.name);
    snprintf(out->handler, sizeof out->handler, "%s", program.handler);
    snprintf(collector.root, sizeof collector.root, "%s", program.root);
    if (options->output != NULL && realpath(options->output, collector.output) == NULL)
        collector.output[0] = '\0';
    if (!collect(&collector, out) || !archive_write(&archive, &out->zip))
        goto done;
    out->files = archive.count;
    out->unpacked = archive.unpacked;
    ok = out->zip.len <= PACKAGE_ZIPPED_MAX;
    if (!ok)
        cli_error("the zip has %zu bytes; Lambda takes %d directly", out->zip.len,
                  PACKAGE_ZIPPED_MAX);
done:
    cli_program_free(&program);
    archive_free(&archive);
    return ok;
}

void package_free(struct package *package) {
    buf_wipe(&package->zip);
}
