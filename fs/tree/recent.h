/* Recently written pages, so that the next write to one of them can be journaled as a delta.
 * Direct-mapped and bounded; what isn't here is written whole. Private to fs/tree.
 *
 * A slot belongs to (epoch, block): epochs are an inode's own and it takes a new one when pages of
 * it change by other means than a write. The caller holds the inode's mu, so nobody else looks for
 * the same page at the same time. */
#ifndef PFS_TREE_RECENT_H
#define PFS_TREE_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pfs_recent;

/* As many slots as fit in `bytes`, at least 64. */
int pfs_recent_create(size_t bytes, uint32_t page_size, struct pfs_recent **out) PFS_MUST_USE;
void pfs_recent_destroy(struct pfs_recent *recent);

/* Encode new_page against what is here into delta (cap bytes), remembering new_page in its place.
 * Returns the delta's length and *depth, the depth of the new version; 0 when the page isn't here,
 * the delta would exceed cap or the depth its maximum: the page is then remembered as written whole
 * (if it was here, or if `keep`). */
size_t pfs_recent_replace(struct pfs_recent *recent, uint64_t epoch, uint64_t block,
                          const void *new_page, bool keep, void *delta, size_t cap, uint8_t *depth);

/* Copy the page, if it is here. */
bool pfs_recent_get(struct pfs_recent *recent, uint64_t epoch, uint64_t block, void *page,
                    uint8_t *depth);

/* Remember a page as it now stands in the store, its newest version having that depth. */
void pfs_recent_put(struct pfs_recent *recent, uint64_t epoch, uint64_t block, const void *page,
                    uint8_t depth);

#endif
