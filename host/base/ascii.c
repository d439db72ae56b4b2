#include "host/base/ascii.h"

#include <stdint.h>

bool ascii_same_n(const char *a, const char *b, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
        if (a[i] == '\0')
            break;
    }
    return true;
}

bool ascii_same(const char *a, const char *b) {
    return ascii_same_n(a, b, SIZE_MAX);
}
