/* Puts a seal on any bytes, so that what is below it is reached. */
#ifndef PFS_TESTS_FUZZ_MEND_SEALED_H
#define PFS_TESTS_FUZZ_MEND_SEALED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"

/* The input as a sealed file, or as it is if its first byte is even. The caller frees it. */
static inline char *mend_sealed(const char *magic, const uint8_t *data, size_t size,
                                size_t *len_out)
{
    char *text = malloc(size + 128);
    size_t at = 0;

    if (!text)
        abort();
    if (size > 0 && (data[0] & 1))
        at = (size_t)snprintf(text, 128, "%s 1 %zu %016" PRIx64 "\n", magic, size - 1,
                              pfs_checksum(data + 1, size - 1));
    if (size > 1)
        memcpy(text + at, data + 1, size - 1);
    *len_out = at + (size > 0 ? size - 1 : 0);
    return text;
}

#endif
