/* Private to fs/tree: opening what one already has. */
#ifndef PFS_TREE_HANDLE_H
#define PFS_TREE_HANDLE_H

#include "fs/tree/inode.h"

/* A handle on the inode, which gets a reference of its own; O_TRUNC in flags is carried out. */
int pfs_handle_open(struct pfs_tree *tree, struct pfs_inode *inode, int flags,
                    struct pfs_handle **out) PFS_MUST_USE;

#endif
