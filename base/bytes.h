/* Little-endian numbers in byte strings: the encoding of every pagefs format. */
#ifndef PFS_BASE_BYTES_H
#define PFS_BASE_BYTES_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void pfs_put16(void *p, uint16_t v)
{
    v = htole16(v);
    memcpy(p, &v, sizeof(v));
}

static inline void pfs_put32(void *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof(v));
}

static inline void pfs_put64(void *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

static inline uint16_t pfs_get16(const void *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return le16toh(v);
}

static inline uint32_t pfs_get32(const void *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

static inline uint64_t pfs_get64(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

/* True if every byte is zero. */
static inline int pfs_all_zero(const void *p, size_t len_bytes)
{
    const unsigned char *c = p;

    if (len_bytes == 0)
        return 1;
    return c[0] == 0 && memcmp(c, c + 1, len_bytes - 1) == 0;
}

static inline uint64_t pfs_min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t pfs_max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t pfs_round_up(uint64_t v, uint64_t unit)
{
    return (v + unit - 1) / unit * unit;
}

#endif
