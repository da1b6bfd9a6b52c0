/* The directories of a volume's mount that are in no branch:
 *
 *   /            branches/ and snapshots/
 *   /branches/   each branch of the volume by its name, leading to its root directory
 *   /snapshots/  empty so far
 *
 * They are read-only: what would change them is answered with EPERM. */
#ifndef PFS_MOUNT_VIEWS_H
#define PFS_MOUNT_VIEWS_H

#include "fs/mount/node.h"

/* Set *e to what `name` leads to from the view; opens a branch's tree, of whose root a reference is
 * taken. Errors: PFS_ENOENT; those of opening a branch. */
int pfs_view_lookup(struct pfs_mount *m, enum pfs_view view, const char *name,
                    struct fuse_entry_param *e) PFS_MUST_USE;

/* What stat(2) says of a synthetic directory. */
void pfs_view_stat(struct pfs_mount *m, enum pfs_view view, struct stat *st);

/* Fill buf with directory entries from position off on; returns the bytes used. With plus in the
 * layout of READDIRPLUS, but without attributes: the kernel asks for those it wants. */
size_t pfs_view_readdir(fuse_req_t req, enum pfs_view view, bool plus, off_t off, char *buf,
                        size_t size);

#endif
