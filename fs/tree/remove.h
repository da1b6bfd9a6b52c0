/* Taking a name from an inode, as unlink, rmdir and a replacing rename do. Private to fs/tree. */
#ifndef PFS_TREE_REMOVE_H
#define PFS_TREE_REMOVE_H

#include "fs/tree/inode.h"

struct pfs_removal {
    struct pfs_change change;
    bool last; /* that was its last name */
    bool gone; /* and nobody has it open: its key goes with the name */
};

/* Add what happens to the inode (at most two entries): one name less; if it was the last, the inode
 * goes, or becomes an orphan while it is open. Holds inode->mu. */
void pfs_removal_begin(struct pfs_removal *r, struct pfs_inode *inode, uint64_t now,
                       struct pfs_entry *entries, unsigned *n);
void pfs_removal_apply(struct pfs_removal *r, pfs_lsn lsn);

#endif
