/* The one checksum of every pagefs format: XXH3, 64 bits, seed 0 (its output has been frozen since
 * xxHash 0.8.0). An 8 KiB page costs about a third of a microsecond. */
#ifndef PFS_BASE_CHECKSUM_H
#define PFS_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

static inline uint64_t pfs_checksum(const void *data, size_t len_bytes)
{
    return XXH3_64bits(data, len_bytes);
}

/* The same over a value that isn't a format's checksum but a place in a table; seeded. */
static inline uint64_t pfs_hash(const void *data, size_t len_bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, len_bytes, seed);
}

#endif
