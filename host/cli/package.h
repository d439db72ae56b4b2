/*
** A deployment package: a zip with the runtime, the modules, the program and its key, as Lambda
** takes it for provided.al2023.
**
**   bootstrap            the static runtime
**   lua/awsync.lua ...   awsync's Lua modules
**   lib/cjson.so         lua-cjson
**   awsync.key           the key that signs spawned calls
**   squares.lua ...      the program
**
** The same input gives the same bytes. What Lambda would refuse, or could not run, is refused here:
** over 50 MB zipped or 250 MB unpacked; another architecture; libraries that provided.al2023 has
** not; a glibc newer than its 2.34.
*/
#ifndef AWSYNC_CLI_PACKAGE_H
#define AWSYNC_CLI_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/buf.h"

enum { PACKAGE_ZIPPED_MAX = 50 << 20, PACKAGE_UNPACKED_MAX = 250 << 20 }; /* bytes */

/* --- elf.c: what a program or library needs ---------------------------------------------------- */

enum elf_arch { ELF_ARCH_OTHER, ELF_ARCH_X86_64, ELF_ARCH_ARM64 };
enum { ELF_NEEDED_MAX = 64 };

struct elf_facts {
    enum elf_arch arch;
    const char *needed[ELF_NEEDED_MAX]; /* shared libraries; borrowed from the data */
    size_t needed_count;
    int glibc_major, glibc_minor; /* the newest version that a symbol asks for; 0.0: none */
    bool glibc_private;           /* asks for symbols that belong to one glibc alone */
};
/* False, with the reason, when data is no 64-bit ELF file that can be read. */
bool elf_read(struct elf_facts *out, const char *data, size_t len, char *error, size_t error_size);
/* Lambda's word: `x86_64`, `arm64`; "another architecture". */
const char *elf_arch_name(enum elf_arch arch);

/* --- key.c: the key that signs spawned calls -------------------------------------------------- */

/* Appends the key: AWSYNC_KEY, else folder/awsync.key. 1: there it is, and *from (if not NULL) says
** where from, "AWSYNC_KEY" or the file's path, for free(); 0: there is none; -1: it is no key or
** cannot be read, and error says why. out: by buf_init_secret. */
int cli_key_read(struct buf *out, const char *folder, char **from, char *error, size_t error_size);
/* As cli_key_read, but makes folder/awsync.key, readable by its owner alone, where there is none.
** False: the message is written. */
bool cli_key_get(struct buf *out, const char *folder);

/* --- archive.c: the zip ------------------------------------------------------------------------ */

struct archive_file {
    char *name; /* `lua/awsync.lua` */
    struct buf data;
    unsigned mode; /* 0755, 0644, 0444 */
};
struct archive {
    struct archive_file *files;
    size_t count, cap, unpacked; /* bytes */
};
/* Takes data over, also on failure. False, with the message written, when the name is there
** already, or memory ran out. */
bool archive_add(struct archive *archive, const char *name, struct buf *data, unsigned mode);
const struct archive_file *archive_find(const struct archive *archive, const char *name);
/* Appends the zip to out. False: the message is written. */
bool archive_write(struct archive *archive, struct buf *out);
/* Wipes what is secret. */
void archive_free(struct archive *archive);

/* --- layout.c: what goes in -------------------------------------------------------------------- */

struct package_options {
    char *const *files; /* the program first, then further files and folders */
    size_t file_count;
    const char *arch;      /* NULL: the bootstrap's */
    const char *bootstrap; /* NULL: the static one of this installation */
    const char *output;    /* a path that is left out; NULL: none */
};
struct package {
    struct buf zip;
    size_t files, unpacked; /* bytes */
    char name[65];          /* of a function: the program's, without `.lua` */
    char handler[256];      /* `squares.main` */
    char arch[16];
};
/* False: the message is written. Free by package_free, also then. */
bool package_build(struct package *out, const struct package_options *options);
void package_free(struct package *package);

/* The folder of this program; false when it cannot be told. */
bool cli_self_folder(char *out, size_t size);
/* The folder that holds awsync.lua, from this program's own place. */
bool cli_lua_folder(char *out, size_t size);
/* The bootstrap that a package for arch (NULL: this machine's) would get; "" when there is none. */
void cli_static_bootstrap(char *out, size_t size, const char *arch);
/* False, with the reason, when Lambda could not run this file. archive: where libraries may lie
** that it needs; NULL: nowhere. arch NULL: any that Lambda has; *found (may be NULL) gets it. */
bool cli_check_elf(const char *path, const struct buf *data, const char *arch,
                   const struct archive *archive, enum elf_arch *found, char *error,
                   size_t error_size);
/* Appends a file's bytes. False: errno says why (EFBIG: over out's maximum). */
bool cli_read_file(struct buf *out, const char *path);

#endif
