/* What a 64-bit little-endian ELF file needs, by its program headers: stripped files have no other. */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/package.h"

struct image {
    const char *data;
    size_t len;
    Elf64_Ehdr header;
};

/* Everything is copied out: the file's places need not be aligned. */
static bool take(const struct image *image, uint64_t at, void *out, size_t size) {
    if (at > image->len || size > image->len - at)
        return false;
    memcpy(out, image->data + at, size);
    return true;
}

static bool segment(const struct image *image, size_t i, Elf64_Phdr *out) {
    return i < image->header.e_phnum &&
           take(image, image->header.e_phoff + i * sizeof *out, out, sizeof *out);
}

/* All parts lie inside of the file. */
static bool whole(const struct image *image) {
    Elf64_Phdr part;
    if (image->header.e_phentsize != sizeof part)
        return false;
    for (size_t i = 0; i < image->header.e_phnum; i++)
        if (!segment(image, i, &part) || part.p_offset > image->len ||
            (part.p_type == PT_LOAD && part.p_filesz > image->len - part.p_offset))
            return false;
    return true;
}

/* Where in the file an address of the loaded program lies; 0: nowhere. */
static uint64_t offset_of(const struct image *image, uint64_t address) {
    Elf64_Phdr part;
    for (size_t i = 0; segment(image, i, &part); i++)
        if (part.p_type == PT_LOAD && address >= part.p_vaddr &&
            address - part.p_vaddr < part.p_filesz)
            return part.p_offset + (address - part.p_vaddr);
    return 0;
}

struct dynamic {
    uint64_t at, count;
    uint64_t strings, versions, version_count; /* offsets in the file */
};

/* A text that ends inside of the file, or NULL. */
static const char *text_at(const struct image *image, const struct dynamic *dynamic,
                           uint64_t index) {
    uint64_t at = dynamic->strings + index;
    if (at < index || at >= image->len || memchr(image->data + at, '\0', image->len - at) == NULL)
        return NULL;
    return image->data + at;
}

static bool find_dynamic(const struct image *image, struct dynamic *out) {
    Elf64_Phdr part;
    *out = (struct dynamic){0};
    for (size_t i = 0; segment(image, i, &part); i++)
        if (part.p_type == PT_DYNAMIC) {
            out->at = part.p_offset;
            out->count = part.p_filesz / sizeof(Elf64_Dyn);
        }
    Elf64_Dyn entry;
    for (uint64_t i = 0; i < out->count; i++) {
        if (!take(image, out->at + i * sizeof entry, &entry, sizeof entry))
            return false;
        if (entry.d_tag == DT_STRTAB)
            out->strings = offset_of(image, entry.d_un.d_ptr);
        else if (entry.d_tag == DT_VERNEED)
            out->versions = offset_of(image, entry.d_un.d_ptr);
        else if (entry.d_tag == DT_VERNEEDNUM)
            out->version_count = entry.d_un.d_val;
    }
    return true;
}

static bool read_needed(const struct image *image, const struct dynamic *dynamic,
                        struct elf_facts *out) {
    Elf64_Dyn entry;
    for (uint64_t i = 0; i < dynamic->count; i++) {
        if (!take(image, dynamic->at + i * sizeof entry, &entry, sizeof entry))
            return false;
        if (entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag != DT_NEEDED)
            continue;
        const char *name = text_at(image, dynamic, entry.d_un.d_val);
        if (name == NULL || out->needed_count == ELF_NEEDED_MAX)
            return false;
        out->needed[out->needed_count++] = name;
    }
    return true;
}

static void take_version(struct elf_facts *out, const char *name) {
    int major = 0, minor = 0;
    if (strcmp(name, "GLIBC_PRIVATE") == 0)
        out->glibc_private = true;
    else if (sscanf(name, "GLIBC_%d.%d", &major, &minor) == 2 &&
             (major > out->glibc_major ||
              (major == out->glibc_major && minor > out->glibc_minor))) {
        out->glibc_major = major;
        out->glibc_minor = minor;
    }
}

static bool read_versions(const struct image *image, const struct dynamic *dynamic,
                          struct elf_facts *out) {
    uint64_t at = dynamic->versions;
    Elf64_Verneed library;
    for (uint64_t i = 0; i < dynamic->version_count && at != 0; i++) {
        if (!take(image, at, &library, sizeof library))
            return false;
        uint64_t symbol_at = at + library.vn_aux;
        Elf64_Vernaux symbol;
        for (unsigned k = 0; k < library.vn_cnt; k++) {
            if (!take(image, symbol_at, &symbol, sizeof symbol))
                return false;
            const char *name = text_at(image, dynamic, symbol.vna_name);
            if (name == NULL)
                return false;
            take_version(out, name);
            symbol_at += symbol.vna_next;
        }
        at = library.vn_next != 0 ? at + library.vn_next : 0;
    }
    return true;
}

bool elf_read(struct elf_facts *out, const char *data, size_t len, char *error, size_t error_size) {
    *out = (struct elf_facts){0};
    struct image image = {.data = data, .len = len};
    if (!take(&image, 0, &image.header, sizeof image.header) ||
        memcmp(image.header.e_ident, ELFMAG, SELFMAG) != 0) {
        snprintf(error, error_size, "is no ELF file: Lambda runs programs for Linux");
        return false;
    }
    if (image.header.e_ident[EI_CLASS] != ELFCLASS64 ||
        image.header.e_ident[EI_DATA] != ELFDATA2LSB)
        return true; /* an architecture that Lambda has not */
    out->arch = image.header.e_machine == EM_X86_64    ? ELF_ARCH_X86_64
                : image.header.e_machine == EM_AARCH64 ? ELF_ARCH_ARM64
                                                       : ELF_ARCH_OTHER;
    struct dynamic dynamic;
    if (!whole(&image) || !find_dynamic(&image, &dynamic) || !read_needed(&image, &dynamic, out) ||
        !read_versions(&image, &dynamic, out)) {
        snprintf(error, error_size, "is a damaged ELF file");
        return false;
    }
    return true;
}

const char *elf_arch_name(enum elf_arch arch) {
    return arch == ELF_ARCH_X86_64  ? "x86_64"
           : arch == ELF_ARCH_ARM64 ? "arm64"
                                    : "another architecture";
}
