/* A version of a key: what every source of versions (memtable, layer) yields. */
#ifndef PFS_PAGES_VERSION_H
#define PFS_PAGES_VERSION_H

#include <stdint.h>

#include "wal/key.h"
#include "wal/lsn.h"

/* Versions stand in this order everywhere: key ascending, then LSN descending, so that the first
 * version of a key at or after (key, L) is the one that a reader at L sees. */
struct pfs_version {
    struct pfs_key key;
    pfs_lsn lsn;      /* end of the record that made it: visible to readers at or past this LSN */
    uint8_t kind;     /* enum pfs_kind */
    uint8_t depth;    /* how many deltas must be applied to a whole page, this one included */
    uint32_t len;     /* bytes of data */
    const void *data; /* borrowed; how long, the source says */
};

static inline int pfs_version_cmp(const struct pfs_key *xk, pfs_lsn xl, const struct pfs_key *yk,
                                  pfs_lsn yl)
{
    int c = pfs_key_cmp(xk, yk);

    if (c != 0)
        return c;
    return xl > yl ? -1 : xl < yl;
}

#endif
