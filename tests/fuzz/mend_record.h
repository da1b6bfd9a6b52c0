/* Makes a record of any bytes: only a writer gone wrong makes such a one, and it must not bring a
 * reader down either. */
#ifndef PFS_TESTS_FUZZ_MEND_RECORD_H
#define PFS_TESTS_FUZZ_MEND_RECORD_H

#include "base/bytes.h"
#include "base/checksum.h"
#include "wal/record.h"

/* Put right LSN, version and all checksums of the record at p, of which size bytes are there; prev
 * if it isn't 0. Returns the length that its header says. */
static inline uint32_t mend_record(unsigned char *p, size_t size, pfs_lsn lsn, uint64_t prev)
{
    uint64_t table, pos;
    uint32_t n;

    if (size < PFS_RECORD_HEADER)
        return 0;
    pfs_put64(p + 8, lsn);
    p[44] = PFS_RECORD_VERSION;
    if (prev)
        pfs_put64(p + 32, prev);
    n = p[45] == PFS_OP_PAD ? 0 : pfs_get16(p + 46);
    table = (uint64_t)n * PFS_RECORD_ENTRY;
    if (PFS_RECORD_HEADER + table > size)
        return 0;
    pos = PFS_RECORD_HEADER + table;
    for (uint32_t i = 0; i < n; i++) {
        unsigned char *e = p + PFS_RECORD_HEADER + (uint64_t)i * PFS_RECORD_ENTRY;
        uint32_t len = pfs_get32(e + 4);

        if (pos > size || len > size - pos)
            break;
        pfs_put64(e + 24, pfs_checksum(p + pos, len));
        pos += pfs_round_up(len, 8);
    }
    pfs_put64(p, pfs_checksum(p + 8, PFS_RECORD_HEADER - 8 + table));
    return pfs_get32(p + 40);
}

#endif
