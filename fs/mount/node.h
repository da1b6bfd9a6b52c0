/* From the kernel's numbers to ours, and from our attributes to the kernel's.
 *
 *   nodeid                   what
 *   -----------------------  ------------------------------------------------------------------
 *   1                        the mount's root: of a branch (branch=), or the view VIEW_ROOT
 *   2, 3                     the views branches/ and snapshots/
 *   branch id << 44 | inode  an inode of a branch, also its st_ino. The root of the branch that
 *                            is the mount's root has nodeid 1, and this as st_ino all the same. */
#ifndef PFS_MOUNT_NODE_H
#define PFS_MOUNT_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/mount/mount.h"

enum pfs_view {
    PFS_VIEW_ROOT = FUSE_ROOT_ID,
    PFS_VIEW_BRANCHES = 2,
    PFS_VIEW_SNAPSHOTS = 3,
};

struct pfs_node {
    struct pfs_tree *tree; /* NULL: a view */
    uint32_t branch;
    uint64_t ino; /* in the branch; of a view enum pfs_view */
};

/* Errors: PFS_ENOENT (a number that was never handed out, or of a branch that is gone), those of
 * opening a branch: an exported filesystem is asked for nodes of before its last mount. */
int pfs_node_find(struct pfs_mount *m, uint64_t nodeid, struct pfs_node *out) PFS_MUST_USE;

/* As the operations on files and directories of branches need it: finds the node, or answers the
 * request (a view with the errno given) and returns false. */
bool pfs_node_in_tree(fuse_req_t req, uint64_t nodeid, int errno_of_view, struct pfs_node *out);

static inline struct pfs_mount *pfs_mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* --- answers: each ends the request ----------------------------------------------------------- */

/* Answer with the errno of a negative enum pfs_err, or success. Errors that mean damage are logged
 * with the operation's name. */
void pfs_reply_result(fuse_req_t req, const char *op, int err);
/* The inode that an operation found or made; the kernel then holds the reference that it took. */
void pfs_reply_entry(fuse_req_t req, uint32_t branch, const struct pfs_attr *attr);
void pfs_reply_attr(fuse_req_t req, uint32_t branch, const struct pfs_attr *attr);
/* There is no such name, and the kernel may remember that. */
void pfs_reply_no_entry(fuse_req_t req);

/* --- attributes ------------------------------------------------------------------------------- */

#define PFS_CACHE_FOREVER_S 86400.0 /* nothing changes behind the kernel's back */

/* Attributes in the shape the kernel wants, st_ino and all. */
void pfs_attr_to_stat(const struct pfs_mount *m, uint32_t branch, const struct pfs_attr *attr,
                      struct stat *st);
void pfs_attr_to_entry(const struct pfs_mount *m, uint32_t branch, const struct pfs_attr *attr,
                       struct fuse_entry_param *e);

/* Nanoseconds since 1970, before it too; times past 1677 and 2262 become those. */
uint64_t pfs_ns_of_timespec(const struct timespec *ts);
struct timespec pfs_timespec_of_ns(uint64_t ns);

#endif
