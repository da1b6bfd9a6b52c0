/* The segment files of a journal in use: which are open, which are ready for what comes, which are
 * spare and wait to be used again. Reuse matters: an overwrite in place needs one disk flush, a
 * write to fresh space needs the filesystem's own journal as well (165 against 280 to 490 µs).
 * Private to wal/. */
#ifndef PFS_WAL_SEGMENT_POOL_H
#define PFS_WAL_SEGMENT_POOL_H

#include <stdbool.h>

#include "wal/segment.h"

struct pfs_segment_pool;

/* Segments wholly below `start` become spare; those from there to `end` must all be there (but the
 * one that begins at `end`); those behind are ready, as far as they follow without a gap. */
int pfs_segment_pool_open(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                          pfs_lsn start, pfs_lsn end, bool readonly,
                          struct pfs_segment_pool **out) PFS_MUST_USE;
void pfs_segment_pool_close(struct pfs_segment_pool *pool);

/* The open file of the segment that starts at `start`; with create it is made if it isn't there.
 * It stays open until trimmed. Errors: PFS_ENOENT, PFS_ENOSPC, PFS_EIO. Threads: any. */
int pfs_segment_pool_get(struct pfs_segment_pool *pool, pfs_lsn start, bool create,
                         struct pfs_file **out) PFS_MUST_USE;

/* Nudge the kernel to write [off, off + len) of the segment's file back. A hint. Threads: any. */
void pfs_segment_pool_writeback(struct pfs_segment_pool *pool, pfs_lsn start, uint64_t off,
                                uint64_t len);

/* Nobody reads below lsn any more. */
int pfs_segment_pool_trim(struct pfs_segment_pool *pool, pfs_lsn lsn) PFS_MUST_USE;

/* Make one more segment ready behind `active` if there are too few. */
int pfs_segment_pool_prepare(struct pfs_segment_pool *pool, pfs_lsn active,
                             bool *wanted_out) PFS_MUST_USE;

/* First byte kept; bytes of all files, spare ones included. */
void pfs_segment_pool_stats(struct pfs_segment_pool *pool, pfs_lsn *start_out, uint64_t *bytes_out);

#endif
