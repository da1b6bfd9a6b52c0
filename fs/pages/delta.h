/* Deltas: what changed in a page since the version before.
 *
 *   a sequence of ranges, ascending, not touching:  off u16 | len u16 | len bytes
 *
 * The tail page of pg_wal is written again and again with a little more in it; as deltas that
 * costs hundreds of bytes a commit, not 8 KiB. */
#ifndef PFS_PAGES_DELTA_H
#define PFS_PAGES_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A page version may stand on at most this many deltas; then it is written whole again. */
#define PFS_DELTA_DEPTH_MAX 16

/* Write the ranges in which new differs from old (page_size bytes each) to out. Returns the length,
 * or 0 if it would exceed cap. Equal pages give one empty range: a length is never 0 otherwise. */
size_t pfs_delta_encode(const void *old_page, const void *new_page, size_t page_size, void *out,
                        size_t cap);

/* Apply to a page in place. Errors: PFS_ECORRUPT, the page is then undefined. */
int pfs_delta_apply(void *page, size_t page_size, const void *delta, size_t len) PFS_MUST_USE;

#endif
