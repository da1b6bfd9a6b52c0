/* Segments: the files a journal is cut into.
 *
 *   name    16 hexadecimal digits of the LSN of its first byte, then ".seg"
 *   off     size     field
 *     0        8     magic "pfsseg\n\0"
 *     8        4     version of the journal format: 1
 *    12        4     branch id
 *    16       16     uuid of the volume
 *    32        8     LSN of the first byte
 *    40        8     checksum, XXH3-64 of bytes 0 to 39
 *    48     4048     zeros
 *  4096   16 MiB     the journal's bytes [first LSN, first LSN + 16 MiB)
 *
 * A segment gets its name only once it is whole: full size, header, synced. So one that is short
 * or has a bad header was damaged. Records never cross from one segment into the next: what is left
 * is filled with a PAD record, or skipped when not even a header fits. */
#ifndef PFS_WAL_SEGMENT_H
#define PFS_WAL_SEGMENT_H

#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "wal/lsn.h"

#define PFS_SEGMENT_VERSION UINT32_C(1)
#define PFS_SEGMENT_HEADER  UINT64_C(4096)
#define PFS_SEGMENT_SIZE    (UINT64_C(16) << 20) /* journal bytes in a segment */
#define PFS_SEGMENT_NAME    256                  /* room for a path */

/* LSN 0 means "none": a journal starts at its second segment's position. */
#define PFS_LSN_FIRST PFS_SEGMENT_SIZE

/* Whose journal it is: what a header must say. */
struct pfs_segment_id {
    uint8_t uuid[16];
    uint32_t branch;
    uint32_t size; /* journal bytes in a segment: 0 for PFS_SEGMENT_SIZE, as every volume has it;
                    * tests have a smaller power of two, so that segments come and go quickly */
};

static inline uint64_t pfs_segment_size(const struct pfs_segment_id *id)
{
    return id->size ? id->size : PFS_SEGMENT_SIZE;
}

/* The first LSN of the segment that lsn is in, and how far into its journal bytes that is. */
static inline pfs_lsn pfs_segment_start(const struct pfs_segment_id *id, pfs_lsn lsn)
{
    return lsn & ~(pfs_segment_size(id) - 1);
}

static inline uint64_t pfs_segment_offset(const struct pfs_segment_id *id, pfs_lsn lsn)
{
    return lsn & (pfs_segment_size(id) - 1);
}

/* "DIR/0000000001000000.seg" */
void pfs_segment_name(char name[PFS_SEGMENT_NAME], const char *dir, pfs_lsn start);
/* The LSN in a name as list() gives it; PFS_EINVAL if it isn't a segment's. */
int pfs_segment_parse_name(const struct pfs_segment_id *id, const char *name,
                           pfs_lsn *start_out) PFS_MUST_USE;

/* The header block of the segment that begins at start. */
void pfs_segment_encode_header(unsigned char buf[PFS_SEGMENT_HEADER],
                               const struct pfs_segment_id *id, pfs_lsn start);
/* Errors: PFS_ECORRUPT (damaged, foreign or misplaced, as the message says), PFS_EVERSION. */
int pfs_segment_check_header(const unsigned char buf[PFS_SEGMENT_HEADER],
                             const struct pfs_segment_id *id, pfs_lsn start,
                             const char *name) PFS_MUST_USE;

/* Open a segment and check its size and header. Errors: those, PFS_ENOENT, PFS_EIO. */
int pfs_segment_open(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                     pfs_lsn start, int flags, struct pfs_file **out) PFS_MUST_USE;

/* The first LSNs of a directory's segments, ascending. *starts_out is the caller's to free(). */
int pfs_segment_list(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                     pfs_lsn **starts_out, unsigned *n_out) PFS_MUST_USE;

#endif
