/* Pages of a file as the file shows them: store pages with the truncation marks applied. Private
 * to fs/tree. */
#ifndef PFS_TREE_PAGEIO_H
#define PFS_TREE_PAGEIO_H

#include "fs/tree/inode.h"

/* What a reader needs to know of an inode, taken in one moment: with the head of that moment it
 * sees the file between two records, however long the read takes. */
struct pfs_extent_view {
    uint64_t ino, size;
    pfs_lsn lsn;
    unsigned n_marks;
    struct pfs_mark marks[PFS_MARKS_MAX];
};

/* Holds inode->mu for the call only. */
void pfs_extent_view(struct pfs_tree *tree, struct pfs_inode *inode, struct pfs_extent_view *view);

/* One page into page (NULL: only what it is). *version_out is what the store has; *cut_out the
 * first byte of the page that reads as zero by a mark (page size: none does). */
int pfs_pageio_read(struct pfs_tree *tree, const struct pfs_extent_view *view, uint64_t block,
                    void *page, struct pfs_page_version *version_out,
                    uint32_t *cut_out) PFS_MUST_USE;

/* Is there anything in the page? (A written zero counts.) */
static inline bool pfs_pageio_present(const struct pfs_page_version *version, uint32_t cut)
{
    return version->lsn != 0 && version->kind != PFS_KIND_DELETE && cut > 0;
}

/* The page entry for these bytes: zeros at the end are not stored. */
struct pfs_entry pfs_pageio_entry(const struct pfs_tree *tree, uint64_t ino, uint64_t block,
                                  const void *page);

/* Zero [from, to) of the file: whole pages become holes, edges are rewritten. Only versions older
 * than `older` are touched (PFS_LSN_MAX: all). One record if it has at most PFS_ZERO_BATCH pages,
 * else several; `last` (may be NULL) goes into the last one and is applied. Holds inode->mu. */
#define PFS_ZERO_BATCH 16384
int pfs_pageio_zero(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t from, uint64_t to,
                    pfs_lsn older, struct pfs_change *last) PFS_MUST_USE;

static inline int pfs_pageio_zero_older(struct pfs_tree *tree, struct pfs_inode *inode,
                                        uint64_t from, uint64_t to, pfs_lsn older)
{
    return pfs_pageio_zero(tree, inode, from, to, older, NULL);
}

#endif
