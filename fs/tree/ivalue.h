/* What an inode's key holds. All numbers little-endian.
 *
 *   off size field
 *     0    1 version     1
 *     1    1 zero
 *     2    2 n_marks
 *     4    4 mode
 *     8    4 nlink
 *    12    4 uid
 *    16    4 gid
 *    20    4 rdev
 *    24    8 size        bytes; of a directory: entries
 *    32    8 pages       that hold data (an estimate once a sparse file was cut)
 *    40    8 atime_ns
 *    48    8 mtime_ns
 *    56    8 ctime_ns
 *    64    8 btime_ns
 *    72    8 parent      of a directory
 *    80    4 n_xattrs
 *    84    4 len of the symlink's target
 *    88   16 each mark   lsn, size
 *          n target      of a symlink
 *
 * Truncation marks make truncation O(1): a mark (lsn, size) says that at lsn the file was cut to
 * size, so of a page version older than lsn all bytes at or past size read as zeros. A mark
 * swallows earlier ones with a size not below its own, so they ascend in both. A mark made by the
 * very record that holds the value can't name its LSN yet: it is stored as 0 and means "this
 * version's". */
#ifndef PFS_TREE_IVALUE_H
#define PFS_TREE_IVALUE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wal/lsn.h"

#define PFS_MARKS_MAX    16
#define PFS_IVALUE_FIXED 88
#define PFS_IVALUE_MAX   (PFS_IVALUE_FIXED + PFS_MARKS_MAX * 16 + 4096)

struct pfs_mark {
    pfs_lsn lsn;
    uint64_t size;
};

struct pfs_ivalue {
    uint32_t mode, nlink, uid, gid, rdev;
    uint64_t size, pages;
    uint64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
    uint64_t parent;
    uint32_t n_xattrs;
    unsigned n_marks;
    struct pfs_mark *marks; /* heap, or NULL when there are none */
    char *target;           /* of a symlink: heap, NUL-terminated; else NULL */
};

/* Encode into out (PFS_IVALUE_MAX bytes); returns the length. */
uint32_t pfs_ivalue_encode(const struct pfs_ivalue *iv, unsigned char *out);

/* Decode the version that stands at lsn; marks and target are allocated. Errors: PFS_ECORRUPT,
 * PFS_EVERSION, PFS_ENOMEM. */
int pfs_ivalue_decode(const void *data, size_t len, pfs_lsn lsn,
                      struct pfs_ivalue *iv) PFS_MUST_USE;

void pfs_ivalue_release(struct pfs_ivalue *iv); /* marks and target */

/* Put (0, size) behind the marks, those it swallows left out, into out (room for n + 1); returns
 * how many there are then, which may be PFS_MARKS_MAX + 1: too many to encode. */
unsigned pfs_marks_push(const struct pfs_mark *marks, unsigned n, uint64_t size,
                        struct pfs_mark *out);

/* The first byte of the file that a version made at lsn doesn't hold any more; UINT64_MAX if it
 * holds all. */
uint64_t pfs_marks_cut(const struct pfs_mark *marks, unsigned n, pfs_lsn lsn);

#endif
