/* Makes the checksums of a damaged layer right again, to reach what stands behind them: only a
 * writer gone wrong makes such a file, and it must be found out as well. */
#ifndef PFS_TESTS_LIB_LAYER_MEND_H
#define PFS_TESTS_LIB_LAYER_MEND_H

#include "base/checksum.h"
#include "fs/pages/layer_format.h"

/* Put right every checksum whose bytes are where the layer says they are. */
static inline void layer_mend(unsigned char *p, size_t size)
{
    unsigned char *footer;
    uint64_t index, index_len, filter, filter_len, at = PFS_LAYER_HEADER_BYTES;

    if (size < PFS_LAYER_HEADER_BYTES + PFS_LAYER_FOOTER_BYTES)
        return;
    pfs_put64(p + PFS_LAYER_HEADER_CHECKSUM, pfs_checksum(p, PFS_LAYER_HEADER_CHECKSUM));
    footer = p + size - PFS_LAYER_FOOTER_BYTES;
    index = pfs_get64(footer);
    index_len = pfs_get64(footer + 8);
    filter = pfs_get64(footer + 24);
    filter_len = pfs_get64(footer + 32);
    if (index <= size && index_len <= size - index) {
        for (uint64_t i = 0; i + PFS_LAYER_INDEX_ENTRY_BYTES <= index_len;
             i += PFS_LAYER_INDEX_ENTRY_BYTES) {
            unsigned char *e = p + index + i;
            uint32_t stored = pfs_get32(e + PFS_LAYER_INDEX_STORED);

            if (at > size || stored > size - at)
                break;
            pfs_put64(e + PFS_LAYER_INDEX_CHECKSUM, pfs_checksum(p + at, stored));
            at += stored;
        }
        pfs_put64(footer + 16, pfs_checksum(p + index, index_len));
    }
    if (filter <= size && filter_len <= size - filter)
        pfs_put64(footer + 40, pfs_checksum(p + filter, filter_len));
    pfs_put64(footer + PFS_LAYER_FOOTER_CHECKSUM, pfs_checksum(footer, PFS_LAYER_FOOTER_CHECKSUM));
}

#endif
