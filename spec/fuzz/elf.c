/* What `awsync package` reads of ELF files, under libFuzzer. Files of the user are no friend's either. */
#include "host/cli/elf.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct elf_facts facts;
    char error[64];
    if (!elf_read(&facts, (const char *)data, size, error, sizeof error))
        return 0;
    for (size_t i = 0; i < facts.needed_count; i++)
        if (memchr(facts.needed[i], '\0', size) == NULL)
            abort();
    return 0;
}
