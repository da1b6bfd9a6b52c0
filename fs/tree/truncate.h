/* Private to fs/tree: cutting and extending files. */
#ifndef PFS_TREE_TRUNCATE_H
#define PFS_TREE_TRUNCATE_H

#include "fs/tree/inode.h"

/* Change c->v to the new size, with a mark if the file gets shorter. c->v.marks may then be a new
 * array (own_marks). Holds inode->mu; the caller commits and applies c, and then calls
 * pfs_truncate_done(). May journal records of its own first, which change no content. */
int pfs_truncate_change(struct pfs_tree *tree, struct pfs_change *c, uint64_t size) PFS_MUST_USE;

/* Cut the file to size now, in a record of its own; times are set. Holds inode->mu. */
int pfs_truncate(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t size) PFS_MUST_USE;

/* Pages that a file of that size spans. */
static inline uint64_t pfs_pages_of(const struct pfs_tree *tree, uint64_t size)
{
    return (size + tree->page_size - 1) / tree->page_size;
}

#endif
